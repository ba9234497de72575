"""``python -m serving`` with several workers on one port: real processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import httpx

from infra.clock import set_anchor
from infra.settings import PROJECT_ROOT
from tests.serving import world
from tests.serving.test_api import ASKED
from tests.shop import free_port

PATIENCE_S = 90.0


@contextmanager
def scorer(settings, **environment):
    """The process and its URL, once it has announced itself."""
    set_anchor(settings.clock_file, world.NOW)
    port = free_port()
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS_MULTIPROC")}
    process = subprocess.Popen(
        [sys.executable, "-m", "serving"],
        cwd=PROJECT_ROOT,
        env=inherited
        | {
            "RERANK_DATASET": settings.dataset,
            "RERANK_DATA_DIR": str(settings.data_dir),
            "RERANK_STATE_DIR": str(settings.state_dir),
            "RERANK_CLOCK": "replay",
            "RERANK_PORT": str(port),
            **environment,
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    said = []
    threading.Thread(target=lambda: said.extend(iter(process.stdout.readline, "")), daemon=True).start()
    try:
        until(lambda: any("curl" in line for line in said) or process.poll() is not None)
        assert process.poll() is None, said
        yield process, f"http://127.0.0.1:{port}", said
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)


def until(condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def children(process) -> set[int]:
    """Pids of the workers: multiprocessing's resource tracker is none."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.add(int(path.name))
        except OSError:  # it has ended
            continue
    return found


def ask(url) -> httpx.Response:
    return httpx.post(f"{url}/score", json=ASKED, timeout=30)  # a connection of its own, so any worker's


def counted(url) -> float:
    lines = httpx.get(f"{url}/metrics", timeout=30).text.splitlines()
    prefix = 'rerank_requests_total{path="/score",status="200"} '
    return sum(float(line.removeprefix(prefix)) for line in lines if line.startswith(prefix))


def test_workers_share_the_port_count_together_and_are_replaced_when_they_die(settings):
    with scorer(settings, RERANK_WORKERS="2") as (process, url, said):
        answers = [ask(url) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert len({str(answer.json()["items"]) for answer in answers}) == 1
        until(lambda: counted(url) == 20)
        assert sum("listening:" in line for line in said) == 1
        before = children(process)
        assert len(before) == 2
        until(lambda: "rerank_fast_road 2.0" in httpx.get(f"{url}/metrics", timeout=30).text.splitlines())
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(children(process) - before) == 1)
        assert ask(url).status_code == 200
        until(lambda: "rerank_fast_road 2.0" in httpx.get(f"{url}/metrics", timeout=30).text.splitlines())
        assert counted(url) == 21
    assert process.returncode in (0, -signal.SIGTERM)


def test_requests_under_way_are_answered_before_the_end(settings):
    with scorer(settings) as (process, url, _):
        body = b'{"items":[{"item_id":"a"}]}'
        parts = url.removeprefix("http://").split(":")
        with socket.create_connection((parts[0], int(parts[1]))) as connection:
            head = f"POST /score HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
            connection.sendall(head.encode() + b"\r\n\r\n" + body[:5])
            time.sleep(0.3)
            process.terminate()
            time.sleep(0.5)
            connection.sendall(body[5:])
            assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_a_port_that_is_taken_is_named(settings):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        set_anchor(settings.clock_file, world.NOW)
        done = subprocess.run(
            [sys.executable, "-m", "serving"],
            cwd=PROJECT_ROOT,
            env={**os.environ, "RERANK_STATE_DIR": str(settings.state_dir), "RERANK_PORT": str(port)},
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr
