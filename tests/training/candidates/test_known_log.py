"""The log as it was known at a timestamp."""

from tests.small_log import at, item
from tests.training.candidates.known import known_log

ACTS = [(1, "u", "order", "a")]


def attributes(folder, *versions):
    with known_log(folder, ACTS, items=list(versions), known_at=at(days=10)) as log:
        return log.connection.sql("SELECT category_id, shop_id, brand FROM known_items ORDER BY code").fetchall()


def test_the_newest_attributes_count_of_what_was_known(tmp_path):
    first = item("a", valid_from_ts=at(), category_id="old", shop_id="s1", brand="b")
    second = item("a", valid_from_ts=at(days=2), category_id="new", shop_id="s2", brand="b")
    later = item("a", valid_from_ts=at(days=10), category_id="later", shop_id="s3", brand="b")
    assert attributes(tmp_path, first, second, later) == [("new", "s2", "b")]


def test_an_attribute_that_became_unknown_is_not_the_one_before(tmp_path):
    first = item("a", valid_from_ts=at(), category_id="c", shop_id="s", brand="b")
    second = item("a", valid_from_ts=at(days=2), category_id=None, shop_id=None, brand="b")
    assert attributes(tmp_path, first, second) == [(None, None, "b")]
