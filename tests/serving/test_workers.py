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
from tests.serving.api.test_api import BODY
from tests.shop import free_port

TIMEOUT_S = 90.0


@contextmanager
def scorer_process(settings, **environment):
    """``python -m serving``; it is terminated at the end."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS_MULTIPROC")}
    variables = {
        "RERANK_DATASET": settings.dataset,
        "RERANK_DATA_DIR": str(settings.data_dir),
        "RERANK_STATE_DIR": str(settings.state_dir),
        "RERANK_CLOCK": "replay",
        **environment,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "serving"],
        cwd=PROJECT_ROOT,
        env=inherited | variables,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where tests run in the background
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


@contextmanager
def scorer(settings, **environment):
    """The process, its URL and its output, once it has announced itself."""
    set_anchor(settings.clock_file, world.NOW)
    port = free_port()
    with scorer_process(settings, RERANK_PORT=str(port), **environment) as process:
        printed = []
        threading.Thread(target=lambda: printed.extend(iter(process.stdout.readline, "")), daemon=True).start()
        until(lambda: any("curl" in line for line in printed) or process.poll() is not None)
        assert process.poll() is None, printed
        yield process, f"http://127.0.0.1:{port}", printed


def until(condition) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def children(process) -> set[int]:
    """Pids of the workers: without multiprocessing's resource tracker."""
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
    return httpx.post(f"{url}/score", json=BODY, timeout=30)  # a new connection each time, so any worker may answer


def counted(url) -> float:
    lines = httpx.get(f"{url}/metrics", timeout=30).text.splitlines()
    prefix = 'rerank_requests_total{path="/score",status="200"} '
    return sum(float(line.removeprefix(prefix)) for line in lines if line.startswith(prefix))


def serving_workers(url) -> float:
    lines = httpx.get(f"{url}/metrics", timeout=30).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("rerank_model{"))


def test_workers_share_the_port_count_together_and_are_replaced_when_they_die(settings):
    with scorer(settings, RERANK_WORKERS="2") as (process, url, printed):
        answers = [ask(url) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert len({str(answer.json()["items"]) for answer in answers}) == 1
        until(lambda: counted(url) == 20)
        assert sum("listening:" in line for line in printed) == 1
        before = children(process)
        assert len(before) == 2
        until(lambda: serving_workers(url) == 2)
        os.kill(min(before), signal.SIGKILL)
        until(lambda: len(children(process) - before) == 1)
        assert ask(url).status_code == 200
        until(lambda: serving_workers(url) == 2)
        assert counted(url) == 21
    assert process.returncode in (0, -signal.SIGTERM)


def test_whichever_worker_takes_a_change_every_next_answer_of_any_worker_shows_it(settings):
    """Each request has a connection of its own. Both workers have the items in their caches."""
    asked = {"items": [{"item_id": "of-two-workers"}, {"item_id": "a"}]}
    with scorer(settings, RERANK_WORKERS="2") as (_, url, _):
        until(lambda: serving_workers(url) == 2)
        for number in range(60):
            change = {"item_id": "of-two-workers", "price": number}
            assert httpx.post(f"{url}/items", json={"items": [change]}, timeout=30).status_code == 202
            for _ in range(3):
                items = httpx.post(f"{url}/explain", json=asked, timeout=30).json()["items"]
                (found,) = [each["values"]["price"] for each in items if each["item_id"] == "of-two-workers"]
                assert found == number


def test_sighup_replaces_every_worker_and_no_request_fails(settings):
    with scorer(settings, RERANK_WORKERS="2") as (process, url, _):
        before, statuses, enough = children(process), [], threading.Event()

        def keep_asking():
            while not enough.wait(0.02):  # the workers need the cores, too
                statuses.append(ask(url).status_code)

        asking = threading.Thread(target=keep_asking)
        asking.start()
        try:
            process.send_signal(signal.SIGHUP)
            until(lambda: len(children(process)) == 2 and not children(process) & before)
        finally:
            enough.set()
            asking.join()
        assert set(statuses) == {200}
        assert ask(url).status_code == 200


def test_the_scorer_can_be_stopped_while_its_workers_load(tmp_path):
    settings = world.settings_in(tmp_path)
    set_anchor(settings.clock_file, world.NOW)
    with scorer_process(settings, RERANK_WORKERS="2", RERANK_PORT="0") as process:
        until(lambda: len(children(process)) == 2)
        process.terminate()  # while they are still loading
        assert process.wait(40) in (0, -signal.SIGTERM)


def test_requests_that_have_begun_are_answered_before_the_scorer_ends(settings):
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


def test_ctrl_c_ends_the_scorer_without_a_traceback(settings, capfd):
    with scorer(settings) as (process, url, _):
        assert ask(url).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert "Traceback" not in capfd.readouterr().err


def test_the_error_names_a_port_that_is_taken(settings):
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
