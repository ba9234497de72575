"""Prices, columns, days, sessions, the catalog and the times, counted by hand."""

from datetime import UTC, date, datetime
from decimal import Decimal

from tests.small_log import at, event, impression, item
from tests.validation.gates.measured import measured
from validation.gates.facts.time_span import FIRST, LAST, instant


def test_prices_have_quantiles_zeros_and_a_most_frequent_value():
    prices = [0.0, 1.0, 2.0, 2.0, None]
    found = measured(items=[item(f"i{n}", price=price) for n, price in enumerate(prices)]).prices("items", "price")
    assert (found.rows, found.known, found.zero, found.distinct) == (5, 4, 1, 3)
    assert (found.quantiles[0], found.quantiles[3], found.quantiles[-1]) == (0, 1, 2)
    assert found.common == (Decimal("2.00"), 2)


def test_a_column_without_values_has_no_quantiles():
    found = measured(items=[item("a", old_price=None)]).prices("items", "old_price")
    assert (found.known, found.quantiles, found.common) == (0, (), None)


def test_nulls_and_distinct_values_are_counted_per_column():
    rows = [item("a", brand="x"), item("b", brand=None), item("c", brand="x")]
    columns = {each.name: each for each in measured(items=rows).columns("items").columns}
    brand = columns["brand"]
    assert (brand.nulls, brand.distinct, brand.least, brand.greatest) == (1, 1, "x", "x")
    assert (columns["item_id"].nulls, columns["item_id"].distinct) == (0, 3)
    assert (columns["shop_id"].nulls, columns["shop_id"].least) == (3, None)


def test_events_that_are_the_same_but_for_their_id_are_counted():
    rows = [event(1, at(), "view", "a"), event(2, at(), "view", "a"), event(3, at(), "order", "a")]
    assert measured(events=rows).columns("events").repeated == 1
    assert measured(events=rows).columns("items").repeated is None


def test_days_count_actions_slates_positives_and_what_is_seen_first():
    events = [event(1, at(0), "view", "a"), event(2, at(0), "order", "a"), event(3, at(1), "view", "b", user_id="v")]
    impressions = [impression("l", 0, at(1), "c", 2), impression("l", 1, at(1), "a", 0)]
    found = measured(events=events, impressions=impressions).days
    first, second = date(2024, 3, 1), date(2024, 3, 2)
    assert found.events == {first: {"view": 1, "order": 1}, second: {"view": 1}}
    assert (found.slates, found.positives) == ({second: 1}, {second: 1})
    assert found.new_users == {first: 1, second: 1}
    assert found.new_items == {first: 1, second: 2}
    assert [(a.action, a.events, a.users, a.with_item) for a in found.actions] == [
        ("view", 2, 2, 2), ("order", 1, 1, 1),
    ]  # fmt: skip


def test_days_beyond_the_limits_are_not_plotted():
    assert measured(events=[event(1, datetime(1970, 1, 20, tzinfo=UTC), "view", "a")]).days.events == {}


def test_users_of_a_session_are_counted_over_both_tables():
    events = [event(1, at(), "view", "a"), event(2, at(), "view", "a", user_id="v")]
    impressions = [impression("l", 0, at(), "a", user_id="w"), impression("m", 0, at(), "a", session_id="t")]
    found = measured(events=events, impressions=impressions).sessions
    assert found.by_users == {1: 1, 3: 1}
    assert (found.most, found.sessions, found.of_more_than(1), found.of_more_than(3)) == ("s", 2, 1, 0)


def test_rows_that_are_shown_before_their_item_is_known_are_counted():
    items = [item("a", valid_from_ts=at(1)), item("a", valid_from_ts=at(3)), item("b", valid_from_ts=at(2))]
    impressions = [impression("l", 0, at(1), "a"), impression("l", 1, at(1), "b"), impression("l", 2, at(1), "z")]
    found = measured(items=items, impressions=impressions).catalog
    assert (found.rows, found.undated, found.share, found.first_slate) == (2, 1, 0.5, at(1))
    assert "item_id = b" in str(found.example)


def test_the_span_of_a_table_has_its_first_median_and_last_time():
    found = measured(events=[event(n, at(day), "view", "a") for n, day in enumerate((0, 1, 1, 5))]).span(
        "events", "event_ts"
    )
    assert (found.rows, found.instants, found.first, found.last, found.length.days) == (4, 3, at(0), at(5), 5)
    assert instant(found.median_us) == at(1)
    empty = measured().span("events", "event_ts")
    assert (empty.rows, empty.first_us) == (0, 0)


def test_times_that_no_calendar_holds_are_cut():
    assert instant(10**18) == LAST
    assert instant(-(10**18)) == FIRST
    assert instant(0) == datetime(1970, 1, 1, tzinfo=UTC)
