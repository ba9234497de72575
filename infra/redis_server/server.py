"""The two Redis servers of the system. Where no URL is configured, an embedded server is used.

python -m infra.redis_server start|stop|status

FEATURES   Feast's online store. A crash of the machine loses at most one second; materialization fills it again.
EVENTS     the events that POST /events accepted and that are not in the log yet. Each is synced to disk before the
           answer.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.redis_server.embedded import EmbeddedRedis
from infra.redis_server.endpoint import Endpoint, parse_url
from infra.redis_server.errors import NoRedis, RedisServerError, RedisServerFailed
from infra.redis_server.server_binary import server_binary
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
    """The purpose of a server. ``variable``: the setting with the URL of a Redis to use in place of the embedded one.

    ``appendfsync``: Redis's option.
    """

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


FEATURES = Role("features", "RERANK_REDIS_URL", appendfsync="everysec")
EVENTS = Role("events", "RERANK_EVENTS_REDIS_URL", appendfsync="always")


def endpoint(settings: Settings, role: Role = FEATURES) -> Endpoint:
    """The Redis to use: the configured one (without connecting to it), otherwise the running embedded one.

    Raises BadRedisUrl, NoRedis, or RedisServerFailed if the embedded server does not answer.
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
    """The embedded server, or None if it does not run. Raises RedisServerFailed if it does not answer."""
    return role.embedded(settings).running()


def start(settings: Settings, role: Role = FEATURES) -> Endpoint:
    """Start the embedded server if it does not run. With a configured URL, start nothing. Returns the endpoint.

    Raises BadRedisUrl, RedisServerFailed.
    """
    return endpoint(settings, role) if role.url(settings) else role.embedded(settings).start()


def stop(settings: Settings, role: Role = FEATURES) -> bool:
    """Stop the embedded server after it has flushed its data to disk. Returns False if none ran."""
    return role.embedded(settings).stop()


def _status(settings: Settings, role: Role) -> bool:
    if role.url(settings):
        print(f"{role.name}: configured, {endpoint(settings, role).address} ({role.variable})")
        return True
    found = running(settings, role)
    data = role.embedded(settings).files.data
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
