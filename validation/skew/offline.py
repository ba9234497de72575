"""The offline slates: Feast's point-in-time join over features of the whole log.

The audit has its own registry and folders, so that it changes nothing that serving and training use. It reads the
feature tables of the last build. If the log or what was accepted live has changed since, it builds the tables again.

Online folds an event, and shows a change of an item, before the live gate may set it aside. So the audit then builds
again, too, with that event or change.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

from feature_repo.apply import apply
from feature_repo.build.__main__ import BUILD_FILE, build
from feature_repo.live.checked_events import CHECKED_EVENTS, Checked
from feature_repo.live.items.versions import CHECKED_CHANGES
from feature_repo.live.score_records import ScoreRecord
from feature_repo.offline.slates import PointInTimeReader
from feature_repo.schema import Declaration
from feature_repo.slate import Slate
from feature_repo.store import open_store
from infra.progress import step
from infra.redis_server.server import endpoint
from infra.settings import Settings
from validation.gates.quarantine import set_aside
from validation.gates.rules.live_rules import COPIES
from validation.skew.records import entity_rows

KINDS = (CHECKED_EVENTS, CHECKED_CHANGES)


@contextmanager
def offline_settings(settings: Settings) -> Iterator[Settings]:
    """Settings of a private repository on the same log. Raises DatasetError, RedisServerError, OSError."""
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="skew-", dir=settings.state_dir) as name:
        folder = Path(name)
        dataset = folder / settings.dataset
        dataset.mkdir()
        for shared in (settings.log_dir, settings.live_dir):
            (dataset / shared.name).symlink_to(shared.resolve())
        private = settings.model_copy(
            update={"data_dir": folder, "state_dir": folder / "var", "redis_url": endpoint(settings).url}
        )
        if is_fresh(settings):
            private.features_dir.symlink_to(settings.features_dir.resolve())
        else:
            with step("the features are older than the log: building them for the audit"):
                set_aside(private, datetime.max.replace(tzinfo=UTC), only_copies=True)
                build(private)
        apply(private)
        yield private


def is_fresh(settings: Settings) -> bool:
    """Whether the feature tables were built from all that was accepted, after the last change of the log."""
    built = settings.features_dir / BUILD_FILE
    sources = [*settings.log_dir.glob("*"), *(path for kind in KINDS for path in kind.files(settings))]
    return (
        built.exists()
        and all(path.stat().st_mtime <= built.stat().st_mtime for path in sources)
        and all(_lacks_nothing(settings, kind) for kind in KINDS)
    )


def _lacks_nothing(settings: Settings, kind: Checked) -> bool:
    """Whether the features are made from all accepted entries of this kind, copies aside."""
    if not kind.sound(settings).exists():  # then they are made from all files of the consumer
        return True
    reasons = pq.read_table(kind.aside(settings))["reasons"].to_pylist()
    return kind.is_up_to_date(settings) and all(set(titles) <= COPIES for titles in reasons)


class OfflineSlates:
    """Rebuilds slates as of the time at which they were scored. ``settings``: see :func:`offline_settings`."""

    def __init__(self, settings: Settings, declaration: Declaration) -> None:
        self._declaration = declaration
        self._reader = PointInTimeReader(open_store(settings), declaration)

    def read(self, records: Sequence[ScoreRecord]) -> list[Slate]:
        """One slate per record, in order. Raises OfflineError."""
        return list(self._reader.read(entity_rows(records, self._declaration)))
