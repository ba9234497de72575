"""The live path against the build: the same events, over HTTP and from the log, make the same session features.

In full, with 2 M events in the log: ``--log-slates 170000 --live-events 50000 --writer-events 10000``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import httpx
import numpy as np
import pyarrow as pa
import pytest

from feature_repo.build.__main__ import build
from feature_repo.datasets.__main__ import adapt
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.definitions.data_set import DataSet
from feature_repo.definitions.repo import load
from feature_repo.definitions.views import SESSION_STATE, item_attributes_view
from feature_repo.replay_start import anchor
from feature_repo.sessions import Session as Folded
from feature_repo.sessions import SessionEvent, features, fold
from feature_repo.store import open_store
from infra.redis_server.server import EVENTS, FEATURES, start, stop
from infra.settings import Settings
from tests.shop import Shop

COLUMNS = [column.name for column in SESSION_STATE.columns]
WRITERS = 8


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """A simulated log, its features, and prices in Redis as of the log's end."""
    made = Shop(tmp_path_factory.mktemp("live"), "simulated").settings
    adapt("simulated", made.log_dir, made, size=request.config.getoption("--log-slates"))
    build(made)
    for role in (FEATURES, EVENTS):
        start(made, role)
    store = open_store(made)
    store.apply(load(DataSet.of(made)).objects)
    end = anchor(made)
    view = item_attributes_view(declaration_of(made))
    store.materialize(end - view.ttl, priced(made)[1], feature_views=[view.name])
    yield made
    for role in (FEATURES, EVENTS):
        stop(made, role)


