"""Prometheus metrics of one scorer. Each of its worker processes reports the sums of all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from feature_repo.live.acceptance import Backlog
from feature_repo.live.items.acceptance import Backlog as ItemBacklog
from infra.models.trees.compiled_trees import EngineName
from serving.score_log.files import RecordOutcome

Stage = Literal["parse", "read", "derive", "score", "write"]
RecommendStage = Literal["read", "candidates", "derive", "score", "rules", "write"]
Refusal = Literal["full", "late", "expired"]

_SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.25, 0.5, 1.0, 2.0)
_CANDIDATES = (1, 5, 10, 25, 50, 100, 200, 500, 1000, 2000)


SECONDS_BY_STAGE: ContextVar[dict[str, float] | None] = ContextVar("seconds_by_stage", default=None)
"""Where a request that wants to know its own stages sets a dictionary: each stage adds its seconds."""


class _Timed:
    __slots__ = ("_histogram", "_name", "_started")

    def __init__(self, histogram: Histogram, name: str) -> None:
        self._histogram = histogram
        self._name = name

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self._started
        self._histogram.observe(seconds)
        of_request = SECONDS_BY_STAGE.get()
        if of_request is not None:
            of_request[self._name] = of_request.get(self._name, 0.0) + seconds


class Metrics:
    """Each app has a registry of its own, so that two apps in one process do not mix.

    ``shared``: a folder in which all workers of one scorer count together; None: this process counts alone. Gauges
    are numbers of workers.
    """

    def __init__(self, shared: Path | None = None) -> None:
        # Importing Feast sets both, to files that all registries of the machine share.
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
        self._recommend_stages = Histogram(
            "rerank_recommend_stage_seconds",
            "Time per stage of /recommend; read: twice, user and session, then the candidates",
            ["stage"],
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._recommend_stage = {name: self._recommend_stages.labels(name) for name in get_args(RecommendStage)}
        self._recommended = Counter(
            "rerank_recommended", "Recommended items: ranked, explored or filled up", ["why"], registry=self._registry
        )
        self._removed = Counter(
            "rerank_rules", "Candidates that a rule removed or moved down", ["rule"], registry=self._registry
        )
        self._candidates = Histogram(
            "rerank_candidates", "Candidates per slate", buckets=_CANDIDATES, registry=self._registry
        )
        self._missing = Counter(
            "rerank_missing",
            "Items, users and sessions that the store does not know",
            ["kind"],
            registry=self._registry,
        )
        self._missing_of = [self._missing.labels(kind) for kind in ("item", "user", "session")]
        self._future = Counter(
            "rerank_future_rows",
            "Rows read with an event timestamp in the future; python -m feature_repo.online.repair replaces them",
            ["view"],
            registry=self._registry,
        )
        self._degraded = Counter("rerank_degraded", "Slates scored without the feature store", registry=self._registry)
        self._requests = Counter(
            "rerank_requests", "Requests by path and status", ["path", "status"], registry=self._registry
        )
        self._request: dict[tuple[str, int], Counter] = {}
        self._requests_refused = Counter(
            "rerank_refused",
            "Requests refused because of load, by path and reason: full, late, expired",
            ["path", "reason"],
            registry=self._registry,
        )
        self._events = Counter("rerank_events", "Events sent, by outcome", ["outcome"], registry=self._registry)
        for outcome in ("accepted", "duplicate", "rejected"):
            self._events.labels(outcome)
        self._forgotten = Counter(
            "rerank_forgotten_session_events",
            "Events that full sessions forgot, to fold newer ones",
            registry=self._registry,
        )
        self._waiting = self._latest("rerank_events_waiting", "Accepted events that were not yet in the log")
        self._dead = self._latest("rerank_events_dead", "Entries of the stream that the consumer set aside")
        self._item_changes = Counter(
            "rerank_item_changes", "Changes of items sent, by outcome", ["outcome"], registry=self._registry
        )
        for outcome in ("accepted", "duplicate", "rejected"):
            self._item_changes.labels(outcome)
        self._changes_waiting = self._latest(
            "rerank_item_changes_waiting", "Accepted changes of items that were not yet in the log"
        )
        self._changes_dead = self._latest(
            "rerank_item_changes_dead", "Entries of the stream of changes that the consumer set aside"
        )
        self._score_records = Counter(
            "rerank_score_log",
            "Score records by outcome: written, dropped (queue full), failed (disk), removed (size limit); and files: "
            "damaged (removed unread)",
            ["outcome"],
            registry=self._registry,
        )
        for outcome in get_args(RecordOutcome):
            self._score_records.labels(outcome)
        self._model = self._gauge("rerank_model", "Workers that serve this model", "name", "version", "kind")
        self._served: dict[str, tuple[str, str, str]] = {}  # by name
        self._engine = self._gauge(
            "rerank_engine", "Workers by what computes their scores: llvm, lightgbm or baseline", "name"
        )
        self._refused = self._gauge("rerank_successor_refused", "Workers that refused the present champion")
        self._recommend_refused = self._gauge(
            "rerank_recommend_successor_refused", "Workers that refused the present champion of /recommend"
        )
        self._compared = Counter(
            "rerank_self_check", "Readings compared with Feast's SDK", ["outcome"], registry=self._registry
        )
        self._cached = self._gauge("rerank_cached_items", "Cached items of all workers, each as of its latest scrape")

    def _gauge(self, name: str, what: str, *labels: str) -> Gauge:
        return Gauge(name, what, labels, registry=self._registry, multiprocess_mode="livesum")

    def _latest(self, name: str, what: str) -> Gauge:
        """The same for all workers: the value of the one that set it last."""
        what += ", as of the latest accepted request"
        return Gauge(name, what, registry=self._registry, multiprocess_mode="livemostrecent")

    def stage(self, name: Stage) -> _Timed:
        """Times one stage, also when it fails."""
        return _Timed(self._stage[name], name)

    def recommend_stage(self, name: RecommendStage) -> _Timed:
        """The same for /recommend."""
        return _Timed(self._recommend_stage[name], name)

    def recommended(self, counts: Mapping[str, int], removed: Mapping[str, int]) -> None:
        """``counts``: of the items of one answer, by why they are in it. ``removed``: by rule."""
        for counter, found in ((self._recommended, counts), (self._removed, removed)):
            for name, count in found.items():
                if count:
                    counter.labels(name).inc(count)

    def future_rows(self, view: str, count: int) -> None:
        if count:
            self._future.labels(view).inc(count)

    def slate(self, candidates: int, *, missing: tuple[int, int, int], degraded: bool) -> None:
        """``missing``: items, users and sessions."""
        self._candidates.observe(candidates)
        for counter, count in zip(self._missing_of, missing, strict=True):
            if count:
                counter.inc(count)
        if degraded:
            self._degraded.inc()

    def events(self, accepted: int, duplicates: int, rejected: int) -> None:
        for outcome, count in (("accepted", accepted), ("duplicate", duplicates), ("rejected", rejected)):
            if count:
                self._events.labels(outcome).inc(count)

    def backlog(self, found: Backlog) -> None:
        self._forgotten.inc(found.forgotten)
        self._waiting.set(found.waiting)
        self._dead.set(found.dead)

    def item_changes(self, accepted: int, duplicates: int, rejected: int) -> None:
        for outcome, count in (("accepted", accepted), ("duplicate", duplicates), ("rejected", rejected)):
            if count:
                self._item_changes.labels(outcome).inc(count)

    def item_backlog(self, found: ItemBacklog) -> None:
        self._changes_waiting.set(found.waiting)
        self._changes_dead.set(found.dead)

    def score_records(self, outcome: RecordOutcome, count: int) -> None:
        self._score_records.labels(outcome).inc(count)

    def compared(self, differences: int) -> None:
        self._compared.labels("different" if differences else "equal").inc()

    def cached_items(self, count: int) -> None:
        self._cached.set(count)

    def request(self, path: str, status: int) -> None:
        counter = self._request.get((path, status))
        if counter is None:
            counter = self._request[path, status] = self._requests.labels(path, str(status))
        counter.inc()

    def refused(self, path: str, reason: Refusal) -> None:
        self._requests_refused.labels(path, reason).inc()

    def model(self, name: str, version: str, kind: str) -> None:
        if name in self._served:
            self._model.labels(*self._served[name]).set(0)
        self._served[name] = (name, version, kind)
        self._model.labels(*self._served[name]).set(1)

    def successor(self, *, is_refused: bool) -> None:
        self._refused.set(is_refused)

    def recommend_successor(self, *, is_refused: bool) -> None:
        self._recommend_refused.set(is_refused)

    def engine(self, name: EngineName) -> None:
        for each in get_args(EngineName):
            self._engine.labels(each).set(each == name)

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        if self._shared is None:
            return generate_latest(self._registry)
        _remove_ended(self._shared)
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(together)


def _remove_ended(folder: Path) -> None:
    """Workers that have ended do not count in gauges."""
    for pid in {path.stem.rsplit("_", 1)[-1] for path in folder.glob("gauge_live*.db")}:
        if not Path(f"/proc/{pid}").exists():
            with suppress(FileNotFoundError):  # another worker is removing them at the same time
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
