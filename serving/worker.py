"""One scorer process of those that share a port."""

from __future__ import annotations

import gc
import logging
import sys
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI

from infra.clock import Clock, ReplayClock, open_clock
from infra.settings import Settings
from serving.app import create_app
from serving.curl_example import curl_example
from serving.errors import NotReady
from serving.metrics import Metrics
from serving.responses import instant_text
from serving.service import Service

ANNOUNCED = "announced"
GARBAGE = 20_000  # objects, of which a request makes a thousand and leaves next to none behind
SWITCH_S = 0.0005  # how long the event loop waits for a busy thread (Python's 5 ms are several requests)


@dataclass(frozen=True)
class ScorerApp:
    """Makes the app of one worker; passed to worker processes whole.

    ``url``: where all of them listen; ``shared``: a folder in which they count together.
    """

    settings: Settings
    url: str
    shared: Path

    def __call__(self) -> FastAPI:
        logging.basicConfig(
            level=self.settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
        )  # a worker process begins without
        sys.setswitchinterval(SWITCH_S)
        metrics = Metrics(self.shared if self.settings.workers > 1 else None)
        return create_app(self.settings, open_clock(self.settings), metrics, self._announce)

    def _announce(self, service: Service) -> None:
        """Say where the scorer listens, what it serves and what to try; the first worker does it for all."""
        gc.freeze()  # no request waits until the modules' hundreds of thousands of objects are looked through
        gc.set_threshold(GARBAGE)
        try:
            (self.shared / ANNOUNCED).touch(exist_ok=False)
        except FileExistsError:
            return
        print(announcement(self.settings, service, self.url), flush=True)


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
    return "\n".join([*lines, "try:", "", curl_example(settings, scorer.declaration, url), ""])


def clock_line(clock: Clock) -> str:
    if isinstance(clock, ReplayClock):
        return f"clock: replay from {instant_text(clock.anchor)}, now {instant_text(clock.now())}"
    return f"clock: {clock.mode}, now {instant_text(clock.now())}"
