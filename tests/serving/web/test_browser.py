"""The shop in a real headless Chromium, against the real scorer, Redis and trained models on simulated data."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.serving.web.browser import PASSWORD
from tests.serving.web.shop_server import PHONE, Visit, chromium, simulated_shop
from tests.shop import Shop

pytestmark = pytest.mark.slow

CATEGORY = "c01"
CLICKS = 3
PAGES = (
    "/", "/welcome", "/categories", f"/category/{CATEGORY}", "/search?q=c02", "/product/{item}", "/cart", "/orders",
    "/likes", "/recommendations", "/compare",
)  # fmt: skip
TABS = 80  # to reach anything that is looked for


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:  # first: without it the shop is not built either
        yield made


@pytest.fixture(scope="module")
def shop(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with simulated_shop(tmp_path_factory.mktemp("browser")) as made:
        yield made


@pytest.fixture(scope="module")
def url(shop: Shop) -> Iterator[str]:
    with shop.scorer(RERANK_SHOP="1", RERANK_READY_NEEDS="store,recommend,events") as client:
        yield str(client.base_url).rstrip("/")


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Visit]:
    with Visit.begin(browser, url) as made:
        yield made


def test_a_new_member_registers_browses_searches_likes_orders_and_logs_out(visit: Visit) -> None:
    page = visit.page
    visit.go("/welcome")
    page.fill("#new-name", "frida")
    page.fill("#new-password", PASSWORD)
    page.get_by_role("button", name="Register").click()
    page.wait_for_selector(".shelf .card")
    assert page.locator(".who strong").inner_text() == "frida"

    page.get_by_role("link", name="Aisles", exact=True).click()
    page.locator(".columns a").nth(1).click()
    page.wait_for_selector(".shelf .card")
    page.fill("#q", CATEGORY)
    page.get_by_role("button", name="Search").click()
    page.wait_for_selector(".shelf .card")
    page.wait_for_load_state("load")
    found = visit.items()[0]
    card = page.locator(f'.shelf .card[data-item="{found}"]').first

    page.evaluate("window.stayed = true")
    card.locator(".heart").click()
    page.wait_for_selector(f'.card[data-item="{found}"] .heart[aria-pressed="true"]')
    card.locator(".add").click()
    visit.wait_until("document.querySelector('#cart-size').textContent === '1'")
    assert page.evaluate("window.stayed"), "the page was loaded again"
    page.get_by_role("link", name="Likes").click()
    assert page.locator("main .card").get_attribute("data-item") == found

    page.get_by_role("link", name="Cart").click()
    page.get_by_role("button", name="Order now").click()
    page.wait_for_url("**/orders?placed=*")
    assert page.locator(".order .thumb").count() == 1
    assert found in page.locator(".order").inner_text()

    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/welcome")
    page.fill("#login-name", "frida")
    page.fill("#login-password", PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_selector(".shelf .card")
    page.get_by_role("link", name="Orders").click()
    assert found in page.locator(".order").inner_text()


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_three_clicks_in_a_category_reorder_the_shelf_without_a_page_load(browser: Any, url: str, motion: str) -> None:
    with Visit.begin(browser, url, reduced_motion=motion) as visit:
        visit.act_as_a_shopper()
        page, before = visit.page, visit.items()
        page.evaluate("window.stayed = true")
        page.evaluate(
            "() => { const run = Element.prototype.animate; window.moves = 0;"
            " Element.prototype.animate = function (...given) { window.moves += 1; return run.apply(this, given); }; }"
        )
        names = page.locator(".shelf .card .name").all_inner_texts()
        most = max(set(names), key=names.count)
        clicked = [item for item, name in zip(before, names, strict=True) if name == most][:CLICKS]
        assert len(clicked) == CLICKS
        for item in clicked:
            visit.look_at(item)
        after = visit.items()
        assert after != before
        assert page.evaluate("window.stayed"), "the page was loaded again"
        moved = sum(item in before and before.index(item) != place for place, item in enumerate(after))
        assert moved >= 1
        assert (page.evaluate("window.moves") > 0) is (motion == "no-preference")
        assert page.locator(".moved:not([hidden])").count() >= 1
        visit.go("/")
        assert visit.items() == after, "the page says the same as the shelf that followed"


def test_an_explanation_has_words_and_bars_and_escape_goes_back_to_its_button(visit: Visit) -> None:
    visit.act_as_a_shopper()
    for path in ("/", f"/category/{CATEGORY}", "/recommendations"):
        visit.go(path)
        button = visit.page.locator("[data-why]").nth(2)
        button.click()
        visit.page.wait_for_selector("#look .bars")
        assert "It is number 3 of" in visit.page.locator("#look").inner_text()
        assert visit.page.locator("#look .bars rect").count() >= 2
        visit.page.keyboard.press("Escape")
        assert visit.page.locator("#look").is_hidden()
        assert button.evaluate("button => button === document.activeElement")


def test_the_chooser_changes_who_orders_the_lists_and_two_orders_stand_side_by_side(visit: Visit) -> None:
    visit.act_as_a_shopper()
    visit.go(f"/category/{CATEGORY}")
    by_ranker = visit.items()
    visit.page.select_option("#ordering", "given")
    visit.page.wait_for_selector('.shelf[data-ordering="given"]')
    given = visit.items()
    assert given == sorted(given) != by_ranker
    assert set(given) == set(by_ranker)
    visit.go(f"/compare?list={quote(f'category:{CATEGORY}')}&left=ranker&right=given")
    sides = [side.locator("[data-item]") for side in visit.page.locator(".sides section").all()]
    assert sides[1].first.get_attribute("data-item") == given[0]
    sides[1].first.hover()
    twins = visit.page.locator(".twin").evaluate_all("rows => rows.map((row) => row.dataset.item)")
    assert set(twins) == {given[0]}


def test_the_panel_shows_the_session_as_it_changes(visit: Visit) -> None:
    visit.come_in()
    visit.page.get_by_role("button", name="Behind the shelf").click()
    visit.page.wait_for_selector("#panel h2")
    assert row(visit, "views") == "unknown"  # the store knows nothing of this session
    visit.look_at(visit.items()[0])
    visit.page.wait_for_selector("#panel .changed")
    assert row(visit, "views") == "1"
    assert row(visit, "degraded") == "no"
    assert row(visit, "clock").startswith("replay, ")
    assert "ranker-simulated v1" in row(visit, "/score")
    assert row(visit, "score").endswith(" ms")


def row(visit: Visit, name: str) -> str:
    text: str = visit.page.locator("#panel tr", has=visit.page.get_by_text(name, exact=True)).locator("td").inner_text()
    return text


def test_a_guest_may_do_what_others_may(visit: Visit) -> None:
    visit.come_in()
    item = visit.items()[0]
    visit.page.locator(f'.card[data-item="{item}"] .add').first.click()
    visit.wait_until("document.querySelector('#cart-size').textContent === '1'")
    visit.go("/cart")
    visit.page.get_by_role("button", name="Order now").click()
    visit.page.wait_for_url("**/orders?placed=*")


def test_the_shop_works_without_scripts(browser: Any, url: str) -> None:
    with Visit.begin(browser, url, java_script_enabled=False) as visit:
        visit.come_in()
        assert visit.page.locator("[data-why]").first.is_hidden()  # only what a script would do is left out
        visit.page.locator(".add").first.click()
        assert visit.page.locator("#cart-size").inner_text() == "1"


def test_no_page_is_wider_than_a_phone(browser: Any, url: str) -> None:
    with Visit.begin(browser, url, viewport=PHONE, has_touch=True) as visit:
        visit.act_as_a_shopper()
        visit.page.locator(".add").first.click()
        for path in every_page(visit):
            visit.go(path)
            assert visit.page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
        visit.go("/")
        visit.look_at(visit.items()[1])
        box = visit.page.locator("#look").bounding_box()
        assert box["width"] <= PHONE["width"]


def test_everything_can_be_done_with_the_keyboard_alone(visit: Visit) -> None:
    visit.go("/welcome")
    press(visit, "Look around as a guest")
    visit.page.wait_for_selector(".shelf .card")
    press(visit, "Skip to the shelves")
    item = visit.items()[0]
    tab_to(visit, ".shelf .face")
    with visit.page.expect_response(lambda answer: "/shelf?" in answer.url):
        visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#look:not([hidden])")
    visit.wait_until("document.querySelector('#look').contains(document.activeElement)")
    visit.page.keyboard.press("Escape")
    assert visit.page.evaluate("document.activeElement.closest('.card').dataset.item") == item
    tab_to(visit, ".add")
    visit.page.keyboard.press("Enter")
    visit.wait_until("document.querySelector('#cart-size').textContent === '1'")
    visit.go("/")
    tab_to(visit, ".cart")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url("**/cart")
    press(visit, "Order now")
    visit.page.wait_for_url("**/orders?placed=*")


def press(visit: Visit, name: str) -> None:
    """Tab to what has this text, and press Enter."""
    tab_until(visit, f"document.activeElement.textContent.trim() === {name!r}", name)
    visit.page.keyboard.press("Enter")


def tab_to(visit: Visit, selector: str) -> None:
    tab_until(visit, f"document.activeElement.matches({selector!r})", selector)


def tab_until(visit: Visit, condition: str, what: str) -> None:
    for _ in range(TABS):
        visit.page.keyboard.press("Tab")
        if visit.page.evaluate(condition):
            return
    pytest.fail(f"{what} is not reached by the Tab key")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(browser: Any, url: str, scheme: str) -> None:
    axe = axe_source()
    with Visit.begin(browser, url, color_scheme=scheme) as visit:
        visit.act_as_a_shopper()
        visit.go(f"/category/{CATEGORY}")  # the shelf for you would drop what is put into the cart, its heart with it
        visit.page.locator(".add").first.click()
        visit.wait_until("document.querySelector('#cart-size').textContent !== '0'")
        visit.page.locator('.heart[aria-pressed="false"]').first.click()
        visit.page.wait_for_selector('.heart[aria-pressed="true"]')
        found = {path: serious(visit, axe, path) for path in every_page(visit)}
        visit.go("/")
        visit.page.get_by_role("button", name="Behind the shelf").click()
        visit.page.wait_for_selector("#panel h2")
        visit.look_at(visit.items()[0])
        found["a quick look"] = serious(visit, axe)
        visit.page.locator("[data-why]").nth(2).click()
        visit.page.wait_for_selector("#look .bars")
        found["an explanation"] = serious(visit, axe)
        assert {where: each for where, each in found.items() if each} == {}


def serious(visit: Visit, axe: str, path: str | None = None) -> list[str]:
    """What axe finds of impact serious or critical, with the first place of each."""
    if path is not None:
        visit.go(path)
    visit.wait_until("document.getAnimations().every((each) => each.playState === 'finished')")
    visit.page.evaluate(axe)
    answer = visit.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:160]} {each['nodes'][0]['failureSummary'][:200]}"
        for each in answer["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def axe_source() -> str:
    """axe-core as axe-playwright-python brings it; run by the debugger, which the Content-Security-Policy allows."""
    spec = importlib.util.find_spec("axe_playwright_python")
    if spec is None or spec.origin is None:
        pytest.skip("needs axe-playwright-python, of the extra test")
    return Path(spec.origin).with_name("axe.min.js").read_text()


def every_page(visit: Visit) -> list[str]:
    return [path.format(item=quote(visit.items()[0])) for path in PAGES]
