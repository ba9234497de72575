"""The lists of k items that the recommender is compared with: references, and each source alone.

Every list that is short is filled up with the items that most users ordered of late, as the recommender's is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.store import open_store
from infra.settings import Settings
from training.buyers.orders import Orders
from training.candidates.fit import fit_sources
from training.candidates.user_states import user_queries
from training.recommend.compare.tifu_knn import TifuKnn
from training.recommend.item_lists import filled
from training.recommend.submission import Submission

DECAYED_DAYS = 60
POPULAR, FREQUENT, DECAYED, TIFU = "popular", "personal frequency", f"decayed {DECAYED_DAYS} d", "TIFU-KNN"


def reference_lists(
    settings: Settings, params: Mapping[str, Any], orders: Orders, at: datetime, users: Sequence[str], k: int
) -> dict[str, Submission]:
    """Name -> the list of each user as of ``at``. ``params``: the section ``recommend``; a
    source that is switched off there is asked, too. ``orders``: known at ``at``.

    Raises as :func:`training.candidates.fit.fit_sources` and NotEnough.
    """
    trending = orders.trending(at, int(params["batch"]["trending_days"]), 2 * k)
    found: dict[str, list[list[str]]] = {
        POPULAR: [[] for _ in users],
        FREQUENT: _by_sum(orders, at, users, k, "1.0"),
        DECAYED: _by_sum(orders, at, users, k, f"2 ** (-epoch($at - received_ts) / (86400.0 * {DECAYED_DAYS}))"),
        TIFU: _tifu(orders, at, users, k),
        **dict(_of_sources(settings, params, at, users, k)),
    }
    return {
        name: Submission(list(users), [filled(each, k, trending) for each in lists]) for name, lists in found.items()
    }


def _by_sum(orders: Orders, at: datetime, users: Sequence[str], k: int, weight: str) -> list[list[str]]:
    """The items of a user with the highest sum of weights over the user's orders; of equal ones the latest first."""
    rows = orders.connection.execute(
        f"""
        SELECT user_id, list(item_id ORDER BY weight DESC, latest DESC, item_id)[:{k}] FROM (
            SELECT user_id, item_id, round(sum({weight}), 9) AS weight, max(received_ts) AS latest FROM ordered
            WHERE item_id IS NOT NULL AND received_ts < $at GROUP BY user_id, item_id
        ) GROUP BY user_id
        """,
        {"at": at},
    ).fetchall()
    found = dict(rows)
    return [found.get(user, []) for user in users]


def _tifu(orders: Orders, at: datetime, users: Sequence[str], k: int) -> list[list[str]]:
    found = orders.connection.execute(
        """
        WITH own AS (
            SELECT user_id, session_id, item_id, received_ts FROM known
            WHERE action = 'order' AND item_id IS NOT NULL AND received_ts < $at
        ), baskets AS (
            SELECT user_id, session_id,
                row_number() OVER (PARTITION BY user_id ORDER BY min(received_ts), session_id) - 1 AS basket
            FROM own GROUP BY user_id, session_id
        )
        SELECT user_id, basket, item_id FROM own JOIN baskets USING (user_id, session_id)
        """,
        {"at": at},
    ).fetchnumpy()
    ids, user = np.unique(found["user_id"].astype(str), return_inverse=True)
    items, item = np.unique(found["item_id"].astype(str), return_inverse=True)
    if not len(ids):
        return [[] for _ in users]
    model = TifuKnn()
    vectors = model.vectors(user, found["basket"].astype(np.int64), item)
    row_of = {each: row for row, each in enumerate(ids.tolist())}
    known = [i for i, each in enumerate(users) if each in row_of]
    rows = np.array([row_of[users[i]] for i in known], np.int64)
    lists: list[list[str]] = [[] for _ in users]
    for i, columns, values in zip(known, *model.best(vectors, rows, k), strict=True):
        lists[i] = items[columns[values > 0]].tolist()
    return lists


def _of_sources(
    settings: Settings, params: Mapping[str, Any], at: datetime, users: Sequence[str], k: int
) -> Iterator[tuple[str, list[list[str]]]]:
    on = {name: {**each, "candidates": max(k, int(each["candidates"]))} for name, each in params["sources"].items()}
    sources = fit_sources(settings, {**params, "sources": on}, at)
    reader = PointInTimeReader(open_store(settings, known_at=at), declaration_of(settings))
    queries = user_queries(reader, sources.codes, at, users)
    for source in sources.sources:
        answer = source.candidates(queries, k)
        ids = queries.decode(answer.items)
        yield f"source {source.name}", [ids[answer.lists.slice(row)] for row in range(len(answer.lists))]
