"""Feast's Redis store, with the address taken from the settings or from the embedded server."""

from __future__ import annotations

from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig
from pydantic import Field, StrictStr

from infra.redis_server import endpoint
from infra.settings import Settings


def _connection_string() -> str:
    settings = Settings()
    return endpoint(settings).feast_connection_string(settings.redis_timeout_s)


class ServedRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """Raises NoRedis when neither a Redis is configured nor the embedded one runs."""

    type: StrictStr = "feature_repo.online_store.ServedRedisOnlineStore"
    connection_string: StrictStr = Field(default_factory=_connection_string)


class ServedRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc]
    """Feast's own store; the seam for the writer and the reader of our own."""
