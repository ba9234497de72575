"""The folder of an embedded Redis.

data/           the append-only file
endpoint.json   the record of the running server: its port and process id
redis.pid       the process id, written by the server
redis.log       the server's log
start.lock      locked while a process starts the server
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.durable_file import write_durably
from infra.redis_server.errors import RedisServerFailed

LOG_TAIL_LINES = 12


@dataclass(frozen=True)
class ServerRecord:
    """The port of the server and the process that must answer there.

    ``stays``: whether only an explicit stop ends it; otherwise it ends with the last script that uses it.
    """

    port: int
    pid: int
    stays: bool = True


@dataclass(frozen=True)
class ServerFolder:
    """``path``: absolute."""

    path: Path

    @property
    def data(self) -> Path:
        return self.path / "data"

    @property
    def record_file(self) -> Path:
        return self.path / "endpoint.json"

    @property
    def pid_file(self) -> Path:
        return self.path / "redis.pid"

    @property
    def log_file(self) -> Path:
        return self.path / "redis.log"

    def make(self) -> None:
        """Create the folders. Raises RedisServerFailed if they cannot be created or written."""
        try:
            self.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RedisServerFailed(f"cannot create the folder {self.data} for the embedded Redis: {error}") from error
        if not os.access(self.data, os.R_OK | os.W_OK | os.X_OK):
            raise RedisServerFailed(f"the folder {self.data} for the embedded Redis is not writable")

    @contextmanager
    def start_lock(self) -> Iterator[None]:
        """Held during a start, so that two processes do not start two servers."""
        with (self.path / "start.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def read_record(self) -> ServerRecord | None:
        """None if the file is missing or not a record."""
        try:
            return ServerRecord(**json.loads(self.record_file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write_record(self, record: ServerRecord) -> None:
        write_durably(self.record_file, json.dumps(asdict(record)).encode())

    def read_pid(self) -> int | None:
        try:
            return int(self.pid_file.read_text())
        except (OSError, ValueError):
            return None

    def log_text(self) -> bytes:
        try:
            return self.log_file.read_bytes()
        except OSError:
            return b""

    def log_tail(self) -> str:
        """The last lines of the log, as the end of an error message."""
        lines = self.log_text().decode(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return f"; the end of {self.log_file}:\n  " + "\n  ".join(lines or ["(empty)"])
