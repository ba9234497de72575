"""The one source of "now".

``wall`` is the machine's clock. ``replay`` starts at an anchor, a timestamp of the log, and runs on at the speed
of the wall clock. So a log that ended years ago is served as if it had just ended. ``make run`` writes the anchor
to a file once, so all processes have the same clock. While a service runs, it holds the file's lock, and nobody sets
the anchor again.
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

from infra.durable_file import write_durably
from infra.settings import Settings

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClockNotAnchored(RuntimeError):
    """The replay clock has no anchor yet. Run ``python -m feature_repo.replay_start`` (``make run`` does)."""


class ClockHeld(RuntimeError):
    """A running service holds the replay clock, so that it cannot be set."""


class Clock(Protocol):
    @property
    def mode(self) -> str: ...

    def now(self) -> datetime:
        """The current time as an aware UTC datetime with microseconds."""
        ...


@dataclass(frozen=True)
class WallClock:
    mode: str = "wall"

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class ReplayClock:
    """``anchor`` plus the wall time since ``started`` (POSIX seconds)."""

    anchor: datetime
    started: float
    mode: str = "replay"
    wall: Callable[[], float] = time.time

    def now(self) -> datetime:
        return self.anchor + timedelta(seconds=max(0.0, self.wall() - self.started))


@dataclass(frozen=True)
class FixedClock:
    """A clock that does not move, for tests and for replaying one request."""

    timestamp: datetime
    mode: str = "fixed"

    def now(self) -> datetime:
        return self.timestamp


def set_anchor(path: Path, anchor: datetime) -> ReplayClock:
    """Write the replay anchor atomically. Returns the clock that starts there."""
    clock = ReplayClock(anchor=anchor.astimezone(UTC), started=time.time())
    path.parent.mkdir(parents=True, exist_ok=True)
    _lock_of(path).touch()
    write_durably(path, json.dumps({"anchor": clock.anchor.isoformat(), "started": clock.started}).encode())
    return clock


@contextmanager
def settable(path: Path) -> Iterator[None]:
    """While this lasts, no service opens the clock of this file. Raises ClockHeld if one runs on it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with _lock_of(path).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ClockHeld(f"a running service holds the replay clock {path}") from None
        yield


@contextmanager
def held_clock(settings: Settings) -> Iterator[Clock]:
    """The clock of a service; nobody sets it until this ends. Raises ClockNotAnchored."""
    if settings.clock == "wall":
        yield WallClock()
        return
    with ExitStack() as stack:
        with suppress(FileNotFoundError):  # there is no anchor either
            lock = stack.enter_context(_lock_of(settings.clock_file).open())  # a scorer may only read this folder
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield open_clock(settings)


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")


def open_clock(settings: Settings) -> Clock:
    """The clock that the settings name. Raises ClockNotAnchored for a replay clock without an anchor."""
    if settings.clock == "wall":
        return WallClock()
    if not settings.clock_file.exists():
        raise ClockNotAnchored(
            f"RERANK_CLOCK=replay, but {settings.clock_file} does not exist: "
            "run `python -m feature_repo.replay_start` first"
        )
    stored = json.loads(settings.clock_file.read_text())
    return ReplayClock(anchor=datetime.fromisoformat(stored["anchor"]), started=float(stored["started"]))


def epoch_us(timestamp: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (timestamp - EPOCH) // timedelta(microseconds=1)


def timestamp_text(timestamp: datetime) -> str:
    """``2018-01-01T04:01:20.000000Z``"""
    return timestamp.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
