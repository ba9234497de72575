"""The point-in-time join as SQL text: pure functions, one rule of the time contract each.

Both sides of the join are narrow. ``entity_rows`` holds ``row`` (int64, row number in the caller's frame), ``t``
(int64, microseconds since the epoch) and the join keys ``k0, k1, ...``. The source's rows are ordered by event time and
then by created time. Both are packed into one 128-bit number, because an ASOF JOIN has only one inequality. The
features are fetched at the end, by the row number of the chosen source row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# DuckDB's columns for the location of a parquet row. Its file_index would not do: it counts only files that are read.
FILE, ROW_NUMBER = "filename", "file_row_number"
UNKNOWN_CREATED = -(2**63)  # sorts before every known created time
CREATED_RANGE = f"{2**64}::HUGEINT"  # number of possible created times
ROW = "__entity_row"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST_US = (datetime(1, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True)
class Source:
    """One feature view's rows. Names are those of the files, before Feast's field mapping.

    ``scan`` is a table expression over one parquet file (``single_file``) or several. Rows created after
    ``known_at_us`` are left out. Rows with an event time outside ``first_us`` .. ``last_us`` (inclusive) are left out
    too, so that DuckDB does not read their files.
    """

    scan: str
    single_file: bool
    keys: tuple[str, ...]
    timestamp: str
    created: str | None
    known_at_us: int | None = None
    first_us: int | None = None
    last_us: int | None = None

    @property
    def file(self) -> str:
        """SQL that identifies a row's file. For a single file it is a constant, which costs nothing to sort."""
        return "0" if self.single_file else FILE


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def epoch_us_of(column: str) -> str:
    """Microseconds since the epoch. A time without a zone is UTC, because the session's time zone is UTC."""
    return f"epoch_us(CAST({quoted(column)} AS TIMESTAMPTZ))"


def timestamp_literal(us: int) -> str:
    """A constant that DuckDB compares with a parquet column's statistics."""
    return f"TIMESTAMPTZ '{(EPOCH + timedelta(microseconds=us)).isoformat()}'"


def within_range(source: Source) -> str:
    """Whether the event time is in the source's range. A bound before every possible timestamp is left out."""
    at = f"CAST({quoted(source.timestamp)} AS TIMESTAMPTZ)"
    bounds = []
    if source.first_us is not None and source.first_us > EARLIEST_US:
        bounds.append(f"{at} >= {timestamp_literal(source.first_us)}")
    if source.last_us is not None:
        bounds.append(f"{at} <= {timestamp_literal(source.last_us)}")
    return " AND ".join(bounds) or "true"


def version(source: Source) -> str:
    """A number that increases with (event time, created time). An unknown created time is the oldest."""
    if source.created is None:
        return epoch_us_of(source.timestamp)
    created = f"coalesce({epoch_us_of(source.created)}, {UNKNOWN_CREATED})"
    return f"{epoch_us_of(source.timestamp)} * {CREATED_RANGE} + {created}"


def newest_version(source: Source, at: str) -> str:
    """The highest possible version of a row with event time ``at``."""
    return at if source.created is None else f"{at} * {CREATED_RANGE} + {2**63 - 1}"


def known_from(source: Source) -> str:
    """The time when a row became known: its created time, or its event time if there is no created time."""
    event = epoch_us_of(source.timestamp)
    return event if source.created is None else f"coalesce({epoch_us_of(source.created)}, {event})"


def narrow_source(source: Source) -> str:
    """Keys, event time ``t``, ``version``, ``known``, file and row number of every row that may be chosen."""
    keys = "".join(f"{quoted(key)} AS k{i}, " for i, key in enumerate(source.keys))
    wanted = [f"k{i} IS NOT NULL" for i in range(len(source.keys))] + ["t IS NOT NULL"]
    if source.known_at_us is not None:
        wanted.append(f"known <= {source.known_at_us}")
    return f"""
        SELECT * FROM (
            SELECT {keys}{epoch_us_of(source.timestamp)} AS t, {version(source)} AS version,
                {known_from(source)} AS known, {source.file} AS file, {ROW_NUMBER} AS row_number
            FROM {source.scan} WHERE {within_range(source)}
        ) WHERE {" AND ".join(wanted)}"""


def unsuperseded(source: Source) -> str:
    """``narrow_source`` without rows that became visible after a newer version.

    So the order by ``visible`` (the time from which a row may be used) is also the order by version.
    """
    keys = ", ".join(f"k{i}" for i in range(len(source.keys)))
    partition = f"PARTITION BY {keys}" if keys else ""
    return f"""
        SELECT *, greatest(t, known) AS visible FROM ({narrow_source(source)})
        QUALIFY version >= max(version) OVER ({partition} ORDER BY visible RANGE UNBOUNDED PRECEDING)"""


def within_ttl(ttl_us: int | None) -> str:
    """A row is valid up to and including ``ttl`` after its event time. Without a ttl, or with 0, it never expires."""
    return f"s.t + {ttl_us} >= e.t" if ttl_us else "true"


def chosen_rows(source: Source, ttl_us: int | None, *, known_when_scored: bool) -> str:
    """(row, file, row_number): the newest source row at or before each entity row's time, if it is still valid.

    ``known_when_scored`` leaves out, for each entity row, source rows created after its time.
    """
    same = "".join(f"e.k{i} = s.k{i} AND " for i in range(len(source.keys)))
    if known_when_scored:
        rows, bound = unsuperseded(source), "e.t >= s.visible"
    else:
        rows, bound = narrow_source(source), f"{newest_version(source, 'e.t')} >= s.version"
    return f"""
        SELECT e.row, s.file, s.row_number FROM entity_rows e ASOF JOIN ({rows}) s ON {same}{bound}
        WHERE {within_ttl(ttl_us)}"""


def same_row(source: Source) -> str:
    """The condition that joins the source ``s`` to the chosen rows ``c``."""
    row = f"s.{ROW_NUMBER} = c.row_number"
    return row if source.single_file else f"s.{FILE} = c.file AND {row}"


def joined(source: Source, columns: dict[str, str], ttl_us: int | None, *, known_when_scored: bool) -> str:
    """``row`` and the features, in any order. ``columns``: output name -> the source's name."""
    features = "".join(f", s.{quoted(name)} AS {quoted(out)}" for out, name in columns.items())
    return f"""
        SELECT c.row AS "{ROW}"{features}
        FROM ({chosen_rows(source, ttl_us, known_when_scored=known_when_scored)}) c
        JOIN {source.scan} s ON {same_row(source)}"""


def newest_rows(source: Source, columns: list[str]) -> str:
    """The newest version of every key, as ``columns`` of the source."""
    keys = ", ".join(f"k{i}" for i in range(len(source.keys)))
    grouped = f"GROUP BY {keys}" if keys else ""
    return f"""
        SELECT {", ".join(f"s.{quoted(name)}" for name in columns)} FROM (
            SELECT unnest(arg_max(struct_pack(file, row_number), version))
            FROM ({narrow_source(source)}) {grouped}
        ) c JOIN {source.scan} s ON {same_row(source)}"""
