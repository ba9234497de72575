"""The life of an embedded Redis server: start, check, stop.

The server listens only on 127.0.0.1 and has no password: everyone with an account on the machine can connect. Where
that matters, configure a URL. It uses a free port, the same one again after a restart if it is still free, and an
append-only file in its folder. Only a server with the recorded process and the recorded data folder is taken for
this one, so a Redis that someone else runs is never touched.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from infra.redis_server.endpoint import Endpoint
from infra.redis_server.errors import RedisServerFailed
from infra.redis_server.server_binary import server_binary
from infra.redis_server.server_folder import ServerFolder, ServerRecord

LOOPBACK = "127.0.0.1"
PORT_ATTEMPTS = 5
TIMEOUT_S = 10.0  # for a process to start, to answer or to end
LOADING_TIMEOUT_S = 300.0  # for a large append-only file
PROBE_TIMEOUT_S = 1.0


class _PortTaken(Exception):
    """Another process took the port after it was chosen and before the server bound it."""


@dataclass(frozen=True)
class EmbeddedRedis:
    """The server whose files are in ``folder``. ``appendfsync``: ``everysec`` or ``always``, Redis's option.

    ``timeout_s``: the timeout of the endpoints that are returned.
    """

    folder: Path
    appendfsync: str
    timeout_s: float

    @property
    def files(self) -> ServerFolder:
        return ServerFolder(self.folder.absolute())

    def running(self) -> Endpoint | None:
        """The server, or None if it does not run. Raises RedisServerFailed if its process lives but does not answer."""
        record = self.files.read_record()
        if record is None:
            return None
        if not self._is_ours(record):
            if not _lives_in(record.pid, self.files.data):
                return None
            self._wait_until_it_answers(record)
        return self._endpoint_at(record.port)

    def start(self, *, stays: bool = True) -> Endpoint:
        """Start the server, or return the one that runs. Raises RedisServerFailed.

        ``stays``: see :class:`ServerRecord`. A server that runs already is told to stay, never not to.
        """
        files = self.files
        files.make()
        with files.start_lock():
            found = self.running()
            if found is not None:
                self._note_that_it_stays(stays)
                return found
            self._refuse_an_unrecorded_server()
            server = server_binary()
            for port in candidate_ports(files.read_record()):
                with suppress(_PortTaken):
                    files.write_record(replace(self._launch(server, port), stays=stays))
                    return self._endpoint_at(port)
        raise RedisServerFailed(f"no free port on {LOOPBACK} in {PORT_ATTEMPTS} attempts{files.log_tail()}")

    @property
    def stays(self) -> bool:
        """Whether the recorded server ends by an explicit stop only."""
        record = self.files.read_record()
        return record is None or record.stays

    def stop(self) -> bool:
        """Stop the server after it has flushed its data to disk. False if none ran. Raises RedisServerFailed."""
        files = self.files
        record = files.read_record()
        if record is None or self.running() is None:
            return False
        with suppress(redis.ConnectionError), _client(record.port, TIMEOUT_S) as client:
            client.shutdown(nosave=True)  # without a snapshot; the append-only file is synced
        if not _poll(lambda: not _lives_in(record.pid, files.data), TIMEOUT_S):
            raise RedisServerFailed(f"the embedded Redis (process {record.pid}) did not stop{files.log_tail()}")
        return True

    # ------------------------------------------------------------------------------- launching

    def _note_that_it_stays(self, stays: bool) -> None:
        record = self.files.read_record()
        if stays and record is not None and not record.stays:
            self.files.write_record(replace(record, stays=True))

    def _launch(self, server: str, port: int) -> ServerRecord:
        """Run a detached server on ``port`` and wait until it answers. Raises _PortTaken, RedisServerFailed."""
        files = self.files
        files.pid_file.unlink(missing_ok=True)
        log_start = len(files.log_text())
        done = subprocess.run([server, *self._arguments(port)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RedisServerFailed(f"{server} cannot start: {done.stdout.strip()} {done.stderr.strip()}")
        _poll(lambda: files.read_pid() is not None or self._port_was_taken(log_start), TIMEOUT_S)
        if self._port_was_taken(log_start):
            raise _PortTaken
        pid = files.read_pid()
        if pid is None:
            raise RedisServerFailed(f"{server} did not start in {TIMEOUT_S:.0f} s{files.log_tail()}")
        record = ServerRecord(port, pid)
        self._wait_until_it_answers(record)
        return record

    def _arguments(self, port: int) -> list[str]:
        options = {
            "port": str(port),
            "bind": LOOPBACK,
            "protected-mode": "yes",
            "daemonize": "yes",  # in a session of its own, so that a Ctrl-C in the terminal does not stop it
            "dir": str(self.files.data),
            "pidfile": str(self.files.pid_file),
            "logfile": str(self.files.log_file),
            "appendonly": "yes",
            "appendfsync": self.appendfsync,
            # A rewrite of the file takes a core for seconds. With the default, 100, each materialization causes one.
            "auto-aof-rewrite-percentage": "300",
            "save": "",
            "maxmemory-policy": "noeviction",
        }
        return [argument for name, value in options.items() for argument in (f"--{name}", value)]

    def _wait_until_it_answers(self, record: ServerRecord) -> None:
        """Wait until the server has loaded its data. Raises RedisServerFailed if it ends or does not answer."""
        deadline = time.monotonic() + TIMEOUT_S
        loading_deadline = time.monotonic() + LOADING_TIMEOUT_S
        while not self._is_ours(record):
            now = time.monotonic()
            if not _lives_in(record.pid, self.files.data):
                raise RedisServerFailed(f"the embedded Redis ended during its start{self.files.log_tail()}")
            if now > loading_deadline or (now > deadline and not _is_loading(record.port)):
                process = f"process {record.pid}, port {record.port}"
                raise RedisServerFailed(f"the embedded Redis ({process}) does not answer{self.files.log_tail()}")
            time.sleep(0.02)

    def _port_was_taken(self, log_start: int) -> bool:
        return "Address already in use" in self.files.log_text()[log_start:].decode(errors="replace")

    def _endpoint_at(self, port: int) -> Endpoint:
        return Endpoint(LOOPBACK, port, timeout_s=self.timeout_s)

    # -------------------------------------------------------------------------------- identity

    def _is_ours(self, record: ServerRecord) -> bool:
        """Whether the server at the port is the recorded process, works in our folder and has loaded its data."""
        try:
            with _client(record.port, PROBE_TIMEOUT_S) as client:
                info = client.info()
                folder = client.config_get("dir")["dir"]
        except (redis.RedisError, OSError, KeyError):
            return False
        if info.get("loading") or info.get("process_id") != record.pid:
            return False
        return _same_folder(folder, self.files.data)

    def _refuse_an_unrecorded_server(self) -> None:
        """Two servers would destroy the append-only file that they share."""
        files = self.files
        pid = files.read_pid()
        if pid is not None and _lives_in(pid, files.data):
            raise RedisServerFailed(
                f"process {pid} is a Redis on {files.data} that is not in {files.record_file}; "
                f"stop it (`kill {pid}`) and start again"
            )


def candidate_ports(record: ServerRecord | None) -> Iterator[int]:
    """The recorded port if it is free, then free ports that the operating system chooses."""
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
    """Whether process ``pid`` lives and works in ``folder``: Redis changes into its ``dir``."""
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
