"""Fits :mod:`feature_repo.candidates.sources.trending`: weighted counts of the last days, overall and by group.

An event counts its action's weight times, for each window (days -> weight) that it lies in, weight / days. So a window
of 1 day sees what began today, and one of 7 days is steadier. An item's share is its count over (the list's sum +
shrinkage): a list with few events says little.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from feature_repo.candidates.item_codes import Codes
from feature_repo.candidates.seeds import SeedWeights
from feature_repo.candidates.source import Candidates
from feature_repo.candidates.sources.trending import GROUPS, NO_LIST, Trending
from feature_repo.candidates.sparse_table import SparseTable
from feature_repo.schema import ACTIONS
from infra.models.arrays import Doubles, Integers
from training.candidates.known_log import KnownLog

GROUP_COLUMNS = dict(zip(GROUPS, ("category_id", "shop_id"), strict=True))


def fit(log: KnownLog, params: Mapping[str, Any]) -> Trending | None:
    """None where nothing happened in the longest window."""
    n = len(log.codes)
    items, _, counts = _counts(log, params, "'' AS value")
    if not len(items):
        return None
    overall = np.bincount(items, counts, minlength=n).astype(np.float64)
    groups = {group: _groups(log, column) for group, column in GROUP_COLUMNS.items()}
    lists = [_lists(np.zeros(n, np.int64), np.arange(n), overall, 1, params["list_items"]["overall"], params)]
    found: dict[str, Integers] = {}
    for group, of_item in groups.items():
        rows, begin = int(of_item.max(initial=NO_LIST)) + 1, sum(len(each.lists) for each in lists)
        has = np.flatnonzero(of_item != NO_LIST)
        lists.append(_lists(of_item[has], has, overall[has], rows, params["list_items"][group], params))
        found[group] = np.where(of_item == NO_LIST, NO_LIST, of_item + begin)
    contexts: dict[str, dict[str, int]] = {}
    for column in log.context:
        items, values, counts = _counts(log, params, f'"{column}" AS value', of_context=True)
        names, rows_of = np.unique(values, return_inverse=True)
        begin = sum(len(each.lists) for each in lists)
        lists.append(_lists(rows_of, items, counts, len(names), params["list_items"]["context"], params))
        contexts[column] = {str(name): begin + row for row, name in enumerate(names)}
    joined = Candidates.concatenated(lists)
    table = SparseTable(joined.lists, joined.items, joined.scores, n)
    return Trending(table, found, contexts, dict(params["weights"]), SeedWeights(**params["seeds"]))


def _lists(
    rows: Integers, items: Integers | Codes, counts: Doubles, number: int, k: int, params: Mapping[str, Any]
) -> Candidates:
    """The ``k`` items with the highest share of each of ``number`` lists."""
    sums = np.bincount(rows, counts, minlength=number)
    some = counts > 0
    shares = counts[some] / (sums + params["shrinkage"])[rows[some]]
    return Candidates.best(rows[some], items[some].astype(np.int32), shares, number, k)


def _counts(
    log: KnownLog, params: Mapping[str, Any], value: str, of_context: bool = False
) -> tuple[Codes, npt.NDArray[Any], Doubles]:
    """(items, values, counts), (m,) each: the weighted count of each item and value, by value and item.

    DuckDB counts whole events; they are weighted here, in order, because sums of doubles depend on their order.
    """
    days = sorted(int(each) for each in params["windows"])
    windows = {int(each): weight for each, weight in params["windows"].items()}
    actions = list(params["actions"])
    if not days or days[0] < 1 or set(actions) - set(ACTIONS):
        raise ValueError(f"windows are {days} and actions {actions}: windows of 1 day or more, and actions of the log")
    joined = "JOIN session_contexts USING (session_id)" if of_context else ""
    if of_context:
        listed = ", ".join(f'min("{name}") AS "{name}"' for name in log.context)
        log.connection.execute(
            "CREATE OR REPLACE TEMP TABLE session_contexts AS "
            f"SELECT session_id, {listed} FROM known_slates GROUP BY session_id"
        )
    found = log.connection.execute(
        f"""
        WITH recent AS (
            SELECT code, list_position($actions, action) - 1 AS action, {value},
                len(list_filter($days, lambda d: d * 86400000000 < $known_at_us - at_us)) AS window_number
            FROM known_events {joined}
            WHERE list_contains($actions, action) AND at_us >= $known_at_us - $longest * 86400000000
        )
        SELECT value, code, action, window_number, count(*) AS events FROM recent WHERE value IS NOT NULL
        GROUP BY ALL ORDER BY value, code, action, window_number
        """,
        {"actions": actions, "days": days, "known_at_us": log.known_at_us, "longest": days[-1]},
    ).fetchnumpy()
    of_action = np.array([params["actions"][action] for action in actions], np.float64)
    # An event in the window i is in all longer ones too.
    of_window = np.cumsum([windows[each] / each for each in reversed(days)])[::-1]
    counts = found["events"] * of_action[found["action"]] * of_window[found["window_number"]]
    keys = list(zip(found["value"].tolist(), found["code"].tolist(), strict=True))
    starts = np.flatnonzero([i == 0 or keys[i] != keys[i - 1] for i in range(len(keys))])
    sums = np.asarray(np.add.reduceat(counts, starts) if len(starts) else [], np.float64)
    return np.asarray(found["code"], np.int32)[starts], np.asarray(found["value"])[starts], sums


def _groups(log: KnownLog, column: str) -> Integers:
    """(n,) the number of each item's value of ``column``, NO_LIST for null."""
    found = log.connection.execute(
        f"SELECT dense_rank() OVER (ORDER BY {column} NULLS LAST) - 1 AS number, {column} IS NULL AS missing "
        "FROM known_items ORDER BY code"
    ).fetchnumpy()
    return np.where(found["missing"], NO_LIST, found["number"]).astype(np.int64)
