"""The folder of a gate's report: replaced as a whole when the report is complete, else left as it was."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(final: Path) -> Iterator[Path]:
    """A fresh folder beside ``final`` that takes its place on leaving without an error."""
    partial = final.with_name(f".{final.name}.{os.getpid()}.part")
    retired = final.with_name(f".{final.name}.{os.getpid()}.old")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        if final.exists():
            final.rename(retired)
        partial.rename(final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(retired, ignore_errors=True)
