"""Looks up the rows that were read online in the feature tables.

The score log has the event timestamp of each row that was read. The feature tables have all rows. Only the rows of
slates with differences are looked up, and only rows that matter are returned.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from feature_repo.definitions.keys import candidate_keys
from feature_repo.definitions.view import KEYED, View
from feature_repo.definitions.views import ITEM_COMPANIONS, views
from feature_repo.live.score_records import ScoreRecord
from feature_repo.schema import Declaration
from feature_repo.slate import Slate
from infra.duckdb_connection import connect
from infra.settings import Settings
from validation.skew.causes.evidence import Evidence, ReadRow, Values, Version, cart_of

SEPARATOR = "\x1f"  # between the parts of a key


@dataclass(frozen=True)
class _Read:
    """One read of the score log. ``slate``: index of its record."""

    slate: int
    position: int
    key: str
    scored_us: int
    read_us: int


class RowHistory:
    """The feature tables of ``settings`` as evidence."""

    def __init__(self, settings: Settings, declaration: Declaration) -> None:
        self._folder = settings.features_dir
        self._connection = connect(settings)
        self._views = views(declaration)

    def of(self, records: Sequence[ScoreRecord], slates: Sequence[Slate]) -> list[Evidence]:
        """The evidence of each record. ``slates``: their offline slates. Raises duckdb.Error."""
        rows: list[list[ReadRow]] = [[] for _ in records]
        for view in self._views:
            if view.name != ITEM_COMPANIONS.name:
                reads = [
                    read
                    for i, (record, slate) in enumerate(zip(records, slates, strict=True))
                    for read in _reads_of(view, i, record, slate)
                ]
                for number, row in self._look_up(view, reads):
                    rows[number].append(row)
        carts = [cart_of(record, found, slate) for record, found, slate in zip(records, rows, slates, strict=True)]
        reads = [
            _Read(i, position, item, record.scored_us, int(read_us))
            for i, (record, cart) in enumerate(zip(records, carts, strict=True))
            for position, (item, read_us) in enumerate(
                zip(cart, record.read_us.get(ITEM_COMPANIONS.name, ()), strict=False)
            )
        ]
        companions: list[list[ReadRow]] = [[] for _ in records]
        for slate, row in self._look_up(ITEM_COMPANIONS, reads, every=True):
            companions[slate].append(row)
        return [Evidence(tuple(found), tuple(cart)) for found, cart in zip(rows, companions, strict=True)]

    def _look_up(self, view: View, reads: Sequence[_Read], *, every: bool = False) -> Iterable[tuple[int, ReadRow]]:
        """(slate, row) of the rows that matter. ``every``: of all rows, and with the row that offline takes."""
        if not reads:
            return []
        self._open(view, reads)
        missed = self._missed(view)
        versions = self._versions(_AS_READ)
        chosen = self._versions(_CHOSEN) if every else {}
        near = self._versions(_NEAR)
        found = []
        for number, read in enumerate(reads):
            row = ReadRow(
                view=view,
                position=read.position,
                key=read.key,
                scored_us=read.scored_us,
                read_us=read.read_us,
                missed=missed.get(number, ()),
                versions=versions.get(number, ()),
                near=near.get(number, ()),
                chosen=next(iter(chosen.get(number, ())), None),
            )
            if every or row.matters:
                found.append((read.slate, row))
        file_rows = {version.values["file_row"] for _, row in found for version in _all_versions(row)}
        values = self._values(view, file_rows)
        return [(slate, _filled(row, values)) for slate, row in found]

    def _open(self, view: View, reads: Sequence[_Read]) -> None:
        """Create the tables ``reads`` (number, k, scored_us, read_us) and ``stored`` (k, t, created, file_row), which
        has all rows of their keys."""
        table = pa.table(
            {
                "number": pa.array(range(len(reads)), pa.int64()),
                "k": pa.array([read.key for read in reads], pa.string()),
                "scored_us": pa.array([read.scored_us for read in reads], pa.int64()),
                "read_us": pa.array([read.read_us for read in reads], pa.int64()),
            }
        )
        self._connection.register("arrow_reads", table)
        self._connection.execute("CREATE OR REPLACE TEMP TABLE reads AS SELECT * FROM arrow_reads")
        self._connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE stored AS
            SELECT {_key_of(view)} AS k, epoch_us(event_timestamp) AS t, epoch_us(created_timestamp) AS created,
                file_row_number AS file_row
            FROM {self._scan(view)} WHERE k IN (SELECT k FROM reads)
            """
        )
        self._connection.unregister("arrow_reads")

    def _missed(self, view: View) -> dict[int, tuple[tuple[int, int], ...]]:
        ttl_us = round(view.ttl.total_seconds() * 1_000_000)
        rows = self._connection.execute(
            f"""
            SELECT r.number, s.t, max(s.created) FROM reads r JOIN stored s ON s.k = r.k
                AND s.t > r.read_us AND s.t <= r.scored_us AND s.t >= r.scored_us - {ttl_us}
            GROUP BY r.number, s.t ORDER BY r.number, s.t DESC
            """
        ).fetchall()
        found: dict[int, list[tuple[int, int]]] = {}
        for number, event_us, created_us in rows:
            found.setdefault(number, []).append((event_us, created_us))
        return {number: tuple(missed) for number, missed in found.items()}

    def _versions(self, timestamps: str) -> dict[int, tuple[Version, ...]]:
        """The rows at ``timestamps``, SQL for (number, t). Their values have only the row number in the file."""
        rows = self._connection.execute(
            f"""
            SELECT r.number, s.t, s.created, s.file_row
            FROM reads r JOIN ({timestamps}) m USING (number) JOIN stored s ON s.k = r.k AND s.t = m.t
            ORDER BY r.number, s.t DESC, s.created DESC, s.file_row
            """
        ).fetchall()
        found: dict[int, list[Version]] = {}
        for number, event_us, created_us, file_row in rows:
            found.setdefault(number, []).append(Version(event_us, created_us, {"file_row": file_row}))
        return {number: tuple(versions) for number, versions in found.items()}

    def _values(self, view: View, file_rows: set[int]) -> dict[int, Values]:
        """file row -> the values of all columns."""
        if not file_rows:
            return {}
        columns = ", ".join(f'"{column.name}"' for column in view.columns)
        self._connection.register("file_rows", pa.table({"file_row": pa.array(sorted(file_rows), pa.int64())}))
        table = self._connection.sql(
            f"SELECT file_row_number AS file_row, {columns} FROM {self._scan(view)} "
            "WHERE file_row_number IN (SELECT file_row FROM file_rows)"
        ).to_arrow_table()
        self._connection.unregister("file_rows")
        return {row.pop("file_row"): row for row in table.to_pylist()}

    def _scan(self, view: View) -> str:
        path = str(self._folder / f"{view.name}.parquet").replace("'", "''")
        return f"read_parquet('{path}', file_row_number = true)"


