from __future__ import annotations

import pytest

from tests.serving.web.browser import PASSWORD, Browser


def test_who_is_not_logged_in_is_sent_to_the_welcome_page_and_back_to_where_they_were_going(browser: Browser) -> None:
    answer = browser.get("/search?q=fruit")
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome?then=%2Fsearch%3Fq%3Dfruit")
    assert 'name="then" value="/search?q=fruit"' in browser.get(answer.headers["location"]).text
    assert browser.post("/guest", then="/search?q=fruit").headers["location"] == "/search?q=fruit"


@pytest.mark.parametrize("then", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example", "x"])
def test_no_form_sends_a_visitor_to_another_site(browser: Browser, then: str) -> None:
    assert browser.post("/guest", then=then).headers["location"] == "/"


def test_a_guest_sees_the_shelf(browser: Browser) -> None:
    browser.post("/guest")
    page = browser.get("/")
    assert page.status_code == 200
    assert "You are <strong>guest</strong>" in page.text
    assert {card["item_id"] for card in browser.shelf()} >= {"a", "d"}  # trending ones


def test_a_user_of_the_log_comes_in_with_their_orders(browser: Browser) -> None:
    assert 'name="user_id" value="u"' in browser.get("/welcome").text
    assert browser.post("/act-as", user_id="u").status_code == 303
    page = browser.get("/orders").text
    assert "You are <strong>shopper u</strong>" in page
    assert page.count('<section class="order">') == 2


@pytest.mark.parametrize("user_id", ["", "stranger", "guest-1", "member-ann"])
def test_nobody_comes_in_as_a_user_that_the_log_does_not_know(browser: Browser, user_id: str) -> None:
    assert browser.post("/act-as", user_id=user_id).status_code == 404
    assert browser.get("/").status_code == 303


def test_who_registers_is_logged_in_can_log_out_and_log_in_again(browser: Browser) -> None:
    assert browser.post("/register", name="Bert", password=PASSWORD).status_code == 303
    assert "You are <strong>bert</strong>" in browser.get("/").text
    old = browser.cookies
    assert browser.post("/log-out").headers["location"] == "/welcome"
    assert browser.get("/").status_code == 303
    assert Browser(browser.client, old).get("/").status_code == 303, "a copy of the cookie is worth nothing"
    assert browser.post("/log-in", name="bert", password=PASSWORD).status_code == 303
    assert "You are <strong>bert</strong>" in browser.get("/").text


def test_a_name_that_is_taken_is_refused_in_words(browser: Browser) -> None:
    browser.post("/register", name="carl", password=PASSWORD)
    browser.post("/log-out")
    answer = browser.post("/register", name="CARL", password=PASSWORD)
    assert answer.status_code == 422
    assert "This name is taken." in answer.text


def test_after_four_wrong_passwords_a_log_in_has_to_wait(browser: Browser) -> None:
    browser.post("/register", name="dora", password=PASSWORD)
    browser.post("/log-out")
    tried = [browser.post("/log-in", name="dora", password="wrong password").status_code for _ in range(4)]
    assert tried == [401] * 4
    answer = browser.post("/log-in", name="dora", password=PASSWORD)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
    assert browser.get("/").status_code == 303
