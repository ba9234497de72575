"""Rows from Redis and rows from a point-in-time join give the same arrays."""

import numpy as np
import pyarrow as pa

from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.candidates.queries import ACTION_CODES, queries_of_rows, queries_of_tables
from feature_repo.definitions.views import SESSION_STATE, USER_HISTORY
from feature_repo.schema import arrow_schema
from feature_repo.slate import Row

CODES = ItemCodes.of_ids(["b", "a", "c", "a"])
USER = {
    "history_items": ["c", "new"],
    "history_categories": ["x", ""],
    "history_counts": [3, 1],
    "history_first_us": [1, 5],
    "history_last_us": [9, 5],
    "history_decayed_14d": [2.0, 1.0],
    "history_decayed_60d": [2.5, 1.0],
    "history_decayed_180d": [2.75, 1.0],
}
USER |= {column.name: [1, 1] for column in USER_HISTORY.columns if column.name not in USER}
SESSION = {
    "cart_items": ["b"],
    "recent_items": ["b", "new", "newer"],
    "recent_actions": ["add_to_cart", "view", "like"],
    "recent_us": [30, 20, 10],
}


def test_the_code_of_an_item_is_its_position_in_sorted_order():
    assert CODES.ids.to_pylist() == ["a", "b", "c"]
    assert CODES.encode(["c", "a", "?"]).tolist() == [2, 0, -1]
    assert CODES.encode_arrow(pa.array(["c", "a", "?"])).tolist() == [2, 0, -1]
    assert CODES.decode(np.array([1, 1, 0], np.int32)) == ["b", "b", "a"]


def test_rows_become_flat_arrays():
    found = queries_of_rows(CODES, [40, 50], [Row(USER), Row()], [Row(), Row(SESSION)], [{"store": "s"}, {}])
    assert found.history.lists.starts.tolist() == [0, 2, 2]
    assert found.history.items.tolist() == [2, 3]
    assert found.history.values["last_us"].tolist() == [9, 5]
    assert found.history.values["decayed_60d"].tolist() == [2.5, 1.0]
    assert found.recent.lists.starts.tolist() == [0, 0, 3]
    assert found.recent.items.tolist() == [1, 3, 4]
    assert found.recent.values["actions"].tolist() == [ACTION_CODES[a] for a in SESSION["recent_actions"]]
    assert found.cart.items.tolist() == [1]
    assert found.context["store"].tolist() == ["s", None]
    assert found.unknown == ("new", "newer")
    assert found.decode(np.array([2, 3, 4], np.int32)) == ["c", "new", "newer"]


def table(view, rows) -> pa.Table:
    schema = arrow_schema(view.columns)
    nullable = pa.schema([field.with_nullable(True) for field in schema])
    return pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in rows], nullable)


def test_tables_give_the_same_queries_as_rows():
    users, sessions = [Row(USER), Row(), Row(USER)], [Row(SESSION), Row(SESSION), Row()]
    of_rows = queries_of_rows(CODES, [40, 50, 60], users, sessions, [{}] * 3)
    of_tables = queries_of_tables(
        CODES, np.array([40, 50, 60]), table(USER_HISTORY, users), table(SESSION_STATE, sessions)
    )
    assert of_tables.unknown == of_rows.unknown
    for name in ("history", "recent", "cart"):
        first, second = getattr(of_rows, name), getattr(of_tables, name)
        np.testing.assert_array_equal(first.lists.starts, second.lists.starts)
        np.testing.assert_array_equal(first.items, second.items)
        assert first.values.keys() == second.values.keys()
        for value in first.values:
            np.testing.assert_array_equal(first.values[value], second.values[value])
            assert first.values[value].dtype == second.values[value].dtype


def test_lists_of_different_lengths_are_empty():
    broken = {**USER, "history_counts": [3]}
    found = queries_of_tables(CODES, np.array([1, 1]), table(USER_HISTORY, [broken, USER]))
    assert found.history.lists.starts.tolist() == [0, 0, 2]
    assert found.recent.lists.starts.tolist() == [0, 0, 0]


def test_a_row_that_an_older_release_wrote_without_a_list_is_empty_in_both():
    older = {name: value for name, value in USER.items() if name != "history_decayed_60d"}
    of_rows = queries_of_rows(CODES, [1, 1], [Row(older), Row(USER)], [Row(), Row()], [{}, {}])
    of_tables = queries_of_tables(CODES, np.array([1, 1]), table(USER_HISTORY, [older, USER]))
    for found in (of_rows, of_tables):
        assert found.history.lists.starts.tolist() == [0, 0, 2]
        assert found.history.values["decayed_60d"].tolist() == [2.5, 1.0]
