"""Files that are complete or absent, also after a power failure.

A rename may reach the disk before the renamed file's data. Then the file is there after a power failure, and empty or
truncated. So the data is synced first, and the folder afterwards.
"""

from __future__ import annotations

import os
from pathlib import Path


def replace_durably(partial: Path, path: Path) -> None:
    """Rename the written and closed file ``partial`` to ``path``, in the same folder. Raises OSError."""
    sync(partial)
    partial.replace(path)
    sync(path.parent)


def write_durably(path: Path, content: bytes) -> None:
    """Raises OSError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_bytes(content)
    replace_durably(partial, path)


def sync(path: Path) -> None:
    """Write a file's data, or the names in a folder, to disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
