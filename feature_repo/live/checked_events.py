"""The accepted entries that passed the live gate, and those that it set aside.

    <data>/<dataset>/live_checked/events.parquet            sound events, with the columns of the log's events
    <data>/<dataset>/live_checked/quarantine.parquet        the other events, with the rules that they break
    <data>/<dataset>/live_checked/item_changes.parquet      sound changes of items
    <data>/<dataset>/live_checked/item_quarantine.parquet   the other changes

``python -m validation live`` writes the files from all files of the consumer, which it leaves as they are. Build reads
the sound ones. So build and the gates after it read the same, whatever the consumer writes meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from feature_repo.live.accepted_files import AcceptedFiles
from feature_repo.live.event_files import EVENTS
from infra.settings import Settings

FILES_KEY = b"event_files"


@dataclass(frozen=True)
class Checked:
    """The two files that the gate makes of the files of one kind. ``sound_name``, ``aside_name``: their names."""

    accepted: AcceptedFiles[Any]
    sound_name: str
    aside_name: str

    def sound(self, settings: Settings) -> Path:
        return settings.live_checked_dir / self.sound_name

    def aside(self, settings: Settings) -> Path:
        """The quarantine."""
        return settings.live_checked_dir / self.aside_name

    def files(self, settings: Settings) -> list[Path]:
        """The files to build from: the sound entries, or all files of the consumer if the live gate never ran."""
        sound = self.sound(settings)
        return [sound] if sound.exists() else self.accepted.files(settings.live_dir)

    def metadata(self, settings: Settings, files: Sequence[Path]) -> dict[bytes, bytes]:
        """Parquet metadata of the sound entries, for :meth:`is_up_to_date`."""
        return {FILES_KEY: json.dumps(_names(settings, files)).encode()}

    def is_up_to_date(self, settings: Settings) -> bool:
        """Whether the sound entries were made from the files of the consumer that there are now."""
        metadata = pq.read_schema(self.sound(settings)).metadata or {}
        present = _names(settings, self.accepted.files(settings.live_dir))
        return bool(json.loads(metadata.get(FILES_KEY, b"null")) == present)


CHECKED_EVENTS = Checked(EVENTS, "events.parquet", "quarantine.parquet")
checked_events, quarantined_events, live_events = CHECKED_EVENTS.sound, CHECKED_EVENTS.aside, CHECKED_EVENTS.files


def _names(settings: Settings, files: Sequence[Path]) -> list[str]:
    return [str(path.relative_to(settings.live_dir)) for path in files]
