"""The load generator times what it says it times."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from benchmarks.load import closed_loop, open_loop, requests_of

STALL_S = 0.5


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stalled = threading.Event()
    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.bodies.append(body)
        if body == b"stall" and not self.stalled.is_set():
            self.stalled.set()
            time.sleep(STALL_S)
        self.send_response(503 if body == b"refuse" else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url():
    Handler.stalled, Handler.bodies = threading.Event(), []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/score"
    server.shutdown()
    server.server_close()


def test_every_request_is_sent_once_and_wrong_answers_are_counted(url):
    load = closed_loop(url, requests_of(url, [b"a", b"refuse"]), 40, connections=4)
    assert sorted(Handler.bodies) == [b"a"] * 20 + [b"refuse"] * 20
    assert len(load.seconds) == 40
    assert load.wrong == 20
    assert set(load.percentiles()) == {"p50_ms", "p95_ms", "p99_ms"}


def test_requests_that_wait_for_a_stalled_server_are_timed_from_when_they_were_due(url):
    """One connection, one stall. In an open loop all requests due during it are late; in a closed loop one is."""
    bodies = [b"a"] * 5 + [b"stall"] + [b"a"] * 94
    opened = open_loop(url, requests_of(url, bodies), rate=100, seconds=1, connections=1)
    assert (opened.seconds > STALL_S / 2).sum() >= 20
    assert np.all(np.diff(np.sort(opened.due)) > 0.009)
    Handler.stalled.clear()
    closed = closed_loop(url, requests_of(url, bodies), 100)
    assert (closed.seconds > STALL_S / 2).sum() == 1


def test_a_server_that_hangs_up_is_an_error(url):
    with pytest.raises(OSError, match="refused"):
        closed_loop("http://127.0.0.1:1/score", requests_of(url, [b"a"]), 1)
