"""Pictures of the running marketplace: ``python -m benchmarks.web.screenshots --url URL [--out FOLDER] [--user ID]``.

Needs Debian's package chromium, which Playwright drives, and the extra benchmarks. Takes the main pages for a wide
screen in light and dark and for a phone, and records the shelf while somebody looks at items and puts some into the
cart, as an animated WebP of 20 seconds.
"""

from __future__ import annotations

import argparse
import io
import itertools
import shutil
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDE, PHONE, FILM = (1280, 860), (390, 800), (960, 640)
FILM_S, FRAME_S = 20.0, 0.1
CLICKS, PAUSE_S = 5, 3.2
QUALITY, FILM_QUALITY = 70, 55
SHOWN = "#look:not([hidden])"


def pictures(browser: Browser, url: str, user: str | None, out: Path) -> list[Path]:
    """Each page once; dark and phone for the home page alone."""
    made = []
    page = come_in(browser, url, user, WIDE)
    for name, path in {"home": "/", "recommendations": "/recommendations", "compare": "/compare"}.items():
        page.goto(url + path)
        made.append(_picture(page, out / f"{name}.webp"))
    page.goto(url + "/")
    page.locator("[data-why]").nth(3).click()
    page.wait_for_selector(SHOWN)
    made.append(_picture(page, out / "why.webp"))
    page.goto(url + "/")
    page.click("#panel-toggle")
    for place in (2, 4, 6):
        page.locator(".shelf .face").nth(place).click()
        page.wait_for_timeout(900)
    page.locator("[data-close]").click()
    page.evaluate("scrollTo(0, 0)")
    made.append(_picture(page, out / "panel.webp"))
    page.context.close()
    for name, size, scheme in (("home-dark", WIDE, "dark"), ("home-phone", PHONE, "light")):
        page = come_in(browser, url, user, size, scheme)
        made.append(_picture(page, out / f"{name}.webp"))
        page.context.close()
    return made


def film(browser: Browser, url: str, user: str | None, path: Path) -> Path:
    """The shelf while items are put into the cart and looked at, in turn. Equal frames become one, shown longer."""
    page = come_in(browser, url, user, FILM)
    page.evaluate("document.querySelector('.heading').scrollIntoView()")
    frames: list[tuple[float, bytes]] = []
    started, clicked, seen = time.monotonic(), 0, set[str]()
    while (elapsed := time.monotonic() - started) < FILM_S:
        if clicked < CLICKS and elapsed > 1.5 + clicked * PAUSE_S:
            _click_another(page, ".face" if clicked % 2 else ".add", seen)
            clicked += 1
        taken = page.screenshot()
        if not frames or frames[-1][1] != taken:
            frames.append((elapsed, taken))
        time.sleep(max(0.0, FRAME_S - (time.monotonic() - started - elapsed)))
    page.context.close()
    starts = [at for at, _ in frames] + [FILM_S]
    shown_ms = [max(20, round(1e3 * (end - start))) for start, end in itertools.pairwise(starts)]
    images = [Image.open(io.BytesIO(taken)).convert("RGB") for _, taken in frames]
    images[0].save(
        path, save_all=True, append_images=images[1:], duration=shown_ms, loop=0, quality=FILM_QUALITY, method=6
    )
    return path


def come_in(browser: Browser, url: str, user: str | None, size: tuple[int, int], scheme: str = "light") -> Page:
    """A page at the home page, as a user of the log: ``user``, else the first whom the welcome page offers."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark" if scheme == "dark" else "light"
    )
    page = context.new_page()
    page.goto(f"{url}/welcome")
    if user is None:
        page.locator(".shopper").first.click()
    else:
        page.fill("#user_id", user)
        page.get_by_role("button", name="Come in").click()
    page.wait_for_selector(".shelf .card")
    page.wait_for_load_state("load")
    return page


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web.screenshots", description=__doc__.split("\n")[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="of a scorer with RERANK_SHOP=1")
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--user", metavar="ID", help="a user of the log; by default the one who ordered most")
    arguments = parser.parse_args(argv)
    executable = shutil.which("chromium")
    if executable is None:
        print("benchmarks.web.screenshots: needs Debian's package chromium", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        made = pictures(browser, arguments.url, arguments.user, arguments.out)
        made.append(film(browser, arguments.url, arguments.user, arguments.out / "shelf.webp"))
        browser.close()
    for path in made:
        print(f"{path}: {path.stat().st_size / 1e3:.0f} kB")
    return 0


def _picture(page: Page, path: Path) -> Path:
    page.wait_for_timeout(200)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, quality=QUALITY, method=6)
    return path


def _click_another(page: Page, button: str, seen: set[str]) -> None:
    """The ``button`` of the first card that was not clicked yet."""
    for card in page.locator(".shelf .card").all():
        item = card.get_attribute("data-item") or ""
        if item not in seen:
            seen.add(item)
            card.locator(button).click()
            return


if __name__ == "__main__":
    sys.exit(main())
