"""One scorer process of those that share a port."""

from __future__ import annotations

import gc
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from socket import socket

from fastapi import FastAPI
from threadpoolctl import threadpool_limits
from uvicorn.server import Server
from uvicorn.supervisors.multiprocess import Process

from infra.clock import Clock, ReplayClock, open_clock, timestamp_text
from infra.settings import Settings
from serving.api.app import create_app
from serving.api.curl_example import curl_example
from serving.errors import NotReady
from serving.metrics import Metrics
from serving.score.champion import ChampionService

ANNOUNCED = "announced"
GC_THRESHOLD = 20_000  # objects; a request makes about a thousand and leaves almost none
SWITCH_S = 0.0005  # how long the event loop waits for a busy thread (Python's 5 ms are several requests)


@dataclass(frozen=True)
class ScorerApp:
    """Makes the app of one worker. It is pickled and sent to worker processes.

    ``url``: where all of them listen; ``shared``: a folder in which they count together, None for a single worker.
    """

    settings: Settings
    url: str
    shared: Path | None = None

    def __call__(self) -> FastAPI:
        logging.basicConfig(
            level=self.settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )  # a worker process starts without it
        sys.setswitchinterval(SWITCH_S)
        threadpool_limits(1, "blas")  # threads that wait for each other on busy cores take 10 ms of a request
        replaces = self.shared is not None and (self.shared / ANNOUNCED).exists()
        clock, metrics = open_clock(self.settings), Metrics(self.shared)
        return create_app(self.settings, clock, metrics, self._started, replaces=replaces)

    def _started(self, champion: ChampionService) -> None:
        gc.freeze()  # a full collection would look through hundreds of thousands of objects while requests wait
        gc.set_threshold(GC_THRESHOLD)
        if self._is_first():
            print(announcement(self.settings, champion, self.url), flush=True)

    def _is_first(self) -> bool:
        """Whether this worker prints for all."""
        try:
            if self.shared is not None:
                (self.shared / ANNOUNCED).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class Worker(Process):
    """Uvicorn's worker process; its supervisor learns at once when it dies."""

    def start(self) -> None:
        super().start()
        self.child_conn.close()  # the worker has its own; while this one is open, the worker's end goes unnoticed

    def target(self, sockets: list[socket] | None = None) -> None:
        self._server = Server(self.config)  # else the health-check thread may make another server, which never starts
        super().target(sockets)


def announcement(settings: Settings, champion: ChampionService, url: str) -> str:
    workers = f", {settings.workers} workers" if settings.workers > 1 else ""
    lines = [f"listening: {url} (documented at {url}/docs{workers})"]
    if settings.shop:
        lines.append(f"marketplace: {url}/ (only on this machine: a visitor may act as any user of the log)")
    report = settings.reports_dir / "validation" / "log" / "report.html"
    if report.exists():
        lines.append(f"what was imported: {report}")
    try:
        scorer = champion.scorer()
    except NotReady as error:
        return "\n".join([*lines, *(f"not ready: {problem.message}" for problem in error.problems)])
    model = scorer.model
    kind = "a baseline: no trained model is promoted" if model.kind == "baseline" else model.kind
    lines.append(f"model: {model.name} version {model.version} ({kind})")
    if champion.features is not None and champion.features.client.problem is not None:
        lines.append(f"answers are degraded for now: {champion.features.client.problem}")
    try:
        example = curl_example(settings, scorer.declaration, url)
    except Exception as error:  # a damaged log does not prevent serving
        return "\n".join([*lines, f"no example of a request: {error}"])
    return "\n".join([*lines, "try:", "", example, ""])


def clock_line(clock: Clock) -> str:
    if isinstance(clock, ReplayClock):
        return f"clock: replay from {timestamp_text(clock.anchor)}, now {timestamp_text(clock.now())}"
    return f"clock: {clock.mode}, now {timestamp_text(clock.now())}"
