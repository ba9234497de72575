"""One scorer process of those that share a port."""

from __future__ import annotations

import gc
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from fastapi import FastAPI
from uvicorn.server import Server
from uvicorn.supervisors.multiprocess import Process

from infra.clock import Clock, ReplayClock, open_clock
from infra.settings import Settings
from serving.api.app import create_app
from serving.api.curl_example import curl_example
from serving.errors import NotReady
from serving.metrics import Metrics
from serving.score.answers import timestamp_text
from serving.score.champion import Service

ANNOUNCED = "announced"
GARBAGE = 20_000  # objects, of which a request makes a thousand and leaves next to none behind
SWITCH_S = 0.0005  # how long the event loop waits for a busy thread (Python's 5 ms are several requests)


@dataclass(frozen=True)
class ScorerApp:
    """Makes the app of one worker; passed to worker processes whole.

    ``url``: where all of them listen; ``shared``: a folder in which they count together, None for a single one.
    """

    settings: Settings
    url: str
    shared: Path | None = None

    def __call__(self) -> FastAPI:
        logging.basicConfig(
            level=self.settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )  # a worker process begins without
        sys.setswitchinterval(SWITCH_S)
        replaces = self.shared is not None and (self.shared / ANNOUNCED).exists()
        clock, metrics = open_clock(self.settings), Metrics(self.shared)
        return create_app(self.settings, clock, metrics, self._started, replaces=replaces)

    def _started(self, service: Service) -> None:
        gc.freeze()  # no request waits until the modules' hundreds of thousands of objects are looked through
        gc.set_threshold(GARBAGE)
        if self._is_first():
            print(announcement(self.settings, service, self.url), flush=True)

    def _is_first(self) -> bool:
        """One worker speaks for all."""
        try:
            if self.shared is not None:
                (self.shared / ANNOUNCED).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Worker(Process):
    """Uvicorn's worker process, of which its supervisor learns at once when it dies."""

    def start(self) -> None:
        super().start()
        self.child_conn.close()  # the worker has its own; while this one is open, the worker's end is not seen

    def target(self, sockets: list[socket] | None = None) -> None:
        self._server = Server(self.config)  # else the thread that tells of it may make another, which never starts
        super().target(sockets)


def announcement(settings: Settings, service: Service, url: str) -> str:
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    lines = [f"listening: {url} (documented at {url}/docs{workers})"]
    try:
        scorer = service.scorer()
    except NotReady as error:
        return "\n".join([*lines, *(f"not ready: {problem.message}" for problem in error.problems)])
    model = scorer.model
    kind = "a baseline: no trained model is promoted" if model.kind == "baseline" else model.kind
    lines.append(f"model: {model.name} version {model.version} ({kind})")
    if service.features is not None and service.features.problem is not None:
        lines.append(f"answers are degraded for now: {service.features.problem}")
    try:
        example = curl_example(settings, scorer.declaration, url)
    except Exception as error:  # a damaged log is no reason not to serve
        return "\n".join([*lines, f"no example of a request: {error}"])
    return "\n".join([*lines, "try:", "", example, ""])


def clock_line(clock: Clock) -> str:
    if isinstance(clock, ReplayClock):
        return f"clock: replay from {timestamp_text(clock.anchor)}, now {timestamp_text(clock.now())}"
    return f"clock: {clock.mode}, now {timestamp_text(clock.now())}"
