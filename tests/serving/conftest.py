"""One store, one champion and one client for all tests of the package."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from infra.clock import FixedClock
from infra.redis_server.server import EVENTS, start, stop
from infra.settings import Settings
from serving.api.app import create_app
from tests.serving import world


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A filled Redis, an empty one for events, and a registered champion."""
    made = world.settings_in(tmp_path_factory.mktemp("serving"))
    start(made)
    start(made, EVENTS)
    try:
        world.fill_store(made)
        world.register(made, world.small_model())
        yield made
    finally:
        stop(made)
        stop(made, EVENTS)


@pytest.fixture(scope="session")
def shared_client(settings: Settings) -> Iterator[TestClient]:
    """The app at world.NOW; an unexpected exception in it fails the test."""
    with TestClient(create_app(settings, FixedClock(world.NOW))) as client:
        yield client


@pytest.fixture(scope="session")
def client(shared_client: TestClient) -> TestClient:
    """The same, where a module has no other of this name."""
    return shared_client
