"""Nothing accepted is lost and nothing is logged twice, whatever is killed: real processes and kill -9.

Five rounds here; ``--kills 50`` for more.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest

from feature_repo.live.__main__ import drain_once
from feature_repo.live.event_files import event_files
from feature_repo.sessions import Replay, SessionEvent
from feature_repo.store import open_store
from infra.clock import set_anchor
from infra.redis_server.server import EVENTS, FEATURES, endpoint, start, stop
from infra.settings import PROJECT_ROOT, Settings
from tests.serving import world
from tests.serving.test_workers import children
from tests.shop import Shop

SESSIONS, PER_GENERATION = 40, 4_000  # a hundred events a session: none is full
TIMEOUT_S = 60.0


class Writer(threading.Thread):
    """Sends events until it is stopped, each again until it is accepted; ``accepted``: event_id -> session."""

    def __init__(self, address: str) -> None:
        super().__init__(daemon=True)
        self.accepted: dict[str, str] = {}
        self.again = 0
        self.refused: list[str] = []
        self._client = httpx.Client(base_url=address, timeout=5)
        self._stopping = threading.Event()

    def run(self) -> None:
        draw, number = random.Random(11), 0
        while not self._stopping.is_set():
            batch = [self._event(draw, number + i) for i in range(draw.randrange(1, 30))]
            number += len(batch)
            self._send(batch)

    def stop(self) -> None:
        self._stopping.set()
        self.join(TIMEOUT_S)
        assert not self.is_alive(), "events are not accepted any more"
        assert self.refused == []

    def wait_for_more(self) -> None:
        """Events are accepted again."""
        before, deadline = len(self.accepted), time.monotonic() + TIMEOUT_S
        while len(self.accepted) == before:
            assert self.is_alive(), "the writer has failed"
            assert time.monotonic() < deadline, "events are not accepted any more"
            time.sleep(0.02)

    def _event(self, draw: random.Random, number: int) -> dict[str, Any]:
        session = f"k{number // PER_GENERATION}-{draw.randrange(SESSIONS)}"
        action = draw.choice(("view", "like", "add_to_cart"))
        return {
            "event_id": f"k{number:07d}",
            "user_id": "u",
            "session_id": session,
            "item_id": draw.choice("abc"),
            "action": action,
        }

    def _send(self, batch: list[dict[str, Any]]) -> None:
        while True:
            try:
                answer = self._client.post("/events", json={"events": batch})
            except httpx.HTTPError:
                answer = None
            if answer is not None and answer.status_code == 202:
                self.refused += [each["reason"] for each in answer.json()["rejected"]]
                self.accepted |= {each["event_id"]: each["session_id"] for each in batch}
                return
            self.again += 1
            time.sleep(0.02)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    made = world.settings_in(tmp_path, clock="replay")
    set_anchor(made.clock_file, world.NOW)
    for role in (FEATURES, EVENTS):
        start(made, role)
    world.fill_store(made)
    world.register(made, world.small_model())  # a worker that takes another's place waits for a model
    yield made
    for role in (FEATURES, EVENTS):
        stop(made, role)


@contextmanager
def consumer(settings: Settings) -> Iterator[Callable[[], None]]:
    """The stream's consumer; yields what kills it and starts another."""
    variables = {
        **os.environ,
        "RERANK_DATASET": settings.dataset,
        "RERANK_DATA_DIR": str(settings.data_dir),
        "RERANK_STATE_DIR": str(settings.state_dir),
        "RERANK_DRAIN_S": "0.05",
    }

    def run() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "feature_repo.live"]
        return subprocess.Popen(command, cwd=PROJECT_ROOT, env=variables, stderr=subprocess.DEVNULL)

    processes = [run()]

    def replace() -> None:
        processes[-1].kill()
        processes[-1].wait()
        processes.append(run())

    try:
        yield replace
    finally:
        processes[-1].terminate()
        processes[-1].wait(30)


def kill_redis(settings: Settings) -> None:
    pid = int(endpoint(settings, EVENTS).client(5).info()["process_id"])
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + TIMEOUT_S
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    start(settings, EVENTS)


def logged(settings: Settings) -> list[dict[str, Any]]:
    return [row for path in event_files(settings.live_dir) for row in pq.read_table(path).to_pylist()]


def us(row: dict[str, Any], name: str) -> int:
    return world.us(row[name])


def test_every_accepted_event_is_logged_once_whatever_is_killed(
    settings: Settings, pytestconfig: pytest.Config
) -> None:
    draw = random.Random(7)
    shop = Shop(settings.data_dir.parent, settings.dataset)
    shop.write_params()
    victims = Counter[str]()
    with shop.scorer(RERANK_WORKERS="2") as client:
        writer = Writer(str(client.base_url))
        with consumer(settings) as replace_consumer:
            writer.start()
            for _ in range(pytestconfig.getoption("--kills")):
                time.sleep(draw.uniform(0.2, 1.5))
                victim = ("redis", "consumer", "worker")[sum(victims.values()) % 3]
                victims[victim] += 1
                if victim == "redis":
                    kill_redis(settings)
                elif victim == "consumer":
                    replace_consumer()
                else:
                    os.kill(draw.choice(sorted(workers(shop))), signal.SIGKILL)
                writer.wait_for_more()
            time.sleep(1)
            writer.stop()
    print(f"killed {dict(victims)}; {len(writer.accepted)} events accepted, {writer.again} calls sent again")
    drain_once(settings)
    rows = logged(settings)
    times = Counter(row["event_id"] for row in rows)
    assert [event for event in writer.accepted if not times[event]] == []
    assert [event for event, count in times.items() if count > 1] == []
    assert_online_is_the_fold_of_the_log(settings, rows)


def workers(shop: Shop) -> set[int]:
    """Of the scorer that runs."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        if b"-m\0serving\0" in command and str(shop.settings.state_dir).encode() in environment:
            return children(_Pid(int(path.name)))
    return set()


class _Pid:
    def __init__(self, pid: int) -> None:
        self.pid = pid


def assert_online_is_the_fold_of_the_log(settings: Settings, rows: list[dict[str, Any]]) -> None:
    states: dict[str, Replay] = {}
    for row in sorted(rows, key=lambda row: us(row, "received_ts")):
        one = SessionEvent(us(row, "event_ts"), row["event_id"], us(row, "received_ts"), row["action"], row["item_id"],
                           row["category_id"], row["quantity"], _cents(row["price"]))  # fmt: skip
        states.setdefault(row["session_id"], Replay()).fold(one)
    names = ["session_views", "session_likes", "session_carts", "session_cart_size", "recent_items", "recent_us"]
    store = open_store(settings)
    found = store.get_online_features(
        [f"session_state:{name}" for name in names], [{"session_id": session} for session in states]
    ).to_dict()
    for position, (session, state) in enumerate(states.items()):
        expected = state.features()
        assert {name: found[name][position] for name in names} == {name: expected[name] for name in names}, session


def _cents(price: Any) -> int | None:
    return None if price is None else int(price * 100)
