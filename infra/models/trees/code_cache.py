"""A folder of machine code that only its owner can have written.

What is read from it is executed, so both the folder and a file must belong to this user and be closed to all
others, and a file must hold what was stored: its digest comes first. Anything else counts as not there.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

DIGEST_BYTES = 32
LOCK_POLL_S = 0.1
OTHERS = 0o077

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CodeCache:
    folder: Path

    def read(self, key: str) -> bytes | None:
        """What was stored under ``key``, or None."""
        try:
            if not _private(os.lstat(self.folder), stat.S_ISDIR):
                log.warning("%s is open to other users: code in it is not run, and none is stored", self.folder)
                return None
            descriptor = os.open(self.folder / key, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as file:
                if not _private(os.fstat(descriptor), stat.S_ISREG):
                    log.warning("%s is open to other users: it is not run", file.name)
                    return None
                content = file.read()
        except OSError:
            return None
        digest, code = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
        if hashlib.sha256(code).digest() != digest:
            log.warning("%s is damaged: it is not run", self.folder / key)
            return None
        return code

    @contextmanager
    def alone(self, key: str, stop: threading.Event) -> Iterator[None]:
        """Inside, no other process is inside for the same ``key``: of several workers one compiles for all.

        Where the folder cannot be written nobody waits for anybody; nor does who is told to ``stop``.
        """
        with ExitStack() as held:
            with suppress(OSError):
                if self._made_private():
                    path = self.folder / f".lock-{key}"
                    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
                    held.callback(os.close, descriptor)  # which gives the lock back
                    while not _locked(descriptor) and not stop.wait(LOCK_POLL_S):
                        pass
            yield

    def write(self, key: str, code: bytes) -> None:
        """All of it or nothing. A folder that cannot be written is no error: the next start compiles again."""
        try:
            if not self._made_private():
                return
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".part-", delete=False) as file:  # mode 0600
                try:
                    file.write(hashlib.sha256(code).digest() + code)
                    file.close()
                    os.replace(file.name, self.folder / key)
                except OSError:
                    os.unlink(file.name)
                    raise
        except OSError as error:
            log.info("compiled trees are not kept: %s", error)

    def _made_private(self) -> bool:
        """Raises OSError."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _private(os.lstat(self.folder), stat.S_ISDIR)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _private(found: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    return is_kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & OTHERS
