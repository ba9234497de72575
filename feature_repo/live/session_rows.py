"""Turns the folded events of a session into its session_state row, in the form of Feast's Redis store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from feature_repo.definitions.views import SESSION_STATE
from feature_repo.live.event import parse_entry, session_event
from feature_repo.live.view_rows import delay_us, view_rows
from feature_repo.online.row_encoder import RowEncoder
from feature_repo.online.rows import Rows
from feature_repo.sessions import Replay

log = logging.getLogger(__name__)

_DELAY_US = delay_us(SESSION_STATE)


def replayed(entries: Sequence[bytes]) -> Replay:
    """The fold over all entries of a session's list (see :mod:`feature_repo.live.acceptance`)."""
    state = Replay()
    fold_entries(state, entries)
    return state


def fold_entries(state: Replay, entries: Iterable[bytes]) -> None:
    """Fold further entries of a session's list into ``state``. An entry that cannot be decoded is left out."""
    for entry in entries:
        try:
            event = session_event(*parse_entry(entry))
        except (ValueError, msgspec.MsgspecError) as error:
            log.error("an entry of a session's list cannot be decoded and is left out: %.100r: %s", entry, error)
            continue
        state.fold(event)


def session_rows(states: Mapping[str, Replay], project: str) -> Rows:
    """One row per session id. Each state must have at least one event."""
    found = ((name, state.row_us, state.features()) for name, state in states.items())
    return view_rows(SESSION_STATE, project, found)


def session_command(rows: RowEncoder, session_id: str, state: Replay) -> bytes:
    """The Redis command that writes one session's row: the bytes of :func:`session_rows`, made without Arrow."""
    return rows.command(session_id, state.row_us, state.row_us + _DELAY_US, state.features())
