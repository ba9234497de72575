"""The composition root: what one scorer process is made of, and whether it is ready."""

from __future__ import annotations

import json
from dataclasses import dataclass

import redis
from feast.errors import FeastObjectNotFoundException

from feature_repo.contract import current_contract
from feature_repo.datasets.declaration_json import declaration_from_json
from feature_repo.schema import Declaration
from feature_repo.store import open_store
from infra.clock import Clock
from infra.model_contract import ModelContract
from infra.model_store import LoadedModel, ModelStore, ModelStoreError
from infra.redis_server import RedisServerError, endpoint
from infra.settings import Settings
from serving.errors import NotReady
from serving.metrics import Metrics
from serving.reader import FeastReader, FeatureReader
from serving.responses import Check
from serving.scorer import Scorer


@dataclass
class Service:
    """``model_problem`` says why there is no model; ``scorer`` is there otherwise."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    model: LoadedModel | None = None
    scorer: Scorer | None = None
    model_problem: str = ""
    contract_problem: str = ""
    store_problem: str = ""

    def ready_scorer(self) -> Scorer:
        """Raises NotReady with the reasons."""
        if self.scorer is None:
            problems = (self.model_problem, self.contract_problem, self.store_problem)
            raise NotReady("not ready to score", [((), problem) for problem in problems if problem])
        return self.scorer

    def checks(self) -> list[Check]:
        redis_problem = self._redis_problem()
        return [
            Check(name="model", ok=self.model is not None, message=self.model_problem or "loaded"),
            Check(name="contract", ok=not self.contract_problem, message=self.contract_problem or "matches"),
            Check(name="feature_store", ok=not self.store_problem, message=self.store_problem or "opened"),
            Check(name="redis", ok=not redis_problem, message=redis_problem or "answers"),
        ]

    def _redis_problem(self) -> str:
        """Empty where Redis answers; a client of its own, so that a wait here holds up no request."""
        try:
            with endpoint(self.settings).client() as client:
                client.ping()
        except (redis.RedisError, RedisServerError, OSError) as error:
            return str(error)
        return ""


def make_service(settings: Settings, clock: Clock, metrics: Metrics) -> Service:
    """Load the champion and hold it against this scorer's contract. What is wrong is kept, not raised."""
    service = Service(settings, clock, metrics)
    try:
        service.model = ModelStore(settings).load()
    except ModelStoreError as error:
        service.model_problem = service.contract_problem = str(error)
        return service
    declaration = declaration_from_json(json.dumps(service.model.contract.declaration))
    service.contract_problem = contract_problem(service.model.contract, current_contract(settings.dataset, declaration))
    if service.contract_problem:
        return service
    try:
        store = open_store(settings, offline=False)
        store.get_feature_service(service.model.contract.feature_service)
    except (RedisServerError, FeastObjectNotFoundException) as error:
        service.store_problem = f"{error} (`feast apply` registers the features)"
        return service
    reader: FeatureReader = FeastReader(store, declaration)
    service.scorer = _scorer(service, service.model, declaration, reader)
    return service


def contract_problem(model: ModelContract, scorer: ModelContract) -> str:
    """Empty where the two agree."""
    differences = model.differences(scorer)
    return "" if not differences else "the model's contract is not this scorer's: " + "; ".join(differences)


def _scorer(service: Service, model: LoadedModel, declaration: Declaration, reader: FeatureReader) -> Scorer:
    deadline_s = service.settings.deadline_ms / 1000
    return Scorer(model, declaration, reader, service.clock, service.metrics, deadline_s)
