"""Runs and accepted events, read from Redis and from the live log."""

from datetime import UTC, datetime, timedelta

import pytest

from feature_repo.live.event import LiveEvent
from feature_repo.live.event_files import write_batch
from feature_repo.live.items.change import AcceptedChange, ItemChange
from feature_repo.live.items.files import ITEM_CHANGES
from feature_repo.online.materialization_log import MaterializationLog
from infra.clock import FixedClock
from infra.redis_server.server import endpoint, start, stop
from infra.settings import Settings
from validation.skew.causes.knowledge import KnownRun, read_knowledge

NOW = datetime(2024, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
US = 1_709_294_400_000_005


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("knowledge")
    made = Settings(_env_file=None, data_dir=folder, state_dir=folder / "var", dataset="tiny", deadline_ms=700)
    start(made)
    yield made
    stop(made)


def test_runs_live_events_and_changes_of_items_are_known_to_the_microsecond(settings):
    with endpoint(settings).client(5) as client:
        run_log = MaterializationLog(client, "tiny", FixedClock(NOW))
        done = run_log.start("item_windows", NOW - timedelta(days=1), NOW)
        run_log.finish(done, 3, 2, NOW - timedelta(hours=12))
        run_log.start("user_windows", NOW, NOW)
    event = LiveEvent(event_id="e", user_id="u", session_id="s", action="view", event_us=1, item_id="a")
    write_batch(settings.live_dir, "1-0", "1-0", [(US, event)])
    change = ItemChange(change_id="c", item_id="a", values={"price": "1.00"})
    ITEM_CHANGES.write_batch(settings.live_dir, "1-0", "1-0", [(US + 5, AcceptedChange(change, {"price": "1.00"}))])
    known = read_knowledge(settings)
    day, half = 86_400_000_000, 43_200_000_000
    assert known.runs == {
        "item_windows": [KnownRun(US - day, US, US, US, US - half)],
        "user_windows": [KnownRun(US, US, US, None, None)],
    }
    assert known.pushed == {("session_state", "s", US + 1), ("item_attributes", "a", US + 6)}
    assert known.is_pushed("item_attributes", "a", US + 6)
    assert known.is_pushed("session_state", "s", US + 1)
    assert not known.is_pushed("item_windows", "s", US + 1)
    assert known.max_delay_us == 700_000


@pytest.mark.parametrize(("event_us", "covers"), [(US - 1, False), (US, True), (US + 5, True), (US + 6, False)])
def test_the_range_of_a_run_includes_both_ends(event_us, covers):
    assert KnownRun(US, US + 5, US, None, None).covers(event_us) is covers
