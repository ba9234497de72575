"""What an event carries of its item."""

from __future__ import annotations

from decimal import Decimal

from tests.feature_repo.datasets.files.own_files import OwnFiles

COLUMNS = "{item_id: {from: i}, event_ts: {from: t}, action: {from: a}, quantity: {from: q}, price: {from: p}}"
ITEMS = (
    "  - {table: items, path: items.csv, columns: {item_id: {from: i}, valid_from_ts: {from: t}, "
    "category_id: {from: c}, price: {from: p}}}\n"
)
FACTS = "SELECT price, category_id, value FROM events ORDER BY event_ts, action"


def facts(own: OwnFiles, events: str) -> list[tuple[object, ...]]:
    catalog = "i,t,c,p\na,2024-04-01,x,5\na,2024-05-01T10:00:00Z,y,6\n"
    own.write({"items.csv": catalog}, "{}")
    return own.events(f"i,t,a,q,p\n{events}", COLUMNS, more=ITEMS).query(FACTS)


def test_price_and_category_are_those_known_strictly_before_the_event(own: OwnFiles) -> None:
    views = "".join(f"a,{when},view,,\n" for when in ("2024-03-01", "2024-05-01T10:00:00Z", "2024-05-01T10:00:01Z"))
    rows = f"{views},2024-05-01T11:00:00Z,search,,\n"
    assert facts(own, rows) == [(None, None, None), (5, "x", None), (6, "y", None), (None, None, None)]


def test_what_the_event_says_itself_stays_and_an_order_is_worth_quantity_times_price(own: OwnFiles) -> None:
    rows = "a,2024-05-01T11:00:00Z,order,3,2.5\na,2024-05-01T12:00:00Z,order,,\na,2024-05-01T13:00:00Z,add_to_cart,2,\n"
    assert facts(own, rows) == [(Decimal("2.5"), "y", Decimal("7.5")), (6, "y", 6), (6, "y", None)]


def test_an_order_worth_more_than_the_bound_has_no_value(own: OwnFiles) -> None:
    assert facts(own, "a,2024-05-01T11:00:00Z,order,10000,99.5\n") == [(Decimal("99.5"), "y", None)]
