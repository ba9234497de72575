"""Feast's Redis store, with the address taken from the settings or from the embedded server."""

from __future__ import annotations

from dataclasses import replace

from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from pydantic import Field, StrictStr

from infra.redis_server import endpoint
from infra.settings import Settings

BULK_TIMEOUT_S = 10.0  # a server that syncs its append-only file may pause longer than a request may wait


def bulk_connection_string(settings: Settings) -> str:
    """For ``feast apply`` and ``materialize``. Raises NoRedis."""
    patient = replace(endpoint(settings), timeout_s=max(BULK_TIMEOUT_S, settings.redis_timeout_s))
    return patient.feast_connection_string


def _connection_string() -> str:
    return bulk_connection_string(Settings())


class ServedRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """Raises NoRedis when neither a Redis is configured nor the embedded one runs."""

    type: StrictStr = "feature_repo.online_store.ServedRedisOnlineStore"
    connection_string: StrictStr = Field(default_factory=_connection_string)


class ServedRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc]
    """Feast's own store; the seam for the writer and the reader of our own."""
