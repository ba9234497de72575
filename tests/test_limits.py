"""The limits agree from end to end: what one stage accepts at its extreme, every later stage can handle.

The first test feeds an own log at every limit to all stages, then requests and events at theirs, and builds again from
what was accepted. The others exceed each limit by one: the first stage refuses it by name. The API's are in
tests/serving/api/test_request_limits.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from feature_repo.datasets.column_checks import column_checks
from feature_repo.datasets.errors import DatasetError
from feature_repo.schema import TIMESTAMP, Declaration, DType, log_tables
from infra import limits
from infra.limits import (
    EARLIEST,
    MAX_BODY_BYTES,
    MAX_DEADLINE_MS,
    MAX_EVENTS,
    MAX_ITEM_CHANGES,
    MAX_ITEMS,
    MAX_LABEL,
    MAX_POSITION,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_SLATE_ITEMS,
    MAX_TEXT_LENGTH,
)
from infra.settings import PROJECT_ROOT
from tests.shop import Shop
from tests.small_log import at, event, impression, item, write_log

DAY = timedelta(days=1)
LAST = datetime(2024, 3, 31, 12, tzinfo=UTC)
SLATES = 40
INT32 = 2**31 - 1
LONGEST = "\U0001d4b3"  # two UTF-16 units, four bytes of UTF-8


def long_id(name: str) -> str:
    """As long as allowed, also in bytes, and with characters that SQL quotes."""
    return name + "'\"" + LONGEST * (MAX_TEXT_LENGTH - len(name) - 2)


ITEM, OTHER, BRAND = long_id("item"), long_id("other"), long_id("brand")
USER, SESSION = long_id("user"), long_id("session")


def write_source(folder: Path) -> None:
    """A user's own files at every limit: ids, prices, quantities, positions, labels, timestamps, size of a slate."""
    many = [f"{i:05}" for i in range(MAX_SLATE_ITEMS - 2)]
    items = [
        {"item_id": name, "valid_from_ts": EARLIEST, "category_id": BRAND, "brand": BRAND, "shop_id": BRAND,
         "price": MAX_PRICE, "old_price": MAX_PRICE}
        for name in (ITEM, OTHER)
    ] + [{"item_id": name, "valid_from_ts": LAST - 20 * DAY, "price": 0} for name in many]  # fmt: skip
    events = [
        {"event_id": long_id(f"e{i}"), "user_id": USER, "session_id": SESSION, "item_id": ITEM, "event_ts": when,
         "action": "order", "quantity": MAX_QUANTITY, "value": MAX_PRICE, "price": MAX_PRICE, "category_id": BRAND,
         "request_id": long_id("r"), "shown_position": MAX_POSITION}
        for i, when in enumerate((EARLIEST, LAST - 20 * DAY))
    ]  # fmt: skip
    impressions = [
        {"slate_id": long_id(f"s{i}"), "user_id": USER, "session_id": SESSION, "item_id": name, "label": label,
         "shown_ts": LAST - (SLATES - i) * DAY / 2, "input_position": position, "shown_position": MAX_POSITION,
         "relevant_total": INT32}
        for i in range(SLATES)
        for position, (name, label) in enumerate([(ITEM, MAX_LABEL), (OTHER, 0), *((n, 0) for n in many if i == 1)])
    ]  # fmt: skip
    folder.mkdir(parents=True)
    for name, rows in {"items": items, "events": events, "impressions": impressions}.items():
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("limits")
    shop = Shop(folder, "at_the_limits")
    shop.write_params(split={})
    write_source(folder / "own")
    try:
        shop.run_pipeline(f"parquet --input {folder / 'own'}", shop.main)
        yield shop
    finally:
        shop.stop()


@pytest.mark.slow
def test_what_a_request_and_an_event_may_hold_at_most_is_scored_accepted_built_and_judged(shop: Shop) -> None:
    with shop.scorer() as client:
        ids = [ITEM, OTHER, *(long_id(f"{i}") for i in range(MAX_ITEMS - 2))]
        request = {"user_id": USER, "session_id": SESSION, "items": [{"item_id": name} for name in ids]}
        answer = client.post("/score", json=request, headers={"x-deadline-ms": str(MAX_DEADLINE_MS)})
        assert len(answer.raise_for_status().json()["items"]) == MAX_ITEMS
        assert answer.json()["missing"]["items"] == MAX_ITEMS - 2
        now = datetime.fromisoformat(answer.json()["scored_at"])
        oldest = now - timedelta(days=shop.settings.event_max_age_days) + timedelta(minutes=10)
        sent = [
            {"event_id": f"{i}" + "x" * (MAX_TEXT_LENGTH - len(str(i))), "user_id": USER, "session_id": SESSION,
             "action": "order", "item_id": ITEM, "event_ts": oldest.isoformat(), "quantity": MAX_QUANTITY,
             "value": MAX_PRICE, "request_id": "r" * MAX_TEXT_LENGTH, "shown_position": MAX_POSITION}
            for i in range(MAX_EVENTS)
        ]  # fmt: skip
        accepted = client.post("/events", json={"events": sent}).raise_for_status().json()
        assert (accepted["accepted"], accepted["rejected"]) == (MAX_EVENTS, [])
        full = {"price": MAX_PRICE, "old_price": 0, "category_id": BRAND, "brand": BRAND, "shop_id": BRAND}
        changes = [
            {"item_id": long_id(f"new{i}"), "change_id": long_id(f"c{i}"), "in_stock": i % 2, **full}
            for i in range(MAX_ITEM_CHANGES)
        ]
        longest = {"x-deadline-ms": str(MAX_DEADLINE_MS)}
        changed = client.post("/items", json={"items": changes}, headers=longest).raise_for_status().json()
        assert (changed["accepted"], changed["rejected"]) == (MAX_ITEM_CHANGES, [])
    shop.main("feature_repo.live --once")
    for stage in (
        "validation live",
        "feature_repo.build",
        "validation features",
        "training.training_set",
        "validation training_set",
    ):
        shop.main(stage)


