"""One shop in the browser for all tests of the package: the items of the shelf, and a short log of two users."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from fastapi.testclient import TestClient

from infra.settings import Settings
from tests import small_log
from tests.serving import world
from tests.serving.recommend import shelf
from tests.serving.web.browser import Browser

for _name in ("argon2", "itsdangerous", "jinja2", "markupsafe"):
    pytest.importorskip(_name, reason="the marketplace needs the extra browser")

SCRIPT = "<script>alert(1)</script>"
CATEGORIES = {"a": "fruit", "d": "fruit", "e": "fruit", "b": "bread", "f": "bread", "n": f"nuts{SCRIPT}"}


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with shelf.shop(tmp_path_factory.mktemp("web"), shop=True) as made:
        write_log(made)
        yield made


@pytest.fixture(scope="session")
def client(settings: Settings) -> Iterator[TestClient]:
    with shelf.served(settings) as made:
        made.base_url = "http://localhost"
        yield made


@pytest.fixture
def browser(client: TestClient) -> Browser:
    return Browser(client)


@pytest.fixture
def guest(client: TestClient) -> Callable[[], Browser]:
    """A new guest each time."""

    def come_in() -> Browser:
        made = Browser(client)
        assert made.post("/guest").status_code == 303
        return made

    return come_in


def write_log(settings: Settings) -> None:
    """u ordered a, a and b; v viewed d. The brand of n is a script."""
    day = world.ROW_AT - small_log.timedelta(days=1)
    items = [
        small_log.item(item, category_id=category, valid_from_ts=day, brand=SCRIPT if item == "n" else "own")
        for item, category in CATEGORIES.items()
    ]
    events = [
        small_log.event(1, day, "order", "a", category_id="fruit", value=1.1),
        small_log.event(2, day, "order", "b", category_id="bread", value=2.2),
        small_log.event(3, day, "order", "a", category_id="fruit", value=1.1, session_id="s2"),
        small_log.event(4, day, "view", "d", category_id="fruit", user_id="v", session_id="s3"),
    ]
    shown = [small_log.impression("slate", 0, day, "a", store_id="store-7")]
    small_log.write_log(settings.log_dir, items=items, events=events, impressions=shown, declaration=world.DECLARATION)
