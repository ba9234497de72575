"""The task's metric, worked by hand."""

import numpy as np
import pyarrow as pa
import pytest

from training.recommend.errors import BadSubmission
from training.recommend.metric import bought_items, mean_recall, recalls
from training.recommend.submission import Submission

BOUGHT = bought_items(
    pa.table(
        {
            "user_id": ["ann", "ann", "ann", "ann", "ben", "cid", "cid"],
            "item_id": ["a", "b", "c", "a", "d", "a", "e"],
        }
    )
)


def test_recall_is_the_share_of_the_distinct_items_that_the_list_holds():
    # ann bought a, b and c: two of three are listed; ben's only item is; cid is not among the users; dan bought nothing
    submission = Submission(["ann", "ben", "dan"], [["a", "b"], ["d", "a"], ["a", "b"]])
    assert recalls(submission, BOUGHT, users=3, k=2).tolist() == [2 / 3, 1.0, 0.0]
    assert mean_recall(submission, BOUGHT, users=3, k=2) == pytest.approx(5 / 9)


def test_a_user_who_buys_nothing_does_not_count():
    alone = Submission(["ann", "ben", "cid"], [["a", "b"], ["d", "a"], ["a", "e"]])
    more = Submission([*alone.users, "dan"], [*alone.items, ["x", "y"]])
    assert mean_recall(more, BOUGHT, users=4, k=2) == mean_recall(alone, BOUGHT, users=3, k=2) == pytest.approx(8 / 9)


def test_fewer_users_than_allowed_are_judged_and_more_are_refused():
    submission = Submission(["ann", "ben"], [["a"], ["d"]])
    assert mean_recall(submission, BOUGHT, users=3, k=1) == pytest.approx((1 / 3 + 1) / 3)
    with pytest.raises(BadSubmission, match="2 users: at most 1"):
        mean_recall(submission, BOUGHT, users=1, k=1)


@pytest.mark.parametrize("items", [["a"], ["a", "b", "c"]])
def test_a_list_of_another_length_is_refused(items):
    with pytest.raises(BadSubmission, match=f"'ann' holds {len(items)} items, not 2"):
        mean_recall(Submission(["ann"], [items]), BOUGHT, users=1, k=2)


def test_where_nobody_bought_there_is_no_metric():
    assert np.isnan(mean_recall(Submission(["ann"], [["a"]]), {}, users=1, k=1))
