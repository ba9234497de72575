"""A seeded shop for the join: three views of 28 features, and entity rows of many timestamps.

Every key has a row a day for a month, three in ten missing, and one key in twenty none after the tenth day, so
that a ttl of two weeks expires it; one row in a hundred is corrected: the same event time, created later. The ttl is
the caller's choice: Feast's own join pairs every entity row with all rows of its key within it before it chooses one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

DAYS = 30
TTL_DAYS = 60  # longer than the history, as attributes have it
FIRST_DAY = "2024-01-01 00:00:00+00"


@dataclass(frozen=True)
class BenchView:
    name: str
    entity: str
    keys: int
    features: int

    @property
    def columns(self) -> list[str]:
        return [f"{self.name}_{i:02d}" for i in range(self.features)]

    @property
    def key(self) -> str:
        return f"{self.entity}_id"

    def path(self, folder: Path) -> Path:
        return folder / f"{self.name}.parquet"


VIEWS = (
    BenchView("item_windows", "item", 57_000, 12),
    BenchView("item_prices", "item", 57_000, 10),
    BenchView("user_windows", "user", 19_000, 6),
)
FOURTH = BenchView("user_tastes", "user", 19_000, 8)


def entity_path(folder: Path) -> Path:
    return folder / "entity_rows.parquet"


def ttl_days(folder: Path) -> int:
    return int((folder / "ttl_days").read_text())


def write_data(
    folder: Path, rows: int, views: tuple[BenchView, ...] = VIEWS, ttl_days: int = TTL_DAYS
) -> dict[str, int]:
    """Write the views' files and ``entity_rows.parquet``; returns the number of rows of each view."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ttl_days").write_text(str(ttl_days))
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'; SET threads = 1; SELECT setseed(0.5)")
    counts = {}
    for view in views:
        values = ", ".join(f"random()::FLOAT AS {name}" for name in view.columns)
        connection.execute(
            f"""
            COPY (
                WITH days AS (
                    SELECT '{view.entity}' || (n % {view.keys}) AS {view.key},
                        TIMESTAMPTZ '{FIRST_DAY}' + INTERVAL 1 DAY * (n // {view.keys}) AS event_timestamp,
                        random() AS luck
                    FROM range({view.keys * DAYS}) t(n)
                    WHERE n % {view.keys} % 20 > 0 OR n // {view.keys} < 10
                ), versions AS (
                    SELECT {view.key}, event_timestamp, INTERVAL 10 MINUTE AS delay FROM days WHERE luck < 0.7
                    UNION ALL
                    SELECT {view.key}, event_timestamp, INTERVAL 2 DAY AS delay FROM days WHERE luck < 0.007
                )
                SELECT {view.key}, event_timestamp, event_timestamp + delay AS created_timestamp, {values}
                FROM versions ORDER BY event_timestamp, {view.key}
            ) TO '{view.path(folder)}' (FORMAT parquet, COMPRESSION zstd)
            """
        )
        counts[view.name] = connection.execute(f"SELECT count(*) FROM '{view.path(folder)}'").fetchall()[0][0]
    connection.execute(
        f"""
        COPY (
            SELECT n AS entity_row,
                'item' || (random() * 60000)::INT AS item_id, 'user' || (random() * 20000)::INT AS user_id,
                TIMESTAMPTZ '{FIRST_DAY}'
                    + to_microseconds((random() * {DAYS + 2} * 86400e6)::BIGINT) AS event_timestamp
            FROM range({rows}) t(n)
        ) TO '{entity_path(folder)}' (FORMAT parquet)
        """
    )
    return counts
