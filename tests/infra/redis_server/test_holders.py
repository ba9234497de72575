"""A script stops only what it started: the command with real servers, and the project's own scripts as processes."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.redis_server.holders import lock_file
from infra.redis_server.server import EVENTS, FEATURES, main, running, stop
from infra.settings import PROJECT_ROOT, Settings
from tests.shop import free_port

TIMEOUT_S = 60.0


@dataclass
class Scripts:
    """Starts ``infra/serve.sh``; without a model the scorer says that it is not ready."""

    folder: Path
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings(_env_file=None, state_dir=self.folder / "var", data_dir=self.folder / "data")

    def serve(self, port: int) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("RERANK_", "PROM"))}
        process = subprocess.Popen(
            ["bash", "infra/serve.sh"],
            cwd=PROJECT_ROOT,
            env={
                **environment,
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}",
                "RERANK_STATE_DIR": str(self.settings.state_dir),
                "RERANK_DATA_DIR": str(self.settings.data_dir),
                "RERANK_PORT": str(port),
                "RERANK_CLOCK": "wall",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def serve_until_it_listens(self, port: int | None = None) -> subprocess.Popen[str]:
        process = self.serve(port or free_port())
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("listening:"):
                return process
        raise AssertionError("it does not listen")

    def redis_runs(self) -> list[bool]:
        return [running(self.settings, role) is not None for role in (FEATURES, EVENTS)]

    def close(self) -> None:
        for process in self.started:
            kill_group(process)
        for role in (FEATURES, EVENTS):
            stop(self.settings, role)


def kill_group(process: subprocess.Popen[str]) -> None:
    """The script and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(TIMEOUT_S)


def interrupt(process: subprocess.Popen[str]) -> int:
    """Ctrl-C in its terminal. Returns its exit status."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(TIMEOUT_S)


@pytest.fixture
def scripts(tmp_path: Path) -> Iterator[Scripts]:
    made = Scripts(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
def test_a_second_scorer_that_finds_its_port_taken_leaves_the_firsts_redis(scripts: Scripts) -> None:
    taken = free_port()
    first = scripts.serve_until_it_listens(taken)
    said, _ = scripts.serve(taken).communicate(timeout=TIMEOUT_S)
    assert "cannot listen" in said
    assert "another script uses it" in said
    assert scripts.started[-1].returncode != 0
    assert scripts.redis_runs() == [True, True]
    assert interrupt(first) == 0
    assert scripts.redis_runs() == [False, False]


@pytest.mark.slow
def test_what_a_killed_script_left_is_used_until_its_scorer_ends_and_stopped_by_the_next_script(
    scripts: Scripts,
) -> None:
    killed = scripts.serve_until_it_listens()
    os.kill(killed.pid, signal.SIGKILL)  # the script alone: its scorer and its consumer live on
    killed.wait(TIMEOUT_S)
    assert interrupt(scripts.serve_until_it_listens()) == 0
    assert scripts.redis_runs() == [True, True]
    kill_group(killed)
    assert scripts.redis_runs() == [True, True]
    assert interrupt(scripts.serve_until_it_listens()) == 0
    assert scripts.redis_runs() == [False, False]


@pytest.mark.slow
def test_a_script_that_is_terminated_stops_its_scorer_before_redis(scripts: Scripts) -> None:
    process = scripts.serve_until_it_listens()
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(TIMEOUT_S) == 128 + signal.SIGTERM
    assert scripts.redis_runs() == [False, False]
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


# ------------------------------------------------------------------------------------------- the command alone


@pytest.fixture
def opened(scripts: Scripts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], int]]:
    """Opens the lock file as a script does; returns the descriptor."""
    monkeypatch.setenv("RERANK_STATE_DIR", str(scripts.settings.state_dir))
    descriptors: list[int] = []

    def open_it() -> int:
        descriptors.append(os.open(lock_file(scripts.settings), os.O_RDWR | os.O_CREAT))
        return descriptors[-1]

    yield open_it
    for descriptor in descriptors:
        os.close(descriptor)


def command(*arguments: object) -> None:
    assert main([str(each) for each in arguments]) == 0


def test_the_last_of_two_scripts_stops_redis(scripts: Scripts, opened: Callable[[], int]) -> None:
    first, second = opened(), opened()
    command("start", "--holder", first)
    command("start", "--holder", second)
    command("stop", "--holder", first)
    assert scripts.redis_runs() == [True, True]
    command("stop", "--holder", second)
    assert scripts.redis_runs() == [False, False]


def test_a_script_that_starts_while_the_last_one_stops_waits_for_it(
    scripts: Scripts, opened: Callable[[], int]
) -> None:
    first, second = opened(), opened()
    command("start", "--holder", first)
    command("stop", "--holder", first)
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(command, "start", "--holder", second)
        with pytest.raises(TimeoutError):
            starting.result(0.5)
        fcntl.flock(first, fcntl.LOCK_UN)  # as at the end of the first script
        starting.result(TIMEOUT_S)
    assert scripts.redis_runs() == [True, True]


@pytest.mark.parametrize("is_first", [True, False])
def test_redis_that_was_started_by_hand_stays_whoever_was_first(
    scripts: Scripts, opened: Callable[[], int], is_first: bool
) -> None:
    script = opened()
    calls = [("start",), ("start", "--holder", script)]
    for arguments in calls if is_first else reversed(calls):
        command(*arguments)
    command("stop", "--holder", script)
    assert scripts.redis_runs() == [True, True]
    command("stop")
    assert scripts.redis_runs() == [False, False]


def test_the_pipeline_holds_redis_and_leaves_it_running(scripts: Scripts, opened: Callable[[], int]) -> None:
    pipeline, scorer = opened(), opened()
    command("start", "--holder", scorer)
    command("start", "--holder", pipeline, "--stay")
    command("stop", "--holder", scorer)
    assert scripts.redis_runs() == [True, True]
    fcntl.flock(pipeline, fcntl.LOCK_UN)
    command("stop", "--holder", scorer)
    assert scripts.redis_runs() == [True, True]


def test_a_descriptor_that_is_not_open_is_an_error(
    scripts: Scripts, opened: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["start", "--holder", "997"]) == 1
    assert "Bad file descriptor" in capsys.readouterr().err
    assert scripts.redis_runs() == [False, False]
