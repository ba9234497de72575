"""The two Redis servers of the system: the configured ones, else embedded ones.

python -m infra.redis_server start|stop|status

FEATURES   Feast's online store; loses at most a second when the machine goes down, and can be filled again
EVENTS     what POST /events accepted and is not in the log yet: synced to disk before it is answered
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.redis_server.embedded import EmbeddedRedis, NoRedis, RedisServerError, RedisServerFailed, server_binary
from infra.redis_server.endpoint import Endpoint, parse_url
from infra.settings import Settings

__all__ = [
    "EVENTS",
    "FEATURES",
    "NoRedis",
    "RedisServerError",
    "RedisServerFailed",
    "endpoint",
    "running",
    "server_binary",
    "start",
    "stop",
]

START_COMMAND = "python -m infra.redis_server start"


@dataclass(frozen=True)
class Role:
    """What one of the servers is for. ``variable``: the setting that names a Redis to use in its place."""

    name: str
    variable: str
    appendfsync: str

    def url(self, settings: Settings) -> str | None:
        found: str | None = getattr(settings, self.variable.removeprefix("RERANK_").lower())
        return found

    def folder(self, settings: Settings) -> Path:
        return settings.redis_dir if self is FEATURES else settings.events_redis_dir

    def embedded(self, settings: Settings) -> EmbeddedRedis:
        return EmbeddedRedis(self.folder(settings), self.appendfsync, settings.redis_timeout_s)


FEATURES = Role("features", "RERANK_REDIS_URL", "everysec")
EVENTS = Role("events", "RERANK_EVENTS_REDIS_URL", "always")


def endpoint(settings: Settings, role: Role = FEATURES) -> Endpoint:
    """The Redis to use: the configured one (not probed), else the running embedded one.

    Raises BadRedisUrl, NoRedis, or RedisServerFailed for an embedded server that hangs.
    """
    url = role.url(settings)
    if url:
        return parse_url(url, settings.redis_timeout_s, role.variable)
    found = running(settings, role)
    if found is None:
        raise NoRedis(
            f"no Redis: {role.variable} is not set and no embedded server runs under {role.folder(settings)}; "
            f"start one with `{START_COMMAND}`"
        )
    return found


def running(settings: Settings, role: Role = FEATURES) -> Endpoint | None:
    """The embedded server if it runs, answers and is ours; None if it does not run. Raises RedisServerFailed."""
    return role.embedded(settings).running()


def start(settings: Settings, role: Role = FEATURES) -> Endpoint:
    """Start the embedded server, or return the one that runs. With a configured URL, only return that.

    Raises BadRedisUrl, RedisServerFailed.
    """
    return endpoint(settings, role) if role.url(settings) else role.embedded(settings).start()


def stop(settings: Settings, role: Role = FEATURES) -> bool:
    """Stop the embedded server, its data flushed to disk; False if none ran. A configured Redis is left alone."""
    return role.embedded(settings).stop()


def _status(settings: Settings, role: Role) -> bool:
    if role.url(settings):
        print(f"{role.name}: configured, {endpoint(settings, role).address} ({role.variable})")
        return True
    found = running(settings, role)
    data = role.embedded(settings).data
    print(f"{role.name}: " + (f"embedded, {found.address}, data in {data}" if found else "embedded, not running"))
    return found is not None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.redis_server", description="The embedded Redis servers.")
    parser.add_argument("verb", choices=("start", "stop", "status"))
    verb = parser.parse_args(arguments).verb
    settings = Settings()
    try:
        if verb == "status":
            known = [_status(settings, role) for role in (FEATURES, EVENTS)]
            return 0 if all(known) else 1
        for role in (FEATURES, EVENTS):
            if verb == "start":
                print(f"Redis of the {role.name} at {start(settings, role).address}")
            else:
                print(f"{role.name}: {'stopped' if stop(settings, role) else 'not running'}")
    except (RedisServerError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
