"""Changes of items in the log: the versions that they make, and the rows of item_attributes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from feature_repo.build.__main__ import build
from feature_repo.build.log_views import open_log
from feature_repo.live.items.change import AcceptedChange, ItemChange, Texts
from feature_repo.live.items.files import ITEM_CHANGES
from infra.clock import epoch_us
from infra.duckdb_connection import connect
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log
from validation.gates.quarantine import set_aside

MICROSECOND = timedelta(microseconds=1)
NOON = at(5, 12 * 3600)
FULL: Texts = {"category_id": "c", "price": "2.00", "brand": None}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Item a costs 2 from day 0 and 3 from day 9 on; b costs 2. The log ends on day 12."""
    made = Settings(_env_file=None, data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny", threads=1)
    write_log(
        made.log_dir,
        items=[item("a"), item("b"), item("a", valid_from_ts=at(9, 60), price=3.0, brand="new")],
        events=[event(1, at(1), "order", "a")],
        impressions=[impression("1", 0, at(12), "a")],
    )
    return made


def change(number: int, item_id: str, values: Texts, row: Texts | None = None) -> AcceptedChange:
    """``row``: what it was merged with."""
    return AcceptedChange(ItemChange(change_id=f"c{number}", item_id=item_id, values=values), {**(row or {}), **values})


def accept(settings: Settings, *changes: tuple[datetime, AcceptedChange]) -> None:
    found = [(epoch_us(when), each) for when, each in changes]
    ITEM_CHANGES.write_batch(settings.live_dir, "1-0", f"{len(found)}-0", found)


def versions(settings: Settings, item_id: str, columns: str = "price, in_stock, brand") -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        open_log(connection, settings, [])
        return connection.execute(
            f"SELECT valid_from_ts, {columns} FROM items WHERE item_id = ? ORDER BY valid_from_ts", [item_id]
        ).fetchall()


def rows(settings: Settings, item_id: str, names: Sequence[str]) -> dict[datetime, tuple[Any, ...]]:
    table = pq.read_table(settings.features_dir / "item_attributes.parquet").to_pylist()
    return {row["event_timestamp"]: tuple(row[n] for n in names) for row in table if row["item_id"] == item_id}


def test_each_change_makes_a_version_that_keeps_what_it_does_not_set(settings: Settings) -> None:
    accept(
        settings,
        (NOON, change(1, "a", {"in_stock": "0"}, FULL)),
        (NOON + MICROSECOND, change(2, "a", {"price": "1.50"}, {**FULL, "in_stock": "0"})),
        (at(7), change(3, "a", {"price": None, "brand": "b"}, {**FULL, "in_stock": "0"})),
    )
    assert versions(settings, "a") == [
        (at(), Decimal("2.00"), None, None),
        (NOON, Decimal("2.00"), 0, None),
        (NOON + MICROSECOND, Decimal("1.50"), 0, None),
        (at(7), None, 0, "b"),
        (at(9, 60), Decimal("3.00"), None, "new"),  # an imported version sets all attributes
    ]
    assert versions(settings, "b") == [(at(), Decimal("2.00"), None, None)]


def test_an_older_imported_version_does_not_undo_a_change_and_at_the_same_time_the_change_comes_last(
    settings: Settings,
) -> None:
    accept(settings, (at(9, 60), change(1, "a", {"price": "9.00"}, FULL)), (at(11), change(2, "b", {"price": "8.00"})))
    assert versions(settings, "a", "price, brand")[-1] == (at(9, 60), Decimal("9.00"), "new")
    assert len(versions(settings, "a")) == 2
    assert versions(settings, "b", "price, category_id")[-1] == (at(11), Decimal("8.00"), "c")


def test_a_version_has_the_log_s_attributes_although_the_store_did_not_know_them(settings: Settings) -> None:
    """The feature store was empty: the row that was served has the price alone, the version has the category, too."""
    accept(settings, (NOON, change(1, "b", {"price": "1.00"})))
    build(settings)
    assert versions(settings, "b", "price, category_id")[-1] == (NOON, Decimal("1.00"), "c")
    found = rows(settings, "b", ("price", "category_id"))
    assert found[NOON + MICROSECOND] == (1.0, None)
    assert found[at(6)] == (1.0, "c")


def test_the_view_has_the_served_row_after_the_acceptance_and_the_merged_one_from_the_next_midnight_on(
    settings: Settings,
) -> None:
    new = {"price": "0.10", "category_id": "d", "in_stock": "1"}
    accept(
        settings,
        (NOON, change(1, "a", {"price": "1.10", "in_stock": "0"}, FULL)),
        (at(12, 3600), change(2, "new", new)),
    )
    build(settings)
    names = ("price", "category_id", "in_stock")
    cheap = pytest.approx(1.1, abs=1e-7)
    assert rows(settings, "a", names) == {
        at(1): (2.0, "c", None),
        NOON + MICROSECOND: (cheap, "c", 0),
        at(6): (cheap, "c", 0),
        at(10): (3.0, "c", None),
    }
    assert rows(settings, "new", names) == {at(12, 3600) + MICROSECOND: (pytest.approx(0.1), "d", 1)}


def test_a_change_just_before_midnight_has_one_row(settings: Settings) -> None:
    accept(settings, (at(6) - MICROSECOND, change(1, "a", {"price": "1.25"}, FULL)))
    build(settings)
    table = pq.read_table(settings.features_dir / "item_attributes.parquet").to_pylist()
    assert [row["price"] for row in table if (row["item_id"], row["event_timestamp"]) == ("a", at(6))] == [1.25]


def test_a_change_of_stock_alone_does_not_count_as_a_price(settings: Settings) -> None:
    """price_vs_history of a at day 6: 4 over the mean of 2 and 4, whatever the stock was."""
    flips = [(NOON - i * MICROSECOND, change(9 - i, "a", {"in_stock": str(i % 2)}, FULL)) for i in range(3, 0, -1)]
    accept(settings, *flips, (NOON, change(9, "a", {"price": "4.00"}, FULL)))
    build(settings)
    table = pq.read_table(settings.features_dir / "item_windows.parquet").to_pylist()
    (found,) = [row for row in table if (row["item_id"], row["event_timestamp"]) == ("a", at(6))]
    assert found["price_vs_history"] == pytest.approx(4 / 3)


def test_a_log_without_changes_is_as_it_was(settings: Settings) -> None:
    with connect(settings) as connection:
        open_log(connection, settings, [])
        assert connection.execute("SELECT count(*), count(in_stock), count(changed) FROM items").fetchall() == [
            (3, 0, 0)
        ]
        assert connection.execute("SELECT count(*) FROM item_changes").fetchall() == [(0,)]


def test_the_sound_changes_make_the_same_tables_as_the_files_of_the_consumer(settings: Settings) -> None:
    accept(settings, (NOON, change(1, "a", {"price": "1.10"}, FULL)), (at(12, 60), change(2, "new", {"brand": 'é"'})))
    build(settings)
    path = settings.features_dir / "item_attributes.parquet"
    before = path.read_bytes()
    assert set_aside(settings, datetime(2030, 1, 1, tzinfo=UTC)) == []
    build(settings)
    assert path.read_bytes() == before
