"""What may be tuned: dimensions with their ranges, and the values that a trial takes from them.

A dimension is named by its path below a section of params.yaml, as ``train.lightgbm.num_leaves``. Names that end with
SWITCH are not parameters: another dimension depends on them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna

SWITCH = "?"
OBJECTIVES = ("lambdarank", "rank_xendcg", "binary")
Value = bool | int | float | str


@dataclass(frozen=True)
class Dimension:
    """Numbers of [low, high] (whole ones if both are), or one of ``choices``.

    present:   the value in params.yaml, where the first trial begins; a range is extended to it
    only_if:   name of an earlier dimension and the value that it must have
    otherwise: the parameter where it has another; None leaves it out
    """

    name: str
    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Value, ...] = ()
    present: Value | None = None
    only_if: tuple[str, Value] | None = None
    otherwise: Value | None = None

    def suggest(self, trial: optuna.Trial) -> Value:
        if self.choices:
            chosen = trial.suggest_categorical(self.name, self.choices)
            return next(choice for choice in self.choices if choice == chosen)
        ends = [self.low, self.high, *([] if self.present is None else [float(self.present)])]
        log = self.log and min(ends) > 0
        if isinstance(self.low, int) and isinstance(self.high, int):
            return trial.suggest_int(self.name, int(min(ends)), int(max(ends)), log=log)
        return float(f"{trial.suggest_float(self.name, min(ends), max(ends), log=log):.3g}")


@dataclass(frozen=True)
class Space:
    dimensions: tuple[Dimension, ...]

    def suggest(self, trial: optuna.Trial) -> dict[str, Value]:
        """Parameters by name."""
        taken: dict[str, Value] = {}
        for each in self.dimensions:
            if each.only_if is None or taken.get(each.only_if[0]) == each.only_if[1]:
                taken[each.name] = each.suggest(trial)
            elif each.otherwise is not None:
                taken[each.name] = each.otherwise
        return {name: value for name, value in taken.items() if not name.endswith(SWITCH)}

    def present(self) -> dict[str, Value]:
        """Dimensions by name, as params.yaml has them."""
        found: dict[str, Value] = {}
        for each in self.dimensions:
            asked = each.only_if is None or found.get(each.only_if[0]) == each.only_if[1]
            if asked and each.present is not None and (not each.choices or each.present in each.choices):
                found[each.name] = each.present
        return found

    def untuned(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """``params`` without what is tuned."""
        found = copy.deepcopy(dict(params))
        for each in self.dimensions:
            *parents, last = each.name.split(".")
            section: Any = found
            for parent in parents:
                section = section.get(parent) or {}
            section.pop(last, None)
        return found


def with_values(params: Mapping[str, Any], values: Mapping[str, Value]) -> dict[str, Any]:
    """A copy of ``params`` with ``values`` by their paths."""
    found = copy.deepcopy(dict(params))
    for name, value in values.items():
        *parents, last = name.split(".")
        section = found
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return found


def lightgbm_dimensions(
    prefix: str, lightgbm: Mapping[str, Any], objectives: tuple[str, ...] = ()
) -> tuple[Dimension, ...]:
    """``prefix``: of the names, ending with a dot. ``lightgbm``: present values. ``objectives``: to choose between."""
    objective = f"{prefix}objective"
    ranking = (
        Dimension(objective, choices=objectives, present=lightgbm.get("objective", OBJECTIVES[0])),
        Dimension(
            f"{prefix}lambdarank_truncation_level",
            10,
            100,
            log=True,
            present=lightgbm.get("lambdarank_truncation_level", 30),
            only_if=(objective, "lambdarank"),
        ),
    )
    ranges: tuple[tuple[str, float, float, bool, float], ...] = (  # the last: LightGBM's own value
        ("learning_rate", 0.01, 0.2, True, 0.1),
        ("num_leaves", 7, 127, True, 31),
        ("min_data_in_leaf", 20, 1000, True, 20),
        ("feature_fraction", 0.2, 1.0, False, 1.0),
        ("bagging_fraction", 0.5, 1.0, False, 1.0),
        ("lambda_l2", 0.1, 100.0, True, 0.0),
    )
    trees = tuple(
        Dimension(prefix + name, low, high, log, present=lightgbm.get(name, default))
        for name, low, high, log, default in ranges
    )
    return (*(ranking if objectives else ()), *trees)
