"""The day after: what was accepted live goes into the features, and every gate judges what build read.

A simulated log, and events that come by the real way: acceptance in Redis, then the consumer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from feature_repo.apply import apply
from feature_repo.build.__main__ import build
from feature_repo.datasets.__main__ import adapt
from feature_repo.datasets.column_checks import HORIZON
from feature_repo.live.acceptance import EventKeys, Offered, accept_commands, outcomes
from feature_repo.live.checked_events import checked_events, quarantined_events
from feature_repo.live.drain import Drain
from feature_repo.live.event import LiveEvent, fingerprint
from feature_repo.live.event_files import write_batch
from feature_repo.live.items.change import AcceptedChange, ItemChange, Texts
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.live.items.versions import CHECKED_CHANGES
from feature_repo.replay_start import log_end
from infra.clock import epoch_us
from infra.redis_server.server import EVENTS, FEATURES, endpoint, start, stop
from infra.settings import Settings
from tests.shop import Shop
from tests.validation.gates.summaries import failed_rows, report
from training.training_set.build import write_training_set
from validation.__main__ import main

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Redis runs. The log is imported and built, and events of the next day have been accepted and drained."""
    made = Shop(tmp_path_factory.mktemp("second_day"), "simulated")
    settings = made.settings
    adapt("simulated", settings.log_dir, settings, size=300)
    build(settings)
    for role in (FEATURES, EVENTS):
        start(settings, role)
    end = log_end(settings.log_dir)
    accept(settings, end + timedelta(hours=1), legitimate(settings, end))
    accept(settings, end + DAY, [live("tomorrow", end + DAY, session_id="tomorrow")])
    yield made
    for role in (FEATURES, EVENTS):
        stop(settings, role)


