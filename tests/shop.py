"""A small shop made by the documented commands, and its scorer as a real process."""

from __future__ import annotations

import os
import runpy
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pandas as pd
import pytest
import yaml

from feature_repo.datasets.declarations.built_in import declaration_of
from infra.models.model_store import ModelStore
from infra.params import read_params
from infra.redis_server.server import EVENTS, FEATURES, endpoint, stop
from infra.settings import PROJECT_ROOT, Settings

STAGES = (
    "validation log",
    "feature_repo.build",
    "validation features",
    "feature_repo.apply",
    "training.training_set",
    "validation training_set",
    "training.train",
    "training.evaluation.report",
    "training.stage_two",
    "feature_repo.materialize",
)


@dataclass(frozen=True)
class Shop:
    """Folders and settings of one data set below ``folder``."""

    folder: Path
    dataset: str

    @property
    def settings(self) -> Settings:
        return Settings(
            data_dir=self.folder / "data",
            state_dir=self.folder / "var",
            params_file=self.folder / "params.yaml",
            dataset=self.dataset,
            clock="replay",
        )

    @property
    def environment(self) -> dict[str, str]:
        s = self.settings
        # Importing Feast sets these, for this process alone.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS_MULTIPROC")}
        return {
            **inherited,
            "RERANK_DATA_DIR": str(s.data_dir),
            "RERANK_STATE_DIR": str(s.state_dir),
            "RERANK_PARAMS_FILE": str(s.params_file),
            "RERANK_DATASET": self.dataset,
            "RERANK_CLOCK": "replay",
            "RERANK_THREADS": "1",  # two test processes share the cores
        }

    def python(self, arguments: str, *, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
        """``python -m ARGUMENTS`` from the project's root; on failure its output is in the error."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments.split()],
            cwd=PROJECT_ROOT,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise AssertionError(f"python -m {arguments}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def main(self, arguments: str) -> None:
        """What :meth:`python` runs, in this process, which has imported most of it already."""
        name, *rest = arguments.split()
        with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # the module may have been imported before
            for variable, value in self.environment.items():
                patch.setenv(variable, value)
            patch.setattr(sys, "argv", [name, *rest])
            with pytest.raises(SystemExit) as done:
                runpy.run_module(name, run_name="__main__")
        assert not done.value.code, f"python -m {arguments}: exit {done.value.code}"

    def write_params(self, **changes: Any) -> None:
        """params.yaml for a few thousand rows: the data set's own with fewer rounds and smaller leaves."""
        params = read_params(self.settings.model_copy(update={"params_file": PROJECT_ROOT / "params.yaml"}))
        params["dataset"] = self.dataset
        params["train"] |= {"rounds": 60, "early_stopping_rounds": 20, "bootstrap_resamples": 300}
        params["train"]["lightgbm"] |= {"min_data_in_leaf": 100, "learning_rate": 0.06}
        params["recommend"]["train"] |= {"rounds": 60, "early_stopping_rounds": 20, "bootstrap_resamples": 300}
        params["recommend"]["train"]["lightgbm"] |= {"min_data_in_leaf": 100, "learning_rate": 0.06}
        params |= changes
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings.params_file.write_text(yaml.safe_dump(params))

    def run_pipeline(self, log_arguments: str, run: Callable[[str], object] | None = None) -> None:
        """From the source to a filled Redis, as in dvc.yaml, each command by ``run``, by default :meth:`python`.

        The embedded Redis is left running.
        """
        run = run or self.python
        run(f"feature_repo.datasets {log_arguments} --out {self.settings.log_dir}")
        run("infra.redis_server start")
        run("feature_repo.replay_start")
        for stage in STAGES:
            run(stage)

    def stop(self) -> None:
        for role in (FEATURES, EVENTS):
            stop(self.settings, role)

    @contextmanager
    def scorer(self, *, ready: str = "/readyz", **environment: str) -> Iterator[httpx.Client]:
        """``python -m serving`` on a free port, once it answers GET ``ready``."""
        command = [sys.executable, "-m", "serving"]
        with self.scorer_process(command, cwd=PROJECT_ROOT, ready=ready, **environment) as client:
            yield client

    @contextmanager
    def scorer_process(
        self, command: list[str], *, cwd: Path, ready: str = "/readyz", **environment: str
    ) -> Iterator[httpx.Client]:
        port = free_port()
        log = self.folder / f"scorer-{port}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                cwd=cwd,
                env={**self.environment, "RERANK_PORT": str(port), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                _wait_until_ready(client, process, log, ready)
                yield client
        finally:
            process.terminate()
            process.wait(30)

    @contextmanager
    def mlflow_server(self) -> Iterator[str]:
        """An MLflow server over HTTP that holds this shop's champion; yields its address."""
        port = free_port()
        uri = f"http://127.0.0.1:{port}"
        backend = self.folder / "mlflow-server"
        backend.mkdir()
        arguments = [
            "server", "--host=127.0.0.1", f"--port={port}", f"--backend-store-uri=sqlite:///{backend}/mlflow.db",
            f"--artifacts-destination={backend}/artifacts", "--workers=1",
        ]  # fmt: skip
        with (self.folder / "mlflow.log").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *arguments], stdout=output, stderr=output, start_new_session=True
            )
        try:
            _wait_for(f"{uri}/health", process)
            self._copy_champion(uri)
            yield uri
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)

    def _copy_champion(self, uri: str) -> None:
        champion = ModelStore(self.settings).load()
        store = ModelStore(self.settings.model_copy(update={"mlflow_tracking_uri": uri}))
        run = store.client.create_run(store.experiment_id()).info.run_id
        store.promote(store.register(run, champion.ranker, champion.contract, {}))

    @property
    def redis_url(self) -> str:
        return endpoint(self.settings).url

    def last_slates(self, many: int) -> list[pd.DataFrame]:
        """The newest slates of the log, each a frame of its impressions in input order."""
        frame = duckdb.execute(
            f"SELECT * FROM read_parquet('{self.settings.log_dir}/impressions.parquet') "
            "ORDER BY shown_ts DESC, slate_id, input_position"
        ).df()
        return [rows for _, rows in frame.groupby("slate_id", sort=False)][:many]

    def request_of(self, slate: pd.DataFrame) -> dict[str, Any]:
        """The body that asks for this slate."""
        declaration = declaration_of(self.settings)
        facts = [fact.name for fact in declaration.facts]
        head = slate.iloc[0]
        return {
            "user_id": head["user_id"],
            "session_id": head["session_id"],
            "context": {c.name: head[c.name] for c in declaration.context},
            "items": [
                {"item_id": row["item_id"], "features": {f: float(row[f]) for f in facts if pd.notna(row[f])}}
                for _, row in slate.iterrows()
            ],
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{url} did not answer")


def _wait_until_ready(
    client: httpx.Client, process: subprocess.Popen[bytes], log: Path, path: str, seconds: float = 120
) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get(path).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the scorer did not become ready:\n{log.read_text()}")
