"""Redis servers of a test module, and their clients."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from infra.redis_server.server import EVENTS, FEATURES, endpoint, start, stop
from infra.settings import Settings


@contextmanager
def two_servers(folder: Path) -> Iterator[Settings]:
    """The feature store's server and the events', of the data set ``shop``."""
    made = Settings(_env_file=None, state_dir=folder / "var", data_dir=folder / "data", dataset="shop")
    for role in (FEATURES, EVENTS):
        start(made, role)
    yield made
    for role in (FEATURES, EVENTS):
        stop(made, role)


@contextmanager
def events_client(folder: Path) -> Iterator[redis.Redis]:
    """A client of a server for events alone."""
    made = Settings(_env_file=None, state_dir=folder)
    start(made, EVENTS)
    with endpoint(made, EVENTS).client(5) as found:
        yield found
    stop(made, EVENTS)


@contextmanager
def emptied(settings: Settings, role: str) -> Iterator[redis.Redis]:
    """A client of a server of which nothing is left."""
    with endpoint(settings, role).client(5) as client:
        client.flushall()
        yield client
