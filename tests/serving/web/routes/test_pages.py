from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from serving.web.goods.items import ShopItem
from serving.web.rendering import Renderer
from tests.serving.web.browser import PASSWORD, Browser
from tests.serving.web.conftest import CATEGORIES, SCRIPT


def test_the_search_finds_categories_by_their_first_letters(guest: Callable[[], Browser]) -> None:
    page = guest().get("/search?q=bre").text
    assert "2 items" in page
    assert "bread" in page.casefold()


@pytest.mark.parametrize("typed", [SCRIPT, f'"{SCRIPT}', "'><img src=x onerror=alert(1)>"])
def test_a_script_in_the_search_box_is_text(guest: Callable[[], Browser], typed: str) -> None:
    page = guest().get(f"/search?q={quote(typed)}")
    assert page.status_code == 200
    assert "alert(1)" in page.text
    assert "<script>" not in page.text
    assert "<img" not in page.text
    assert '"&lt;script' not in page.text.replace('value="&lt;script', "")


@pytest.mark.parametrize(
    "path", ["/product/n", f"/category/{quote(CATEGORIES['n'], safe='')}", "/categories", "/look/n"]
)
def test_a_script_in_the_log_is_text(guest: Callable[[], Browser], path: str) -> None:
    page = guest().get(path)
    assert page.status_code == 200
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text.casefold()


def test_a_script_in_an_items_title_is_text() -> None:
    item = ShopItem("x", title=SCRIPT)
    visit = type("Visit", (), {"token": "t"})
    values = {"item": item, "visit": visit, "liked": set(), "from_": "", "at": ""}
    page = Renderer("UTC", "A log").text("look.html", values)
    assert "<script>" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 2  # the heading, and the names of the buttons


def test_nobody_sees_anothers_cart_likes_or_orders(guest: Callable[[], Browser]) -> None:
    one, two = guest(), guest()
    one.post("/cart/add", item_id="a")
    one.post("/order")
    one.post("/cart/add", item_id="b")
    one.post("/like", item_id="d")
    assert "no. b" in one.get("/cart").text
    assert "no. d" in one.get("/likes").text
    assert '<section class="order">' in one.get("/orders").text
    assert "Your cart is empty" in two.get("/cart").text
    assert "no. d" not in two.get("/likes").text.split("<main")[1].split("</main>")[0].split("strip")[0]
    assert "No orders yet" in two.get("/orders").text
    assert two.post("/cart/remove", item_id="b").status_code == 404
    assert two.post("/order").headers["location"] == "/cart"
    assert "no. b" in one.get("/cart").text


def test_a_members_cart_is_there_after_the_next_log_in(browser: Browser) -> None:
    browser.post("/register", name="emma", password=PASSWORD)
    browser.post("/cart/add", item_id="f")
    browser.post("/log-out")
    browser.post("/guest")
    assert "Your cart is empty" in browser.get("/cart").text
    browser.post("/log-out")
    browser.post("/log-in", name="emma", password=PASSWORD)
    assert "no. f" in browser.get("/cart").text


def test_two_models_order_the_same_list_side_by_side(guest: Callable[[], Browser]) -> None:
    page = guest().get("/compare?left=ranker&right=given&list=category:fruit")
    assert page.status_code == 200
    assert "3 of the first 3 are in both" in page.text
    assert [page.text.count(f'data-item="{item}"') for item in "adeb"] == [2, 2, 2, 0]


@pytest.mark.parametrize("path", ["/product/none", "/category/none", f"/product/{'x' * 300}"])
def test_what_the_shop_does_not_have_is_not_found(guest: Callable[[], Browser], path: str) -> None:
    assert guest().get(path).status_code == 404
