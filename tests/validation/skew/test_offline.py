"""The audit's private repository."""

import os

import pyarrow.parquet as pq
import pytest

from feature_repo.build.__main__ import BUILD_FILE, build
from feature_repo.live.checked_events import checked_events
from feature_repo.live.event import LiveEvent
from feature_repo.live.event_files import write_batch
from infra.redis_server.server import NoRedis, start, stop
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log
from validation.gates.quarantine import set_aside
from validation.skew.offline import is_fresh, offline_settings

US = int(at(5, 7).timestamp() * 1e6)
NOW = at(9)


@pytest.fixture
def settings(tmp_path):
    made = Settings(_env_file=None, data_dir=tmp_path, state_dir=tmp_path / "var", dataset="tiny", threads=1)
    write_log(
        made.log_dir,
        items=[item("a")],
        events=[event(1, at(1), "order", "a")],
        impressions=[impression("1", 0, at(2), "a")],
    )
    return made


def accepted(event_id, **more):
    return LiveEvent(event_id=event_id, user_id="u", session_id="live", action="view", event_us=US, item_id="a", **more)


def accept_an_event(settings, **more):
    (path,) = write_batch(settings.live_dir, "1-0", "1-0", [(US, accepted("e", **more))])
    later = settings.features_dir.stat().st_mtime + 5
    os.utime(path, (later, later))


def test_features_are_fresh_until_log_or_accepted_events_change(settings):
    assert not is_fresh(settings)
    build(settings)
    assert is_fresh(settings)
    accept_an_event(settings)
    assert not is_fresh(settings)


def test_stale_features_are_built_only_for_the_audit_and_fresh_ones_are_used_unchanged(settings):
    start(settings)
    try:
        build(settings)
        path = settings.features_dir / "session_state.parquet"
        before = path.read_bytes()
        with offline_settings(settings) as private:
            assert (private.features_dir / "session_state.parquet").samefile(path)
        accept_an_event(settings)
        with offline_settings(settings) as private:
            assert (private.features_dir / "session_state.parquet").read_bytes() != before
            folder = private.data_dir
        assert path.read_bytes() == before
        assert not settings.feast_registry.exists()
        assert not folder.exists()
    finally:
        stop(settings)


def test_the_audit_builds_with_an_event_that_the_live_gate_set_aside_because_online_folded_it(settings):
    start(settings)
    try:
        build(settings)
        accept_an_event(settings, quantity=20_000)
        set_aside(settings, NOW)
        build(settings)
        assert sessions_of(settings) == {"s"}
        assert not is_fresh(settings)
        with offline_settings(settings) as private:
            assert sessions_of(private) == {"s", "live"}
    finally:
        stop(settings)


def test_features_are_fresh_if_the_live_gate_set_nothing_aside_and_checked_all_files(settings):
    build(settings)
    accept_an_event(settings)
    set_aside(settings, NOW)
    build(settings)
    later = checked_events(settings).stat().st_mtime + 9
    os.utime(settings.features_dir / BUILD_FILE, (later, later))
    assert is_fresh(settings)
    write_batch(settings.live_dir, "2-0", "2-0", [(US, accepted("f"))])
    assert not is_fresh(settings)


def sessions_of(settings):
    return set(pq.read_table(settings.features_dir / "session_state.parquet")["session_id"].to_pylist())


def test_without_a_redis_the_audit_fails(settings):
    with pytest.raises(NoRedis, match="no Redis"), offline_settings(settings):
        pass
