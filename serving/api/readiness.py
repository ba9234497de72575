"""Whether this scorer can serve: one check per condition."""

from __future__ import annotations

import redis

from infra.redis_server.endpoint import BadRedisUrl
from infra.redis_server.server import RedisServerError, endpoint
from infra.settings import Settings
from serving.api.answers import Check, Readiness
from serving.errors import NotReady
from serving.features.reading import Keys, StoreAway
from serving.score.champion import ChampionService

TIMEOUT_S = 1.0
PROBE_KEYS = Keys(user_id=None, session_id=None, item_ids=("readyz",), scored_us=0)


def readiness(service: ChampionService, settings: Settings) -> Readiness:
    """All checks. A Redis that hangs can block it: call it on a thread of its own."""
    required = (_model(service), _contract(service), _redis(settings), _features(service))
    return Readiness(all(check.ok for check in required), (*required, _parity(service)))


def hanging(service: ChampionService) -> Readiness:
    """The answer when :func:`readiness` does not return in time."""
    reason = f"no answer within {TIMEOUT_S + 1:.0f} s"
    return Readiness(
        False,
        (
            _model(service),
            _contract(service),
            Check("redis", False, reason),
            Check("features", False, reason),
            _parity(service),
        ),
    )


def _model(service: ChampionService) -> Check:
    if service.model_problem:
        return Check("model", False, service.model_problem)
    successor = service.successor_problem
    return Check("model", True, f"loaded; the champion cannot replace it: {successor}" if successor else "loaded")


def _contract(service: ChampionService) -> Check:
    if service.model_problem:
        return Check("contract", False, "there is no model to compare with")
    return Check("contract", not service.contract_problems, "; ".join(service.contract_problems) or "matches")


def _redis(settings: Settings) -> Check:
    try:
        found = endpoint(settings)
        with found.client(TIMEOUT_S) as client:
            client.ping()
    except (redis.RedisError, RedisServerError, BadRedisUrl, OSError) as error:
        return Check("redis", False, f"{type(error).__name__}: {error}")
    return Check("redis", True, f"answers at {found.address}")


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