@pytest.fixture
def environment(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in shop.environment.items():
        monkeypatch.setenv(name, value)


def live(event_id: str, when: datetime, **fields: Any) -> LiveEvent:
    about = {"user_id": "newcomer", "session_id": "s-new", "action": "view", "item_id": "i00001"}
    return LiveEvent(event_id=event_id, event_us=epoch_us(when), **(about | fields))


def legitimate(settings: Settings, end: datetime) -> list[LiveEvent]:
    known = pq.read_table(settings.log_dir / "events.parquet", columns=["user_id", "session_id"]).to_pylist()[0]
    return [
        live("new-user", end),
        live("not-in-catalog", end, item_id="ghost", action="add_to_cart"),
        live("ordered", end, item_id="ghost", action="order", value=400),
        live("known-user", end, **known),
        live("without-item", end, item_id=None, action="search"),
        live("shown", end, action="impression", request_id="r", shown_position=0),
    ]


def accept(settings: Settings, now: datetime, events: list[LiveEvent]) -> None:
    offered = [Offered(event, fingerprint(event)) for event in events]
    with endpoint(settings, EVENTS).client(5) as stream, endpoint(settings).client(5) as features:
        for command in accept_commands(EventKeys(settings.dataset), offered, epoch_us(now)):
            connection = stream.connection_pool.get_connection()
            connection.send_packed_command([command])
            assert all(isinstance(each, int) for each in outcomes([connection.read_response()]))
            stream.connection_pool.release(connection)
        assert Drain(settings.dataset, settings.live_dir, stream, features).drain() == len(events)


def run_all(settings: Settings) -> None:
    """As in dvc.yaml. Each gate must pass."""
    assert main(["log"]) == 0
    assert main(["live"]) == 0
    build(settings)
    assert main(["features"]) == 0
    apply(settings)
    write_training_set(settings, None)
    assert main(["training_set"]) == 0


@pytest.mark.usefixtures("environment", "without_docs")
def test_new_users_sessions_and_items_of_the_next_days_pass_every_gate_without_a_warning(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    run_all(shop.settings)
    assert "warning: live_events" not in capsys.readouterr().err
    assert [row for gate in ("live", "features") for row in failed_rows(report(shop.settings, gate))] == []
    assert pq.read_metadata(checked_events(shop.settings)).num_rows == 7
    assert pq.read_metadata(quarantined_events(shop.settings)).num_rows == 0
    sessions = pq.read_table(shop.settings.features_dir / "session_state.parquet")["session_id"].to_pylist()
    assert {"s-new", "tomorrow"} <= set(sessions)


@pytest.mark.usefixtures("environment", "without_docs")
def test_an_offending_event_is_set_aside_with_its_reason_and_everything_else_goes_on(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    end = log_end(shop.settings.log_dir)
    faults = [
        live("year-1", datetime(1, 1, 1, tzinfo=UTC)),
        live("many", end, quantity=20_000),
        live("sound", end, session_id="sound"),
    ]
    with drained(shop.settings, end, faults):
        assert main(["live"]) == 0
        build(shop.settings)
        assert main(["features"]) == 0
        said = capsys.readouterr().err
        assert f"warning: quarantine: event_ts: {HORIZON}: 1 violation, e.g. event_ts" in said
        failed = [row[:3] for row in failed_rows(report(shop.settings, "live"))]
        assert sorted(failed) == [
            ["quarantine", "event_ts", HORIZON],
            ["quarantine", "quantity", "at most 10000"],
        ]
        assert aside(shop.settings) == {
            "year-1": [f"event_ts: {HORIZON}"],
            "many": ["quantity: at most 10000"],
        }
        assert "sound" in sound(shop.settings)
        assert not {"year-1", "many"} & set(sound(shop.settings))


@pytest.mark.usefixtures("environment", "without_docs")
def test_an_event_counts_once_if_it_was_accepted_twice_or_is_imported_later(shop: Shop) -> None:
    end = log_end(shop.settings.log_dir)
    (imported,) = pq.read_table(shop.settings.log_dir / "events.parquet", columns=["event_id"])["event_id"][
        :1
    ].to_pylist()
    with drained(shop.settings, end, [live("again", end), live("again", end, action="like"), live(imported, end)]):
        assert main(["live"]) == 0
        assert aside(shop.settings) == {
            "again": ["event_id: accepted once"],
            imported: ["event_id: not in the imported log"],
        }
        assert sound(shop.settings).count("again") == 1


@pytest.mark.usefixtures("environment", "without_docs")
def test_a_file_that_cannot_be_read_is_left_out_and_named(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    end = log_end(shop.settings.log_dir)
    with drained(shop.settings, end, [live("cut-off", end)]) as path:
        path.write_bytes(path.read_bytes()[:-100])
        assert main(["live"]) == 0
        assert f"warning: live_events: (file): {path.name} is readable: 1 violation" in capsys.readouterr().err
        assert len(sound(shop.settings)) == 7


@pytest.mark.usefixtures("environment", "without_docs")
def test_events_that_arrive_after_the_live_gate_wait_for_the_next_build(shop: Shop) -> None:
    end = log_end(shop.settings.log_dir)
    assert main(["live"]) == 0
    with drained(shop.settings, end, [live("late", datetime(1, 1, 1, tzinfo=UTC), session_id="late")]):
        build(shop.settings)
        assert main(["features"]) == 0
        sessions = pq.read_table(shop.settings.features_dir / "session_state.parquet")["session_id"].to_pylist()
        assert "late" not in sessions


@pytest.mark.usefixtures("environment", "without_docs")
def test_changes_of_items_and_new_items_pass_every_gate_and_an_offending_one_is_set_aside(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = shop.settings
    received = log_end(settings.log_dir) + timedelta(minutes=5)
    known = {"category_id": "c", "price": "2.00"}
    with changed(
        settings,
        [
            (received, change("cheaper", "i00001", {"price": "0.50"}, known)),
            (received, change("sold-out", "i00002", {"in_stock": "0"}, known)),
            (received + DAY, change("new", "new-item", {"category_id": "new-category", "price": "1.00"})),
            (received, change("dear", "i00003", {"price": "100000.01"}, known)),
            (received, change("untyped", "i00003", {"in_stock": "maybe"}, known)),
            (received, change("again", "i00004", {"price": "3.00"}, known)),
            (received + DAY, change("again", "i00004", {"price": "4.00"}, known)),
        ],
    ):
        run_all(settings)
        assert "warning: item_quarantine: price: at most 100000: 1 violation" in capsys.readouterr().err
        assert [row[:3] for row in failed_rows(report(settings, "features"))] == []
        aside = pq.read_table(CHECKED_CHANGES.aside(settings)).to_pylist()
        assert [(row["change_id"], row["reasons"]) for row in aside] == [
            ("dear", ["price: at most 100000"]),
            ("untyped", ["changed: values are of their columns' types"]),
            ("again", ["change_id: accepted once"]),
        ]
        rows = pq.read_table(settings.features_dir / "item_attributes.parquet").to_pylist()
        found = {(row["item_id"], row["event_timestamp"]): row for row in rows}
        at = received + timedelta(microseconds=1)
        assert (found["i00001", at]["price"], found["i00002", at]["in_stock"]) == (0.5, 0)
        assert found["new-item", at + DAY]["category_id"] == "new-category"
        assert ("i00003", at) not in found
        midnight = (received + DAY).replace(hour=0, minute=0, second=0, microsecond=0)
        assert (found["i00001", midnight]["price"], found["i00002", midnight]["in_stock"]) == (0.5, 0)
        assert found["i00001", midnight]["category_id"] is not None


@pytest.mark.usefixtures("environment", "without_docs")
def test_a_row_that_is_neither_of_a_midnight_nor_of_a_change_blocks_the_features(shop: Shop) -> None:
    settings = shop.settings
    received = log_end(settings.log_dir) + timedelta(minutes=5)
    with changed(settings, [(received, change("cheaper", "i00001", {"price": "0.50"}))]):
        assert main(["live"]) == 0
        build(settings)
        assert main(["features"]) == 0
    assert main(["live"]) == 0  # the change is gone, its row is not
    assert main(["features"]) == 1
    assert ["item_attributes", "event_timestamp", "a UTC midnight, or 1 µs after a change of the item"] in [
        row[:3] for row in failed_rows(report(settings, "features"))
    ]


def change(change_id: str, item_id: str, values: Texts, row: Texts | None = None) -> AcceptedChange:
    return AcceptedChange(ItemChange(change_id=change_id, item_id=item_id, values=values), {**(row or {}), **values})


@contextmanager
def changed(settings: Settings, changes: list[tuple[datetime, AcceptedChange]]) -> Iterator[None]:
    """Files that the consumer wrote."""
    paths = ITEM_CHANGES.write_batch(
        settings.live_dir, "9-1", "9-9", [(epoch_us(received), each) for received, each in changes]
    )
    try:
        yield
    finally:
        for path in paths:
            path.unlink()


@contextmanager
def drained(settings: Settings, end: datetime, events: list[LiveEvent]) -> Iterator[Path]:
    """A file that the consumer wrote, an hour after the end of the imported log."""
    received = epoch_us(end + timedelta(hours=1))
    (path,) = write_batch(settings.live_dir, "9-1", "9-9", [(received + i, each) for i, each in enumerate(events)])
    try:
        yield path
    finally:
        path.unlink()


def aside(settings: Settings) -> dict[str, list[str]]:
    return {row["event_id"]: row["reasons"] for row in pq.read_table(quarantined_events(settings)).to_pylist()}


def sound(settings: Settings) -> list[str]:
    found: list[str] = pq.read_table(checked_events(settings))["event_id"].to_pylist()
    return found
