"""Who asks in a window, and what was wanted, by hand."""

import pandas as pd
import pytest

from infra.settings import Settings
from tests.small_log import DECLARATION, at, event, impression, item, write_log
from training.candidates.known_log import open_known_log
from training.stage_two.asked_lists import asked_lists
from training.stage_two.windows import Window

WINDOW = Window("train", at(1), at(4), at(1))
EVENTS = [
    event(1, at(0.5), "order", "a"),  # before the window
    event(2, at(1), "order", "a"),
    event(3, at(2, 10), "add_to_cart", "b", session_id="t"),
    event(4, at(2, 30), "order", "b", session_id="t"),
    event(5, at(2, 30), "order", "c", session_id="t"),
    event(6, at(3), "order", "c", user_id="v"),
    event(7, at(4), "order", "d"),  # at its end
    event(8, at(3), "view", "d", user_id="w"),
]
SLATES = [
    impression("x", 0, at(2, 20), "c", session_id="t"),
    impression("y", 0, at(3, 5), "c", session_id="t"),  # nothing is ordered after it
    impression("z", 0, at(4), "c"),
]


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asked")
    settings = Settings(data_dir=folder / "data", state_dir=folder / "var", dataset="tiny")
    write_log(
        settings.log_dir,
        items=[item(each) for each in "abcd"],
        events=EVENTS,
        impressions=SLATES,
        declaration=DECLARATION,
    )
    return settings


def asked(settings, until=None, **sizes):
    with open_known_log(settings, until or at(10)) as log:
        return asked_lists(log, WINDOW, **{"users": 10, "sessions": 10, "seed": 1, "context": (), **sizes})


def wanted(found) -> dict[str, set[str]]:
    return {slate: set(rows["item_id"]) for slate, rows in found.wanted.to_pandas().groupby("slate_id")}


def test_buyers_ask_at_the_start_of_the_window_for_what_they_order_in_it(settings):
    found = asked(settings, sessions=0)
    assert found.asked["user_id"].tolist() == ["u", "v"]
    assert found.asked["session_id"].tolist() == ["", ""]
    assert set(found.asked["shown_ts"]) == {pd.Timestamp(at(1))}
    first, second = found.asked["slate_id"]
    assert wanted(found) == {first: {"a", "b", "c"}, second: {"c"}}


def test_a_session_asks_for_what_is_ordered_after_it_and_not_in_its_cart(settings):
    found = asked(settings, users=0)
    assert found.asked[["user_id", "session_id"]].values.tolist() == [["u", "t"]]
    assert found.asked["shown_ts"].tolist() == [pd.Timestamp(at(2, 20))]
    assert wanted(found) == {"s:x": {"c"}}


@pytest.mark.parametrize(
    ("action", "name", "is_wanted"),
    [("remove_from_cart", "b", True), ("clear_cart", None, True), ("order", None, True), ("view", "b", False)],
)
def test_what_has_left_the_cart_is_wanted_again(tmp_path, action, name, is_wanted):
    settings = Settings(data_dir=tmp_path / "data", state_dir=tmp_path / "var", dataset="tiny")
    write_log(
        settings.log_dir,
        items=[item(each) for each in "abcd"],
        events=[*EVENTS, event(9, at(2, 15), action, name, session_id="t")],
        impressions=SLATES,
        declaration=DECLARATION,
    )
    assert wanted(asked(settings, users=0)) == {"s:x": {"b", "c"} if is_wanted else {"c"}}


def test_a_sample_is_the_same_each_time(settings):
    first, second = (asked(settings, users=1, sessions=0).asked["user_id"].tolist() for _ in range(2))
    assert first == second
    assert len(first) == 1


def test_what_is_received_later_is_not_wanted(settings):
    found = asked(settings, until=at(2, 30), sessions=0)
    assert wanted(found) == {found.asked["slate_id"][0]: {"a"}}
