from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo import sessions
from feature_repo.definitions.extents import RECENT_LIMIT
from feature_repo.sessions import EXPIRY_US, KEPT_EVENTS, MAX_EVENTS, Replay, Session, SessionEvent, features, fold

SECOND = 1_000_000


def event(second: int, action: str, item: str | None = "a", *, received: int | None = None, **fields) -> SessionEvent:
    defaults = {"category_id": "c", "quantity": None, "price": 150}
    return SessionEvent(
        event_us=second * SECOND,
        event_id=f"{second:05d}{action}{item}",
        received_us=(second if received is None else received) * SECOND,
        action=action,
        item_id=item,
        **{**defaults, **fields},
    )


def folded(*events: SessionEvent) -> dict:
    state = Session()
    for each in events:
        state = fold(state, each)
    return features(state)


def test_the_cart_holds_what_was_added_latest_first_with_its_value():
    found = folded(event(1, "add_to_cart", "a"), event(2, "add_to_cart", "b", quantity=3, price=200))
    assert found["cart_items"] == ["b", "a"]
    assert found["session_cart_value"] == 7.5
    assert found["session_carts"] == 2


def test_removing_an_absent_item_does_nothing_to_the_cart():
    assert folded(event(1, "add_to_cart", "a"), event(2, "remove_from_cart", "b"))["cart_items"] == ["a"]


def test_an_order_without_an_item_empties_the_cart_and_an_order_of_one_item_removes_that_item():
    adds = (event(1, "add_to_cart", "a"), event(2, "add_to_cart", "b"))
    assert folded(*adds, event(3, "order", None))["cart_items"] == []
    assert folded(*adds, event(3, "order", "a"))["cart_items"] == ["b"]


def test_a_late_event_is_folded_at_the_time_when_it_happened():
    add, clear = event(1, "add_to_cart", "a", received=3), event(2, "clear_cart", None)
    assert folded(clear, add)["cart_items"] == []
    assert folded(clear, add)["session_first_us"] == 1 * SECOND


def test_an_event_after_the_expiry_begins_the_session_anew():
    state = fold(Session(), event(0, "add_to_cart"))
    later = fold(state, event(EXPIRY_US // SECOND + 1, "view"))
    assert (features(later)["session_views"], features(later)["session_carts"]) == (1, 0)
    assert features(later)["session_first_us"] == EXPIRY_US + SECOND
    at_the_expiry = fold(state, event(EXPIRY_US // SECOND, "view"))
    assert (features(at_the_expiry)["session_views"], features(at_the_expiry)["session_carts"]) == (1, 1)


def test_an_impression_is_not_folded():
    state = fold(Session(), event(0, "view", "a"))
    assert fold(state, event(1, "impression", "b")) is state
    assert fold(Session(), event(1, "impression", "b")) == Session()


def test_a_full_session_forgets_its_older_half_by_receipt():
    state, replay = Session(), Replay()
    arrivals = [event(2 * MAX_EVENTS - i, "view", f"i{i}", received=i) for i in range(MAX_EVENTS)]  # the last is first
    arrivals.append(event(5_000, "like", "new", received=MAX_EVENTS))
    for arrived in arrivals:
        state = fold(state, arrived)
        assert replay.fold(arrived)
    found = features(state)
    assert (found["session_views"], found["session_likes"]) == (KEPT_EVENTS, 1)
    assert found["recent_items"][:2] == ["new", f"i{MAX_EVENTS - KEPT_EVENTS}"]
    assert replay.features() == found


def test_feature_rows_of_events_received_at_the_same_time_have_increasing_timestamps():
    state = Session()
    rows = []
    for item in "abc":
        state = fold(state, event(5, "order", item))
        rows.append(state.row_us)
    assert rows == [5 * SECOND + 1, 5 * SECOND + 2, 5 * SECOND + 3]


def test_recent_items_are_the_latest_and_leave_out_impressions():
    found = folded(*(event(i, "view", f"i{i}") for i in range(RECENT_LIMIT + 5)), event(99, "impression", "x"))
    assert len(found["recent_items"]) == RECENT_LIMIT
    assert found["recent_items"][0] == f"i{RECENT_LIMIT + 4}"


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from(["view", "add_to_cart", "remove_from_cart", "clear_cart", "order"]),
            st.sampled_from(["a", "b", None]),
        ),
        min_size=1,
        max_size=12,
        unique=True,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_change_the_state(drawn, random):
    events = [event(second, action, item, received=100) for second, action, item in drawn]
    shuffled = [replace(each) for each in events]
    random.shuffle(shuffled)
    assert folded(*shuffled) == folded(*sorted(events))


ARRIVALS = st.lists(
    st.tuples(
        st.integers(0, 50),
        st.sampled_from(
            ["view", "like", "add_to_cart", "remove_from_cart", "clear_cart", "order", "impression", "search"]
        ),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([0, 0, 0, 1, 5, EXPIRY_US // SECOND, EXPIRY_US // SECOND + 1]),
    ),
    min_size=1,
    max_size=30,
)


@given(ARRIVALS, st.sampled_from([(MAX_EVENTS, KEPT_EVENTS), (6, 3), (2, 1)]))
def test_the_replay_equals_the_fold_at_every_step(drawn, limits):
    state, replay, received = Session(), Replay(), 60
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "MAX_EVENTS", limits[0])
        patch.setattr(sessions, "KEPT_EVENTS", limits[1])
        for k, (second, action, item, later) in enumerate(drawn):
            received += later
            arrived = replace(event(second, action, item, received=received), event_id=f"{k}")
            before = state
            state = fold(state, arrived)
            assert replay.fold(arrived) == (state is not before)
            assert (replay.row_us, replay.last_received_us) == (state.row_us, state.last_received_us)
            assert len(replay) == len(state.events) <= limits[0]
            if state.events and (not k % 3 or k == len(drawn) - 1):  # also after several events
                assert replay.features() == features(state)


@given(ARRIVALS)
def test_a_new_fold_does_not_turn_the_rows_back(drawn):
    state, received, rows = Session(), 60, []
    for k, (second, action, item, later) in enumerate(drawn):
        received += later
        before = state
        state = fold(state, replace(event(second, action, item, received=received), event_id=f"{k}"))
        rows += [state.row_us] if state is not before else []
    assert rows == sorted(set(rows))
