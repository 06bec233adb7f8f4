"""
A list that loses most of its rows is held until somebody accepts that, in a real browser.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import look_at
from tests.stage import run_daemon, set_stage
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = pytest.mark.slow

SOURCE = """
[[sources]]
name = "stores"
kind = "file"
path = "{path}"
every = "1h"
prefix = "st-"
"""


BAD = "bad"


def write(path: Path, names: Iterable[str]) -> None:
    dated = {"provider": "countdown", "authorized_on": "2026-09-01"}
    rows = [{"name": name} | ({"provider": "?"} if name == BAD else dated) for name in names]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def reload_until(page: Page, text: str, *, is_shown: bool = True) -> None:
    """
    Load the page again until it shows *text*, or no more: readings end in their own time.
    """
    main = page.locator("main")
    until = time.monotonic() + PATIENCE_S
    while (text in main.inner_text()) is not is_shown:
        assert time.monotonic() < until, main.inner_text()
        page.reload()


def test_removals_are_held_and_accepted_on_the_page(tmp_path, open_page, keep):
    path = tmp_path / "stores.jsonl"
    write(path, [*(f"{n:02}" for n in range(30)), BAD, "00b"])
    with set_stage(tmp_path) as stage:
        stage.add(SOURCE.format(path=path))
        with run_daemon(stage):
            page = open_page()
            page.goto(f"{stage.url}/sources")
            reload_until(page, "32 rows, 1 bad")
            found = look_at(page, keep, "sources-ok")

            write(path, ["00", "01"])
            page.get_by_role("button", name="Read stores now").click()
            expect(page.locator("main [role=status]")).to_contain_text("is being read")
            reload_until(page, "Remove 29 connections")
            found += look_at(page, keep, "sources-held")

            page.get_by_role("button", name="Accept the removals of stores").click()
            expect(page.locator("main [role=status]")).to_contain_text("Accepted")
            page.goto(f"{stage.url}/sources")
            reload_until(page, "Remove", is_shown=False)
            page.goto(f"{stage.url}/connections/st-00")
            expect(page.locator("h1")).to_contain_text("st-00")
            assert page.goto(f"{stage.url}/connections/st-29").status == 404

    assert found == []
