"""While Redis is down the pages are usable and say so, and what is done counts later. Nothing has to be restarted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from infra.redis_server.server import EVENTS, FEATURES, start, stop
from infra.settings import Settings
from serving.web.shelves import STORE_AWAY
from tests.serving.recommend import shelf
from tests.serving.web.browser import Browser
from tests.serving.web.conftest import write_log

PAGES = ("/", "/categories", "/category/fruit", "/search?q=bread", "/product/a", "/cart", "/orders", "/likes",
         "/recommendations", "/compare", "/shelf", "/look/a", "/why?item=a", "/panel", "/welcome")  # fmt: skip
WITH_SHELF = ("/", "/category/fruit", "/search?q=bread", "/recommendations", "/shelf")
TIMEOUT_S = 20.0


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A shop of this module's own, whose servers it may stop."""
    with shelf.shop(tmp_path_factory.mktemp("outage"), shop=True) as made:
        write_log(made)
        yield made


@pytest.fixture(scope="module")
def visitor(own: Settings) -> Iterator[Browser]:
    with shelf.served(own) as client:
        client.base_url = "http://localhost"
        browser = Browser(client)
        browser.post("/guest")
        yield browser


@pytest.fixture
def outage(own: Settings, visitor: Browser) -> Iterator[None]:
    """Both servers are down; after it they are there again, and the pages as before."""
    for role in (FEATURES, EVENTS):
        stop(own, role)
    wait_until(lambda: STORE_AWAY in visitor.get("/").text, "the outage is not said")
    yield
    for role in (FEATURES, EVENTS):
        start(own, role)
    wait_until(lambda: STORE_AWAY not in visitor.get("/").text, "the shop does not recover")


def wait_until(is_so: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.05)


def send(browser: Browser, path: str, **fields: str) -> dict[str, object]:
    answer = browser.post_as_sent(path, {"token": browser.token(), **fields}, accept="application/json")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_without_redis_every_page_is_usable_and_lists_say_that_they_are_popular_items(visitor, outage) -> None:
    for path in PAGES:
        page = visitor.get(path)
        assert page.status_code == 200, path
        assert (STORE_AWAY in page.text) or path not in WITH_SHELF, path
    assert {card["item_id"] for card in visitor.shelf()} >= {"d", "a", "e"}  # the trending ones
    assert 'data-item="a"' in visitor.get("/category/fruit").text


def test_what_is_done_without_redis_counts_once_and_when_it_happened(own, visitor, outage) -> None:
    assert send(visitor, "/like", item_id="e") == {
        "said": "Liked", "stored": False, "cart_size": 0, "liked": True,
    }  # fmt: skip
    assert send(visitor, "/cart/add", item_id="f") == {"said": "Added to the cart", "stored": False, "cart_size": 1}
    assert "no. f" in visitor.get("/cart").text


def test_after_redis_is_back_what_waited_is_accepted_with_the_next_event(own: Settings, visitor: Browser) -> None:
    wait_until(lambda: bool(send(visitor, "/view", item_id="b")["stored"]), "events are not stored again")
    found = [(each.action, each.item_id) for each in visitor.visit(own)]
    assert found.count(("like", "e")) == 1
    assert found.count(("add_to_cart", "f")) == 1
    assert found.count(("view", "b")) >= 1


def test_the_pages_recover_by_themselves(visitor: Browser) -> None:
    assert STORE_AWAY not in visitor.get("/").text
    assert 'data-degraded="false"' in visitor.get("/category/fruit").text
    assert "cannot be read" not in visitor.get("/panel").text
