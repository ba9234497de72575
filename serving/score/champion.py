"""The model in service: the registry's champion, if its contract is that of this code.

A scorer without a model starts, reports why it has none, and tries again until it has one. When the registry's alias
moves, the new champion is loaded and compiled while the old one serves, and replaces it between two requests. A
champion that cannot be loaded, or whose contract differs, is refused, and the old one stays in service. A version that
was refused for its files or its contract is not loaded again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from dataclasses import replace

from feature_repo.contract import current_contract
from feature_repo.datasets.declarations.built_in import declaration_of
from feature_repo.datasets.declarations.declaration_json import declaration_from_json
from feature_repo.datasets.errors import DatasetError
from feature_repo.schema import Declaration
from infra.clock import Clock, epoch_us
from infra.limits import MAX_DEADLINE_MS
from infra.models.model_contract import ModelContract
from infra.models.model_store import BrokenModel, LoadedModel, ModelStore, RefusedVersion
from infra.models.trees.compiled_trees import compiled
from infra.settings import Settings
from serving.errors import NotReady
from serving.features.feature_readers import FeatureReaders
from serving.features.reading import Keys
from serving.metrics import Metrics
from serving.score.scorer import OnScored, Scorer

RETRY_S = 5.0
CLOSE_TIMEOUT_S = 5.0
LAST_READS_S = MAX_DEADLINE_MS / 1000  # no request takes longer

log = logging.getLogger(__name__)


class ChampionService:
    """The scorer in service, or the reasons why there is none.

    ``model_problem`` and ``contract_problems`` are empty when a model is in service. ``successor_problem``: why the
    present champion is not the model in service.
    """

    def __init__(self, settings: Settings, clock: Clock, metrics: Metrics, on_scored: OnScored) -> None:
        self._on_scored = on_scored
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._scorer: Scorer | None = None
        self._readers: FeatureReaders | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._retiring: dict[FeatureReaders, asyncio.Task[None]] = {}
        self.model_problem = "the model is not loaded yet"
        self.contract_problems: list[str] = []
        self.successor_problem = ""
        # A version, what is wrong with its files, and how its contract differs.
        self._refused: tuple[str, str, list[str]] | None = None
        self._attempted = threading.Event()
        self._served = threading.Event()
        self._closing = threading.Event()
        self._follower: threading.Thread | None = None

    async def start(self, timeout_s: float, *, until_served: bool = False) -> None:
        """Load the champion. Returns after ``timeout_s`` or the first attempt; attempts go on until one succeeds.

        ``until_served``: a failed attempt does not end the waiting. Features are read on the loop that calls this.
        """
        self._attempted.clear()
        self._served.clear()
        self._closing.clear()
        self._loop = asyncio.get_running_loop()
        self._follower = threading.Thread(target=self._follow, name="champion-follower", daemon=True)
        self._follower.start()
        event = self._served if until_served else self._attempted
        await asyncio.to_thread(event.wait, timeout_s)

    async def close(self) -> None:
        """Take the model out of service; the service can be started again."""
        self._closing.set()
        if self._follower is not None:
            await asyncio.to_thread(self._follower.join, CLOSE_TIMEOUT_S)
        self._scorer = None
        for task in self._retiring.values():
            task.cancel()
        await asyncio.gather(*self._retiring.values(), return_exceptions=True)
        readers, self._readers = self._readers, None
        await asyncio.gather(*(each.close() for each in (*self._retiring, *filter(None, [readers]))))
        self._retiring.clear()

    def scorer(self) -> Scorer:
        """Raises NotReady with the reasons."""
        if self._scorer is None:
            raise NotReady([reason for reason in (self.model_problem, *self.contract_problems) if reason])
        return self._scorer

    @property
    def declaration(self) -> Declaration | None:
        """The data set of the model in service."""
        scorer = self._scorer
        return None if scorer is None else scorer.declaration

    @property
    def features(self) -> FeatureReaders | None:
        """The feature readers of the scorer in service."""
        return self._readers

    def try_read(self, keys: Keys, timeout_s: float) -> None:
        """Read as requests do, from any thread but the loop's. Raises StoreAway."""
        readers, loop = self._readers, self._loop
        if readers is not None and loop is not None:
            asyncio.run_coroutine_threadsafe(readers.client.read(keys, timeout_s), loop).result()

    # ------------------------------------------------------------------- on the follower's thread

    def _follow(self) -> None:
        while True:
            self._look()
            self._attempted.set()
            if self._closing.wait(RETRY_S if self._scorer is None else self._settings.reload_s):
                return

    def _look(self) -> None:
        """Put the champion in service, unless it is in service already or must be refused."""
        served = self._scorer
        version: str | None = None
        try:
            store = ModelStore(self._settings)
            found = store.champion()
            version = None if found is None else str(found.version)
            if served is not None and version == served.model.version:
                self._refused = None
                self._note("", [])
                return
            if self._refused is not None and version == self._refused[0]:
                self._note(*self._refused[1:])
                return
            model = store.load()
            declaration = declaration_in(model)
            problems = contract_problems(model.contract, self._settings, declaration)
            self._refused = (model.version, "", problems) if problems else None
            self._note("", problems)
            if not problems:
                self._serve(model, declaration)
        except RefusedVersion as error:
            self._refused = (version, str(error), []) if version is not None else None
            self._note(str(error), [])
        except Exception as error:  # a registry fails in many ways; none may end the process or this thread
            self._note(f"{type(error).__name__}: {error}", [])

    def _note(self, model_problem: str, contract_problems: list[str]) -> None:
        problems = [each for each in (model_problem, *contract_problems) if each]
        served = self._scorer
        if served is None:
            known = (self.model_problem, self.contract_problems)
            self.model_problem, self.contract_problems = model_problem, contract_problems
            if (model_problem, contract_problems) != known:
                for problem in problems:
                    log.error("no model in service: %s", problem)
            return
        text = "; ".join(problems)
        if text and text != self.successor_problem:
            log.error(
                "version %s stays in service, because the champion cannot replace it: %s", served.model.version, text
            )
        self.successor_problem = text
        self._metrics.successor(is_refused=bool(text))

    def _serve(self, model: LoadedModel, declaration: Declaration) -> None:
        settings, loop = self._settings, self._loop
        assert loop is not None  # the follower starts after it
        ranker, engine = compiled(model.ranker, model.rows)
        model = replace(model, ranker=ranker, engine=engine)
        if self._closing.is_set():
            return
        old, readers = self._readers, self._readers
        if readers is None or readers.declaration != declaration:
            opening = FeatureReaders.open(declaration, settings, self._metrics, lambda: epoch_us(self._clock.now()))
            readers = asyncio.run_coroutine_threadsafe(opening, loop).result()
        if self._closing.is_set():
            if readers is not old:
                asyncio.run_coroutine_threadsafe(readers.close(), loop)
            return
        self._readers = readers
        self._metrics.model(model.name, model.version, model.kind)
        self._metrics.engine(model.engine.name)
        self._scorer = Scorer(model, declaration, readers, self._clock, self._metrics, self._on_scored)
        self._served.set()
        log.info("in service: %s version %s (%s)", model.name, model.version, model.kind)
        if old is not None and old is not readers:
            loop.call_soon_threadsafe(self._retire, old)

    def _retire(self, readers: FeatureReaders) -> None:
        async def close_later() -> None:
            await asyncio.sleep(LAST_READS_S)  # requests that have begun still read by it
            await readers.close()
            del self._retiring[readers]

        self._retiring[readers] = asyncio.ensure_future(close_later())


def declaration_in(model: LoadedModel) -> Declaration:
    """The declaration that the model was trained on. Raises BrokenModel."""
    try:
        return declaration_from_json(json.dumps(model.contract.declaration))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenModel(f"{model.name} version {model.version}: its declaration cannot be read: {error}") from error


def contract_problems(contract: ModelContract, settings: Settings, trained_on: Declaration) -> list[str]:
    """How the model's contract differs from this code's, one sentence each.

    The data set's own declaration is compared too. A scorer without the log has only the model's.
    """
    try:
        declaration = declaration_of(settings)
    except DatasetError:
        declaration = trained_on
    return [
        f"the model's contract differs from this scorer's: {difference}"
        for difference in contract.differences(current_contract(settings.dataset, declaration))
    ]
