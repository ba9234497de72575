"""Prometheus metrics of one scorer."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
_COUNTS = (1, 5, 10, 25, 50, 100, 200, 500, 1000, 2000)


class Metrics:
    """Each app has a registry of its own, so that two in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._stage = Histogram(
            "rerank_stage_seconds", "Time by stage of a /score", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self.candidates = Histogram(
            "rerank_candidates", "Candidates in a /score", buckets=_COUNTS, registry=self.registry
        )
        self.missing = Counter(
            "rerank_missing", "Items, users and sessions the store does not know", ["what"], registry=self.registry
        )
        self.degraded = Counter("rerank_degraded", "Answers without all stored features", registry=self.registry)
        self.answers = Counter(
            "rerank_answers", "Answers by path and status", ["path", "status"], registry=self.registry
        )

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self._stage.labels(name).observe(time.perf_counter() - started)

    def render(self) -> bytes:
        return generate_latest(self.registry)
