"""The audit's private repository."""

import os

import pytest

from feature_repo.build.__main__ import build
from feature_repo.live.event import LiveEvent
from feature_repo.live.event_files import write_batch
from infra.redis_server.server import NoRedis, start, stop
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log
from validation.skew.offline import is_fresh, offline_settings

US = int(at(5, 7).timestamp() * 1e6)


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


def accept_an_event(settings):
    accepted = LiveEvent(event_id="e", user_id="u", session_id="live", action="view", event_us=US, item_id="a")
    (path,) = write_batch(settings.live_dir, "1-0", "1-0", [(US, accepted)])
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


def test_without_a_redis_the_audit_fails(settings):
    with pytest.raises(NoRedis, match="no Redis"), offline_settings(settings):
        pass
