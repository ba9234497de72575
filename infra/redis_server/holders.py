"""Which scripts use the embedded servers: each holds a lock on one file, and the last one stops what a script started.

A script opens the file on a descriptor of its own, which the processes it starts inherit. The lock belongs to the
descriptor: it is held until the last of these processes ends, also after a SIGKILL of the script.
"""

from __future__ import annotations

import fcntl
from pathlib import Path

from infra.settings import Settings


def lock_file(settings: Settings) -> Path:
    """The file to open; its folder is created."""
    path = settings.state_dir / "redis_holders.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.resolve()


def hold(descriptor: int) -> None:
    """Waits while another script that was the last one stops the servers. Raises OSError for no open file."""
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def is_last(descriptor: int) -> bool:
    """Whether no other script holds the file. If so, one that starts now waits until the descriptor is closed.

    Otherwise this script does not hold it any more. Raises OSError for no open file.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
