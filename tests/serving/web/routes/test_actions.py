"""What a visitor does is an accepted event, and follows the answer it was shown in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from infra.settings import Settings
from tests.serving.web.browser import Browser


def last(browser: Browser, settings: Settings) -> tuple[str, str | None, str | None, int | None]:
    found = browser.visit(settings)[-1]
    return found.action, found.item_id, found.request_id, found.shown_position


@pytest.mark.parametrize(("path", "action"), [("/view", "view"), ("/like", "like"), ("/cart/add", "add_to_cart")])
def test_an_action_on_a_card_is_an_event_of_its_request(guest, settings, path: str, action: str) -> None:
    browser = guest()
    card = browser.shelf()[1]
    assert len(card["from"]) == 32
    assert card["at"] == "1"
    fields = {name: card[name] for name in ("item_id", "from", "at")}
    assert browser.post(path, **fields).status_code == 303
    assert last(browser, settings) == (action, card["item_id"], card["from"], 1)


def test_a_product_page_is_a_view_and_what_is_added_there_follows_the_same_request(guest, settings) -> None:
    browser = guest()
    card = browser.shelf()[0]
    page = browser.get(f"/product/{card['item_id']}?from={card['from']}&at=0").text
    assert last(browser, settings) == ("view", card["item_id"], card["from"], 0)
    assert f'name="from" value="{card["from"]}"><input type="hidden" name="at" value="0"' in page


def test_an_order_is_an_event_for_each_line_with_the_request_it_was_taken_from(guest, settings) -> None:
    browser = guest()
    card = next(each for each in browser.shelf() if each["item_id"] == "a")
    for _ in range(2):
        browser.post("/cart/add", item_id="a", **{"from": card["from"], "at": card["at"]})
    browser.post("/cart/add", item_id="c")
    assert browser.post("/order").headers["location"].startswith("/orders?placed=")
    orders = [each for each in browser.visit(settings) if each.action == "order"]
    found = {each.item_id: (each.request_id, each.quantity, each.value) for each in orders}
    assert found == {"a": (card["from"], 2, 220), "c": (None, 1, None)}  # cents: 2 of 1.10
    assert "Your cart is empty" in browser.get("/cart").text


def test_searches_categories_and_what_leaves_the_cart_are_events_too(guest, settings) -> None:
    browser = guest()
    browser.get("/search?q=bread")
    browser.get("/category/fruit")
    browser.post("/cart/add", item_id="a")
    browser.post("/cart/remove", item_id="a")
    assert [each.action for each in browser.visit(settings)] == [
        "search", "visit_category", "add_to_cart", "remove_from_cart",
    ]  # fmt: skip


def test_a_made_up_request_is_left_out(guest: Callable[[], Browser], settings: Settings) -> None:
    browser = guest()
    browser.post("/view", item_id="a", **{"from": "x" * 32, "at": "1"})
    assert last(browser, settings) == ("view", "a", None, None)


def test_a_script_is_told_what_was_done(guest: Callable[[], Browser]) -> None:
    browser = guest()
    sent = {"token": browser.token(), "item_id": "a"}
    answer = browser.post_as_sent("/cart/add", sent, accept="application/json")
    assert answer.json() == {"said": "Added to the cart", "stored": True, "cart_size": 1}


def test_the_chosen_order_holds_for_the_visit(guest: Callable[[], Browser]) -> None:
    browser = guest()
    assert 'data-ordering="ranker"' in browser.get("/").text
    browser.post("/ordering", ordering="popularity")
    assert 'data-ordering="popularity"' in browser.get("/").text
    assert browser.post("/ordering", ordering="alphabet").status_code == 422
