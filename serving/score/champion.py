"""The models in service: a thread looks at the registry and keeps them up to date.

A scorer without a model starts, reports why it has none, and tries again until it has one.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

from feature_repo.contract import current_contract
from feature_repo.schema import Declaration
from infra.clock import Clock, epoch_us
from infra.models.model_contract import ModelContract
from infra.models.model_store import LoadedModel
from infra.settings import Settings
from serving.features.feature_readers import FeatureReaders
from serving.features.reading import Keys
from serving.features.shared_readers import SharedReaders
from serving.metrics import Metrics
from serving.score.registered_model import Purpose, RegisteredModel
from serving.score.scorer import OnScored, Scorer

RETRY_S = 5.0
CLOSE_TIMEOUT_S = 5.0


class ChampionService:
    """The scorer in service, or the reasons why there is none: see :class:`RegisteredModel`.

    Further models are added with :meth:`follow`. They share its thread and its ``readers``.
    """

    def __init__(self, settings: Settings, clock: Clock, metrics: Metrics, on_scored: OnScored) -> None:
        def serve(model: LoadedModel, _: None, declaration: Declaration, readers: FeatureReaders) -> Scorer:
            return Scorer(model, declaration, readers, clock, metrics, on_scored)

        def in_service(model: LoadedModel) -> None:
            metrics.model(model.name, model.version, model.kind)
            metrics.engine(model.engine.name)

        self._settings = settings
        self.readers = SharedReaders(settings, metrics, lambda: epoch_us(clock.now()))
        self._ranker = RegisteredModel(
            settings,
            Purpose(
                settings.model_name,
                _nothing,
                _contract,
                serve,
                in_service,
                lambda is_refused: metrics.successor(is_refused=is_refused),
            ),
            self.readers,
        )
        self._models: list[RegisteredModel[Any, Any]] = [self._ranker]
        self._attempted = threading.Event()
        self._served = threading.Event()
        self._closing = threading.Event()
        self._follower: threading.Thread | None = None

    def follow(self, model: RegisteredModel[Any, Any]) -> None:
        """Call it before :meth:`start`."""
        self._models.append(model)

    async def start(self, timeout_s: float, *, until_served: bool = False) -> None:
        """Load the champions. Returns after ``timeout_s`` or the first attempt; attempts go on.

        ``until_served``: an attempt that leaves no ranker in service does not end the waiting. Features are read on the
        loop that calls this.
        """
        self._attempted.clear()
        self._served.clear()
        self._closing.clear()
        self.readers.start()
        self._follower = threading.Thread(target=self._follow, name="champion-follower", daemon=True)
        self._follower.start()
        event = self._served if until_served else self._attempted
        await asyncio.to_thread(event.wait, timeout_s)

    async def close(self) -> None:
        """Take the models out of service; the service can be started again."""
        self._closing.set()
        if self._follower is not None:
            await asyncio.to_thread(self._follower.join, CLOSE_TIMEOUT_S)
        for model in self._models:
            model.withdraw()
        await self.readers.close()

    def scorer(self) -> Scorer:
        """Raises NotReady with the reasons."""
        return self._ranker.get()

    @property
    def model_problem(self) -> str:
        return self._ranker.model_problem

    @property
    def contract_problems(self) -> list[str]:
        return self._ranker.contract_problems

    @property
    def successor_problem(self) -> str:
        return self._ranker.successor_problem

    @property
    def declaration(self) -> Declaration | None:
        """The data set of the model in service."""
        return self._ranker.declaration

    @property
    def features(self) -> FeatureReaders | None:
        """The feature readers of the scorer in service."""
        return self._ranker.features

    def try_read(self, keys: Keys, timeout_s: float) -> None:
        """Read as requests do, from any thread but the loop's. Raises StoreAway."""
        self.readers.try_read(self._settings.model_name, keys, timeout_s)

    def _follow(self) -> None:
        while True:
            for model in self._models:
                model.look(self._closing.is_set)
            self._attempted.set()
            if self._ranker.is_served:
                self._served.set()
            if self._closing.wait(self._settings.reload_s if self._ranker.is_served else RETRY_S):
                return


def _nothing(_: Path) -> None:
    return None


def _contract(project: str, declaration: Declaration, _: None) -> ModelContract:
    return current_contract(project, declaration)
