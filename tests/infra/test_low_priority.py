"""Background work, as the kernel reports it."""

import ctypes
import os
import platform
import signal
import subprocess
import sys
from struct import Struct

import pytest

from infra.low_priority import NICEST, SLICE_NS

SCHED_GETATTR = {"x86_64": 315, "aarch64": 275}
ATTRIBUTES = Struct("=IIQiIQQQ")


def attributes(pid: int) -> tuple[int, int, int]:
    """Policy, nice value and time slice in ns."""
    found = ctypes.create_string_buffer(64)
    assert ctypes.CDLL(None).syscall(SCHED_GETATTR[platform.machine()], pid, found, len(found), 0) == 0
    _, policy, _, nice, _, slice_ns, _, _ = ATTRIBUTES.unpack(found.raw[: ATTRIBUTES.size])
    return policy, nice, slice_ns


def run(*command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


linux = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in SCHED_GETATTR, reason="needs the number of a Linux system call"
)


@linux
def test_a_process_that_gives_way_is_nicer_and_has_a_long_time_slice():
    with run("-c", "from infra.low_priority import give_way; give_way(3); print(flush=True); input()") as child:
        child.stdout.readline()
        policy, nice, slice_ns = attributes(child.pid)
        child.communicate("\n")
    assert (policy, nice) == (os.SCHED_BATCH, os.nice(0) + 3)
    release = tuple(map(int, platform.release().split(".")[:2]))
    assert slice_ns == SLICE_NS or release < (6, 12)


@linux
def test_a_command_is_background_work_from_its_start():
    show = "import os; print(os.sched_getscheduler(0), os.nice(0)); raise SystemExit(3)"
    child = run("-m", "infra.low_priority", sys.executable, "-c", show)
    printed, _ = child.communicate()
    assert printed.split() == [str(os.SCHED_BATCH), str(NICEST)]
    assert child.returncode == 3


def test_a_command_ends_when_its_output_has_no_reader():
    child = run("-m", "infra.low_priority", "bash", "-c", "yes | head -1; echo ${PIPESTATUS[0]}")
    assert child.communicate()[0].split() == ["y", str(128 + signal.SIGPIPE)]


def test_an_unknown_command_is_named():
    child = run("-m", "infra.low_priority", "no-such-command")
    _, errors = child.communicate()
    assert errors.strip() == "no-such-command: No such file or directory"
    assert child.returncode == 1
    assert "usage" in run("-m", "infra.low_priority").communicate()[1]
