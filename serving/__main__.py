"""``python -m serving``: the scorer on Settings.host and port, in Settings.workers processes, until SIGINT or SIGTERM.

``--shop``: with the marketplace, where Settings.host is loopback and the settings do not say otherwise.

On a signal, requests that have begun are answered first. With several workers, a worker that dies is started again,
and SIGHUP replaces them one after the other.
"""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
import tempfile
from pathlib import Path

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import multiprocess

from infra.clock import Clock, ClockNotAnchored, held_clock
from infra.command import command_settings
from infra.settings import LOOPBACK, Settings
from serving.api.app import REPLACEMENT_TIMEOUT_S
from serving.api.connection_timeout import ReadTimeoutProtocol
from serving.recommend.policy import BadPolicy, read_policy
from serving.worker import ScorerApp, Worker, clock_line

LAST_REQUESTS_S = 10
START_S = int(REPLACEMENT_TIMEOUT_S) - 15  # until a worker answers, or until a replacement serves
BACKLOG = 2048  # connections
ACCEPTED_AT_ONCE = 8  # connections in a turn of the loop: libuv accepts one in each turn from each socket
INTERRUPTED = 128 + signal.SIGINT


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m serving", description="The scorer, until SIGINT or SIGTERM.")
    parser.add_argument("--shop", action="store_true", help="with the marketplace, unless others reach the host")
    arguments = parser.parse_args(argv)
    settings = command_settings("serving")
    if arguments.shop and "shop" not in settings.model_fields_set:
        settings = settings.model_copy(update={"shop": settings.host in LOOPBACK})
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        read_policy(settings)  # each worker reads it again
        with held_clock(settings) as clock:
            return serve(settings, clock)
    except (BadPolicy, ClockNotAnchored) as error:
        print(f"serving: {error}", file=sys.stderr)
        return 2


def serve(settings: Settings, clock: Clock) -> int:
    """Returns the exit status once the scorer has stopped."""
    try:
        listening = listen(settings.host, settings.port)
    except OSError as error:
        print(f"serving: cannot listen on {settings.host} port {settings.port}: {error}", file=sys.stderr)
        return 1
    sockets = [listening, *(listening.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]
    print(clock_line(clock), flush=True)
    if settings.workers == 1:
        try:
            uvicorn.Server(_config(settings, ScorerApp(settings, url_of(listening)))).run(sockets=sockets)
        except KeyboardInterrupt:  # uvicorn passes Ctrl-C on once all requests are answered
            return INTERRUPTED
        return 0
    with tempfile.TemporaryDirectory(prefix="scorer-") as shared:
        multiprocess.Process = Worker  # type: ignore[misc]
        config = _config(settings, ScorerApp(settings, url_of(listening), Path(shared)))
        supervisor = multiprocess.Multiprocess(config, sockets=sockets)
        supervisor.run()
    has_failed = any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes)
    return STARTUP_FAILURE if has_failed else 0


def _config(settings: Settings, app: ScorerApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=True,
        workers=settings.workers,
        log_config=None,
        access_log=settings.log_level == "DEBUG",
        http=ReadTimeoutProtocol,
        limit_concurrency=settings.max_connections,
        timeout_graceful_shutdown=LAST_REQUESTS_S,
        timeout_worker_healthcheck=START_S,
    )


def listen(host: str, port: int) -> socket.socket:
    """Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG)


def url_of(listening: socket.socket) -> str:
    """The URL under which this machine reaches it."""
    host, port = listening.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
