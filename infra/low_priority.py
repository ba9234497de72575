"""Work that gives way: whoever wakes up has the core at once.

    python -m infra.low_priority COMMAND [ARGUMENT ...]

A nice process gets little of a busy core, but in turns as long as anyone's, and who wakes up meanwhile waits for the
end of its turn: milliseconds. Linux lets a thread that wakes up and has shorter turns interrupt one that has longer
(since 6.12, see sched_setattr(2): ``sched_runtime`` of a thread that is not real-time), so here turns are longer than
anyone's. Not much longer: who is not waking up but interrupted may have to wait for the end of one.
"""

from __future__ import annotations

import ctypes
import os
import platform
import signal
import sys
from contextlib import suppress
from pathlib import Path
from struct import Struct

NICEST = 19
TURN_NS = 10_000_000
_SCHED_ATTR = Struct("=IIQiIQQQ")  # size, policy, flags, nice, priority, runtime, deadline, period
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # number of the system call; the C library may have no function for it


def give_way(more_nice: int = 0) -> None:
    """From now on, for this thread and those it starts. Where the system knows no such thing it is merely nicer."""
    nice = os.nice(more_nice)
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        attributes = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_BATCH, 0, nice, 0, TURN_NS, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, ctypes.c_char_p(attributes), 0)  # an older kernel ignores or refuses it


def main() -> None:
    """Becomes COMMAND, which gives way as long as it runs."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m infra.low_priority COMMAND [ARGUMENT ...]")
    give_way(NICEST)
    if os.getsid(0) == os.getpid():  # else others are in this session, too
        with suppress(OSError):  # the kernel shares the CPU out among sessions first: sched(7), the autogroup feature
            Path("/proc/self/autogroup").write_text(str(NICEST))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and what is ignored stays so
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError as error:
        raise SystemExit(f"{sys.argv[1]}: {error.strerror}") from None


if __name__ == "__main__":
    main()
