"""A server in a process of its own, its memory and its CPU time; and a process that leaves the CPU to it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import low_priority

TICKS = os.sysconf("SC_CLK_TCK")
TIMEOUT_S = 20


@dataclass(frozen=True)
class ServerProcess:
    """``url``: without a path."""

    process: subprocess.Popen[bytes]
    url: str

    @staticmethod
    def start(command: Sequence[str], environment: dict[str, str], port: int) -> ServerProcess:
        """``command`` listens on ``port``."""
        inherited = {"PATH": os.defpath, "HOME": str(Path.home())}
        process = subprocess.Popen(
            [sys.executable, *command],
            env=inherited | environment,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        return ServerProcess(process, f"http://127.0.0.1:{port}")

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def cpu_s(self) -> float:
        """Of all processes of the server so far."""
        return sum(sum(map(int, _stat(pid)[11:13])) for pid in self.pids()) / TICKS

    def memory_mb(self) -> float:
        """Proportional set size of all processes of the server."""
        return sum(_pss_kb(pid) for pid in self.pids()) / 1024

    def pids(self) -> list[int]:
        """Those of its session."""
        found = []
        for path in Path("/proc").iterdir():
            if path.name.isdecimal():
                try:
                    if int(_stat(int(path.name))[3]) == self.process.pid:
                        found.append(int(path.name))
                except OSError:  # it has ended
                    continue
        return found


def in_background(command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Runs when no other process wants the CPU: see :mod:`infra.low_priority`."""
    return subprocess.Popen(
        [sys.executable, "-m", low_priority.__name__, sys.executable, *command],
        env={"PATH": os.defpath, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stat(pid: int) -> list[str]:
    """The fields behind the name, from `state` on: see proc(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _pss_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0
