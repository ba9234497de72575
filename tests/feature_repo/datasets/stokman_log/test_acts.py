"""Whose an action is, its events, and its session."""

import pytest

from feature_repo.datasets.stokman_log.source_files import ACTIONS
from tests.feature_repo.datasets.stokman_source import (
    ADD,
    CLEAR,
    LIST,
    ORDER,
    REMOVE,
    SEARCH,
    VIEW,
    VISIT,
    action,
    at,
)


@pytest.mark.parametrize("code", range(10))
def test_each_action_has_its_name_and_one_event_per_product_if_it_is_about_products(log_of, code):
    query = log_of(actions=[action(code, at(), ["b", "a"])])
    name = ACTIONS[code]
    found = query("SELECT action, item_id FROM events ORDER BY event_id")
    about_products = name in ("view", "like", "add_to_cart", "remove_from_cart", "order", "list_cart")
    assert found == ([(name, "b"), (name, "a")] if about_products else [(name, None)])


def test_the_codes_are_those_of_the_task():
    assert ACTIONS == (
        "view", "like", "add_to_cart", "remove_from_cart", "clear_cart", "order", "list_cart", "visit",
        "visit_category", "search",
    )  # fmt: skip


@pytest.mark.parametrize("products", [None, []])
@pytest.mark.parametrize("code", [VIEW, ORDER, CLEAR, VISIT])
def test_an_action_without_products_is_one_event_without_an_item(log_of, code, products):
    assert log_of(actions=[action(code, at(), products)])("SELECT action, item_id, quantity FROM events") == [
        (ACTIONS[code], None, None)
    ]


def test_a_repeated_product_is_one_event_with_a_quantity_where_the_action_takes_pieces(log_of):
    actions = [action(code, at(code), ["a", "b", "a"]) for code in (ADD, LIST, ORDER, VIEW)]
    found = log_of(actions=actions)("SELECT action, item_id, quantity FROM events ORDER BY event_ts, event_id")
    assert found == [
        ("view", "a", None),
        ("view", "b", None),
        ("add_to_cart", "a", 2),
        ("add_to_cart", "b", 1),
        ("order", "a", 2),
        ("order", "b", 1),
        ("list_cart", "a", None),
        ("list_cart", "b", None),
    ]


def test_the_same_action_on_the_same_product_at_the_same_time_counts_once(log_of):
    actions = [
        action(ADD, at(), ["a"]),
        action(ADD, at(), ["a"]),
        action(ADD, at(), ["a"], user="2", cookie="d"),
        action(SEARCH, at()),
        action(SEARCH, at()),
    ]
    assert log_of(actions=actions)("SELECT user_id, action, quantity FROM events ORDER BY ALL") == [
        ("1", "add_to_cart", 1),
        ("1", "search", None),
        ("2", "add_to_cart", 1),
    ]


def test_actions_at_the_same_time_stay_in_the_order_of_the_file(log_of):
    actions = [
        action(VIEW, at(), ["z"]),
        action(ADD, at(), ["b"]),
        action(VIEW, at(), ["a"]),
        action(REMOVE, at(), ["b"]),
    ]
    assert log_of(actions=actions)("SELECT item_id, action FROM events ORDER BY event_id") == [
        ("z", "view"),
        ("b", "add_to_cart"),
        ("a", "view"),
        ("b", "remove_from_cart"),
    ]


def people(query):
    return [row[0] for row in query("SELECT user_id FROM events ORDER BY event_ts")]


def test_an_anonymous_action_belongs_to_the_cookies_user_only_after_the_login(log_of):
    actions = [
        action(VISIT, at(0), user=None),
        action(VISIT, at(1)),
        action(VISIT, at(2), user=None),
        action(VISIT, at(3), user=None, cookie="other"),
    ]
    assert people(log_of(actions=actions)) == ["cookie-c", "1", "1", "cookie-other"]


def test_an_anonymous_action_at_the_time_of_the_first_login_is_not_the_users_yet(log_of):
    actions = [action(VISIT, at(1)), action(SEARCH, at(1), user=None)]
    assert log_of(actions=actions)("SELECT action, user_id FROM events ORDER BY action") == [
        ("search", "cookie-c"),
        ("visit", "1"),
    ]


def test_a_cookie_of_two_users_is_nobodys_from_the_second_one_on(log_of):
    actions = [
        action(VISIT, at(0)),
        action(VISIT, at(1), user=None),
        action(VISIT, at(2), user="2"),
        action(VISIT, at(3), user=None),
        action(VISIT, at(4)),
        action(VISIT, at(5), user=None),
    ]
    assert people(log_of(actions=actions)) == ["1", "1", "2", "cookie-c", "1", "cookie-c"]


def test_one_person_has_several_cookies_and_one_session_on_them(log_of):
    actions = [action(VISIT, at(0), cookie="x"), action(VISIT, at(10), cookie="y"), action(VISIT, at(20), cookie=None)]
    assert log_of(actions=actions)("SELECT DISTINCT user_id, session_id FROM events") == [
        ("1", f"1-{int(at().timestamp() * 1000)}")
    ]


def test_a_session_ends_after_more_than_30_minutes_without_an_action(log_of):
    minutes = (0, 30, 61, 62, 92)  # the session of 61 is not ended by the exact half hour before 92
    query = log_of(actions=[action(VISIT, at(m)) for m in reversed(minutes)])
    first, second = (f"1-{int(at(m).timestamp() * 1000)}" for m in (0, 61))
    assert query("SELECT event_id, session_id FROM events ORDER BY event_ts") == [
        (f"{first}-000001", first),
        (f"{first}-000002", first),
        (f"{second}-000001", second),
        (f"{second}-000002", second),
        (f"{second}-000003", second),
    ]


def test_a_smaller_size_holds_whole_people(log_of):
    actions = [action(VISIT, at(m), user=user, cookie=user) for m in (0, 90) for user in "123"]
    part = log_of(size=2, actions=actions)("SELECT user_id, count(*) FROM events GROUP BY 1")
    assert sorted(count for _, count in part) == [2, 2]


def test_the_events_are_in_the_order_of_their_time(log_of):
    actions = [action(VIEW, at(17 * m % 50), ["a", "b"], user=str(m % 7), cookie=None) for m in range(50)]
    log = log_of(actions=actions)
    rows = log("SELECT received_ts, session_id, event_id FROM events")
    assert len(rows) == 100
    assert rows == sorted(rows)
