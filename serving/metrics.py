"""What Prometheus sees of one scorer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from infra.compiled_trees import EngineName
from serving.reader import Missing

Stage = Literal["parse", "read", "derive", "score", "write"]

_SECONDS = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.0)
_CANDIDATES = (1, 5, 10, 25, 50, 100, 200, 500, 1000, 2000)


class Metrics:
    """Each app has a registry of its own, so that two in one process do not mix."""

    def __init__(self) -> None:
        values.ValueClass = values.MutexValue  # importing Feast has set it to files that all registries share
        self._registry = CollectorRegistry()
        self._stages = Histogram(
            "rerank_stage_seconds", "Time per stage of /score", ["stage"], buckets=_SECONDS, registry=self._registry
        )
        self._candidates = Histogram(
            "rerank_candidates", "Candidates per slate", buckets=_CANDIDATES, registry=self._registry
        )
        self._missing = Counter(
            "rerank_missing",
            "Items, users and sessions the store does not know",
            ["kind"],
            registry=self._registry,
        )
        self._degraded = Counter("rerank_degraded", "Slates scored without the feature store", registry=self._registry)
        self._requests = Counter(
            "rerank_requests", "Requests by path and status", ["path", "status"], registry=self._registry
        )
        self._model = Gauge(
            "rerank_model", "1 for the model in service", ["name", "version", "kind"], registry=self._registry
        )
        self._engine = Gauge(
            "rerank_engine",
            "1 for what computes the scores: llvm, lightgbm or baseline",
            ["name"],
            registry=self._registry,
        )

        self._compared = Counter(
            "rerank_self_check", "Readings compared with Feast's own", ["outcome"], registry=self._registry
        )
        self._fast = Gauge("rerank_fast_road", "1 while readings come by the fast road", registry=self._registry)
        self.road(is_fast=True)

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Time one stage, also when it fails."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stages.labels(name).observe(time.perf_counter() - started)

    def slate(self, candidates: int, missing: Missing, degraded: bool) -> None:
        self._candidates.observe(candidates)
        self._missing.labels("item").inc(missing.items)
        self._missing.labels("user").inc(missing.user)
        self._missing.labels("session").inc(missing.session)
        self._degraded.inc(degraded)

    def compared(self, differences: int) -> None:
        self._compared.labels("different" if differences else "equal").inc()

    def road(self, *, is_fast: bool) -> None:
        self._fast.set(is_fast)

    def request(self, path: str, status: int) -> None:
        self._requests.labels(path, str(status)).inc()

    def model(self, name: str, version: str, kind: str) -> None:
        self._model.labels(name, version, kind).set(1)

    def engine(self, name: EngineName) -> None:
        for each in get_args(EngineName):
            self._engine.labels(each).set(each == name)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)


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
