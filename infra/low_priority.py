"""Background work: any other thread that wakes up takes the core from it at once.

    python -m infra.low_priority COMMAND [ARGUMENT ...]

A nice process gets a small share of a busy core, but its time slices are as long as all others. A thread that wakes
up waits for the end of such a slice, some milliseconds. Since Linux 6.12 a thread with a shorter slice interrupts one
with a longer slice when it wakes up (sched_setattr(2), ``sched_runtime`` of a thread that is not real-time). So the
slice here is longer than the default. It is not much longer, because a thread that was interrupted, and so does not
wake up, may wait for a whole slice.
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
SLICE_NS = 10_000_000
_SCHED_ATTR = Struct("=IIQiIQQQ")  # size, policy, flags, nice, priority, runtime, deadline, period
_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}  # system call numbers; the C library may have no function for it


def give_way(more_nice: int = 0) -> None:
    """Make this thread, and the threads it starts from now on, background work. Elsewhere than on Linux only nicer."""
    nice = os.nice(more_nice)
    number = _SCHED_SETATTR.get(platform.machine())
    if sys.platform == "linux" and number is not None:
        attributes = _SCHED_ATTR.pack(_SCHED_ATTR.size, os.SCHED_BATCH, 0, nice, 0, SLICE_NS, 0, 0)
        ctypes.CDLL(None).syscall(number, 0, ctypes.c_char_p(attributes), 0)  # an older kernel ignores or refuses it


def main() -> None:
    """Replace this process by COMMAND, which runs as background work."""
    if len(sys.argv) < 2:
        raise SystemExit("usage: python -m infra.low_priority COMMAND [ARGUMENT ...]")
    give_way(NICEST)
    if os.getsid(0) == os.getpid():  # otherwise the session has other processes, which must not become nicer
        with suppress(OSError):  # the kernel first divides the CPU among sessions: sched(7), the autogroup feature
            Path("/proc/self/autogroup").write_text(str(NICEST))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and COMMAND would inherit that
        signal.signal(ignored, signal.SIG_DFL)
    try:
        os.execvp(sys.argv[1], sys.argv[1:])
    except OSError as error:
        raise SystemExit(f"{sys.argv[1]}: {error.strerror}") from None


if __name__ == "__main__":
    main()
