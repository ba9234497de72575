"""What one scorer process serves with: the champion, held against the present code, and its reader.

A scorer without a model starts all the same, says why it has none, and tries again until it has one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from feature_repo.contract import current_contract
from feature_repo.datasets.declaration_json import declaration_from_json
from feature_repo.datasets.declarations import declaration_of
from feature_repo.datasets.errors import DatasetError
from feature_repo.schema import Declaration
from feature_repo.store import open_store
from infra.clock import Clock
from infra.compiled_trees import compiled
from infra.model_contract import ModelContract
from infra.model_store import BrokenModel, LoadedModel, ModelStore
from infra.redis_server import endpoint
from infra.settings import Settings
from serving.errors import NotReady
from serving.guard import GuardedReader
from serving.metrics import Metrics
from serving.online_features import OnlineFeatures
from serving.online_reader import OnlineReader
from serving.reader import FeastReader, Keys, StoreAway
from serving.scorer import Scorer, epoch_us
from serving.self_check import CheckedReader

RETRY_S = 5.0
OPEN_PATIENCE_S = 5.0
CLOSE_PATIENCE_S = 5.0
MEGABYTE = 1 << 20
FIRST_CHECK_ITEMS = 100

log = logging.getLogger(__name__)


class Service:
    """The scorer in service, or the reasons why there is none.

    ``model_problem`` and ``contract_problems`` are empty where all is well.
    """

    def __init__(self, settings: Settings, clock: Clock, metrics: Metrics, scored: Callable[[int], None]) -> None:
        self._scored = scored
        self._settings = settings
        self._clock = clock
        self._metrics = metrics
        self._scorer: Scorer | None = None
        self._features: OnlineFeatures | None = None
        self._slow: GuardedReader | None = None
        self._checked: CheckedReader | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self.model_problem = "the model is not loaded yet"
        self.contract_problems: list[str] = []
        self._attempted = threading.Event()
        self._closing = threading.Event()
        self._compiler: threading.Thread | None = None

    async def start(self, patience_s: float) -> None:
        """Load the champion; after ``patience_s`` go on without it, while the attempts continue.

        The feature store is read on the loop that this is called on.
        """
        self._attempted.clear()
        self._closing.clear()
        self._loop = asyncio.get_running_loop()
        threading.Thread(target=self._load_until_there_is_one, name="model-loader", daemon=True).start()
        await asyncio.to_thread(self._attempted.wait, patience_s)

    async def close(self) -> None:
        """Take the model out of service; the service can be started again."""
        self._closing.set()
        if self._compiler is not None:
            await asyncio.to_thread(self._compiler.join, CLOSE_PATIENCE_S)
        self._scorer = None
        if self._checked is not None:
            await self._checked.close()
        if self._slow is not None:
            self._slow.close()
        if self._features is not None:
            await self._features.close()

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
    def features(self) -> OnlineFeatures | None:
        """The feature store of the scorer in service."""
        return self._features

    def try_read(self, keys: Keys, timeout_s: float) -> None:
        """Read as requests do, from any thread but the loop's. Raises StoreAway."""
        if self._features is not None and self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._features.read(keys, timeout_s), self._loop).result()

    def _load_until_there_is_one(self) -> None:
        while True:
            self._attempt()
            self._attempted.set()
            if self._scorer is not None or self._closing.wait(RETRY_S):
                return

    def _attempt(self) -> None:
        known = (self.model_problem, self.contract_problems)
        try:
            model = ModelStore(self._settings).load()
            declaration = declaration_in(model)
        except Exception as error:  # a registry fails in many ways, and none may end the process
            self.model_problem, self.contract_problems = f"{type(error).__name__}: {error}", []
        else:
            self.model_problem = ""
            self.contract_problems = contract_problems(model.contract, self._settings, declaration)
            if not self.contract_problems:
                self._serve(model, declaration)
        if (self.model_problem, self.contract_problems) != known:
            for problem in filter(None, (self.model_problem, *self.contract_problems)):
                log.error("no model in service: %s", problem)

    def _serve(self, model: LoadedModel, declaration: Declaration) -> None:
        settings, loop = self._settings, self._loop
        assert loop is not None  # the loader starts after it
        reader = OnlineReader(declaration, settings.dataset, settings.item_cache_mb * MEGABYTE)
        self._features = OnlineFeatures(reader, lambda: endpoint(settings))
        asyncio.run_coroutine_threadsafe(self._features.start(OPEN_PATIENCE_S), loop).result()
        self._slow = GuardedReader(lambda: FeastReader(open_store(settings, offline=False), declaration))
        self._slow.open(OPEN_PATIENCE_S)
        self._checked = CheckedReader(self._features, self._slow, declaration, self._metrics, settings.self_check_share)
        asyncio.run_coroutine_threadsafe(self._first_check(self._features, self._checked), loop).result()
        self._metrics.model(model.name, model.version, model.kind)
        self._metrics.engine(model.engine.name)
        self._scorer = Scorer(model, declaration, self._checked, self._clock, self._metrics, self._scored)
        log.info("in service: %s version %s (%s)", model.name, model.version, model.kind)
        self._compiler = threading.Thread(target=self._compile, args=(model,), name="tree-compiler", daemon=True)
        self._compiler.start()

    def _compile(self, model: LoadedModel) -> None:
        """Put the compiled trees in the place of ``model``'s ranker, unless another model has taken it meanwhile."""
        ranker, engine = compiled(model.ranker, model.rows, self._settings.compiled_dir, self._closing)
        scorer = self._scorer
        if scorer is not None and scorer.model is model:
            self._metrics.engine(engine.name)
            self._scorer = replace(scorer, model=replace(model, ranker=ranker, engine=engine))

    async def _first_check(self, features: OnlineFeatures, checked: CheckedReader) -> None:
        """Both roads to some items, before the first request takes the fast one."""
        try:
            ids = await features.some_ids(FIRST_CHECK_ITEMS)
        except StoreAway:
            return
        if ids:
            await checked.compare(Keys(None, None, ids, epoch_us(self._clock.now())))


def declaration_in(model: LoadedModel) -> Declaration:
    """The data set as the model was trained on it. Raises BrokenModel."""
    try:
        return declaration_from_json(json.dumps(model.contract.declaration))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenModel(f"{model.name} version {model.version}: its declaration cannot be read: {error}") from error


def contract_problems(contract: ModelContract, settings: Settings, trained_on: Declaration) -> list[str]:
    """What the model and this scorer's code disagree about, one sentence each.

    Where the data set declares itself, that is compared too; a scorer without the log has only the model's word.
    """
    try:
        declaration = declaration_of(settings)
    except DatasetError:
        declaration = trained_on
    return [
        f"the model's contract is not this scorer's: {difference}"
        for difference in contract.differences(current_contract(settings.dataset, declaration))
    ]
