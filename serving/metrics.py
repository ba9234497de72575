"""What Prometheus sees of one scorer, which may be several worker processes: any of them answers for all."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.models.trees.compiled_trees import EngineName
from serving.features.feast_reader import Missing
from serving.later import Later, at_once
from serving.score_log.files import RecordOutcome

Stage = Literal["parse", "read", "derive", "score", "write"]

_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.0)
_CANDIDATES = (1, 5, 10, 25, 50, 100, 200, 500, 1000, 2000)


class _Timed:
    __slots__ = ("_histogram", "_later", "_started")

    def __init__(self, histogram: Histogram, later: Later) -> None:
        self._histogram = histogram
        self._later = later

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._later(partial(self._histogram.observe, time.perf_counter() - self._started))


class Metrics:
    """Each app has a registry of its own, so that two in one process do not mix.

    ``shared``: a folder in which all workers of one scorer count together; None: this process counts alone. Gauges
    are numbers of workers.
    """

    def __init__(self, shared: Path | None = None) -> None:
        # Importing Feast has set both, to files that all registries of the machine share.
        if shared is None:
            values.ValueClass = values.MutexValue
        else:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(shared)
            values.ValueClass = values.MultiProcessValue()  # type: ignore[no-untyped-call]
        self._shared = shared
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "rerank_stage_seconds",
            "Time per stage of /score and /explain",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._stage = {name: self._stages.labels(name) for name in get_args(Stage)}
        self._candidates = Histogram(
            "rerank_candidates", "Candidates per slate", buckets=_CANDIDATES, registry=self._registry
        )
        self._missing = Counter(
            "rerank_missing",
            "Items, users and sessions the store does not know",
            ["kind"],
            registry=self._registry,
        )
        self._missing_of = [self._missing.labels(kind) for kind in ("item", "user", "session")]
        self._degraded = Counter("rerank_degraded", "Slates scored without the feature store", registry=self._registry)
        self._requests = Counter(
            "rerank_requests", "Requests by path and status", ["path", "status"], registry=self._registry
        )
        self._request: dict[tuple[str, int], Counter] = {}
        self._events = Counter(
            "rerank_events", "Events sent, by what became of them", ["outcome"], registry=self._registry
        )
        for outcome in ("accepted", "duplicate", "rejected"):
            self._events.labels(outcome)
        self._score_records = Counter(
            "rerank_score_log",
            "Scores by what became of their record: written, dropped (too many waited), failed (disk), removed (cap)",
            ["outcome"],
            registry=self._registry,
        )
        for outcome in get_args(RecordOutcome):
            self._score_records.labels(outcome)
        self._model = self._gauge("rerank_model", "Workers that serve this model", "name", "version", "kind")
        self._served: tuple[str, str, str] | None = None
        self._engine = self._gauge(
            "rerank_engine", "Workers whose scores it computes: llvm, lightgbm, baseline", "name"
        )
        self._refused = self._gauge("rerank_successor_refused", "Workers that the present champion cannot serve in")
        self._compared = Counter(
            "rerank_self_check", "Readings compared with Feast's own", ["outcome"], registry=self._registry
        )
        self._fast = self._gauge("rerank_fast_road", "Workers whose readings come by the fast road")
        self.road(is_fast=True)
        self._cached = self._gauge("rerank_cached_items", "Items that the workers keep, as of each one's latest scrape")

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, registry=self._registry, multiprocess_mode="livesum")

    def stage(self, name: Stage, later: Later = at_once) -> _Timed:
        """Times one stage, also when it fails. ``later``: when to count it."""
        return _Timed(self._stage[name], later)

    def slate(self, candidates: int, missing: Missing, degraded: bool) -> None:
        self._candidates.observe(candidates)
        for counter, count in zip(self._missing_of, (missing.items, missing.user, missing.session), strict=True):
            if count:
                counter.inc(count)
        if degraded:
            self._degraded.inc()

    def events(self, accepted: int, duplicates: int, rejected: int) -> None:
        for outcome, count in (("accepted", accepted), ("duplicate", duplicates), ("rejected", rejected)):
            if count:
                self._events.labels(outcome).inc(count)

    def score_records(self, outcome: RecordOutcome, count: int) -> None:
        self._score_records.labels(outcome).inc(count)

    def compared(self, differences: int) -> None:
        self._compared.labels("different" if differences else "equal").inc()

    def road(self, *, is_fast: bool) -> None:
        self._fast.set(is_fast)

    def cached_items(self, count: int) -> None:
        self._cached.set(count)

    def request(self, path: str, status: int) -> None:
        counter = self._request.get((path, status))
        if counter is None:
            counter = self._request[path, status] = self._requests.labels(path, str(status))
        counter.inc()

    def model(self, name: str, version: str, kind: str) -> None:
        if self._served is not None:
            self._model.labels(*self._served).set(0)
        self._served = (name, version, kind)
        self._model.labels(*self._served).set(1)

    def successor(self, *, is_refused: bool) -> None:
        self._refused.set(is_refused)

    def engine(self, name: EngineName) -> None:
        for each in get_args(EngineName):
            self._engine.labels(each).set(each == name)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        if self._shared is None:
            return generate_latest(self._registry)
        _bury_the_dead(self._shared)
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(together)


class CountRequests:
    """ASGI middleware: one count per request, by path of a route (any other path is ``other``) and status."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._metrics.request(getattr(scope.get("route"), "path", "other"), status)


def _bury_the_dead(folder: Path) -> None:
    """Workers that have ended no longer count in gauges."""
    for pid in {path.stem.rsplit("_", 1)[-1] for path in folder.glob("gauge_live*.db")}:
        if not Path(f"/proc/{pid}").exists():
            with suppress(FileNotFoundError):  # another worker has been asked at the same time
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
