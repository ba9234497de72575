"""Whether a Redis may lose what it has acknowledged when its machine goes down."""

from __future__ import annotations

from typing import Any

import redis

WANTED = {"appendonly": "yes", "appendfsync": "always"}


def durability_problem(client: redis.Redis) -> str | None:
    """What must be set. None if all is set, or if the server does not report its settings. Raises redis.RedisError."""
    try:
        found: Any = client.config_get("append*")
    except redis.ResponseError:  # a managed Redis may refuse CONFIG
        return None
    known = {_text(name): _text(value) for name, value in found.items()}
    lacking = [f"{name} {value}" for name, value in WANTED.items() if known.get(name, value) != value]
    return f"may lose accepted events if its machine crashes: set {', '.join(lacking)}" if lacking else None


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
