"""Errors of the embedded Redis.

RedisServerError      any of the below
├── NoRedis               no URL is configured and no embedded server runs
└── RedisServerFailed     the embedded server cannot start, stop or answer
"""

from __future__ import annotations


class RedisServerError(RuntimeError):
    """Base of the embedded server's errors."""


class NoRedis(RedisServerError):
    """No URL is configured and no embedded server runs."""


class RedisServerFailed(RedisServerError):
    """The embedded server cannot start, stop or answer. The message has the end of its log."""
