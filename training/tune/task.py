"""A model that can be tuned: its space, its metric and the data that it is measured on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from training.tune.space import Space, Value

Watch = Callable[[int, float], None]
"""Is told the number of rounds so far and the metric after them; may raise optuna.TrialPruned."""


class Measure(Protocol):
    def __call__(self, values: Mapping[str, Value], watch: Watch) -> float:
        """The metric, higher is better, of a model with these parameters. The same values give the same metric."""
        ...


@dataclass(frozen=True)
class Task:
    """``section``: of params.yaml, where the parameters of the space are. ``data``: a hash of all that a metric depends
    on beside the values: trials of another one cannot be compared. ``objective``: the dimension that names the
    objective, if it is tuned.
    """

    model: str
    metric: str
    section: tuple[str, ...]
    space: Space
    data: str
    measure: Measure
    objective: str | None = None

    @property
    def study_name(self) -> str:
        return f"{self.model}-{self.data[:16]}"


def digest(space: Space, *parts: Any) -> str:
    """SHA-256 of what can be written as JSON, and of the names and choices of the space."""
    body = [[[each.name, each.choices, each.only_if] for each in space.dimensions], *parts]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
