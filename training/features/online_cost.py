"""What a view and a derived family cost in serving, in microseconds per slate, measured in this process.

Every figure is the mean over real test slates of the shortest of REPEATS runs, by one thread:

    decode   a view's stored values of the slate, from the bytes that Redis answers with to values. Serving pays it for
             items that its cache does not hold, and for a user or a session whose row changed.
    derive   a family's ``columns``, for a user and a session that nothing was computed of yet (first), and for a later
             slate of theirs with the same rows (again).
    fill     all inputs into one matrix: the whole of ``feature_matrix`` without the derived families.

What Redis, the network, parsing, the trees and the answer take is not in it: it is no feature's.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from feature_repo.definitions.views import views
from feature_repo.derived.families import FAMILIES, derived_columns
from feature_repo.model_features import model_features
from feature_repo.online.redis_format import decoding
from feature_repo.schema import Declaration
from feature_repo.slate import Floats, Slate
from training.features.served_slates import first_time
from training.features.stored_values import Stored, stored_values

REPEATS = 5
VIEW, DERIVED = "view", "derived"


@dataclass(frozen=True)
class PartCost:
    """One view or one derived family. ``kilobytes``: of its values that are read for a slate."""

    kind: str
    decode_us: float = 0.0
    kilobytes: float = 0.0
    first_us: float = 0.0
    again_us: float = 0.0

    @property
    def uncached_us(self) -> float:
        return self.decode_us + self.first_us


@dataclass(frozen=True)
class OnlineCost:
    """``parts``: by name. ``features``: µs of each input of a slate that is in no cache.

    A stored input costs what decoding its own values takes. Those of a derived family are computed together: each has
    an equal share of it. ``fill_us`` is of all inputs alike, and each has an equal share of that, too.
    """

    slates: int
    candidates: float  # mean of a slate
    fill_us: float
    parts: Mapping[str, PartCost]
    features: Mapping[str, float]


def online_cost(slates: Iterable[Slate], declaration: Declaration, matrix_of: Callable[[Slate], Floats]) -> OnlineCost:
    """``slates``: as :func:`training.features.served_slates.as_served` makes them, at least one.

    ``matrix_of``: the model's ``feature_matrix``.
    """
    measured: dict[tuple[str, str], list[float]] = {}
    sizes: list[int] = []

    def note(what: str, name: str, value: float) -> None:
        measured.setdefault((what, name), []).append(value)

    for slate in slates:
        sizes.append(len(slate))
        with _no_collection():
            for name, us in _derived(slate, declaration, first=True):
                note("first", name, us)
            for name, us in _derived(slate, declaration, first=False):
                note("again", name, us)
            derived = _shortest(lambda s=slate: derived_columns(s, declaration))  # type: ignore[misc]
            note("fill", "", _shortest(lambda s=slate: matrix_of(s)) - derived)  # type: ignore[misc]
        for view, column, stored in stored_values(slate, declaration):
            note("bytes", f"{view}.{column}", stored.bytes)
            with _no_collection():
                note("decode", f"{view}.{column}", _decode_us(stored))
    means = {key: float(np.mean(values)) for key, values in measured.items()}
    return OnlineCost(
        len(sizes),
        float(np.mean(sizes)),
        max(means["fill", ""], 0.0),
        _parts(means, declaration),
        _features(means, declaration),
    )


def _parts(means: Mapping[tuple[str, str], float], declaration: Declaration) -> dict[str, PartCost]:
    found = {}
    for view in views(declaration):
        columns = [f"{view.name}.{column.name}" for column in view.columns]
        decode, size = (sum(means.get((what, each), 0.0) for each in columns) for what in ("decode", "bytes"))
        found[view.name] = PartCost(VIEW, decode_us=decode, kilobytes=size / 1000)
    for family in FAMILIES:
        if family.features:
            first, again = (means[what, family.name] for what in ("first", "again"))
            found[family.name] = PartCost(DERIVED, first_us=first, again_us=again)
    return found


def _features(means: Mapping[tuple[str, str], float], declaration: Declaration) -> dict[str, float]:
    inputs = model_features(declaration)
    share = {
        feature.name: means["first", family.name] / len(family.features)
        for family in FAMILIES
        for feature in family.features
    }
    fill = max(means["fill", ""], 0.0) / len(inputs)
    own = {each.name: means.get(("decode", f"{each.source}.{each.name}"), 0.0) for each in inputs}
    return {each.name: share.get(each.name, own[each.name]) + fill for each in inputs}


def _derived(slate: Slate, declaration: Declaration, *, first: bool) -> Iterator[tuple[str, float]]:
    with np.errstate(divide="ignore", invalid="ignore"):
        for family in FAMILIES:
            if not family.features:
                continue
            runs = []
            for _ in range(REPEATS):
                given = first_time(slate) if first else slate
                runs.append(_us(lambda f=family, s=given: f.columns(s, declaration)))  # type: ignore[misc]
            yield family.name, min(runs)


def _decode_us(stored: Stored) -> float:
    if stored.many:
        return _shortest(lambda: decoding.array(stored.cells, stored.dtype))
    return _shortest(lambda: [decoding.value(cell, stored.dtype) for cell in stored.cells])


def _shortest(call: Callable[[], Any]) -> float:
    return min(_us(call) for _ in range(REPEATS))


def _us(call: Callable[[], Any]) -> float:
    started = time.perf_counter_ns()
    call()
    return (time.perf_counter_ns() - started) / 1000


@contextmanager
def _no_collection() -> Iterator[None]:
    """As timeit does: a collection of garbage is no cost of the feature that it falls on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
