"""The address of a Redis server, in the forms that redis-py and Feast read.

redis-py 7 retries a refused connection for 4 to 8 seconds, whatever the timeouts are. Both forms here switch the
retries off, so that ``timeout_s`` is the max wait for one connection or one reply.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class BadRedisUrl(ValueError):
    """redis-py or Feast cannot use the configured URL; the message says why."""


@dataclass(frozen=True)
class Endpoint:
    """A Redis server. ``timeout_s`` is the max wait for a connection or a reply, in seconds."""

    host: str
    port: int
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ssl: bool = False
    timeout_s: float = 0.25

    @property
    def url(self) -> str:
        """``redis://user:password@host:port/db``, for redis-py. Never log it, because it holds the password."""
        user = quote(self.username or "", safe="")
        secret = f"{user}:{quote(self.password, safe='')}@" if self.password is not None else ""
        return f"{'rediss' if self.ssl else 'redis'}://{secret}{self.host}:{self.port}/{self.db}"

    @property
    def address(self) -> str:
        """The URL without its password, for messages."""
        return f"{'rediss' if self.ssl else 'redis'}://{self.host}:{self.port}/{self.db}"

    @property
    def feast_connection_string(self) -> str:
        """Feast's ``host:port,name=value,...``; the names are arguments of ``redis.Redis``, the values JSON."""
        parts = [f"{self.host}:{self.port}", f"db={self.db}"]
        parts += [f"username={self.username}"] if self.username else []
        parts += [f"password={self.password}"] if self.password is not None else []
        parts += ["ssl=true"] if self.ssl else []
        parts += [f"socket_timeout={self.timeout_s}", f"socket_connect_timeout={self.timeout_s}", "retry=null"]
        return ",".join(parts)

    def client(self, timeout_s: float | None = None) -> redis.Redis:
        """A client that fails after ``timeout_s`` (default: the endpoint's) and returns bytes."""
        timeout = self.timeout_s if timeout_s is None else timeout_s
        return redis.Redis.from_url(
            self.url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0)
        )


def parse_url(url: str, timeout_s: float, variable: str = "RERANK_REDIS_URL") -> Endpoint:
    """Parse ``redis[s]://[[user]:password@]host[:port][/db]``, the value of ``variable``. Raises BadRedisUrl."""
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss"):
        raise BadRedisUrl(f"{variable} starts with {parts.scheme!r}; use redis:// or rediss://")
    if parts.query or parts.fragment:
        raise BadRedisUrl(f"{variable} must not have a ?query or #fragment")
    try:
        port = parts.port or 6379
    except ValueError:
        raise BadRedisUrl(f"{variable}: the port is not a number from 1 to 65535") from None
    if not parts.hostname or ":" in parts.hostname:
        raise BadRedisUrl(f"{variable} needs a host name or an IPv4 address (Feast cannot take IPv6)")
    db = parts.path.strip("/") or "0"
    if not db.isdecimal():
        raise BadRedisUrl(f"{variable}: the database {db!r} is not a number")
    username, password = _decoded(parts.username), _decoded(parts.password)
    if "," in f"{username}{password}":
        raise BadRedisUrl(f"{variable}: Feast's connection string cannot hold a comma in user or password")
    return Endpoint(parts.hostname, port, int(db), username, password, parts.scheme == "rediss", timeout_s)


def _decoded(text: str | None) -> str | None:
    return unquote(text) if text else None
