import numpy as np
import pytest

from feature_repo.candidates.ragged import Ragged
from training.recommend.errors import NotEnough
from training.recommend.item_lists import item_lists
from training.stage_two.predict import Ranked

# u has three candidates, v none, w one
RANKED = Ranked(
    Ragged.of_lengths([3, 0, 1]),
    np.array(["u", "v", "w"], object),
    np.array(["a", "b", "c", "d"], object),
    np.array([3.0, 2.0, 1.0, 5.0]),
    np.array([0.5, 0.25, 0.125, 0.75]),
)


def test_the_best_candidates_come_first_and_trending_items_fill_up():
    found = item_lists(RANKED, 2, ["d", "a", "x", "y"]).submission
    assert found.users == ["u", "v", "w"]
    assert found.items == [["a", "b"], ["d", "a"], ["d", "a"]]
    np.testing.assert_array_equal(found.scores, [[3, 2], [np.nan, np.nan], [5, np.nan]])


def test_an_item_that_is_listed_already_does_not_fill_up():
    assert item_lists(RANKED, 3, ["d", "a", "x", "y", "z", "q"]).submission.items[2] == ["d", "a", "x"]


def test_the_mass_is_that_of_the_list_s_candidates_and_of_all():
    mass = item_lists(RANKED, 2, ["d", "a", "x", "y"]).mass
    assert mass.first.tolist() == [0.75, 0, 0.75]
    assert mass.every.tolist() == [0.875, 0, 0.75]


def test_a_catalog_that_cannot_fill_a_list_is_an_error():
    with pytest.raises(NotEnough, match="only 2 items are known that a list of 4 could hold"):
        item_lists(RANKED, 4, ["d", "a"])
