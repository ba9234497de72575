"""Sends rows to Redis, where the newest row wins (:mod:`feature_repo.online.newest_wins`).

A call has many rows and a round trip has many calls, so that the cost of the network, of Python and of the script's
start is shared. But Redis runs a call atomically and other clients wait for it, so the rows per call are limited. On a
Redis Cluster a call has one row, because all keys of a call must be in one slot.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

from redis import Redis
from redis.cluster import RedisCluster
from redis.crc import key_slot
from redis.exceptions import AskError, ClusterDownError, NoScriptError, ResponseError, TryAgainError

from feature_repo.online.call_packing import calls, common_arguments, packed_rows
from feature_repo.online.newest_wins import script
from feature_repo.online.rows import Rows

ROWS_PER_CALL = 32  # about 0.25 ms of the server's time for rows of a dozen floats
CHUNKS_AHEAD = 2  # packed and waiting while the server works on another chunk

Reply = int | ResponseError
_REDIRECTS = (AskError, TryAgainError, ClusterDownError)  # MovedError is an AskError


@dataclass(frozen=True)
class Packed:
    """Rows and the commands that write them."""

    rows: Rows
    calls: list[bytes]


class NewestWinsWriter:
    """Writes through ``client``. ``key_ttl_seconds`` (Feast's option): time until a written key expires, 0: never."""

    def __init__(self, client: Redis | RedisCluster, key_ttl_seconds: int = 0) -> None:
        self._client = client
        self._key_ttl_seconds = key_ttl_seconds
        self._rows_per_call = 1 if isinstance(client, RedisCluster) else ROWS_PER_CALL

    def write(self, rows: Rows) -> int:
        """Returns the number of rows that were not older than the stored ones. Raises redis.RedisError."""
        return self.send(self.pack(rows))

    def write_all(self, chunks: Iterable[Rows]) -> Iterator[tuple[int, int]]:
        """Yields (rows, rows written) of each chunk. While Redis works on a chunk, the next ones are packed.

        Raises redis.RedisError and what ``chunks`` raises. Rows already sent stay; they may be sent again.
        """
        waiting: deque[tuple[int, Future[int]]] = deque()
        sender = ThreadPoolExecutor(1, thread_name_prefix="redis-writer")
        try:
            for rows in chunks:
                waiting.append((len(rows), sender.submit(self.send, self.pack(rows))))
                if len(waiting) > CHUNKS_AHEAD:
                    count, sent = waiting.popleft()
                    yield count, sent.result()
            while waiting:
                count, sent = waiting.popleft()
                yield count, sent.result()
        finally:
            sender.shutdown(cancel_futures=True)

    def pack(self, rows: Rows) -> Packed:
        """The part of :meth:`write` that needs no server."""
        return Packed(rows, list(calls(rows, self._rows_per_call, self._key_ttl_seconds)))

    def send(self, packed: Packed) -> int:
        """The rest of :meth:`write`."""
        if not packed.calls:
            return 0
        replies = self._exchange(packed)
        if any(isinstance(reply, NoScriptError) for reply in replies):
            self._client.script_load(script(len(packed.rows.values)))
            replies = self._exchange(packed)  # it is harmless to write rows again
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply
        return sum(cast("list[int]", replies))

    def _exchange(self, packed: Packed) -> list[Reply]:
        if isinstance(self._client, RedisCluster):
            return _exchange_with_cluster(self._client, packed, self._key_ttl_seconds)
        return _exchange_with_server(self._client, packed.calls)


def _exchange_with_server(client: Redis, calls: list[bytes]) -> list[Reply]:
    """Send all commands, then read all replies. An error reply is returned; a broken connection raises."""
    pool = client.connection_pool
    connection: Any = pool.get_connection()
    done = False
    try:
        connection.send_packed_command([b"".join(calls)])
        replies = [_reply(connection) for _ in calls]
        done = True
        return replies
    finally:
        if not done:
            connection.disconnect()  # a later command must not get the replies of these commands
        pool.release(connection)


def _reply(connection: Any) -> Reply:
    try:
        return int(connection.read_response())
    except ResponseError as error:
        return error


def _exchange_with_cluster(client: RedisCluster, packed: Packed, key_ttl_seconds: int) -> list[Reply]:
    """Send each call to the node of its key. If a node redirects a call (its slot moves), redis-py sends it again."""
    keys: list[bytes] = packed.rows.keys.to_pylist()
    by_node = defaultdict(list)
    for row, key in enumerate(keys):
        by_node[client.nodes_manager.get_node_from_slot(key_slot(key))].append(row)
    replies: list[Reply] = [0] * len(keys)
    for node, rows in by_node.items():
        found = _exchange_with_server(client.get_redis_connection(node), [packed.calls[row] for row in rows])
        for row, reply in zip(rows, found, strict=True):
            replies[row] = reply
    redirected = [row for row, reply in enumerate(replies) if isinstance(reply, _REDIRECTS)]
    if redirected:
        formats, strings = packed_rows(packed.rows)
        common = common_arguments(packed.rows, formats, key_ttl_seconds)
        text = script(len(packed.rows.values))  # EVAL with the whole script, because the other node may not have it
        for row in redirected:
            written: Any = client.eval(text, 1, keys[row], *common, strings[row].as_py())
            replies[row] = int(written)
    return replies
