"""The two Redis servers of the system. Where no URL is configured, an embedded server is used.

python -m infra.redis_server start|stop|status|lock-file

A server that was started by hand stays until it is stopped by hand. A server that a script started ends with the last
script that uses it (:mod:`infra.redis_server.holders`).

FEATURES   Feast's online store. A crash of the machine loses at most one second; materialization fills it again.
EVENTS     the events that POST /events accepted and that are not in the log yet. Each is synced to disk before the
           answer.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from infra.command import command_settings
from infra.redis_server.embedded import EmbeddedRedis
from infra.redis_server.endpoint import Endpoint, parse_url
from infra.redis_server.errors import NoRedis, RedisServerError, RedisServerFailed
from infra.redis_server.holders import hold, is_last, lock_file
from infra.redis_server.server_binary import server_binary
from infra.settings import Settings

__all__ = [
    "EVENTS",
    "FEATURES",
    "NoRedis",
    "RedisServerError",
    "RedisServerFailed",
    "endpoint",
    "release",
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


def start(settings: Settings, role: Role = FEATURES, *, stays: bool = True) -> Endpoint:
    """Start the embedded server if it does not run. With a configured URL, start nothing. Returns the endpoint.

    ``stays``: whether :func:`release` leaves it running. Raises BadRedisUrl, RedisServerFailed.
    """
    return endpoint(settings, role) if role.url(settings) else role.embedded(settings).start(stays=stays)


def stop(settings: Settings, role: Role = FEATURES) -> bool:
    """Stop the embedded server after it has flushed its data to disk. Returns False if none ran."""
    return role.embedded(settings).stop()


def release(settings: Settings, role: Role = FEATURES) -> bool:
    """Stop the embedded server if a script started it. Call this when no script uses it. False if it was left."""
    server = role.embedded(settings)
    return not server.stays and server.stop()


def _status(settings: Settings, role: Role) -> bool:
    if role.url(settings):
        print(f"{role.name}: configured, {endpoint(settings, role).address} ({role.variable})")
        return True
    found = running(settings, role)
    data = role.embedded(settings).files.data
    print(f"{role.name}: " + (f"embedded, {found.address}, data in {data}" if found else "embedded, not running"))
    return found is not None


def _start(settings: Settings, descriptor: int | None, stays: bool) -> None:
    if descriptor is not None:
        hold(descriptor)
    for role in (FEATURES, EVENTS):
        print(f"Redis of the {role.name} at {start(settings, role, stays=stays).address}")


def _stop(settings: Settings, descriptor: int | None) -> None:
    if descriptor is not None and not is_last(descriptor):
        print("Redis is left running: another script uses it")
        return
    for role in (FEATURES, EVENTS):
        if descriptor is None:
            print(f"{role.name}: {'stopped' if stop(settings, role) else 'not running'}")
        else:
            print(f"{role.name}: {'stopped' if release(settings, role) else 'left as it was found'}")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.redis_server", description="The embedded Redis servers.")
    parser.add_argument("verb", choices=("start", "stop", "status", "lock-file"))
    parser.add_argument(
        "--holder",
        type=int,
        metavar="DESCRIPTOR",
        help="of the lock file, opened by a script: start holds it, stop leaves what others hold or started",
    )
    parser.add_argument("--stay", action="store_true", help="with --holder: the servers stay after the last script")
    chosen = parser.parse_args(arguments)
    settings = command_settings()
    try:
        if chosen.verb == "status":
            known = [_status(settings, role) for role in (FEATURES, EVENTS)]
            return 0 if all(known) else 1
        if chosen.verb == "lock-file":
            print(lock_file(settings))
        elif chosen.verb == "start":
            _start(settings, chosen.holder, stays=chosen.holder is None or chosen.stay)
        else:
            _stop(settings, chosen.holder)
    except (RedisServerError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0
