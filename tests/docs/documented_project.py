"""A copy of the project in which the documentation's shell blocks are run as they stand.

The data set is a sample, and ports are free ones; nothing is installed, since the copy borrows the environment that the
tests run in.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from infra.models.model_store import ModelStore
from infra.settings import PROJECT_ROOT, Settings
from tests.docs.pages import Block
from tests.shop import free_port

HOUSEHOLDS = 200
READY_S, STOP_S, BLOCK_S = 600, 120, 600
ENVIRONMENT_PARTS = ("bin", "include", "lib", "lib64", "pyvenv.cfg")
INSTALLED = ("installed", "installed-test", "installed-docs")
NOT_INHERITED = ("RERANK_", "PROMETHEUS_", "PYTEST_", "COV_", "COVERAGE_")


class DocumentedProject:
    """``folder`` is empty. The environment goes from block to block, as in a terminal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {"8000": free_port(), "5001": free_port()}
        self._copy()
        self._sample()
        self._environment: dict[str, str] = {}
        self.start_page()

    def start_page(self) -> None:
        """A new terminal."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        self._environment = {
            **inherited,
            "RERANK_PORT": str(self.ports["8000"]),
            "PYTHONPATH": str(self.folder),
            "PATH": os.pathsep.join(inherited["PATH"].split(os.pathsep)),
        }

    def run(self, block: Block) -> str:
        """What the block prints. Raises AssertionError where one of its commands fails."""
        written = self.folder / "environment"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{self._text(block)}\nenv -0 > {written}"],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=BLOCK_S,
            check=False,
        )
        assert done.returncode == 0, f"{block}: {done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        self._environment = dict(each.split("=", 1) for each in written.read_text().split("\0") if each)
        return done.stdout

    @contextmanager
    def serving(self, block: Block) -> Iterator[None]:
        """The block runs until it answers; at the end it gets a Ctrl-C."""
        self._promote_trained()
        log = self.folder / "server.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", self._text(block)],
                cwd=self.folder,
                env=self._environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait(process, "5001/ping" if "serve_mlflow" in block.text else "8000/readyz", log)
            yield
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            process.wait(STOP_S)

    def stop(self) -> None:
        self._environment["RERANK_DATASET"] = "complete_journey"
        subprocess.run(
            [sys.executable, "-m", "infra.redis_server", "stop"], cwd=self.folder, env=self._environment, check=False
        )

    def _promote_trained(self) -> None:
        """The pages show a trained model. On a sample as small as this one a baseline may have won."""
        settings = Settings(
            _env_file=None,
            data_dir=self.folder / "data",
            state_dir=self.folder / "var",
            dataset="complete_journey",
        )
        if not (settings.state_dir / "mlflow").exists():
            return  # the pipeline has not run yet
        for name in (settings.model_name, settings.recommend_name):
            store = ModelStore(settings, name)
            versions = store.client.search_model_versions(f"name = '{name}'")
            trained = [int(each.version) for each in versions if each.tags["kind"] == "lightgbm"]
            if trained:
                store.promote(str(max(trained)))

    def _text(self, block: Block) -> str:
        text = block.text
        for port, free in self.ports.items():
            text = text.replace(f"localhost:{port}", f"localhost:{free}").replace(f"port={port}", f"port={free}")
        return text

    def _wait(self, process: subprocess.Popen[bytes], target: str, log: Path) -> None:
        port, _, path = target.partition("/")
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{self.ports[port]}/{path}", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.5)
        raise AssertionError(f"the server does not answer: {log.read_text()[-4000:]}")

    def _copy(self) -> None:
        listed = subprocess.run(["git", "ls-files"], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True)
        for name in listed.stdout.split():
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT_ROOT / name, target)
        environment = self.folder / ".venv"
        environment.mkdir()
        for part in ENVIRONMENT_PARTS:
            if (Path(sys.prefix) / part).exists():
                (environment / part).symlink_to(Path(sys.prefix) / part)
        for name in INSTALLED:
            (environment / name).touch()

    def _sample(self) -> None:
        """The project's parameters for a few thousand rows, comments and all."""
        changes: Mapping[str, Mapping[str, str]] = {
            "params/complete_journey.yaml": {'arguments: ""': f'arguments: "--size {HOUSEHOLDS}"'},
            "params.yaml": {
                "rounds: 2000": "rounds: 120",
                "early_stopping_rounds: 150": "early_stopping_rounds: 30",
                "bootstrap_resamples: 2000": "bootstrap_resamples: 300",
                "min_data_in_leaf: 300": "min_data_in_leaf: 100",
            },
        }
        for name, pairs in changes.items():
            text = (PROJECT_ROOT / name).read_text()
            for before, after in pairs.items():
                assert before in text, before
                text = text.replace(before, after)
            yaml.safe_load(text)
            (self.folder / name).write_text(text)
