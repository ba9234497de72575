"""The online reader on an event loop of its own, so that one suite runs on every reader."""

import asyncio
from dataclasses import replace

from feature_repo.schema import Declaration
from infra.redis_server.endpoint import Endpoint
from serving.features.reading import Keys, Reading
from serving.features.redis_reader import RedisReader
from serving.redis_client.connection import connect


class BlockingRedisReader:
    def __init__(self, endpoint: Endpoint, declaration: Declaration, project: str, cache_bytes: int = 0) -> None:
        self.reader = RedisReader(declaration, project, cache_bytes)
        self._runner = asyncio.Runner()
        self.connection = self._runner.run(connect(endpoint))

    def read(self, keys: Keys) -> Reading:
        async def read() -> Reading:
            return await self.reader.read(keys, self.connection)

        return self._runner.run(read())

    def read_in_two_steps(self, keys: Keys) -> Reading:
        """User and session first, as where the candidates depend on them."""

        async def read() -> Reading:
            entities = await self.reader.entities(replace(keys, item_ids=()), self.connection)
            return await self.reader.items(entities, keys, self.connection)

        return self._runner.run(read())

    def close(self) -> None:
        self.connection.close()
        self._runner.close()
