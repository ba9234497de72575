"""This Feast repository's folder, and the paths that Feast stores."""

from __future__ import annotations

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


def path_for_registry(path: Path) -> str:
    """Relative to :data:`REPO` for a path in the project, so that the project can be moved and copied; else absolute.

    Feast takes a relative path from its repository's folder.
    """
    absolute = path.resolve()
    return os.path.relpath(absolute, REPO) if absolute.is_relative_to(REPO.parent) else str(absolute)
