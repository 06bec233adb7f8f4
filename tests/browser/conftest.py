"""
Give browser tests a real Chromium, and keep pictures of what it shows.

Pictures go to `screenshots/`, or to the folder that SCREENSHOTS names, where somebody may look at
them.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page, Playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DESKTOP = {"width": 1280, "height": 900}
HIGHEST = 6000
SCREENSHOTS = Path(__file__).parents[2] / "screenshots"
PHONE = {"width": 390, "height": 844}
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > document.documentElement.clientWidth)
  .map((one) => one.outerHTML.slice(0, 80))"""
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def start_chromium(playwright: Playwright) -> Browser:
    """
    Start the system's Chromium.
    """
    # In containers /dev/shm is too small, and there is no sandbox for root.
    return playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage"]
    )


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = start_chromium(playwright)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """
    Open a page in a context of its own; a script error in it fails the test.
    """
    contexts = []
    faults: list[str] = []

    def open_it(**options: Any) -> Page:
        context = browser.new_context(**{"viewport": DESKTOP} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "console",
            lambda said: faults.append(said.text) if "Content Security" in said.text else None,
        )
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def keep(request: pytest.FixtureRequest) -> Callable[[Page, str], None]:
    """
    Keep a picture of a whole page, of a very long one its beginning.
    """
    folder = Path(os.environ.get("SCREENSHOTS") or SCREENSHOTS)

    def keep_it(page: Page, name: str) -> None:
        clean = re.sub(r"[^a-z0-9]+", "-", name).strip("-")
        folder.mkdir(parents=True, exist_ok=True)
        height = page.evaluate("document.documentElement.scrollHeight")
        is_long = height > HIGHEST
        page.screenshot(path=str(folder / f"{clean}.png"), full_page=not is_long)

    return keep_it


def look_at(page: Page, keep: Callable[[Page, str], None], name: str) -> list[tuple[str, ...]]:
    """
    Look at a page wide and narrow, light and dark; return what some people could not use.

    Colours do not hang on the width, so that one look at each scheme is enough.
    """
    found: list[tuple[str, ...]] = []
    for size, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        page.set_viewport_size({"width": viewport["width"], "height": viewport["height"]})
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= viewport["width"], (name, size, page.evaluate(TOO_WIDE))
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            keep(page, f"{size}-{scheme}-{name}")
            if (size == "desktop") == (scheme == "light"):
                results = Axe().run(page, options={"runOnly": WCAG})
                found += [
                    (name, size, scheme, each["id"], each["nodes"][0]["html"][:150])
                    for each in results.response["violations"]
                ]
    return found
