"""A whole simulated shop with trained models, its scorer as a real process, and a headless Chromium that visits it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infra.models.model_store import ModelStore
from tests.shop import Shop

SLATES = 2_000
TRAINED = "1"  # the version of the trained model; where a baseline was better on so few slates, it is the champion
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
            "--disable-sync"]  # fmt: skip
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 800}
TIMEOUT_MS = 30_000


@contextmanager
def simulated_shop(folder: Path) -> Iterator[Shop]:
    """From the source to a filled Redis, with the trained models as champions."""
    shop = Shop(folder, "simulated")
    shop.write_params()
    try:
        shop.run_pipeline(f"simulated --size {SLATES}", shop.main)
        for name in (shop.settings.model_name, shop.settings.recommend_name):
            store = ModelStore(shop.settings, name)
            store.promote(TRAINED)
            assert store.load().kind == "lightgbm"
        yield shop
    finally:
        shop.stop()


@contextmanager
def chromium() -> Iterator[Any]:
    """Debian's, driven by Playwright. Skips where either is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright, of the extra test")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("needs Debian's package chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM)
        yield browser
        browser.close()


@dataclass
class Visit:
    """One visitor's window. What must not happen on any page is collected, and asserted when the visit ends."""

    page: Any
    url: str
    problems: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def begin(cls, browser: Any, url: str, **context: Any) -> Iterator[Visit]:
        """``context``: of Playwright's new_context."""
        window = browser.new_context(**{"viewport": DESKTOP, **context})
        window.set_default_timeout(TIMEOUT_MS)
        visit = cls(window.new_page(), url)
        visit.page.on("console", visit.note_message)
        visit.page.on("pageerror", lambda error: visit.problems.append(f"error: {error}"))
        window.on("request", visit.note_request)
        try:
            yield visit
        finally:
            window.close()
        assert visit.problems == [], visit.problems

    def go(self, path: str) -> None:
        answer = self.page.goto(self.url + path)
        assert answer.status == 200, path

    def come_in(self) -> None:
        """As a guest."""
        self.go("/welcome")
        self.page.get_by_role("button", name="Look around as a guest").click()
        self.page.wait_for_selector(".shelf .card")
        self.page.wait_for_load_state("load")  # a form that is sent before the scripts are there loads a page

    def act_as_a_shopper(self) -> None:
        """The first that the welcome page offers, who has ordered most."""
        self.go("/welcome")
        self.page.locator(".shopper").first.click()
        self.page.wait_for_selector(".shelf .card")
        self.page.wait_for_load_state("load")  # a form that is sent before the scripts are there loads a page

    def items(self) -> list[str]:
        """Of the first shelf, in order."""
        found: list[str] = (
            self.page.locator(".shelf")
            .first.locator(".card")
            .evaluate_all("cards => cards.map((card) => card.dataset.item)")
        )
        return found

    def look_at(self, item: str) -> None:
        """Click a card, and wait until the shelf has followed."""
        followed = "Number(document.querySelector('.shelf').dataset.followed ?? 0)"
        before = self.page.evaluate(followed)
        self.page.locator(f'.shelf .card[data-item="{item}"] .face').first.click()
        self.wait_until(f"{followed} > {before}")

    def wait_until(self, expression: str) -> None:
        """Playwright's own wait_for_function evaluates in the page, which the Content-Security-Policy forbids."""
        deadline = time.monotonic() + TIMEOUT_MS / 1000
        while not self.page.evaluate(expression):
            assert time.monotonic() < deadline, f"not within {TIMEOUT_MS} ms: {expression}"
            self.page.wait_for_timeout(20)

    def note_message(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"console: {message.text}")

    def note_request(self, request: Any) -> None:
        if urlsplit(request.url).netloc != urlsplit(self.url).netloc:
            self.problems.append(f"a request to another host: {request.url}")
