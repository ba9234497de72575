from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.shapes.slates import Slates
from tests.shapes.truth import DAY_US, NotOfThisShape, Pairs, Taken, Truth, load_truth, plain_truth, steady_pairs

START = 1_700_006_400_000_000


def truth() -> Truth:
    """Users 1 and 2, the session 1 (of user 2), whoever came at START + 5; items 10 and 20; two days."""
    return plain_truth(
        who=np.array(["u:1", "u:2", "s:1", f"t:{START + 5}"]),
        items=np.array(["10", "20"]),
        quality=np.array([1.0, 2.0]),
        weights=np.array([[4.0], [0.0], [8.0], [16.0]]),
        loadings=np.array([[1.0], [0.5]]),
        start_us=START,
        drift=np.array([[0.0, 0.0], [0.25, -0.25]]),
        sensitivity=np.array([-1.0, -3.0, 0.0, 0.0]),
        price=np.array([[0.1, 0.2], [0.3, 0.4]]),
        examination=np.array([0.0, -0.5]),
        pairs=steady_pairs([0, 2], [1, 0], [100.0, 1000.0]),
    )


def test_a_utility_is_the_sum_that_the_docstring_states() -> None:
    found = truth().utility(["1", "1", 1.0], [10, "20", 20], [START, START, START + DAY_US])
    # quality + weight * loading + drift - price, and the pair of user 1 with item 20
    assert found == pytest.approx([1 + 4 - 0.1, 2 + 2 - 0.2 + 100, 2 + 2 - 0.25 - 0.4 + 100])


def test_the_session_comes_before_the_user_and_the_user_before_the_time() -> None:
    known = truth()
    assert known.utility(["2"], ["20"], [START], ["1"]) == pytest.approx([2 + 4])
    assert known.utility(["2"], ["20"], [START], ["other"]) == pytest.approx([2 - 0.6])
    assert known.utility([None], ["20"], [START + 5]) == pytest.approx([2 + 8])


def test_the_pairs_of_both_the_user_and_the_session_count() -> None:
    assert truth().utility(["1", "1"], ["10", "20"], [START] * 2, ["1"] * 2) == pytest.approx(
        [1 + 8 + 1000, 2 + 4 + 100]
    )


def test_nobody_known_has_the_mean_of_the_users() -> None:
    found = truth().utility([float("nan"), "9"], ["10", "10"], [START] * 2, [None] * 2)
    assert found == pytest.approx([1 + 2 - 2 * 0.1] * 2)


def test_positions_count_where_they_are_known() -> None:
    plain = truth().utility(["1"] * 4, ["10"] * 4, [START] * 4)
    assert truth().utility(["1"] * 4, ["10"] * 4, [START] * 4, positions=[0, 1, 7, -1]) - plain == pytest.approx(
        [0, -0.5, -0.5, 0]
    )


def test_days_outside_the_log_are_its_first_and_its_last() -> None:
    times = np.array([START - 9 * DAY_US, START + 40 * DAY_US]).astype("datetime64[us]")
    assert truth().utility(["2"] * 2, ["10"] * 2, times) == pytest.approx([1 - 0.3, 1 + 0.25 - 0.9])


def test_an_order_whose_time_the_files_do_not_tell_has_its_own() -> None:
    known = replace(truth(), own_us=np.array([-1, -1, START + DAY_US, -1]))
    assert known.utility(["2"], ["20"], [START], ["1"]) == pytest.approx([2 + 4 - 0.25])


def test_a_pair_swings_with_its_period() -> None:
    week = 7.0 * DAY_US
    pairs = Pairs(*(np.array([value]) for value in (1, 0, 2.0, 0.5, week, START + DAY_US)))
    times = START + DAY_US + np.array([0.0, week / 2, week, week / 4])
    found = replace(truth(), pairs=pairs, sensitivity=np.zeros(4), drift=np.zeros((1, 2)))
    value = found.utility(["2"] * 4, ["10"] * 4, times)
    assert value - 1 == pytest.approx([2 * 1.5, 2 * 0.5, 2 * 1.5, 2], abs=1e-6)


def test_what_nobody_takes_twice_is_last_after_it_was_taken() -> None:
    taken = Taken(np.array([1, 0]), np.array([0, 1]), np.array([START + 7, START + 9]))
    times = np.array([START, START + 7, START + 8, START + 8, START + 8])
    users, items = ["2", "2", "2", "2", "1"], ["10", "10", "10", "20", "10"]
    found = replace(truth(), taken=taken).utility(users, items, times)
    assert found - truth().utility(users, items, times) == pytest.approx([0, 0, -50, 0, 0])


def test_an_item_that_is_not_of_the_shape_is_named() -> None:
    with pytest.raises(NotOfThisShape, match="1 of 2 items are unknown, the first is 'i20'"):
        truth().utility(["1", "1"], ["10", "i20"], [START, START])


def test_a_generator_sees_the_same_utilities_as_the_oracle() -> None:
    known = truth()
    for row, user, session in ((0, "1", None), (1, "2", None), (-1, None, None), (2, "1", "1")):
        seen = known.of_all_items(row, START + DAY_US, user=0 if session else -1)
        asked = known.utility([user] * 2, ["10", "20"], [START + DAY_US] * 2, [session] * 2)
        assert seen == pytest.approx(asked)


def test_a_truth_comes_back_from_its_file(tmp_path: Path) -> None:
    one = np.array([0, 0])
    slates = Slates(
        one, np.array(["1", "1"]), np.array(["", ""]), np.array(["10", "20"]), one, one, one, one * 0.5, one
    )
    saved = replace(truth(), slates={"next basket": slates})
    saved.save(tmp_path / "new" / "x.truth.npz")
    loaded = load_truth(tmp_path / "new" / "x.truth.npz")
    assert (loaded.utility(["1", "2"], [20, 10], [START] * 2) == saved.utility(["1", "2"], [20, 10], [START] * 2)).all()
    assert loaded.slates.keys() == {"next basket"}
    assert loaded.slates["next basket"].item.tolist() == ["10", "20"]
