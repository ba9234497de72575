"""Three replayed days of one shop, by the project's own scripts: run, serve, stop, learn, audit, and again.

Meanwhile the scorer is killed once, the checkout is moved once, and the feature Redis is emptied once. After each day:
what was accepted is in the log exactly once, the audit explains every difference, and the shop serves again.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
import yaml

from feature_repo.live.event_files import event_files
from feature_repo.store import open_store
from infra.models.model_store import ModelStore
from infra.redis_server.server import EVENTS, FEATURES, endpoint, start, stop
from infra.settings import PROJECT_ROOT, Settings
from tests.shop import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

DATASET = "simulated"
SLATES_OF_A_DAY = 40
READY_S, STOP_S = 600.0, 120.0
NOT_INHERITED = ("RERANK_", "PROMETHEUS_", "PYTEST_", "COV_", "COVERAGE_", "PYTHONPATH")


@dataclass
class Project:
    """A checkout with an environment that is borrowed from the tests' own."""

    folder: Path
    port: int = field(default_factory=free_port)

    @property
    def settings(self) -> Settings:
        return Settings(
            _env_file=None,
            dataset=DATASET,
            data_dir=self.folder / "data",
            state_dir=self.folder / "var",
            clock="replay",
        )

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        return {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}",
            "PYTHONPATH": str(self.folder),
            "RERANK_DATASET": DATASET,
            "RERANK_CLOCK": "replay",
            "RERANK_PORT": str(self.port),
            "RERANK_DRAIN_S": "1",
            "RERANK_SCORE_LOG_MATRIX_SHARE": "1",
        }

    def copy_from(self, source: Path) -> None:
        listed = subprocess.run(["git", "ls-files"], cwd=source, capture_output=True, text=True, check=True)
        for name in listed.stdout.split():
            if name.split("/")[0] not in ("tests", "notebooks", "docs"):
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / name, target)
        own = {
            "log": {"adapter": DATASET, "arguments": "--size 300"},
            "train": {"rounds": 30, "bootstrap_resamples": 100},
        }
        (self.folder / "params" / f"{DATASET}.yaml").write_text(yaml.safe_dump(own))

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def python(self, arguments: str) -> str:
        return self.run(sys.executable, "-m", *arguments.split())

    @contextmanager
    def script(self, name: str) -> Iterator[tuple[httpx.Client, subprocess.Popen[bytes]]]:
        """``infra/NAME`` until it is ready; at the end it gets a Ctrl-C, unless it has ended."""
        log = self.folder.parent / "script.log"
        with log.open("a") as output:
            process = subprocess.Popen(
                [f"infra/{name}"],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30) as client:
                until_ready(client, process, log)
                yield client, process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.wait(STOP_S)

    def move_to(self, folder: Path) -> None:
        shutil.move(self.folder, folder)
        self.folder = folder


def until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.3)
    raise AssertionError(f"it does not serve: {log.read_text()[-4000:]}")


@dataclass
class Customers:
    """Known and new users in front of slates with known and unknown items; ``accepted``: all event_ids so far."""

    users: list[str]
    items: list[str]
    draw: random.Random
    accepted: list[str] = field(default_factory=list)
    newest: datetime | None = None

    def visit(self, client: httpx.Client, day: int, slates: int) -> None:
        for number in range(slates):
            name = f"d{day}-{len(self.accepted)}"
            user = self.draw.choice(self.users) if number % 3 else f"new-user-{name}"
            who = {"user_id": user, "session_id": f"session-{day}-{number % 15}"}
            shown = [*self.draw.sample(self.items, 12), f"new-item-{day}"]
            touched = [self._event(who, "view", item) for item in self.draw.sample(shown, 2)]
            self._send(client, touched)
            answer = client.post("/score", json={**who, "items": [{"item_id": item} for item in shown]})
            found = answer.raise_for_status().json()
            assert not found["degraded"]
            assert not found["missing"]["session"]
            self.newest = datetime.fromisoformat(found["scored_at"])
            seen = {"request_id": found["request_id"]}
            ranked = [each["item_id"] for each in found["items"]]
            self._send(
                client,
                [self._event(who, "impression", item, shown_position=at, **seen) for at, item in enumerate(ranked[:8])],
            )
            wanted = ranked[self.draw.randrange(4)]
            self._send(client, [self._event(who, action, wanted, **seen) for action in ("add_to_cart", "order")])

    def _event(self, who: dict[str, str], action: str, item: str, **more: Any) -> dict[str, Any]:
        self.draw.random()
        event_id = f"{self.draw.getrandbits(64):016x}"
        return {"event_id": event_id, **who, "action": action, "item_id": item, **more}

    def _send(self, client: httpx.Client, events: list[dict[str, Any]]) -> None:
        answer = client.post("/events", json={"events": events})
        assert answer.status_code == 202, answer.text
        assert answer.json()["accepted"] == len(events), answer.text
        self.accepted += [each["event_id"] for each in events]


