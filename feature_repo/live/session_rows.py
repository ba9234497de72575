"""Turns the folded events of a session into its session_state row, in the form of Feast's Redis store."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from feature_repo.feast_objects import value_types
from feature_repo.live.event import parse_entry, session_event
from feature_repo.online.row_encoder import RowEncoder
from feature_repo.online.rows import Layout, Rows, rows_of_batch
from feature_repo.schema import SESSION_STATE
from feature_repo.sessions import Replay

MICROSECONDS = 1_000_000
log = logging.getLogger(__name__)

_DELAY_US = round(SESSION_STATE.publish_delay.total_seconds() * MICROSECONDS)


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
    columns: dict[str, list[Any]] = {name: [] for name in SESSION_STATE.arrow.names}
    for session_id, state in states.items():
        columns["session_id"].append(session_id)
        columns["event_timestamp"].append(state.row_us)
        columns["created_timestamp"].append(state.row_us + _DELAY_US)
        for name, value in state.features().items():
            columns[name].append(value)
    schema = SESSION_STATE.arrow
    arrays = [pa.array(columns[field.name], field.type) for field in schema]
    return rows_of_batch(pa.RecordBatch.from_arrays(arrays, schema=schema), _layout(project))


def session_command(rows: RowEncoder, session_id: str, state: Replay) -> bytes:
    """The Redis command that writes one session's row: the bytes of :func:`session_rows`, made without Arrow."""
    return rows.command(session_id, state.row_us, state.row_us + _DELAY_US, state.features())


def _layout(project: str) -> Layout:
    types = value_types(SESSION_STATE)
    return Layout(
        view=SESSION_STATE.name,
        project=project,
        join_keys={SESSION_STATE.join_key: types.pop(SESSION_STATE.join_key)},
        features=types,
        event_column="event_timestamp",
        created_column="created_timestamp",
    )
