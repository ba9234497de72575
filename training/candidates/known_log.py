"""The log as it was known at a timestamp: all that the fitting of a source may read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from feature_repo.build.log_views import end_of_log, open_log
from feature_repo.candidates.item_codes import ItemCodes
from feature_repo.live.checked_events import live_events
from feature_repo.live.event_files import reading
from infra.clock import epoch_us
from infra.duckdb_connection import connect
from infra.settings import Settings


@dataclass(frozen=True)
class KnownLog:
    """``connection`` has these tables, without a row of ``known_at`` or later.

    known_items:  code (INTEGER), item_id, category_id, shop_id, brand: the newest attributes of each item of ``codes``
    known_events: user_id, session_id, code, action, at_us (received), price, category_id; only events on an item
    known_emptied: session_id, at_us (received); events that empty a cart: an order or clear_cart without an item
    known_slates: slate_id, user_id, session_id, shown_us, and the columns ``context``; one row per slate
    context:      names of the declared context columns
    """

    connection: duckdb.DuckDBPyConnection
    codes: ItemCodes
    known_at: datetime
    log_dir: Path
    context: tuple[str, ...] = ()

    @property
    def known_at_us(self) -> int:
        return epoch_us(self.known_at)


@contextmanager
def open_known_log(settings: Settings, known_at: datetime, context: tuple[str, ...] = ()) -> Iterator[KnownLog]:
    """``context``: names of the declaration's context columns. Raises DatasetError."""
    with reading(settings.live_dir), connect(settings) as connection:
        open_log(connection, settings, live_events(settings))
        until = {"known_at": known_at}
        ids = connection.sql(
            """
            SELECT DISTINCT item_id FROM (
                SELECT item_id FROM items WHERE valid_from_ts < $known_at
                UNION ALL SELECT item_id FROM events WHERE received_ts < $known_at AND item_id IS NOT NULL
            ) ORDER BY item_id
            """,
            params=until,
        ).to_arrow_table()
        codes = ItemCodes(ids["item_id"].combine_chunks())
        coded = pa.table({"item_id": codes.ids, "code": pa.array(range(len(codes)), pa.int32())})
        connection.register("coded", coded)
        connection.execute(
            """
            CREATE TEMP TABLE known_items AS
            SELECT code, item_id, category_id, shop_id, brand FROM coded LEFT JOIN (
                SELECT item_id, arg_max_null(category_id, valid_from_ts) AS category_id,
                    arg_max_null(shop_id, valid_from_ts) AS shop_id, arg_max_null(brand, valid_from_ts) AS brand
                FROM items WHERE valid_from_ts < $known_at GROUP BY item_id
            ) USING (item_id)
            """,
            until,
        )
        connection.execute(
            """
            CREATE TEMP TABLE known_events AS
            SELECT user_id, session_id, code, action, epoch_us(received_ts) AS at_us, e.price, e.category_id
            FROM events e JOIN coded USING (item_id) WHERE received_ts < $known_at
            """,
            until,
        )
        connection.execute(
            """
            CREATE TEMP TABLE known_emptied AS
            SELECT session_id, epoch_us(received_ts) AS at_us FROM events
            WHERE item_id IS NULL AND action IN ('order', 'clear_cart') AND received_ts < $known_at
            """,
            until,
        )
        listed = "".join(f', any_value("{name}") AS "{name}"' for name in context)
        connection.execute(
            f"""
            CREATE TEMP TABLE known_slates AS
            SELECT slate_id, any_value(user_id) AS user_id, any_value(session_id) AS session_id,
                any_value(epoch_us(shown_ts)) AS shown_us {listed}
            FROM impressions WHERE shown_ts < $known_at GROUP BY slate_id
            """,
            until,
        )
        yield KnownLog(connection, codes, known_at, settings.log_dir, context)


def log_reaches(settings: Settings) -> datetime:
    """The end of the log, the accepted events included. Raises DatasetError."""
    with reading(settings.live_dir), connect(settings) as connection:
        open_log(connection, settings, live_events(settings))
        return end_of_log(connection)