_AS_READ = "SELECT number, read_us AS t FROM reads WHERE read_us > 0"
_CHOSEN = """
    SELECT number, max(s.t) AS t FROM reads r JOIN stored s ON s.k = r.k AND s.t <= r.scored_us GROUP BY number
"""
_NEAR = """
    SELECT number, unnest([max(s.t) FILTER (s.t < r.read_us), min(s.t) FILTER (s.t > r.read_us)]) AS t
    FROM reads r JOIN stored s ON s.k = r.k WHERE r.read_us > 0
    GROUP BY number HAVING count(*) FILTER (s.t = r.read_us) = 0
"""


def _key_of(view: View) -> str:
    """SQL of one text for all join keys."""
    return f"concat_ws(chr({ord(SEPARATOR)}), {', '.join(view.join_keys)})"


def _reads_of(view: View, number: int, record: ScoreRecord, slate: Slate) -> list[_Read]:
    """The reads of ``view`` in the record. ``slate``: its offline slate, for keys that are attributes of items."""
    read_us = record.read_us.get(view.name)
    if read_us is None:
        return []
    keys: Sequence[str | None]
    if view.entity == KEYED:
        found = candidate_keys(
            view,
            item_ids=record.item_ids,
            user_id=record.user_id,
            session_id=record.session_id,
            items=slate.items,
            context=record.context,
        )
        keys = [None if key is None else SEPARATOR.join(key) for key in found]
    else:
        keys = {"item": record.item_ids, "user": [record.user_id], "session": [record.session_id]}[view.entity]
    return [
        _Read(number, position, key, record.scored_us, int(us))
        for position, (key, us) in enumerate(zip(keys, read_us, strict=True))
        if key is not None
    ]


def _all_versions(row: ReadRow) -> list[Version]:
    return [*row.versions, *row.near, *([row.chosen] if row.chosen else [])]


def _filled(row: ReadRow, values: Mapping[int, Values]) -> ReadRow:
    """``row`` with the values of its versions in place of their row numbers."""

    def filled(version: Version) -> Version:
        return replace(version, values=values[version.values["file_row"]])

    return replace(
        row,
        versions=tuple(map(filled, row.versions)),
        near=tuple(map(filled, row.near)),
        chosen=None if row.chosen is None else filled(row.chosen),
    )
