from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from infra.clock import (
    ClockHeld,
    ClockNotAnchored,
    FixedClock,
    ReplayClock,
    WallClock,
    held_clock,
    open_clock,
    set_anchor,
    settable,
)
from infra.settings import Settings

ANCHOR = datetime(2018, 1, 1, 4, 0, 0, 123456, tzinfo=UTC)


def settings_with(folder: Path, clock: str) -> Settings:
    return Settings(_env_file=None, state_dir=folder, clock=clock)


def test_the_wall_clock_is_the_clock_of_the_machine(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    clock = open_clock(settings_with(tmp_path, "wall"))
    assert isinstance(clock, WallClock)
    assert before <= clock.now() <= datetime.now(UTC)


def test_the_replay_clock_starts_at_its_anchor_and_runs_on() -> None:
    clock = ReplayClock(ANCHOR, started=100.0, wall=lambda: 107.5)
    assert clock.now() == ANCHOR + timedelta(seconds=7.5)


def test_the_replay_clock_is_never_before_its_anchor() -> None:
    assert ReplayClock(ANCHOR, started=100.0, wall=lambda: 40.0).now() == ANCHOR


def test_every_process_reads_the_clock_that_was_set(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "replay")
    written = set_anchor(settings.clock_file, ANCHOR)
    assert open_clock(settings) == written
    assert written.anchor == ANCHOR


def test_the_anchor_is_stored_in_utc(tmp_path: Path) -> None:
    east = ANCHOR.astimezone(timezone(timedelta(hours=5)))
    assert set_anchor(tmp_path / "clock.json", east).anchor.utcoffset() == timedelta(0)


def test_the_error_of_a_clock_without_anchor_names_the_command_to_run(tmp_path: Path) -> None:
    with pytest.raises(ClockNotAnchored, match=r"python -m feature_repo\.replay_start"):
        open_clock(settings_with(tmp_path, "replay"))


def test_the_clock_of_a_running_service_cannot_be_set_until_it_ends(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "replay")
    set_anchor(settings.clock_file, ANCHOR)
    with held_clock(settings) as first, held_clock(settings) as second:
        assert first == second == open_clock(settings)
        with pytest.raises(ClockHeld, match=str(settings.clock_file)), settable(settings.clock_file):
            pass
    with settable(settings.clock_file):
        set_anchor(settings.clock_file, ANCHOR + timedelta(days=1))
    assert open_clock(settings).now() >= ANCHOR + timedelta(days=1)


def test_a_service_that_may_only_read_its_folder_holds_the_clock_too(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, "replay")
    set_anchor(settings.clock_file, ANCHOR)
    for path in settings.clock_file.parent.iterdir():
        path.chmod(0o444)
    with held_clock(settings):
        for path in settings.clock_file.parent.iterdir():
            path.chmod(0o644)
        with pytest.raises(ClockHeld), settable(settings.clock_file):
            pass


def test_a_service_without_an_anchor_names_the_command_to_run(tmp_path: Path) -> None:
    with (
        pytest.raises(ClockNotAnchored, match=r"python -m feature_repo\.replay_start"),
        held_clock(settings_with(tmp_path, "replay")),
    ):
        pass


def test_a_fixed_clock_does_not_move() -> None:
    clock = FixedClock(ANCHOR)
    assert clock.now() == clock.now() == ANCHOR
