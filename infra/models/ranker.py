"""Rankers: a LightGBM model or a baseline scores a slate, behind one protocol; and their files.

A ranker reads the feature matrix, (n, f) float32, its columns in the order of ``feature_names``, NaN where a value
is unknown; its ``vocabulary`` gives the codes of the categories among them. It returns (n,) float64; the highest score
comes first. Its files are text, never pickles: ``model.txt`` (LightGBM's format) and ``vocabulary.json`` with
``model.json`` (the features and the digests of both), or ``baseline.json``.

    ValueError
    ├── BadModel     a ranker that is missing, broken, or not the one its files describe
    ├── BadGroups    group sizes that are empty, not positive, or do not sum to the number of rows
    └── NotAdditive  a ranker whose scores are not sums over features
"""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import lightgbm
import numpy as np
import numpy.typing as npt

from infra.durable_file import write_durably
from infra.models.arrays import Doubles, Floats, Integers
from infra.models.model_contract import RankerKind
from infra.models.trees.forest import DamagedTrees, read_forest
from infra.models.vocabulary import NO_TEXTS, BadVocabulary, Vocabulary

SortKey = tuple[str, int]  # (feature name, 1 for descending or -1 for ascending order)

RANDOM_KEY = "__random__"
RANDOM_SEED = 20180101
MODEL_FILE, VOCABULARY_FILE, MODEL_CARD, BASELINE_FILE = "model.txt", "vocabulary.json", "model.json", "baseline.json"


class BadModel(ValueError):
    """The ranker is missing, broken, or not the one its files describe. Train and register it again."""


class BadGroups(ValueError):
    """Group sizes that are empty, not positive, or do not sum to the number of rows."""


class NotAdditive(ValueError):
    """The ranker's scores are not sums over features, so no feature has a share in them."""


class Ranker(Protocol):
    @property
    def kind(self) -> RankerKind: ...

    @property
    def feature_names(self) -> tuple[str, ...]: ...

    @property
    def vocabulary(self) -> Vocabulary: ...

    def score(self, matrix: Floats) -> Doubles:
        """Scores of ONE slate: (n, f) float32 -> (n,) float64. Raises ValueError on another f."""
        ...

    def contributions(self, matrix: Floats) -> Doubles:
        """(n, f) -> (n, f + 1): the share of each feature in each row's score; the last column is the base value.

        Each row sums to its score. Raises NotAdditive.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the ranker's files; :func:`load_ranker` reads them back."""
        ...


@dataclass(frozen=True)
class LightGbmRanker:
    """LambdaMART. It scores with one thread, because two are slower on the few hundred rows of a slate.

    ``vocabulary``: of its categorical features.
    """

    booster: Any  # lightgbm.Booster, which has no type stubs
    feature_names: tuple[str, ...]
    num_threads: int = 1
    vocabulary: Vocabulary = NO_TEXTS
    kind: Literal["lightgbm"] = "lightgbm"

    def __post_init__(self) -> None:
        inputs = self.booster.num_feature()
        if inputs != len(self.feature_names):
            raise BadModel(f"the LightGBM model has {inputs} inputs, but {len(self.feature_names)} features are named")
        if unknown := self.vocabulary.texts.keys() - set(self.feature_names):
            raise BadModel(f"the vocabulary has {sorted(unknown)}, which are not among the features")

    def score(self, matrix: Floats) -> Doubles:
        return self.predict(matrix, self.num_threads)

    def predict(self, matrix: Floats, threads: int) -> Doubles:
        """Scores of any number of slates at once, bit for bit equal to :meth:`score` of each slate."""
        check_width(matrix, self.feature_names)
        return np.asarray(self.booster.predict(matrix, num_threads=threads), dtype=np.float64)

    def contributions(self, matrix: Floats) -> Doubles:
        """SHAP values of the trees (Lundberg et al. 2018). Takes about a millisecond per row."""
        check_width(matrix, self.feature_names)
        found = self.booster.predict(matrix, num_threads=self.num_threads, pred_contrib=True)
        return np.asarray(found, dtype=np.float64)

    def save(self, folder: Path) -> None:
        text, vocabulary = self.booster.model_to_string(), self.vocabulary.to_json()
        folder.mkdir(parents=True, exist_ok=True)
        write_durably(folder / MODEL_FILE, text.encode())
        write_durably(folder / VOCABULARY_FILE, vocabulary.encode())
        card = {
            "kind": self.kind,
            "feature_names": self.feature_names,
            "sha256": _digest(text),
            "vocabulary_sha256": _digest(vocabulary),
        }
        write_durably(folder / MODEL_CARD, json.dumps(card, indent=2).encode())


