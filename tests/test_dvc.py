"""The pipeline tool on a copy of the project with a small simulated shop: what runs, and what does not run again."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import yaml

from infra.settings import PROJECT_ROOT
from tests.own_repo import add_view, view_of

pytest.importorskip("dvc", reason="DVC is part of the pipeline extra")
pytestmark = pytest.mark.slow


class Project:
    """``environment``: settings that the user's shell has, beside those of the project."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"RERANK_DATASET": "simulated"}
        tracked = subprocess.run(
            ["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
        ).stdout.split()
        for name in tracked:
            if name.split("/")[0] not in ("tests", "notebooks"):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(PROJECT_ROOT / name, target)

    def call(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("RERANK_")}
        inherited["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}"
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**inherited, "PYTHONPATH": str(self.folder), **self.environment, **environment},
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *command: str, **environment: str) -> str:
        done = self.call(*command, **environment)
        assert done.returncode == 0, f"{command}: {done.stdout[-4000:]}{done.stderr[-4000:]}"
        return done.stdout

    def write_params(self, dataset: str = "simulated", **sections: object) -> None:
        """Those of a data set, over those of the project."""
        (self.folder / "params" / f"{dataset}.yaml").write_text(yaml.safe_dump(sections))

    def stages_to_run(self, **environment: str) -> set[str]:
        """Of ``make pipeline``: that stage by which dvc looks at the settings always runs."""
        self.run(sys.executable, "-m", "infra.effective", **environment)
        lines = self.run("dvc", "repro", "--dry", **environment).splitlines()
        found = {line.split("'")[1] for line in lines if line.startswith("Running stage")}
        assert found >= ALWAYS
        return found - ALWAYS


ALWAYS = {"settings", "own_files"}  # the stages by which dvc looks at settings and at own files
LOG = {"adapter": "simulated", "arguments": "--size 400"}
TRAIN = {"rounds": 40, "bootstrap_resamples": 200}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project"))
    project.write_params(log=LOG, train=TRAIN)
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
    assert str(project.folder) not in before  # so that it holds after the project was moved
    assert project.stages_to_run() == set()
    project.run("infra/pipeline.sh")
    assert (project.folder / "dvc.lock").read_text() == before


@pytest.mark.parametrize(
    ("changed", "stages"),
    [
        ({"train": {**TRAIN, "seed": 8}}, {"train"}),  # materialize follows if the model comes out different
        ({"recommend": {"candidates": 100}}, {"recommend"}),
        ({"recommend": {"rules": []}}, set()),  # read by the scorer
        ({"gru4rec": {"train": {"epochs": 1}}}, set()),  # of a pipeline of its own
        ({"settings": {"threads": 1, "port": 9}}, set()),
    ],
)
def test_a_changed_parameter_runs_the_stages_that_read_it_and_no_other(project, changed, stages):
    project.write_params(**{"log": LOG, "train": TRAIN, **changed})
    assert project.stages_to_run() == stages
    project.write_params(log=LOG, train=TRAIN)


def test_a_changed_split_makes_the_training_set_anew(project):
    split = {"validation_start": "2024-02-10T00:00:00+00:00", "test_start": "2024-02-20T00:00:00+00:00"}
    project.write_params(log=LOG, train=TRAIN, split=split)
    assert project.stages_to_run() == {"validate_log", "training_set"}
    project.write_params(log=LOG, train=TRAIN)


def test_parameters_of_another_data_set_run_nothing(project):
    project.write_params("other", log=LOG, train={"seed": 9})
    assert project.stages_to_run() == set()


