"""Whether this scorer can serve: one check per condition."""

from __future__ import annotations

from typing import Any

import redis

from infra.redis_server import keys as redis_keys
from infra.redis_server.durability import durability_problem
from infra.redis_server.endpoint import BadRedisUrl
from infra.redis_server.server import EVENTS, FEATURES, RedisServerError, endpoint
from infra.settings import Settings
from serving.api.answers import Check, CheckName, Readiness
from serving.errors import NotReady
from serving.features.reading import Keys, StoreAway
from serving.score.champion import ChampionService
from serving.score.registered_model import RegisteredModel

TIMEOUT_S = 1.0
PROBE_EXPIRY_S = 60
REFILL = "fill it with `make pipeline` or `feast materialize`"
PROBE_KEYS = Keys(user_id=None, session_id=None, item_ids=("readyz",), scored_us=0)


def store_checks(service: ChampionService, settings: Settings) -> tuple[Check, ...]:
    """The checks of the feature store. A Redis that hangs can block it: call it on a thread of its own."""
    found = _redis(settings)
    return (found, _features(service), _store(settings) if found.ok else Check("store", False, found.message))


def events_check(settings: Settings) -> Check:
    """The check of what ``POST /events`` writes. A Redis that hangs can block it, too."""
    try:
        with endpoint(settings, EVENTS).client(TIMEOUT_S) as client:
            client.set(redis_keys.write_probe(settings.dataset), "1", ex=PROBE_EXPIRY_S)
            problem = durability_problem(client)
        if problem:
            return Check("events", False, f"the events' Redis {problem}")
        with endpoint(settings, FEATURES).client(TIMEOUT_S) as client:
            client.set(redis_keys.write_probe(settings.dataset), "1", ex=PROBE_EXPIRY_S)
    except (redis.RedisError, RedisServerError, BadRedisUrl, OSError) as error:
        return Check("events", False, f"cannot be written: {type(error).__name__}: {error}")
    return Check("events", True, "can be written")


def no_answer(*names: CheckName) -> tuple[Check, ...]:
    """For checks that did not return in time."""
    return tuple(Check(name, False, f"no answer within {TIMEOUT_S + 1:.0f} s") for name in names)


def readiness(
    service: ChampionService,
    recommend: RegisteredModel[Any, Any],
    settings: Settings,
    store: tuple[Check, ...],
    events: Check,
) -> Readiness:
    """``store``, ``events``: results of the functions above."""
    checks = (_model(service), _contract(service), *store, events, _parity(service), _recommend(recommend))
    required = {"model", "contract", "redis", "features", *settings.ready_needs}
    return Readiness(all(check.ok for check in checks if check.name in required), checks)


def _model(service: ChampionService) -> Check:
    if service.model_problem:
        return Check("model", False, service.model_problem)
    successor = service.successor_problem
    return Check("model", True, f"loaded; the champion cannot replace it: {successor}" if successor else "loaded")


def _contract(service: ChampionService) -> Check:
    if service.model_problem:
        return Check("contract", False, "there is no model to compare with")
    return Check("contract", not service.contract_problems, "; ".join(service.contract_problems) or "matches")


def _recommend(model: RegisteredModel[Any, Any]) -> Check:
    """Whether /recommend has a model. Without it the scorer is ready, unless the settings need it."""
    if not model.is_served:
        return Check("recommend", False, "; ".join(filter(None, (model.model_problem, *model.contract_problems))))
    successor = model.successor_problem
    return Check("recommend", True, f"loaded; the champion cannot replace it: {successor}" if successor else "loaded")


def _redis(settings: Settings) -> Check:
    try:
        found = endpoint(settings)
        with found.client(TIMEOUT_S) as client:
            client.ping()
    except (redis.RedisError, RedisServerError, BadRedisUrl, OSError) as error:
        return Check("redis", False, f"{type(error).__name__}: {error}")
    return Check("redis", True, f"answers at {found.address}")


def _store(settings: Settings) -> Check:
    """Whether anything was materialized. Its records are in Redis beside the features, and are lost together."""
    try:
        with endpoint(settings).client(TIMEOUT_S) as client:
            runs: Any = client.hlen(redis_keys.materializations(settings.dataset))
    except (redis.RedisError, RedisServerError, BadRedisUrl, OSError) as error:
        return Check("store", False, f"{type(error).__name__}: {error}")
    if not runs:
        return Check("store", False, f"Redis has no materialization of {settings.dataset}: empty, or emptied; {REFILL}")
    return Check("store", True, f"filled by {runs} runs of a view's materialization")


def _features(service: ChampionService) -> Check:
    """One read, as requests do it."""
    try:
        service.scorer()
        service.try_read(PROBE_KEYS, TIMEOUT_S)
    except NotReady:
        return Check("features", False, "not read without a model")
    except StoreAway as error:
        return Check("features", False, str(error))
    return Check("features", True, "can be read")


def _parity(service: ChampionService) -> Check:
    """Not ok after a difference between the Redis reader and Feast. It does not make the scorer unready."""
    if service.features is None:
        return Check("parity", True, "not compared without a model")
    problem = service.features.parity.problem
    return Check("parity", problem is None, problem or "no difference to Feast found")