def change_an_item(client: httpx.Client, item: str, **values: Any) -> None:
    answer = client.post("/items", json={"items": [{"item_id": item, **values}]})
    assert answer.json() == {"accepted": 1, "duplicates": 0, "rejected": []}, answer.text


def check_the_item(project: Project, item: str, **values: Any) -> None:
    """Its row in the feature store, as Feast's own client reads it."""
    names = [f"item_attributes:{name}" for name in values]
    found = open_store(project.settings).get_online_features(names, [{"item_id": item}]).to_dict()
    assert {name: found[name][0] for name in values} == values


def customers_of(project: Project) -> Customers:
    """The users and items of the log."""
    events = pq.read_table(project.settings.log_dir / "events.parquet").to_pydict()
    users = sorted(set(events["user_id"]))
    items = sorted({item for item in events["item_id"] if item is not None})
    return Customers(users[:20], items[:40], random.Random(5))


def kill_the_scorer(project: Project, script: subprocess.Popen[bytes]) -> None:
    """SIGKILL; the script then ends, and stops what it started."""
    [scorer] = [pid for pid in children(script.pid) if b"serving" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(scorer, signal.SIGKILL)
    assert script.wait(STOP_S) == 128 + signal.SIGKILL


def children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def check_the_day(project: Project, customers: Customers, since: datetime) -> None:
    """Nothing is lost and nothing twice, and the audit explains every difference of the day."""
    logged = Counter(
        event
        for path in event_files(project.settings.live_dir)
        for event in pq.read_table(path)["event_id"].to_pylist()
    )
    assert logged == Counter(customers.accepted)
    start_redis(project)
    said = project.python(f"validation.skew --since {since.isoformat()}")
    assert " 0 of them unexplained" in said, said


def learn_from_what_was_served(project: Project) -> str:
    """Train on the served slates, and put the model in service. Returns its version."""
    said = project.python("training.train --from-log --label-hours 1")
    assert "served as champion" in said
    store = ModelStore(project.settings)
    versions = store.client.search_model_versions(f"name = '{store.name}'")
    newest = max(versions, key=lambda each: int(each.version))
    store.promote(newest.version)
    return str(newest.version)


def let_a_day_pass(project: Project, newest: datetime) -> datetime:
    begin = newest + timedelta(days=1)
    project.python(f"feature_repo.replay_start --not-before {begin.isoformat()}")
    return begin


def start_redis(project: Project) -> None:
    for role in (FEATURES, EVENTS):
        start(project.settings, role)


def stop_redis(project: Project) -> None:
    for role in (FEATURES, EVENTS):
        stop(project.settings, role)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    pytest.importorskip("dvc", reason="DVC is part of the pipeline extra")
    made = Project(tmp_path / "checkout")
    made.copy_from(PROJECT_ROOT)
    yield made
    stop_redis(made)


def test_a_shop_lives_three_days(project: Project, tmp_path: Path) -> None:
    with project.script("run.sh") as (client, script):
        customers = customers_of(project)
        customers.visit(client, 1, SLATES_OF_A_DAY // 2)
        change_an_item(client, customers.items[0], price=0.5, in_stock=False)
        change_an_item(client, "brought live", price=2.5, category_id="brought live")
        kill_the_scorer(project, script)
    with project.script("serve.sh") as (client, _):
        customers.visit(client, 1, SLATES_OF_A_DAY // 2)
    assert customers.newest is not None
    check_the_day(project, customers, customers.newest - timedelta(hours=12))

    stop_redis(project)
    project.move_to(tmp_path / "moved checkout")
    begin = let_a_day_pass(project, customers.newest)
    with project.script("run.sh") as (client, _):
        check_the_item(project, customers.items[0], price=0.5, in_stock=0)
        customers.visit(client, 2, SLATES_OF_A_DAY)
        change_an_item(client, customers.items[0], in_stock=True)
    assert customers.newest >= begin
    check_the_day(project, customers, begin)
    version = learn_from_what_was_served(project)
    endpoint(project.settings).client(5).flushall()

    stop_redis(project)
    begin = let_a_day_pass(project, customers.newest)
    with project.script("run.sh") as (client, _):
        assert client.get("/model").json()["version"] >= version
        check_the_item(project, customers.items[0], price=0.5, in_stock=1)
        check_the_item(project, "brought live", price=2.5, category_id="brought live")
        customers.visit(client, 3, SLATES_OF_A_DAY)
    assert customers.newest >= begin
    check_the_day(project, customers, begin)
    assert not (tmp_path / "checkout").exists()
