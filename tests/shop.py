"""A small shop made by the documented commands, and its scorer as a real process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from infra.settings import PROJECT_ROOT, Settings

STAGES = ("validation log", "feature_repo.build", "validation features", "feature_repo.apply", "training.training_set",
          "validation training_set", "training.train", "training.report", "feature_repo.materialize")  # fmt: skip


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
        return {
            **os.environ,
            "RERANK_DATA_DIR": str(s.data_dir),
            "RERANK_STATE_DIR": str(s.state_dir),
            "RERANK_PARAMS_FILE": str(s.params_file),
            "RERANK_DATASET": self.dataset,
            "RERANK_CLOCK": "replay",
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

    def write_params(self, **changes: Any) -> None:
        """params.yaml for a few thousand rows: the project's own with fewer rounds and smaller leaves."""
        params = yaml.safe_load((PROJECT_ROOT / "params.yaml").read_text())
        params["dataset"] = self.dataset
        params["train"] |= {"rounds": 120, "early_stopping_rounds": 30, "bootstrap_resamples": 300}
        params["train"]["lightgbm"] |= {"min_data_in_leaf": 20, "learning_rate": 0.1}
        params |= changes
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings.params_file.write_text(yaml.safe_dump(params))

    def run_pipeline(self, log_arguments: str) -> None:
        """From the source to a filled Redis, as in dvc.yaml. The embedded Redis is left running."""
        self.python(f"feature_repo.datasets {log_arguments} --out {self.settings.log_dir}")
        self.python("infra.redis_server start")
        self.python("infra.anchor")
        for stage in STAGES:
            self.python(stage)

    def stop(self) -> None:
        self.python("infra.redis_server stop", check=False)

    @contextmanager
    def scorer(self, **environment: str) -> Iterator[httpx.Client]:
        """``python -m serving`` on a free port, ready to answer."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = self.folder / f"scorer-{port}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "serving"],
                cwd=PROJECT_ROOT,
                env={**self.environment, "RERANK_PORT": str(port), **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                _wait_until_ready(client, process, log)
                yield client
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the scorer did not become ready:\n{log.read_text()}")