def test_dvc_alone_takes_new_parameters_and_says_when_it_cannot(project):
    """``dvc repro`` without ``make``."""
    project.write_params(log=LOG, train={**TRAIN, "seed": 8})
    target = ("dvc", "repro", "validate_log")
    project.run(*target)
    written = yaml.safe_load((project.folder / "effective.yaml").read_text())
    assert written["train"]["seed"] == 8
    project.write_params("other", log=LOG)
    before = (project.folder / "dvc.lock").read_text()
    for environment in ({"RERANK_DATASET": "other"}, {"RERANK_DATA_DIR": str(project.folder / "elsewhere")}):
        done = project.call(*target, **environment)
        assert done.returncode != 0
        assert "run the same command again" in done.stderr
        assert done.stdout.count("Running stage") == 1
    assert not (project.folder / "data" / "other").exists()
    assert not (project.folder / "elsewhere").exists()
    (project.folder / "effective.yaml").unlink()
    done = project.call(*target)
    assert done.returncode != 0
    assert "effective.yaml" in done.stderr  # the head of dvc.yaml says what to do
    project.write_params(log=LOG, train=TRAIN)
    assert project.stages_to_run() == set()
    assert (project.folder / "dvc.lock").read_text() == before


def test_a_log_is_read_again_after_its_source_changed_in_place(project, tmp_path):
    """Also where the source and the data lie in folders with a blank, which the shell's environment names."""
    source, data = tmp_path / "my shop", tmp_path / "its data"
    shutil.copytree(project.folder / "data" / "simulated" / "log", source)
    project.write_params("own", log={"adapter": "parquet", "input": str(source)})
    environment = {"RERANK_DATASET": "own", "RERANK_DATA_DIR": str(data)}
    events = pq.read_table(source / "events.parquet")
    target = ("dvc", "repro", "log")

    wrong = events.set_column(events.schema.get_field_index("quantity"), "quantity", pc.negate(events["quantity"]))
    pq.write_table(wrong, source / "events.parquet")
    project.run(sys.executable, "-m", "infra.effective", **environment)
    refused = project.call(*target, **environment)
    assert refused.returncode != 0
    assert "quantity" in refused.stdout + refused.stderr

    for rows in (len(events), len(events) - 10):
        pq.write_table(events.slice(0, rows), source / "events.parquet")
        assert "Running stage 'log'" in project.run(*target, **environment)
        assert pq.read_metadata(data / "own" / "log" / "events.parquet").num_rows == rows
    assert "Stage 'log' didn't change" in project.run(*target, **environment)

    other_ids = pc.binary_join_element_wise(events["user_id"], ".0", "")  # the gate finds no user of the slates
    strange = events.set_column(events.schema.get_field_index("user_id"), "user_id", other_ids)
    pq.write_table(strange, source / "events.parquet")
    blocked = project.call("dvc", "repro", "validate_log", **environment)
    assert blocked.returncode != 0
    assert "blocking" in blocked.stdout + blocked.stderr
    pq.write_table(events, source / "events.parquet")
    mended = project.run("dvc", "repro", "validate_log", **environment)
    assert "Running stage 'log'" in mended
    assert "Running stage 'validate_log'" in mended
    assert not (project.folder / "data" / "own").exists()


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


def test_a_table_of_ones_own_is_copied_again_after_it_changed_and_blocked_where_the_log_has_none_of_its_ids(project):
    """The last one here, since it leaves the view in the project."""
    add_view(project.folder / "feature_repo", "quality", view_of("quality", "item", stars="Float32"))
    items = pq.read_table(project.folder / "data/simulated/log/items.parquet")["item_id"].unique().to_pylist()
    own, gate = project.folder / "quality.csv", ("dvc", "repro", "validate_features")

    def write(ids, stars):
        own.write_text("item_id,known_at,stars\n" + "".join(f"{each},2023-01-01,{stars}\n" for each in ids))

    write([f"SKU-{each}" for each in items], 4)
    project.run(sys.executable, "-m", "infra.effective")
    blocked = project.call(*gate)
    assert blocked.returncode != 0
    assert "blocking: quality: item_id: some of them are in the log" in blocked.stdout + blocked.stderr

    for stars in (4, 5):
        write(items, stars)
        assert "Running stage 'build'" in project.run(*gate)
        copied = pq.read_table(project.folder / "data/simulated/features/quality.parquet")
        assert set(copied["stars"].to_pylist()) == {stars}
    assert "Stage 'build' didn't change" in project.run(*gate)