@pytest.mark.parametrize(
    ("table", "changes", "named"),
    [
        ("items", {"item_id": "i" * (MAX_TEXT_LENGTH + 1)}, "'item_id': 1 rows are not 1 to 200 characters"),
        ("items", {"item_id": ""}, "'item_id': 1 rows are not 1 to 200 characters"),
        ("items", {"item_id": "a\0b"}, "'item_id': 1 rows are not 1 to 200 characters, none of them NUL"),
        ("items", {"category_id": "c" * (MAX_TEXT_LENGTH + 1)}, "'category_id': 1 rows are not 1 to 200 characters"),
        ("items", {"price": MAX_PRICE + 0.01}, "'price': 1 rows are not at most 100000"),
        ("items", {"valid_from_ts": EARLIEST - timedelta(microseconds=1)}, "'valid_from_ts': 1 rows are not from 1990"),
        ("events", {"event_ts": limits.LATEST}, "'event_ts': 1 rows are not from 1990 until 2100"),
        ("events", {"quantity": MAX_QUANTITY + 1}, "'quantity': 1 rows are not at most 10000"),
        ("events", {"shown_position": MAX_POSITION + 1}, "'shown_position': 1 rows are not at most 100000"),
        ("events", {"value": MAX_PRICE + 0.01}, "'value': 1 rows are not at most 100000"),
        ("impressions", {"label": MAX_LABEL + 1}, "'label': 1 rows are not at most 4"),
        ("impressions", {"session_id": "s" * (MAX_TEXT_LENGTH + 1)}, "'session_id': 1 rows are not 1 to 200"),
    ],
)  # fmt: skip
def test_every_adapter_refuses_a_value_beyond_its_limit_by_table_and_column(
    tmp_path: Path, table: str, changes: dict[str, Any], named: str
) -> None:
    """All adapters write with the LogWriter."""
    rows = {"items": item("a"), "events": event(1, at(1), "order", "a"), "impressions": impression("s", 0, at(2), "a")}
    with pytest.raises(DatasetError, match=re.escape(f"table {table}, column {named}")):
        write_log(tmp_path / "log", **{name: [row | (changes if name == table else {})] for name, row in rows.items()})
    assert list(tmp_path.iterdir()) == []


def test_a_slate_of_more_items_than_lightgbm_takes_is_refused_with_its_name_and_size(tmp_path: Path) -> None:
    slate = [impression("long", i, at(1), f"i{i}") for i in range(MAX_SLATE_ITEMS + 1)]
    short = [impression("short", 0, at(1), "a")]
    with pytest.raises(DatasetError, match=r"slate 'long' has 10,001 items; a slate has at most 10,000"):
        write_log(tmp_path / "log", items=[item("a")], events=[], impressions=[*short, *slate])


def test_every_column_of_the_log_has_a_limit() -> None:
    """But for a number that nothing computes with beyond its type: what a user wanted in all."""
    unlimited = {
        column.name
        for table in log_tables(Declaration("x", "x"))
        for column in table.columns
        if not any(not check.text.startswith("at least") for check in column_checks(column, "x"))
    }
    assert unlimited == {"relevant_total"}
    assert DType.TIMESTAMP.arrow == TIMESTAMP


def test_the_documentation_lists_every_limit_with_its_value() -> None:
    page = (PROJECT_ROOT / "docs" / "limits.md").read_text()
    listed = re.findall(r"^\| [^|]+ \| ([^|]+?) \| `(\w+)` \|", page, re.MULTILINE)
    found = {name: value for value, name in listed}
    values = {name: value for name, value in vars(limits).items() if name.isupper() and name != "UTC"}
    assert found.keys() == values.keys()
    for name, value in values.items():
        shown = f"{value:%Y-%m-%d}" if isinstance(value, datetime) else f"{value:,}"
        assert found[name] == {"MAX_BODY_BYTES": "4 MiB", "MAX_FLOAT32": "3.4e38"}.get(name, shown)
    assert (MAX_BODY_BYTES, round(limits.MAX_FLOAT32 / 1e38, 1)) == (4 * 2**20, 3.4)
