from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from serving.web.people.visits import COOKIE
from tests.serving.web.browser import Browser

PATHS = ("/", "/welcome", "/categories", "/category/fruit", "/search?q=bread", "/product/a", "/cart",
         "/orders", "/likes", "/recommendations", "/compare", "/shelf", "/look/a", "/why?item=a", "/panel",
         "/product/none")  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [{"origin": "https://elsewhere.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"},
     {"sec-fetch-site": "same-site"}],
)  # fmt: skip
def test_a_form_of_another_site_is_refused_even_with_the_right_token(guest: Callable[[], Browser], headers) -> None:
    browser = guest()
    answer = browser.post_as_sent("/cart/add", {"token": browser.token(), "item_id": "a"}, **headers)
    assert answer.status_code == 403
    assert "Your cart is empty" in browser.get("/cart").text


def test_a_form_of_this_shop_is_accepted_with_the_headers_of_a_browser(guest: Callable[[], Browser]) -> None:
    browser = guest()
    sent = {"token": browser.token(), "item_id": "a"}
    headers = {"origin": "http://localhost", "sec-fetch-site": "same-origin"}
    assert browser.post_as_sent("/cart/add", sent, **headers).status_code == 303
    assert "Your cart is empty" not in browser.get("/cart").text


@pytest.mark.parametrize("token", [None, "", "wrong", "of another visitor"])
def test_a_form_without_the_token_of_its_visit_is_refused(guest: Callable[[], Browser], token: str | None) -> None:
    browser = guest()
    sent = {"item_id": "a"}
    if token is not None:
        sent["token"] = guest().token() if token == "of another visitor" else token
    assert browser.post_as_sent("/cart/add", sent).status_code == 403
    assert "Your cart is empty" in browser.get("/cart").text


def test_a_form_without_a_cookie_is_refused(browser: Browser, guest: Callable[[], Browser]) -> None:
    assert browser.post_as_sent("/guest", {"token": guest().token()}).status_code == 403


def test_a_form_that_is_too_large_is_refused(guest: Callable[[], Browser]) -> None:
    assert guest().post("/cart/add", item_id="a" * 20_000).status_code == 403


def test_who_changes_the_cookie_is_a_new_visitor(guest: Callable[[], Browser]) -> None:
    browser = guest()
    cookie = browser.cookies[COOKIE]
    assert browser.get("/").status_code == 200
    browser.cookies.clear()
    browser.cookies.set(COOKIE, f"{cookie[:8]}{'0' if cookie[8] != '0' else '1'}{cookie[9:]}", domain="localhost.local")
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome?then=%2F")
    assert COOKIE in answer.headers["set-cookie"]


def test_scripts_and_other_sites_do_not_get_the_cookie(browser: Browser) -> None:
    sent = browser.get("/welcome").headers["set-cookie"].lower()
    assert "httponly" in sent
    assert "samesite=lax" in sent


def test_another_hosts_name_that_points_here_is_refused(guest: Callable[[], Browser]) -> None:
    assert guest().get("/", headers={"host": "elsewhere.example"}).status_code == 421


@pytest.mark.parametrize("path", PATHS)
def test_no_page_allows_or_has_anything_inline(guest: Callable[[], Browser], path: str) -> None:
    answer = guest().get(path)
    assert answer.status_code == (404 if path == "/product/none" else 200)
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"\s(style|on\w+)=|<style|<script(?! type=\"module\" src=\"/static/)|https?://", answer.text)