def priced(settings: Settings) -> tuple[datetime, datetime]:
    """The log's last whole week: prices stay from Monday's midnight until an hour before the next."""
    (newest,) = duckdb.sql(f"SELECT epoch_us(max(event_ts)) FROM '{settings.log_dir}/events.parquet'").fetchall()[0]
    day = datetime.fromtimestamp(newest / 1e6, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = day - timedelta(days=(day - timedelta(days=1)).weekday() + 1)
    return monday, monday + timedelta(days=6, hours=22)


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    """Two workers that have no model: events need none."""
    shop = Shop(settings.data_dir.parent, "simulated")
    shop.write_params()
    with shop.scorer(ready="/healthz", RERANK_WORKERS="2") as client:
        yield str(client.base_url)


def sent(row: dict[str, Any]) -> dict[str, Any]:
    names = ("event_id", "user_id", "session_id", "item_id", "action", "quantity", "shown_position")
    found = {name: row[name] for name in names if row[name] is not None}
    return {**found, "event_ts": row["event_ts"].astimezone(UTC).isoformat()}


async def post(address: str, batches: list[list[dict[str, Any]]], writers: int) -> tuple[int, int]:
    """How many were accepted, and how many answers came too late to tell; ``writers`` at a time."""
    queue = iter(batches)
    late: list[str] = []

    async def write(client: httpx.AsyncClient) -> int:
        accepted = 0
        for batch in queue:
            while (answer := await client.post("/events", json={"events": batch})).status_code == 503:
                late.append(answer.text)  # a machine that is busy with other things: send them again
            assert answer.status_code == 202, answer.text
            assert answer.json()["rejected"] == []
            accepted += answer.json()["accepted"]
        return accepted

    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        accepted = sum(await asyncio.gather(*(write(client) for _ in range(writers))))
    print(f"{len(late)} answers came too late")
    return accepted, len(late)


def online(settings: Settings, sessions: list[str]) -> dict[str, dict[str, Any]]:
    """What any Feast client finds."""
    store, found = open_store(settings), {}
    for first in range(0, len(sessions), 500):
        names = sessions[first : first + 500]
        rows = store.get_online_features(
            [f"{SESSION_STATE.name}:{column}" for column in COLUMNS], [{"session_id": name} for name in names]
        ).to_dict()
        found |= {name: {column: rows[column][i] for column in COLUMNS} for i, name in enumerate(names)}
    return found


def test_the_fold_over_the_log_equals_the_live_path_fed_the_same_events(
    settings: Settings, address: str, pytestconfig: pytest.Config
) -> None:
    connection = duckdb.connect()
    connection.execute("SET timezone = 'UTC'")
    log = f"'{settings.log_dir}/events.parquet'"
    first, last = priced(settings)  # whole sessions of these days, whose prices Redis has
    rows = connection.sql(
        f"""
        SELECT *, sum(n) OVER (ORDER BY last DESC, session_id) AS so_far FROM (
            SELECT session_id, count(*) AS n, max(event_ts) AS last FROM {log} GROUP BY session_id
            HAVING min(event_ts) >= '{first.isoformat()}' AND max(event_ts) < '{last.isoformat()}'
        ) QUALIFY so_far - n < {pytestconfig.getoption("--live-events")}
        """
    ).fetchall()
    sessions = [row[0] for row in rows]
    connection.register("chosen", pa.table({"session_id": sessions}))
    events = connection.sql(f"SELECT * FROM {log} SEMI JOIN chosen USING (session_id)").to_arrow_table().to_pylist()
    random.Random(3).shuffle(events)
    batches = [[sent(row) for row in events[first : first + 200]] for first in range(0, len(events), 200)]
    accepted, late = asyncio.run(post(address, batches, 4))
    assert accepted == len(events) or late
    newest = connection.sql(
        f"SELECT * FROM '{settings.features_dir}/session_state.parquet' SEMI JOIN chosen USING (session_id) "
        "QUALIFY row_number() OVER (PARTITION BY session_id ORDER BY event_timestamp DESC) = 1"
    ).to_arrow_table()
    expected = {row["session_id"]: {name: row[name] for name in COLUMNS} for row in newest.to_pylist()}
    found = online(settings, sessions)
    different = {name for name in sessions if found[name] != expected[name]}
    print(
        f"{len(events)} events of {len(sessions)} sessions sent, of a log of {connection.sql(f'FROM {log}').shape[0]}"
    )
    assert len(events) >= pytestconfig.getoption("--live-events")
    assert different == set()


def test_eight_writers_with_duplicates_in_any_order_make_the_state_of_one_ordered_replay(
    settings: Settings, address: str, pytestconfig: pytest.Config
) -> None:
    each = pytestconfig.getoption("--writer-events")
    draw = random.Random(5)
    sessions = [f"w{i}" for i in range(max(10, WRITERS * each // 400))]
    base = int(datetime(2024, 3, 1, tzinfo=UTC).timestamp() * 1e6)
    actions = ("view", "like", "add_to_cart", "remove_from_cart", "order")
    events = [
        {
            "event_id": f"w{i:06d}",
            "user_id": "u",
            "session_id": draw.choice(sessions),
            "item_id": f"i{draw.randrange(20):05d}",
            "action": draw.choice(actions),
            "event_ts": datetime.fromtimestamp((base + draw.randrange(1000) * 1_000_000) / 1e6, UTC).isoformat(),
        }
        for i in range(WRITERS * each)
    ]
    again = draw.choices(events, k=len(events) // 10)
    everything = events + again
    draw.shuffle(everything)
    batches = [everything[first : first + 25] for first in range(0, len(everything), 25)]
    accepted, late = asyncio.run(post(address, batches, WRITERS))
    assert accepted == len(events) or late
    prices = item_facts(settings)
    states = dict.fromkeys(sessions, Folded())
    for event in sorted(events, key=lambda found: (found["event_ts"], found["event_id"])):
        timestamp = int(datetime.fromisoformat(event["event_ts"]).timestamp() * 1e6)
        price, category = prices[event["item_id"]]
        one = SessionEvent(timestamp, event["event_id"], 0, event["action"], event["item_id"], category, None, price)
        states[event["session_id"]] = fold(states[event["session_id"]], one)
    found = online(settings, [name for name, state in states.items() if state.events])
    for name, row in found.items():
        assert row == {column: as_stored(column, value) for column, value in features(states[name]).items()}, name


def item_facts(settings: Settings) -> dict[str, tuple[int | None, str | None]]:
    """item -> price in cents and category, as of the log's end."""
    rows = duckdb.execute(
        f"SELECT item_id, price, category_id FROM '{settings.features_dir}/item_attributes.parquet' "
        "QUALIFY row_number() OVER (PARTITION BY item_id ORDER BY event_timestamp DESC) = 1"
    ).fetchall()
    return {item: (None if price is None else round(price * 100), category) for item, price, category in rows}


def as_stored(column: str, value: Any) -> Any:
    """A number as Float32, where the column is one."""
    kind = next(each.dtype.value for each in SESSION_STATE.columns if each.name == column)
    return float(np.float32(value)) if kind == "float32" else value