@dataclass(frozen=True)
class BaselineRanker:
    """Sorts by ``keys``. The first key decides; each later key breaks the ties of the keys before it.

    NaN sorts last under either sign, so a feature that is unknown for the whole slate has no effect.
    The key ``__random__`` is a hash of ``seed``, the slate's matrix and the row number: the same slate always gets
    the same order, and two slates get unrelated orders.
    """

    name: str
    keys: tuple[SortKey, ...]
    feature_names: tuple[str, ...]
    seed: int = RANDOM_SEED
    kind: Literal["baseline"] = "baseline"

    @property
    def vocabulary(self) -> Vocabulary:
        """Empty: no baseline sorts by a category."""
        return NO_TEXTS

    def __post_init__(self) -> None:
        if not self.keys:
            raise BadModel(f"baseline {self.name!r} has no keys")
        for feature, sign in self.keys:
            if feature != RANDOM_KEY and feature not in self.feature_names:
                raise BadModel(f"baseline {self.name!r} sorts by {feature!r}, which is not among the features")
            if sign not in (1, -1):
                raise BadModel(f"baseline {self.name!r}: the sign of {feature!r} is {sign!r}, not 1 or -1")

    def score(self, matrix: Floats) -> Doubles:
        """Dense rank of the key tuples divided by the number of ranks, in (0, 1]. Equal keys get equal scores."""
        check_width(matrix, self.feature_names)
        if not len(matrix):
            return np.empty(0)
        keys = [self._key(matrix, feature, sign) for feature, sign in self.keys]  # each (n,)
        order = np.lexsort(keys[::-1])  # lowest rank first; lexsort takes the deciding key last
        differs = np.zeros(len(matrix), dtype=bool)
        for key in keys:
            differs[1:] |= key[order][1:] != key[order][:-1]
        level = np.cumsum(differs)  # (n,) from 0, in sorted order
        scores = np.empty(len(matrix))
        scores[order] = (level + 1) / (level[-1] + 1)
        return scores

    def contributions(self, matrix: Floats) -> Doubles:
        raise NotAdditive(f"the baseline {self.name!r} sorts by its keys; its scores are not sums over features")

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        body = {field: getattr(self, field) for field in ("kind", "name", "keys", "feature_names", "seed")}
        write_durably(folder / BASELINE_FILE, json.dumps(body, indent=2).encode())

    def _key(self, matrix: Floats, feature: str, sign: int) -> Doubles:
        if feature == RANDOM_KEY:
            return _random_key(matrix, self.seed)
        values = sign * matrix[:, self.feature_names.index(feature)].astype(np.float64)
        return np.where(np.isnan(values), -np.inf, values)


def load_ranker(folder: Path, num_threads: int = 1) -> Ranker:
    """The ranker that ``save`` wrote. Raises BadModel, which names the file and the fault."""
    baseline, card = folder / BASELINE_FILE, folder / MODEL_CARD
    if baseline.exists() == card.exists():
        both = "both" if card.exists() else "neither"
        raise BadModel(f"{folder} holds {both} of {BASELINE_FILE} and {MODEL_CARD}: a ranker has exactly one of them")
    return _load_baseline(baseline) if baseline.exists() else _load_lightgbm(card, num_threads)


def score_groups(ranker: Ranker, matrix: Floats, sizes: npt.NDArray[Any], threads: int = 1) -> Doubles:
    """Scores of many slates, (n, f) -> (n,); ``sizes`` (g,) sum to n. Raises BadGroups.

    LightGBM predicts all rows at once, with ``threads``. A baseline scores slate by slate.
    """
    starts = group_starts(sizes, len(matrix))
    if isinstance(ranker, LightGbmRanker):
        return ranker.predict(matrix, threads)
    return np.concatenate([ranker.score(slate) for slate in np.split(matrix, starts[1:])])


