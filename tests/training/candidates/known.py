"""A log of a few events, opened as it was known at a timestamp."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from feature_repo.schema import Column, Declaration, DType
from infra.settings import Settings
from tests.small_log import at, event, impression, item, write_log
from training.candidates.known_log import KnownLog, open_known_log

STORES = Declaration(
    name="tiny", title="With stores", context=(Column("store_id", DType.STRING, "store", nullable=True),)
)


@contextmanager
def known_log(
    folder: Path,
    acts: list[tuple[float, str, str, str]],
    *,
    known_at: datetime = at(days=10),  # noqa: B008
    items: list[dict[str, Any]] | None = None,
    stores: dict[str, str] | None = None,
    **of_event: Any,
) -> Iterator[KnownLog]:
    """``acts``: (day, user, action, item); a user's acts of one whole day are a session ``USER-DAY``.
    ``stores``: session -> store."""
    settings = Settings(data_dir=folder, state_dir=folder / "var", dataset="tiny", threads=1)
    events = [
        event(n, at(days=day), action, each, user_id=user, session_id=f"{user}-{int(day)}", **of_event)
        for n, (day, user, action, each) in enumerate(acts)
    ]
    ids = sorted({each for _, _, _, each in acts})
    slates = [
        impression(session, 0, at(days=0.5), ids[0], session_id=session, store_id=store)
        for session, store in (stores or {}).items()
    ]
    write_log(
        settings.log_dir,
        items=items if items is not None else [item(each) for each in ids],
        events=events,
        impressions=slates,
        declaration=STORES,
    )
    with open_known_log(settings, known_at, ("store_id",)) as log:
        yield log
