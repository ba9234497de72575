"""Returns and quantities."""

from __future__ import annotations

from decimal import Decimal

import pytest

from feature_repo.datasets.errors import DatasetError
from tests.feature_repo.datasets.files.own_files import OwnFiles

COLUMNS = (
    "{item_id: {from: i}, event_ts: {value: 2024-05-01}, action: {from: a}, quantity: {from: q}, value: {from: v}, "
    "price: {from: p}}"
)


def test_returns_are_dropped_and_noted_with_an_example(own: OwnFiles) -> None:
    rows = "a,order,-1,,\nb,order,2,,\nc,order,0,,\nd,order,1,-5,\ne,order,1,,-11062.06\nf,view,,,\n"
    log = own.events(f"i,a,q,v,p\n{rows}", COLUMNS)
    assert log.query("SELECT item_id, quantity FROM events ORDER BY 1") == [("b", 2), ("f", None)]
    [note] = log.noted("rows dropped")
    assert (note.count, note.example) == (4, "a: -1.0, events.csv, row 1")
    assert note.why == "their quantity, value or price is negative, or their quantity 0 (a return or a correction)"


def test_weights_become_whole_quantities_of_at_least_1(own: OwnFiles) -> None:
    log = own.events("i,a,q,v,p\na,order,1.25,,\nb,order,0.3,,\nc,order,2.5,,\nd,order,3,,\n", COLUMNS)
    assert log.query("SELECT item_id, quantity FROM events ORDER BY 1") == [("a", 1), ("b", 1), ("c", 3), ("d", 3)]
    assert [note.count for note in log.noted("quantities rounded")] == [3]


def test_a_quantity_beyond_the_limit_is_unknown(own: OwnFiles) -> None:
    log = own.events("i,a,q,v,p\na,order,80995,,\nb,order,10000,,\n", COLUMNS)
    assert log.query("SELECT item_id, quantity FROM events ORDER BY 1") == [("a", None), ("b", 10_000)]
    [note] = log.noted("quantities made unknown")
    assert (note.count, note.why) == (1, "the log counts up to 10,000 units")


def test_what_is_removed_from_a_cart_may_be_counted_below_0(own: OwnFiles) -> None:
    log = own.events("i,a,q,v,p\na,remove_from_cart,-2,,\n", COLUMNS)
    assert log.query("SELECT action, quantity FROM events") == [("remove_from_cart", 2)]


def test_large_prices_need_a_declared_bound_and_the_message_names_it(own: OwnFiles) -> None:
    content = "i,a,q,v,p\na,order,1,8289000,8289000\n"
    with pytest.raises(DatasetError) as refusal:
        own.events(content, COLUMNS)
    said = str(refusal.value)
    assert "column 'p (price)', row 1: '8289000' is not at most 100000; " in said
    assert "column 'v (value)'" in said
    assert '"max_price" in dataset.json raises the bound, up to 9,999,999,999.99' in said
    log = own.events(content, COLUMNS, declaration={"currency": "IDR", "max_price": 10_000_000})
    assert log.query("SELECT price, value FROM events") == [(Decimal(8_289_000), Decimal(8_289_000))]


def test_prices_that_are_too_fine_for_cents_name_the_scale(own: OwnFiles) -> None:
    with pytest.raises(DatasetError, match=r"row 1: this amount and 1 more of 2 would be 0\.00, .* scale: 1000"):
        own.events("i,a,q,v,p\na,order,1,,0.0001\nb,order,1,,0.002\n", COLUMNS)


def test_a_few_prices_below_a_cent_are_noted(own: OwnFiles) -> None:
    rows = "a,order,1,,0.001\n" + "b,order,1,,1.5\n" * 100
    log = own.events(f"i,a,q,v,p\n{rows}", COLUMNS)
    assert [(note.count, note.example) for note in log.noted("rounded to 0.00")] == [(1, "events.csv, row 1")]
    assert log.column("SELECT price FROM events WHERE item_id = 'a'") == [Decimal(0)]


def test_an_event_without_action_or_time_is_refused(own: OwnFiles) -> None:
    columns = "{item_id: {from: i}, event_ts: {from: t}, action: {from: a}}"
    with pytest.raises(DatasetError) as refusal:
        own.events("i,t,a\na,2024-05-01,\nb,,view\nc,,view\n", columns)
    said = str(refusal.value)
    assert "events.csv, column 'action', row 1: null is not allowed (1 rows); map it, or give all rows one" in said
    assert "events.csv, column 'event_ts', row 2: null is not allowed (2 rows); map it; with times: made" in said
