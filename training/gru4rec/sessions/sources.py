"""The sources of sessions: a canonical log, a RetailRocket events.csv, or a SessionId/ItemId/Time TSV."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from feature_repo.datasets.errors import BadSource
from feature_repo.datasets.retailrocket import EVENT_COLUMNS
from feature_repo.datasets.strict_csv import SourceColumn, read_csv
from feature_repo.schema import ACTIONS
from infra.duckdb_connection import connect
from infra.settings import Settings
from training.gru4rec.errors import BadConfig, BadLog
from training.gru4rec.sessions.processed import Ints, Longs

EVENTS_FILE = "events.parquet"
SECONDS = "CASE WHEN TRY_CAST(value AS DOUBLE) BETWEEN 0 AND 4102444800 THEN TRY_CAST(value AS DOUBLE) END"
TSV_COLUMNS = (
    SourceColumn("SessionId", "nullif(trim(value), '')", "a session id"),
    SourceColumn("ItemId", "nullif(trim(value), '')", "an item id"),
    SourceColumn("Time", SECONDS, "seconds since 1970, up to 2099"),
)
CSV_COLUMNS = tuple(column for column in EVENT_COLUMNS if column.name != "transactionid")
SAME_SPELLING = ("", "")


@dataclass(frozen=True)
class Clicks:
    """Item events, sorted by owner, timestamp and row of the source. Owners of a TSV are in order of appearance.

    ``owner``: (n,) index into ``owners``, which are session ids if ``are_sessions``, otherwise user ids. ``item``: (n,)
    index into ``items``, which are ids. ``ts_us``: (n,) µs since the epoch.
    """

    owner: Ints
    item: Ints
    ts_us: Longs
    owners: pa.StringArray
    items: pa.StringArray
    are_sessions: bool

    def __len__(self) -> int:
        return len(self.item)

    def where(self, mask: npt.NDArray[np.bool_]) -> Clicks:
        return replace(self, owner=self.owner[mask], item=self.item[mask], ts_us=self.ts_us[mask])

    def in_terms_of(self, items: pa.StringArray) -> Clicks:
        """The events whose items are in ``items``, with indices into it."""
        position = np.asarray(pc.fill_null(pc.index_in(self.items, items), -1), np.int32)[self.item]
        return replace(self.where(position >= 0), item=position[position >= 0], items=items)


def read_clicks(source: Path, actions: tuple[str, ...], settings: Settings) -> Clicks:
    """The events of ``actions`` that have an item; of a TSV all, as it has no actions. Raises BadLog or BadConfig."""
    unknown = [action for action in actions if action not in ACTIONS]
    if unknown:
        raise BadConfig(f"data.actions: unknown action {unknown[0]!r}; the actions are {', '.join(ACTIONS)}")
    with connect(settings) as connection:
        try:
            query, are_sessions = _query(connection, source)
            chosen = "" if are_sessions else f"AND action IN ({', '.join(repr(action) for action in actions)})"
            table = connection.sql(
                f"SELECT owner, item, ts_us FROM ({query}) WHERE item IS NOT NULL {chosen} "
                "ORDER BY owner_row, owner, ts_us, source_row"
            ).to_arrow_table()
        except BadSource as error:
            raise BadLog(str(error)) from error
        except duckdb.Error as error:
            raise BadLog(f"{source} cannot be read: {str(error).splitlines()[0]}") from error
    if not table.num_rows:
        wanted = "" if are_sessions else f" with one of the actions {', '.join(actions)} (data.actions)"
        raise BadLog(f"{source} has no item events{wanted}")
    owner, item = (table[name].combine_chunks().dictionary_encode() for name in ("owner", "item"))
    return Clicks(
        np.asarray(owner.indices, np.int32),
        np.asarray(item.indices, np.int32),
        table["ts_us"].combine_chunks().to_numpy(),
        owner.dictionary,
        item.dictionary,
        are_sessions,
    )


def _query(connection: duckdb.DuckDBPyConnection, source: Path) -> tuple[str, bool]:
    """SQL of (owner, item, ts_us, source_row, owner_row, action), and whether an owner is a session."""
    if source.is_dir() or source.suffix == ".parquet":
        path = source / EVENTS_FILE if source.is_dir() else source
        if not path.is_file():
            raise BadLog(f"{path} is missing: the folder has no canonical log")
        return (
            "SELECT user_id AS owner, item_id AS item, epoch_us(event_ts) AS ts_us, event_id AS source_row, "
            "0 AS owner_row, action "
            f"FROM read_parquet('{_quoted(path)}')",
            False,
        )
    if "\t" in _first_line(source):
        read_csv(connection, source, "clicks", TSV_COLUMNS, SAME_SPELLING, delimiter="\t")
        return (
            "SELECT SessionId AS owner, ItemId AS item, round(Time * 1e6)::BIGINT AS ts_us, row AS source_row, "
            "min(row) OVER (PARTITION BY SessionId) AS owner_row FROM clicks",
            True,
        )
    read_csv(connection, source, "clicks", CSV_COLUMNS, SAME_SPELLING)
    return (
        "SELECT visitorid::VARCHAR AS owner, itemid::VARCHAR AS item, timestamp * 1000 AS ts_us, row AS source_row, "
        "0 AS owner_row, event AS action FROM clicks",
        False,
    )


def _first_line(source: Path) -> str:
    try:
        with source.open("rb") as file:
            return file.readline(10_000).decode("utf-8-sig")
    except OSError as error:
        raise BadLog(f"{source} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadLog(f"{source} is not a log folder, an events.csv or a TSV") from error


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
