"""The pipeline tool on a copy of the project with a small simulated shop: what runs, and what does not run again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from infra.settings import PROJECT_ROOT

pytest.importorskip("dvc", reason="DVC is part of the pipeline extra")
pytestmark = pytest.mark.slow


class Project:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        tracked = subprocess.run(
            ["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        for name in tracked:
            if name.split("/")[0] not in ("tests", "notebooks"):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT_ROOT / name, target)

    def run(self, *command: str) -> str:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("RERANK_")}
        environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**environment, "RERANK_DATASET": "simulated", "RERANK_CLOCK": "replay"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def change_params(self, **changes: object) -> None:
        path = self.folder / "params.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}, sort_keys=False))

    def stages_to_run(self) -> set[str]:
        lines = self.run("dvc", "repro", "--dry").splitlines()
        return {line.split("'")[1] for line in lines if line.startswith("Running stage")}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project"))
    params = yaml.safe_load((project.folder / "params.yaml").read_text())
    params["train"] |= {"rounds": 40, "bootstrap_resamples": 200}
    project.change_params(
        dataset="simulated", log={"adapter": "simulated", "arguments": "--size 400"}, train=params["train"]
    )
    try:
        project.run("infra/pipeline.sh")
        yield project
    finally:
        project.run(sys.executable, "-m", "infra.redis_server", "stop")


def test_the_pipeline_leaves_every_output_and_a_second_run_does_nothing(project):
    data = project.folder / "data" / "simulated"
    for name in ("log", "features", "training/training_set.parquet", "training/run", "reports", "materialize.json"):
        assert (data / name).exists(), name
    before = (project.folder / "dvc.lock").read_text()
    assert project.stages_to_run() == set()
    project.run("infra/pipeline.sh")
    assert (project.folder / "dvc.lock").read_text() == before


def test_a_changed_hyperparameter_trains_again_and_builds_nothing(project):
    params = yaml.safe_load((project.folder / "params.yaml").read_text())
    project.change_params(train={**params["train"], "seed": 8})
    assert project.stages_to_run() == {"train"}  # materialize follows if the model comes out different
    project.change_params(train=params["train"])
    assert project.stages_to_run() == set()


def test_an_emptied_redis_is_filled_again_and_nothing_else_runs(project):
    receipt = project.folder / "data" / "simulated" / "materialize.json"
    written = receipt.stat().st_mtime_ns
    clear = (
        "from infra.redis_server.server import endpoint; from infra.settings import Settings; "
        "endpoint(Settings()).client().flushall()"
    )
    project.run(sys.executable, "-c", clear)
    trained = (project.folder / "data/simulated/training/run/metrics.json").stat().st_mtime_ns
    project.run("infra/pipeline.sh")
    assert receipt.stat().st_mtime_ns > written
    assert (project.folder / "data/simulated/training/run/metrics.json").stat().st_mtime_ns == trained


def test_the_second_day_runs_from_the_checked_events_and_sets_an_offending_one_aside(project):
    """Events of a new user, session and item, then one with a quantity that no rule allows, by the real way."""
    send = (
        "from datetime import timedelta; from infra.settings import Settings; from infra.clock import epoch_us; "
        "from feature_repo.replay_start import log_end; from feature_repo.live.event import LiveEvent, fingerprint; "
        "from feature_repo.live.acceptance import *; from infra.redis_server.server import EVENTS, endpoint; "
        "s = Settings(); now = epoch_us(log_end(s.log_dir) + timedelta(days=1)); "
        "events = [LiveEvent(event_id=f'live{i}', user_id='new', session_id=f'new{i}', action='add_to_cart', "
        "item_id='ghost', event_us=now, quantity=q) for i, q in enumerate((1, 20_000))]; "
        "(command,) = accept_commands(EventKeys(s.dataset), [Offered(e, fingerprint(e)) for e in events], now); "
        "connection = endpoint(s, EVENTS).client().connection_pool.get_connection(); "
        "connection.send_packed_command([command]); print(outcomes([connection.read_response()]))"
    )
    project.run(sys.executable, "-c", send)
    project.run("infra/pipeline.sh")
    data = project.folder / "data" / "simulated"
    assert pq.read_table(data / "live_checked/events.parquet")["event_id"].to_pylist() == ["live0"]
    assert pq.read_table(data / "live_checked/quarantine.parquet")["event_id"].to_pylist() == ["live1"]
    assert "quantity" in (data / "reports/validation/live/summary.md").read_text()
    sessions = pq.read_table(data / "features/session_state.parquet")["session_id"].to_pylist()
    assert ("new0" in sessions, "new1" in sessions) == (True, False)
    assert project.stages_to_run() == set()
