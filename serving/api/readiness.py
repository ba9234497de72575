"""Whether this scorer can do its work, condition by condition."""

from __future__ import annotations

import redis

from infra.redis_server.endpoint import BadRedisUrl
from infra.redis_server.server import RedisServerError, endpoint
from infra.settings import Settings
from serving.errors import NotReady
from serving.features.feast_reader import Keys, StoreAway
from serving.score.answers import Check, Readiness
from serving.score.champion import Service

TIMEOUT_S = 1.0
NOBODY = Keys(user_id=None, session_id=None, item_ids=("readyz",), scored_us=0)


def readiness(service: Service, settings: Settings) -> Readiness:
    """All checks. May take as long as a Redis that hangs lets it: call it where that harms nobody."""
    checks = (_model(service), _contract(service), _redis(settings), _features(service))
    return Readiness(all(check.ok for check in checks), checks)


def hanging(service: Service) -> Readiness:
    """The answer when :func:`readiness` does not come to an end."""
    reason = f"no answer within {TIMEOUT_S + 1:.0f} s"
    return Readiness(
        False,
        (_model(service), _contract(service), Check("redis", False, reason), Check("features", False, reason)),
    )


def _model(service: Service) -> Check:
    if service.model_problem:
        return Check("model", False, service.model_problem)
    successor = service.successor_problem
    return Check("model", True, f"loaded; the champion cannot take its place: {successor}" if successor else "loaded")


def _contract(service: Service) -> Check:
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


def _features(service: Service) -> Check:
    """One read as requests do it."""
    try:
        service.scorer()
        service.try_read(NOBODY, TIMEOUT_S)
    except NotReady:
        return Check("features", False, "not read without a model")
    except StoreAway as error:
        return Check("features", False, str(error))
    return Check("features", True, "can be read")
