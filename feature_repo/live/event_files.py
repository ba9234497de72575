"""The files of accepted events (see :mod:`feature_repo.live.accepted_files`), and the locks of all accepted files.

Who reads more than one file holds the lock :func:`reading`, so that none is removed.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from feature_repo.live.accepted_files import AcceptedFiles
from feature_repo.live.event import LiveEvent
from feature_repo.schema import Declaration, events_table

SCHEMA = events_table(Declaration("live", "accepted events")).arrow  # the same for all data sets
LOCK_FILE = ".reading.lock"


def _row(received_us: int, event: LiveEvent) -> dict[str, Any]:
    fields = msgspec.structs.asdict(event)
    fields |= {name: _money(fields[name]) for name in ("value", "price")}
    return fields | {"event_ts": fields["event_us"], "received_ts": received_us}


def _money(cents: int | None) -> Decimal | None:
    return None if cents is None else Decimal(cents).scaleb(-2)


EVENTS = AcceptedFiles("events", SCHEMA, _row)
event_folder, event_files, write_batch = EVENTS.folder, EVENTS.files, EVENTS.write_batch


@contextmanager
def reading(live_dir: Path) -> Iterator[None]:
    """While this lock is held, no accepted file is removed. Any number of readers may hold it."""
    with _locked(live_dir, fcntl.LOCK_SH):
        yield


@contextmanager
def removing(live_dir: Path) -> Iterator[None]:
    """The lock of who removes accepted files. Raises BlockingIOError while somebody reads."""
    with _locked(live_dir, fcntl.LOCK_EX | fcntl.LOCK_NB):
        yield


@contextmanager
def _locked(live_dir: Path, kind: int) -> Iterator[None]:
    folder = event_folder(live_dir)
    if not folder.exists():  # nothing to read or to remove yet
        yield
        return
    with (folder / LOCK_FILE).open("w") as file:
        fcntl.flock(file, kind)
        yield
