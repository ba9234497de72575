"""Rankers: a LightGBM model, or a baseline that orders by stored features.

Both score one slate's matrix and live in a folder as text (never a pickle): ``ranker.json`` names kind and
features, ``model.txt`` holds LightGBM's own form.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import lightgbm
import numpy as np
import numpy.typing as npt

from infra.model_contract import RankerKind

Floats = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]

RANKER_FILE = "ranker.json"
MODEL_FILE = "model.txt"


class BadModel(ValueError):
    """A model folder that is incomplete, broken, or does not fit its own feature list."""


class Ranker(Protocol):
    @property
    def kind(self) -> RankerKind: ...

    @property
    def feature_names(self) -> tuple[str, ...]: ...

    def score(self, matrix: Floats) -> Scores:
        """(n, f) float32 of one slate, in the order of ``feature_names`` -> (n,), higher is better."""
        ...

    def save(self, folder: Path) -> None: ...


class LightGbmRanker:
    """``threads`` defaults to one: two are slower on a slate, and much worse at the 99th percentile."""

    kind: RankerKind = "lightgbm"

    def __init__(self, booster: lightgbm.Booster, feature_names: Sequence[str], threads: int = 1) -> None:
        if booster.num_feature() != len(feature_names):
            raise BadModel(f"the model has {booster.num_feature()} features, its list names {len(feature_names)}")
        self.booster = booster
        self.feature_names = tuple(feature_names)
        self.threads = threads

    def score(self, matrix: Floats) -> Scores:
        scores = self.booster.predict(matrix, num_threads=self.threads)
        return np.asarray(scores, dtype=np.float64)

    def save(self, folder: Path) -> None:
        self.booster.save_model(str(folder / MODEL_FILE))
        _write(folder, {"kind": self.kind, "feature_names": self.feature_names})


@dataclass(frozen=True)
class SortKey:
    """One ordering key: larger first for ``sign`` +1, smaller first for -1. NaN comes last."""

    feature: str
    sign: int = 1


@dataclass(frozen=True)
class BaselineRanker:
    """Orders by ``keys``, the first one first; no key means a seeded pseudo-random order.

    The score is the dense rank mapped to (0, 1], so that equal keys have equal scores.
    """

    name: str
    keys: tuple[SortKey, ...]
    feature_names: tuple[str, ...]
    seed: int = 0
    kind: RankerKind = "baseline"

    def __post_init__(self) -> None:
        unknown = [key.feature for key in self.keys if key.feature not in self.feature_names]
        if unknown:
            raise BadModel(f"baseline {self.name!r} orders by unknown features {unknown}")

    def score(self, matrix: Floats) -> Scores:
        n = len(matrix)
        if not n:
            return np.zeros(0)
        if not self.keys:
            return np.random.default_rng(self.seed + n).random(n)
        columns = [self.feature_names.index(key.feature) for key in self.keys]
        signed = matrix[:, columns].astype(np.float64) * [key.sign for key in self.keys]
        signed = np.where(np.isnan(signed), -np.inf, signed)
        _, rank = np.unique(signed, axis=0, return_inverse=True)  # ascending, lexicographic
        return np.asarray((rank.reshape(-1) + 1) / (rank.max() + 1), dtype=np.float64)

    def save(self, folder: Path) -> None:
        _write(folder, asdict(self))


def score_groups(ranker: Ranker, matrix: Floats, sizes: npt.NDArray[np.int64]) -> Scores:
    """(n,) scores of many slates. ``sizes``: (g,), sums to n. A LightGBM model takes all rows at once."""
    if ranker.kind == "lightgbm":
        return ranker.score(matrix)
    ends = np.cumsum(sizes)
    parts = [ranker.score(matrix[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
    return np.concatenate(parts) if parts else np.zeros(0)


def load_ranker(folder: Path) -> Ranker:
    """Raises BadModel where a file is missing or broken, or the features do not fit the model."""
    try:
        body: dict[str, Any] = json.loads((folder / RANKER_FILE).read_text())
        kind = body["kind"]
        if kind == "baseline":
            keys = tuple(SortKey(**key) for key in body["keys"])
            return BaselineRanker(body["name"], keys, tuple(body["feature_names"]), int(body["seed"]))
        if kind == "lightgbm":
            booster = lightgbm.Booster(model_file=str(folder / MODEL_FILE))
            return LightGbmRanker(booster, body["feature_names"])
    except BadModel:
        raise
    except (OSError, KeyError, TypeError, ValueError, lightgbm.basic.LightGBMError) as error:
        raise BadModel(f"{folder}: {error}") from error
    raise BadModel(f"{folder / RANKER_FILE}: unknown kind {kind!r}")


def _write(folder: Path, body: dict[str, Any]) -> None:
    (folder / RANKER_FILE).write_text(json.dumps(body, indent=2))
