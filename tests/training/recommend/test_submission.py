import numpy as np
import pyarrow as pa
import pytest

from training.recommend.errors import BadSubmission
from training.recommend.submission import SCHEMA, Submission, picked

TWO = Submission(["u", "v"], [["a", "b"], ["b", "c"]], np.array([[2.0, 1.0], [0.5, np.nan]]))


def test_the_table_has_the_form_of_the_task():
    assert TWO.table().schema == SCHEMA
    assert TWO.table().to_pylist() == [
        {"user_id": "u", "product_ids": ["a", "b"]},
        {"user_id": "v", "product_ids": ["b", "c"]},
    ]
    assert Submission.of_table(TWO.table()) == Submission(["u", "v"], [["a", "b"], ["b", "c"]])


def test_rows_are_ranked_from_one_and_a_filled_item_has_no_score():
    assert [tuple(row.values()) for row in TWO.rows()] == [
        ("u", 1, "a", 2.0),
        ("u", 2, "b", 1.0),
        ("v", 1, "b", 0.5),
        ("v", 2, "c", None),
    ]


def test_users_are_picked_in_the_order_asked_for():
    found = picked(TWO, np.array([1]))
    assert (found.users, found.items) == (["v"], [["b", "c"]])
    np.testing.assert_array_equal(found.scores, [[0.5, np.nan]])


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (["u", "v", "u"], [["a"], ["b"], ["c"]], "'u' is there twice"),
        (["u", "v"], [["a", "b"], ["c", "c"]], "list of user 'v' holds 'c' twice"),
        (["u"], [["a"], ["b"]], "1 users, but 2 lists"),
    ],
)
def test_what_is_there_twice_is_refused(users, items, message):
    with pytest.raises(BadSubmission, match=message):
        Submission(users, items)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"user_id": ["u"]}, "columns user_id, product_ids are needed"),
        ({"user_id": [None], "product_ids": [["a"]]}, "null"),
        ({"user_id": ["u"], "product_ids": [["a", None]]}, "null"),
    ],
)
def test_a_table_of_another_form_is_refused(columns, message):
    with pytest.raises(BadSubmission, match=message):
        Submission.of_table(pa.table(columns))
