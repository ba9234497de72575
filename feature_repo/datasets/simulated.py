"""A simulated shop of any size, with known utilities and known position bias. All of it depends on one seed.

``label`` is the true outcome of a candidate if the user looked at it: 0 nothing, 1 click, 2 cart, 3 order. Labels are
unbiased. The events are biased feedback: the user clicks only candidates that the user looked at. An event that
follows a slate has ``request_id`` = slate_id and ``shown_position``.

``truth.parquet`` beside the tables has one row per slate_id and item_id: the ``utility`` of the candidate, the
probability of ``examination`` of its position, and whether it was ``clicked``. An oracle ranks by utility.

``input_position`` = ``shown_position`` is the order of a production ranker that knows only part of the utility, with
much noise. The shop and its prices are in :mod:`feature_repo.datasets.simulation.shop`, the sessions in
:mod:`feature_repo.datasets.simulation.sessions`.
"""

from __future__ import annotations

import tempfile
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from feature_repo.datasets.declarations.built_in import SIMULATED
from feature_repo.datasets.errors import DatasetError
from feature_repo.datasets.log_writer import LogWriter
from feature_repo.datasets.simulation.sessions import Candidates, Events, SessionChunk, sessions
from feature_repo.datasets.simulation.shop import (
    HOUR_US,
    WEEKS,
    Shop,
    Weights,
    open_shop,
    price_change_us,
    shop_size,
    week_of,
)
from feature_repo.schema import events_table, impressions_table, items_table
from infra.duckdb_connection import connect
from infra.progress import step
from infra.settings import Settings

DEFAULT_SLATES = 16_000
DEFAULT_SEED = 20240101
TRUTH_FILE = "truth.parquet"


def write_log(
    out: Path, *, source: Path | None, size: int | None, settings: Settings, seed: int = DEFAULT_SEED
) -> None:
    """``size`` is the number of slates, over nine weeks from 2024-01-01. Raises DatasetError for a ``source``."""
    if source is not None:
        raise DatasetError("simulated reads no input: remove --input")
    shop = open_shop(seed, shop_size(DEFAULT_SLATES if size is None else size))
    connection = connect(settings)
    with (
        LogWriter(out, SIMULATED) as log,
        tempfile.TemporaryDirectory(dir=settings.state_dir / "spill", prefix="simulated-") as folder,
    ):
        _write_parts(shop, Path(folder))
        for name in ("events", "candidates", "shown"):
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM read_parquet('{folder}/{name}-*.parquet')")
        connection.register("versions", _versions(shop))
        with step("writing items"):
            log.write(connection, items_table(SIMULATED), _ITEMS)
        with step("writing events"):
            log.write(connection, events_table(SIMULATED), _EVENTS)
        with step("writing impressions"):
            log.write(connection, impressions_table(SIMULATED), _IMPRESSIONS)
        connection.execute(f"COPY ({_TRUTH}) TO '{log.extra(TRUTH_FILE)}' (FORMAT parquet, COMPRESSION zstd)")


def _write_parts(shop: Shop, folder: Path) -> None:
    warm_up = shop.size.sessions - shop.size.slates
    with tqdm(total=shop.size.sessions, unit="session", desc="simulating", mininterval=1) as progress:
        for chunk in sessions(shop, Weights()):
            for name, table in _tables(shop, chunk, warm_up).items():
                pq.write_table(table, folder / f"{name}-{chunk.first:012d}.parquet")
            progress.update(len(chunk.user))


def _tables(shop: Shop, chunk: SessionChunk, warm_up: int) -> dict[str, pa.Table]:
    """The chunk as tables. Only sessions after the warm-up have their candidates logged."""
    events, candidates = chunk.events, chunk.candidates
    logged = candidates.session >= warm_up
    session = chunk.first + np.arange(len(chunk.user))
    return {
        "events": pa.table(
            {
                **_columns(events),
                "cents": shop.cents[events.item, week_of(events.us)],
                "category": shop.category[events.item],
                "logged": events.session >= warm_up,
            }
        ),
        "candidates": pa.table({name: column[logged] for name, column in _columns(candidates).items()}),
        "shown": pa.table({"session": session, "user": chunk.user, "shown_us": chunk.shown_us}),
    }


def _columns(table: Events | Candidates) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    return {field.name: getattr(table, field.name) for field in fields(table)}


def _versions(shop: Shop) -> pa.Table:
    """One row per item and week, with the attributes of the item in that week."""
    week = np.broadcast_to(np.arange(WEEKS), shop.cents.shape)
    item = np.broadcast_to(np.arange(shop.size.items)[:, None], shop.cents.shape)
    return pa.table(
        {
            "item": item.ravel(),
            "from_us": np.maximum(price_change_us(week), shop.launch_us[:, None] - HOUR_US).ravel(),
            "cents": shop.cents.ravel(),
            "regular": np.broadcast_to(shop.cents.max(axis=1)[:, None], shop.cents.shape).ravel(),
            "category": np.broadcast_to(shop.category[:, None], shop.cents.shape).ravel(),
            "sight": np.broadcast_to(shop.sight[:, None], shop.cents.shape).ravel(),
            "week": week.ravel(),
        }
    )


_NAMES = """
    printf('i%05d', item) AS item_id, printf('c%02d', category) AS category_id
"""

_ITEMS = f"""
    WITH newest AS (
        SELECT * FROM versions QUALIFY row_number() OVER (PARTITION BY item, from_us ORDER BY week DESC) = 1
    )
    SELECT {_NAMES}, make_timestamptz(from_us) AS valid_from_ts, cents / 100 AS price,
        CASE WHEN cents < regular THEN regular / 100 END AS old_price, NULL AS brand, NULL AS shop_id,
        sight AS quality
    FROM newest QUALIFY cents IS DISTINCT FROM lag(cents) OVER (PARTITION BY item ORDER BY from_us)
    ORDER BY valid_from_ts, item_id
"""

_EVENTS = f"""
    SELECT printf('s%08d-%02d', session, row_number() OVER (PARTITION BY session ORDER BY us)) AS event_id,
        printf('u%05d', "user") AS user_id, printf('s%08d', session) AS session_id, {_NAMES},
        make_timestamptz(us) AS event_ts, event_ts AS received_ts,
        ['view', 'like', 'add_to_cart', 'order'][action + 1] AS action,
        CASE WHEN action >= 2 THEN 1 END AS quantity, CASE WHEN action = 3 THEN cents / 100 END AS value,
        cents / 100 AS price,
        CASE WHEN logged AND position >= 0 THEN printf('s%08d', session) END AS request_id,
        CASE WHEN position >= 0 THEN position END AS shown_position
    FROM events JOIN shown USING (session)
    ORDER BY received_ts, event_id
"""

_IMPRESSIONS = """
    SELECT printf('s%08d', session) AS slate_id, printf('u%05d', "user") AS user_id, slate_id AS session_id,
        printf('i%05d', item) AS item_id, make_timestamptz(shown_us) AS shown_ts,
        position AS input_position, position AS shown_position, outcome AS label,
        count(*) FILTER (outcome > 0) OVER (PARTITION BY session) AS relevant_total,
        promoted::INTEGER AS is_recommended
    FROM candidates JOIN shown USING (session)
    ORDER BY shown_ts, slate_id, input_position
"""

_TRUTH = """
    SELECT printf('s%08d', session) AS slate_id, printf('i%05d', item) AS item_id, utility, examination, clicked
    FROM candidates ORDER BY session, position
"""