def group_starts(sizes: npt.NDArray[Any], rows: int) -> Integers:
    """First row of each group, (g,) int64. Raises BadGroups unless the sizes are positive and sum to ``rows``."""
    sizes = np.asarray(sizes)
    if sizes.ndim != 1 or not sizes.size or not np.issubdtype(sizes.dtype, np.integer):
        raise BadGroups(f"sizes must be a non-empty array of integers (g,), not {sizes.dtype} {sizes.shape}")
    if (sizes <= 0).any():
        group = int(np.argmax(sizes <= 0))
        raise BadGroups(f"group {group} has size {sizes[group]}: a query group has at least one row")
    ends: Integers = np.cumsum(sizes, dtype=np.int64)
    if ends[-1] != rows:
        raise BadGroups(f"{len(sizes)} group sizes sum to {ends[-1]}, but there are {rows} rows")
    return ends - sizes.astype(np.int64)


def _load_baseline(path: Path) -> BaselineRanker:
    body = _read_card(path, "baseline")
    try:
        return BaselineRanker(
            name=str(body["name"]),
            keys=tuple((str(feature), int(sign)) for feature, sign in body["keys"]),
            feature_names=tuple(body["feature_names"]),
            seed=int(body["seed"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BadModel(f"{path} is not a baseline: {error}") from error


def _load_lightgbm(card: Path, num_threads: int) -> LightGbmRanker:
    body = _read_card(card, "lightgbm")
    try:
        names, sha256 = tuple(body["feature_names"]), str(body["sha256"])
    except (KeyError, TypeError) as error:
        raise BadModel(f"{card} is not the card of a LightGBM model: {error}") from error
    path = card.with_name(MODEL_FILE)
    text = _read_text(path, sha256)  # its digest comes before parsing: LightGBM aborts the process on a truncated file
    vocabulary = _load_vocabulary(card.with_name(VOCABULARY_FILE), body.get("vocabulary_sha256"))
    try:
        read_forest(text)  # LightGBM checks no index in it
        return LightGbmRanker(lightgbm.Booster(model_str=text), names, num_threads, vocabulary)
    except (DamagedTrees, lightgbm.basic.LightGBMError) as error:
        raise BadModel(f"{path} is not a LightGBM model: {error}") from error


def _load_vocabulary(path: Path, sha256: str | None) -> Vocabulary:
    """``sha256``: None for a model of a release that had none."""
    try:
        return NO_TEXTS if sha256 is None else Vocabulary.from_json(_read_text(path, sha256))
    except BadVocabulary as error:
        raise BadModel(f"{path}: {error}") from error


def _read_text(path: Path, sha256: str) -> str:
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise BadModel(f"{path} cannot be read: {error}") from error
    if _digest(text) != sha256:
        raise BadModel(f"{path} was changed or truncated: its digest is not the one in {MODEL_CARD}")
    return text


def _read_card(path: Path, kind: RankerKind) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadModel(f"{path} cannot be read: {error}") from error
    if not isinstance(body, dict) or body.get("kind") != kind:
        raise BadModel(f"{path} does not describe a ranker of kind {kind!r}")
    return body


def check_width(matrix: Floats, feature_names: tuple[str, ...]) -> None:
    if matrix.ndim != 2 or matrix.shape[1] != len(feature_names):
        raise ValueError(f"the matrix is {matrix.shape}, but the ranker reads {len(feature_names)} features")


def _random_key(matrix: Floats, seed: int) -> Doubles:
    """(n,) in [0, 1): splitmix64 (Steele et al. 2014) of the row number, keyed by seed and matrix."""
    canonical = np.where(np.isnan(matrix), np.float32(np.nan), matrix) + np.float32(0)  # one NaN, no -0.0
    key = zlib.crc32(np.ascontiguousarray(canonical).data, seed & 0xFFFFFFFF)
    state = (np.arange(1, len(matrix) + 1, dtype=np.uint64) + (np.uint64(key) << np.uint64(32))) * np.uint64(
        0x9E3779B97F4A7C15
    )
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (state ^ (state >> np.uint64(31))).astype(np.float64) / 2.0**64


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
