"""Fits :mod:`feature_repo.candidates.sources.covisitation`: which items are ordered in the same sessions as an item.

A session is cut where nothing happens for ``gap_hours``. Of the last ``days`` its newest ``session_items`` items are
read; items with fewer than ``min_events`` events in these days are not. X_a[s, i] = 1 where the session s has the
action a (view, like, add_to_cart, order) on the item i. Y[s, j] is the weight of the order (or cart, or view) of j,
halved every ``half_life_days``, over the square root of the session's number of such items. w halves alike:

    pairs_a[i, j] = (X_a' Y)[i, j] / (sum_s X_a[s, i] w[s, i] + shrinkage) / (sum_s Y[s, j] + shrinkage)^popularity

``popularity`` 0 prefers items that everybody buys, 1 items that are bought with i more often than with others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags

from feature_repo.candidates.seeds import KINDS, SeedWeights
from feature_repo.candidates.source import Candidates
from feature_repo.candidates.sources.covisitation import Covisitation
from feature_repo.candidates.sparse_table import SparseTable, row_blocks
from infra.models.arrays import Doubles
from training.candidates.known_log import KnownLog

PRODUCTS_AT_ONCE = 20_000_000


def fit(log: KnownLog, params: Mapping[str, Any]) -> Covisitation | None:
    """None where no session holds two items."""
    if unknown := sorted(params["targets"].keys() - set(KINDS)):
        raise ValueError(f"targets has {', '.join(unknown)}: a pair is counted for {', '.join(KINDS)}")
    sessions, items, kinds, ages = _session_items(log, params)
    if not len(sessions):
        return None
    targets = np.array([params["targets"].get(kind, 0.0) for kind in KINDS])[kinds]
    faded = np.exp2(-ages / params["half_life_days"])
    shape = (int(sessions[-1]) + 1, len(log.codes))
    size = np.bincount(sessions, targets > 0, minlength=shape[0])
    weights = targets * faded / np.sqrt(np.maximum(size, 1))[sessions]
    ordered = csr_matrix((weights, (sessions, items)), shape=shape)
    orders = np.asarray(ordered.sum(axis=0)).ravel()
    ordered = ordered @ diags((orders + params["shrinkage"]) ** -float(params["popularity"]))
    ordered.eliminate_zeros()
    parts = []
    for kind in range(len(KINDS)):
        of_kind = kinds == kind
        present = csr_matrix((np.ones(of_kind.sum()), (sessions[of_kind], items[of_kind])), shape=shape)
        support = np.bincount(items[of_kind], faded[of_kind], minlength=shape[1])
        parts.append(_best_pairs(present.T.tocsr(), ordered, support + params["shrinkage"], params["neighbours"]))
    pairs = Candidates.concatenated(parts)
    table = SparseTable(pairs.lists, pairs.items, pairs.scores, shape[1])
    return Covisitation(table, SeedWeights(**params["seeds"])) if table.lists.size else None


def _best_pairs(present: Any, ordered: Any, support: Doubles, neighbours: int) -> Candidates:
    """The best ``neighbours`` of each item. present: (items, sessions); ordered: (sessions, items)."""
    found = []
    work = np.asarray(present @ np.diff(ordered.indptr).astype(np.int64)).ravel().astype(np.int64)
    for block in row_blocks(work + 1, PRODUCTS_AT_ONCE):
        together = present[block] @ ordered
        rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
        other = (together.indices != rows + block.start) & (together.data > 0)
        scores = together.data / support[block][rows]
        found.append(
            Candidates.best(rows[other], together.indices[other], scores[other], together.shape[0], neighbours)
        )
    return Candidates.concatenated(found)


def _session_items(log: KnownLog, params: Mapping[str, Any]) -> tuple[npt.NDArray[Any], ...]:
    """(sessions, items, kinds, ages in days), (m,) each, by session: each item and kind once per session."""
    found = log.connection.execute(
        """
        WITH timed AS (
            SELECT session_id, code, list_position($kinds, action) - 1 AS kind, at_us,
                at_us - lag(at_us) OVER (PARTITION BY session_id ORDER BY at_us) > $gap_us AS cuts
            FROM known_events WHERE list_contains($kinds, action) AND at_us >= $known_at_us - $days * 86400000000
            QUALIFY count(*) OVER (PARTITION BY code) >= $min_events
        ), cut AS (  -- by RANGE: events of one timestamp are in the same part
            SELECT session_id, code, kind, at_us,
                coalesce(sum(cuts::INTEGER) OVER
                    (PARTITION BY session_id ORDER BY at_us RANGE UNBOUNDED PRECEDING), 0) AS part
            FROM timed
        ), once AS (
            SELECT session_id, part, code, kind, max(at_us) AS at_us FROM cut GROUP BY ALL
        )
        SELECT dense_rank() OVER (ORDER BY session_id, part) - 1 AS session, code, kind,
            ($known_at_us - at_us) / 86400e6 AS age
        FROM once
        QUALIFY row_number() OVER (PARTITION BY session_id, part ORDER BY at_us DESC, kind DESC, code) <= $session_items
        ORDER BY session, kind, code
        """,
        {
            "kinds": list(KINDS),
            "gap_us": round(params["gap_hours"] * 3_600e6),
            "days": int(params["days"]),
            "min_events": int(params["min_events"]),
            "known_at_us": log.known_at_us,
            "session_items": params["session_items"],
        },
    ).fetchnumpy()
    return tuple(np.asarray(found[name]) for name in ("session", "code", "kind", "age"))
