"""
What an open page says while alerts cannot be sent, and once the daemon is gone, in a real browser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.stage import run_daemon, set_stage
from tests.waiting import PATIENCE_MS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

# The daemon ends under the feet of a browser: what connected the two is collected, not closed.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LOST = re.compile(r"^Connection to connwatch lost at \d\d:\d\d: what you see may be out of date\.$")
COLOUR = "one => getComputedStyle(one).color"


@pytest.mark.parametrize("path", ["/", "/monitor", "/calendar"])
def test_an_open_page_says_that_the_daemon_is_gone_and_when_it_is_back(
    tmp_path: Path, open_page: Callable[..., Page], keep: Callable[..., None], path: str
):
    with set_stage(tmp_path) as stage:
        stage.open_token("soldscope-production")
        stage.add('\n[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/x"\n')
        page = open_page()
        with run_daemon(stage):
            page.goto(stage.url + path)
            expect(page.locator("#live[data-on]")).to_have_text("live", timeout=PATIENCE_MS)
            expect(page.locator("#lost")).to_be_hidden()
            if path == "/":
                green = page.locator(".headline.good")
                expect(green).to_be_visible(timeout=PATIENCE_MS)
                before = green.evaluate(COLOUR)
        expect(page.locator("#lost")).to_have_text(LOST, timeout=PATIENCE_MS)
        if path == "/":
            keep(page, "lost")
            assert page.locator(".headline").evaluate(COLOUR) != before
        with run_daemon(stage):
            expect(page.locator("#lost")).to_be_hidden(timeout=PATIENCE_MS)
            expect(page.locator("#live[data-on]")).to_have_text("live", timeout=PATIENCE_MS)


def test_an_open_page_follows_what_mutes_people_and_can_end_it(
    tmp_path: Path, open_page: Callable[..., Page], keep: Callable[..., None]
):
    with set_stage(tmp_path) as stage:
        stage.open_token("soldscope-production")
        stage.add('\n[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/x"\n')
        with run_daemon(stage):
            page = open_page()
            page.goto(stage.url)
            expect(page.locator("#live[data-on]")).to_have_text("live", timeout=PATIENCE_MS)
            headers = {"X-CSRF-Token": page.evaluate("document.cookie.match(/csrf=([^;]+)/)[1]")}
            wanted = {"scope": "all", "for": "2h", "reason": "migration"}

            page.request.post(f"{stage.url}/api/v1/silences", headers=headers, data=wanted)

            bar = page.locator("#conditions")
            expect(bar).to_contain_text("All alerts are muted until", timeout=PATIENCE_MS)
            expect(bar).to_contain_text("(migration)")
            expect(page.locator(".headline.good")).to_have_count(0, timeout=PATIENCE_MS)
            keep(page, "muted")
            bar.get_by_role("button", name="End").click()
            expect(page.locator("#conditions")).not_to_contain_text("muted")
