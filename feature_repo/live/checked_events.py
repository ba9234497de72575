"""The accepted events that passed the live gate, and those that it set aside.

    <data>/<dataset>/live_checked/events.parquet       sound events, with the columns of the log's events
    <data>/<dataset>/live_checked/quarantine.parquet   the other events, with the rules that they break

``python -m validation live`` writes both files from all event files, which it leaves as they are. Build reads the first
file. So build and the gates after it read the same events, whatever the consumer writes meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from feature_repo.live.event_files import event_files
from infra.settings import Settings

FILES_KEY = b"event_files"


def checked_events(settings: Settings) -> Path:
    return settings.live_checked_dir / "events.parquet"


def quarantined_events(settings: Settings) -> Path:
    return settings.live_checked_dir / "quarantine.parquet"


def live_events(settings: Settings) -> list[Path]:
    """The files to build from: the sound events, or all event files if the live gate never ran."""
    checked = checked_events(settings)
    return [checked] if checked.exists() else event_files(settings.live_dir)


def files_metadata(settings: Settings, files: Sequence[Path]) -> dict[bytes, bytes]:
    """Parquet metadata of the sound events, for :func:`is_checked`."""
    return {FILES_KEY: json.dumps(_names(settings, files)).encode()}


def is_checked(settings: Settings) -> bool:
    """Whether the sound events were made from the event files that there are now."""
    metadata = pq.read_schema(checked_events(settings)).metadata or {}
    return bool(json.loads(metadata.get(FILES_KEY, b"null")) == _names(settings, event_files(settings.live_dir)))


def _names(settings: Settings, files: Sequence[Path]) -> list[str]:
    return [str(path.relative_to(settings.live_dir)) for path in files]
