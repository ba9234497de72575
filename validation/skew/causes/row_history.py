"""What the feature tables say of the rows that online read.

The score log tells the event timestamp of each row that was read; the feature tables tell which rows there are. Only
slates that differ somewhere are looked at, and of their rows only those that may matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from feature_repo.duckdb_connection import connect
from feature_repo.live.score_records import ScoreRecord
from feature_repo.schema import ITEM_COMPANIONS, Declaration, View, views
from feature_repo.slate import Slate
from infra.settings import Settings
from validation.skew.causes.evidence import Evidence, ReadRow, Values, Version, cart_of


@dataclass(frozen=True)
class _Wanted:
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
        """One each; ``slates`` are the records' as offline gives them. Raises duckdb.Error."""
        rows: list[list[ReadRow]] = [[] for _ in records]
        for view in self._views:
            if view.name != ITEM_COMPANIONS.name:
                for slate, row in self._read(
                    view, [each for i, r in enumerate(records) for each in _asked(view, i, r)]
                ):
                    rows[slate].append(row)
        carts = [cart_of(record, found, slate) for record, found, slate in zip(records, rows, slates, strict=True)]
        asked = [
            _Wanted(i, position, item, record.scored_us, int(read_us))
            for i, (record, cart) in enumerate(zip(records, carts, strict=True))
            for position, (item, read_us) in enumerate(
                zip(cart, record.read_us.get(ITEM_COMPANIONS.name, ()), strict=False)
            )
        ]
        companions: list[list[ReadRow]] = [[] for _ in records]
        for slate, row in self._read(ITEM_COMPANIONS, asked, every=True):
            companions[slate].append(row)
        return [Evidence(tuple(found), tuple(cart)) for found, cart in zip(rows, companions, strict=True)]

    def _read(self, view: View, asked: Sequence[_Wanted], *, every: bool = False) -> Iterable[tuple[int, ReadRow]]:
        """(slate, row) of those that matter, or of ``every`` one, then with the row that offline takes."""
        if not asked:
            return []
        self._open(view, asked)
        missed = self._missed(view)
        versions = self._versions(_AS_READ)
        chosen = self._versions(_CHOSEN) if every else {}
        near = self._versions(_NEAR)
        found = []
        for number, each in enumerate(asked):
            row = ReadRow(
                view=view,
                position=each.position,
                key=each.key,
                scored_us=each.scored_us,
                read_us=each.read_us,
                missed=missed.get(number, ()),
                versions=versions.get(number, ()),
                near=near.get(number, ()),
                chosen=next(iter(chosen.get(number, ())), None),
            )
            if every or row.matters:
                found.append((each.slate, row))
        positions = {v.values["place"] for _, row in found for v in _all_versions(row)}
        values = self._values(view, positions)
        return [(slate, _filled(row, values)) for slate, row in found]

    def _open(self, view: View, asked: Sequence[_Wanted]) -> None:
        """Tables ``wanted`` (number, k, t, read_us) and ``stored`` (k, t, created, place) of their keys."""
        wanted = pa.table(
            {
                "number": pa.array(range(len(asked)), pa.int64()),
                "k": pa.array([each.key for each in asked], pa.string()),
                "scored_us": pa.array([each.scored_us for each in asked], pa.int64()),
                "read_us": pa.array([each.read_us for each in asked], pa.int64()),
            }
        )
        self._connection.register("asked", wanted)
        self._connection.execute("CREATE OR REPLACE TEMP TABLE wanted AS SELECT * FROM asked")
        self._connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE stored AS
            SELECT {view.join_key} AS k, epoch_us(event_timestamp) AS t, epoch_us(created_timestamp) AS created,
                file_row_number AS place
            FROM {self._scan(view)} WHERE {view.join_key} IN (SELECT k FROM wanted)
            """
        )
        self._connection.unregister("asked")

    def _missed(self, view: View) -> dict[int, tuple[tuple[int, int], ...]]:
        ttl_us = round(view.ttl.total_seconds() * 1_000_000)
        rows = self._connection.execute(
            f"""
            SELECT w.number, s.t, max(s.created) FROM wanted w JOIN stored s ON s.k = w.k
                AND s.t > w.read_us AND s.t <= w.scored_us AND s.t >= w.scored_us - {ttl_us}
            GROUP BY w.number, s.t ORDER BY w.number, s.t DESC
            """
        ).fetchall()
        found: dict[int, list[tuple[int, int]]] = {}
        for number, event_us, created_us in rows:
            found.setdefault(number, []).append((event_us, created_us))
        return {number: tuple(each) for number, each in found.items()}

    def _versions(self, timestamps: str) -> dict[int, tuple[Version, ...]]:
        """The rows at ``timestamps``, SQL for (number, t). Their values are only their row numbers so far."""
        rows = self._connection.execute(
            f"""
            SELECT w.number, s.t, s.created, s.place
            FROM wanted w JOIN ({timestamps}) m USING (number) JOIN stored s ON s.k = w.k AND s.t = m.t
            ORDER BY w.number, s.t DESC, s.created DESC, s.place
            """
        ).fetchall()
        found: dict[int, list[Version]] = {}
        for number, event_us, created_us, position in rows:
            found.setdefault(number, []).append(Version(event_us, created_us, {"place": position}))
        return {number: tuple(each) for number, each in found.items()}

    def _values(self, view: View, positions: set[int]) -> dict[int, Values]:
        if not positions:
            return {}
        columns = ", ".join(f'"{column.name}"' for column in view.columns)
        self._connection.register("places", pa.table({"place": pa.array(sorted(positions), pa.int64())}))
        table = self._connection.sql(
            f"SELECT file_row_number AS place, {columns} FROM {self._scan(view)} "
            "WHERE file_row_number IN (SELECT place FROM places)"
        ).to_arrow_table()
        self._connection.unregister("places")
        return {row.pop("place"): row for row in table.to_pylist()}

    def _scan(self, view: View) -> str:
        path = str(self._folder / f"{view.name}.parquet").replace("'", "''")
        return f"read_parquet('{path}', file_row_number = true)"


_AS_READ = "SELECT number, read_us AS t FROM wanted WHERE read_us > 0"
_CHOSEN = """
    SELECT number, max(o.t) AS t FROM wanted w JOIN stored o ON o.k = w.k AND o.t <= w.scored_us GROUP BY number
