"""Feast's Redis store with another writer: the newest row wins, whatever the order of the writes.

The address comes from the settings or from the embedded server. All fields are stored as Feast stores them, with one
more field per view. Feast's own reading does not change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from feast import FeatureView, RepoConfig
from feast.infra.online_stores.helpers import _redis_key_prefix
from feast.infra.online_stores.redis import RedisOnlineStore, RedisOnlineStoreConfig, _versioned_fv_name
from pydantic import Field, StrictStr

from feature_repo.online.future import refuse_future, service_clock
from feature_repo.online.rows import FeastRow, created_field, rows_of_feast
from feature_repo.online.writer import NewestWinsWriter
from infra.redis_server.server import endpoint
from infra.settings import Settings

BULK_TIMEOUT_S = 10.0  # a server may pause longer than a request's timeout while it syncs its append-only file
SCAN_COUNT = 1_000


def bulk_connection_string(settings: Settings) -> str:
    """The connection string for ``feast apply`` and ``materialize``, with a longer timeout. Raises NoRedis."""
    bulk_endpoint = replace(endpoint(settings), timeout_s=max(BULK_TIMEOUT_S, settings.redis_timeout_s))
    return bulk_endpoint.feast_connection_string


def _connection_string() -> str:
    return bulk_connection_string(Settings())


class ServedRedisOnlineStoreConfig(RedisOnlineStoreConfig):  # type: ignore[misc]
    """Feast's options. ``skip_dedup`` has no effect, because here the comparison costs no additional round trip.

    Raises NoRedis if no Redis is configured and the embedded one does not run.
    """

    type: StrictStr = "feature_repo.online.store.ServedRedisOnlineStore"
    connection_string: StrictStr = Field(default_factory=_connection_string)


class ServedRedisOnlineStore(RedisOnlineStore):  # type: ignore[misc]
    """Every write through Feast (push, write_to_online_store, materialize) uses the newest-wins script."""

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Raises BadRows, also for rows from the future, and redis.RedisError."""
        refuse_future(data, table.name, service_clock())
        writer = self.writer(config)
        for rows in rows_of_feast(data, config.project, self.stored_name(table, config)):
            writer.write(rows)
            if progress:
                progress(len(rows))

    async def online_write_batch_async(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[FeastRow],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """The same as ``online_write_batch``, in a thread."""
        await asyncio.to_thread(self.online_write_batch, config, table, data, progress)

    def delete_table(self, config: RepoConfig, table: FeatureView) -> None:
        """Feast's deletion, and the deletion of the created timestamp's field."""
        super().delete_table(config, table)
        field = created_field(self.stored_name(table, config))
        pattern = _redis_key_prefix(table.join_keys) + b"*" + config.project.encode()
        client = self.client(config)
        with client.pipeline(transaction=False) as pipeline:
            for key in client.scan_iter(pattern, count=SCAN_COUNT):
                pipeline.hdel(key, field)
            pipeline.execute()

    def writer(self, config: RepoConfig) -> NewestWinsWriter:
        return NewestWinsWriter(self.client(config), config.online_store.key_ttl_seconds or 0)

    def client(self, config: RepoConfig) -> Any:
        """redis-py's client or cluster client, depending on the configuration."""
        return self._get_client(config.online_store)

    @staticmethod
    def stored_name(view: FeatureView, config: RepoConfig) -> str:
        """The view's name in field names. It includes the version if Feast's registry separates versions."""
        name: str = _versioned_fv_name(view, config)
        return name
