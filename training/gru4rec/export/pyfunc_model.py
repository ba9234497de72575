"""The exported model as MLflow loads it: session in, next items out.

This file is copied into the model. It imports nothing of this project, so that the model needs only MLflow, numpy,
pandas and onnxruntime. Request:

    {"dataframe_records": [{"session": [1, 2, 3]}, {"session": []}], "params": {"k": 10, "exclude_seen": true}}

Answer, in the order of the rows, the best item first:

    {"predictions": [{"recommendations": [...], "scores": [...]}, ...]}

Unknown items are skipped. Of a long session only the last ``max_length`` known items are read. A session without a
known item gets the popular items, with their support in train as scores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel

ROWS_AT_ONCE = 256
SCORES_AT_ONCE = 32_000_000  # max rows times items in one run of the graph: 128 MB


class Best(NamedTuple):
    """At most k items, the best first. ``popular``: the session had no known item."""

    indices: list[int]
    scores: list[float]
    popular: bool


class NextItems(PythonModel):  # type: ignore[misc]
    """``model_config``: ``max_length``, ``top_k`` (the max k) and ``integer_ids``."""

    def load_context(self, context: Any) -> None:
        """Open the graph. It runs on one thread, because requests run in parallel and one is too small for two."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._graph = onnxruntime.InferenceSession(
            context.artifacts["graph"], options, providers=["CPUExecutionProvider"]
        )
        vocabulary = json.loads(Path(context.artifacts["vocabulary"]).read_text())
        settings = context.model_config
        self._index = {item: i for i, item in enumerate(vocabulary["items"])}
        self._ids: list[Any] = [int(i) for i in vocabulary["items"]] if settings["integer_ids"] else vocabulary["items"]
        counts = np.array(vocabulary["counts"])
        self._max_length, self._top_k = int(settings["max_length"]), int(settings["top_k"])
        popular = np.argsort(-counts, kind="stable")[: self._top_k]
        self._popular: list[int] = popular.tolist()
        self._support: list[float] = counts[popular].astype(np.float64).tolist()

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> list[dict[str, list[Any]]]:
        """One answer per row of the column ``session``. Raises MlflowException, for which the server sends 400."""
        params = params or {}
        if "session" not in model_input:
            raise MlflowException.invalid_parameter_value("the column 'session' is missing")
        return self.recommend(
            list(model_input["session"]), int(params.get("k", 20)), bool(params.get("exclude_seen", False))
        )

    def recommend(self, sessions: Sequence[Any], k: int, exclude_seen: bool) -> list[dict[str, list[Any]]]:
        """The best ids of each session, a list of ids. Raises MlflowException."""
        return [
            {"recommendations": [self._ids[i] for i in best.indices], "scores": best.scores}
            for best in self.best(sessions, k, exclude_seen)
        ]

    def best(self, sessions: Sequence[Any], k: int, exclude_seen: bool) -> list[Best]:
        """The best items of each session, as vocabulary indices. Raises MlflowException."""
        if not 1 <= k <= self._top_k:
            raise MlflowException.invalid_parameter_value(f"k must be from 1 to {self._top_k}, not {k}")
        known = [self._known(row, session) for row, session in enumerate(sessions)]
        seen = [frozenset(items) if exclude_seen else frozenset() for items in known]
        found = [Best(self._popular[:k], self._support[:k], True)] * len(known)
        scored = [row for row, items in enumerate(known) if items]
        at_once = max(1, min(ROWS_AT_ONCE, SCORES_AT_ONCE // len(self._ids)))
        for first in range(0, len(scored), at_once):
            rows = scored[first : first + at_once]
            # Seen items are removed from the best, so the graph must return that many more.
            wanted = min(len(self._ids), k + max(len(seen[row]) for row in rows))
            best = self._run([known[row][-self._max_length :] for row in rows], wanted)
            for row, scores, indices in zip(rows, *best, strict=True):
                found[row] = _first_unseen(indices.tolist(), scores.tolist(), seen[row], k)
        return found

    def _known(self, row: int, session: Any) -> list[int]:
        """The vocabulary indices of a session's known items."""
        if not isinstance(session, list | tuple | np.ndarray):
            raise MlflowException.invalid_parameter_value(
                f"row {row}: session must be a list of item ids, not {type(session).__name__}"
            )
        found = (self._index.get(str(item)) for item in session)
        return [index for index in found if index is not None]

    def _run(self, sessions: list[list[int]], k: int) -> tuple[Any, Any]:
        """(scores, indices) of the best k, (len(sessions), k) each."""
        lengths = np.array([len(session) for session in sessions])
        items = np.zeros((len(sessions), lengths.max()), dtype=np.int64)
        for row, session in zip(items, sessions, strict=True):
            row[: len(session)] = session
        scores, indices = self._graph.run(
            ["scores", "indices"], {"items": items, "lengths": lengths, "k": np.array(k, dtype=np.int64)}
        )
        return scores, indices


def _first_unseen(indices: list[int], scores: list[float], seen: frozenset[int], k: int) -> Best:
    """The first ``k`` items that are not in ``seen``."""
    if not seen:
        return Best(indices[:k], scores[:k], False)
    pairs = [(index, score) for index, score in zip(indices, scores, strict=True) if index not in seen][:k]
    return Best([index for index, _ in pairs], [score for _, score in pairs], False)


set_model(NextItems())