"""
_NEAR = """
    SELECT number, unnest([max(o.t) FILTER (o.t < w.read_us), min(o.t) FILTER (o.t > w.read_us)]) AS t
    FROM wanted w JOIN stored o ON o.k = w.k WHERE w.read_us > 0
    GROUP BY number HAVING count(*) FILTER (o.t = w.read_us) = 0
"""


def _asked(view: View, slate: int, record: ScoreRecord) -> list[_Wanted]:
    """The rows that online read of ``view``."""
    read_us = record.read_us.get(view.name)
    if read_us is None:
        return []
    keys: Sequence[str | None] = {
        "item": record.item_ids, "user": [record.user_id], "session": [record.session_id]
    }[view.entity]  # fmt: skip
    return [
        _Wanted(slate, position, key, record.scored_us, int(us))
        for position, (key, us) in enumerate(zip(keys, read_us, strict=True))
        if key is not None
    ]


def _all_versions(row: ReadRow) -> list[Version]:
    return [*row.versions, *row.near, *([row.chosen] if row.chosen else [])]


def _filled(row: ReadRow, values: Mapping[int, Values]) -> ReadRow:
    def whole(version: Version) -> Version:
        return replace(version, values=values[version.values["place"]])

    return replace(
        row,
        versions=tuple(map(whole, row.versions)),
        near=tuple(map(whole, row.near)),
        chosen=None if row.chosen is None else whole(row.chosen),
    )
