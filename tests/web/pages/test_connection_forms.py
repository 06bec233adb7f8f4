"""
What forms of the pages order, and what they refuse; a browser is not needed for that.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.stage import run_daemon, set_stage
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

TODAY = datetime.now(UTC).date()
OLD = f"authorized_on = {TODAY - timedelta(days=400)}"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """
    A client with a cookie, before a daemon with four countdowns and a channel.
    """
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        for name in ("renewed", "paused", "deleted", "with space & more"):
            stage.add(f'\n[[connections]]\nname = "{name}"\nprovider = "countdown"\n{OLD}\n')
        stage.add('\n[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/x"\n')
        with (
            run_daemon(stage),
            httpx.Client(base_url=stage.url, timeout=PATIENCE_S, trust_env=False) as browser,
        ):
            browser.get("/")
            yield browser


def send(browser: httpx.Client, path: str, **fields: str) -> httpx.Response:
    return browser.post(path, data={"csrf_token": browser.cookies["connwatch_csrf"]} | fields)


def shown(browser: httpx.Client, name: str) -> dict[str, object]:
    found: dict[str, object] = browser.get(f"/api/v1/connections/{name}").json()
    return found


def test_a_renewal_is_recorded_with_its_date(browser):
    answer = send(browser, "/connections/renewed/renew", on=str(TODAY))

    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/connections/renewed?done=renewed",
    )
    wait_until(lambda: shown(browser, "renewed")["state"] == "active")


@pytest.mark.parametrize("on", ["tomorrow", "2026-13-01", str(TODAY + timedelta(days=2))])
def test_a_date_that_cannot_be_is_refused(browser, on):
    assert send(browser, "/connections/renewed/renew", on=on).status_code == 422


def test_an_order_without_the_word_of_the_page_is_refused(browser):
    answer = browser.post("/connections/paused/pause")

    assert answer.status_code == 403
    assert shown(browser, "paused")["state"] != "paused"


def test_pausing_and_resuming_lead_back_to_the_page(browser):
    assert send(browser, "/connections/paused/pause").status_code == 303
    assert shown(browser, "paused")["state"] == "paused"
    assert "Resume" in browser.get("/connections/paused").text

    assert send(browser, "/connections/paused/resume").status_code == 303
    assert shown(browser, "paused")["state"] != "paused"


def test_what_is_deleted_is_on_no_page_any_more(browser):
    assert "Delete deleted?" in browser.get("/connections/deleted/delete").text

    answer = send(browser, "/connections/deleted/delete")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert browser.get("/connections/deleted").status_code == 404
    assert "/connections/deleted" not in browser.get("/").text


def test_a_name_with_spaces_has_a_page(browser):
    assert "/connections/with%20space%20%26%20more" in browser.get("/").text
    page = browser.get("/connections/with%20space%20%26%20more")

    assert "with space &amp; more" in page.text


def test_a_test_goes_only_to_a_channel_that_exists(browser):
    assert send(browser, "/alerts/test", channel="nobody").status_code == 404
    assert send(browser, "/alerts/test", channel="ops").status_code == 303
    kinds = [one["kind"] for one in browser.get("/api/v1/alerts").json()["alerts"]]
    assert "test" in kinds
    assert send(browser, "/alerts/retry").headers["Location"] == "/alerts?done=retried"


def test_pieces_of_the_list_come_alone(browser):
    rows = browser.get("/?limit=1", headers={"HX-Target": "more"}).text
    found = browser.get("/?q=renewed", headers={"HX-Target": "found"}).text

    assert "<html" not in rows + found
    assert rows.count("<li class=") == 2  # one and the way to more
    assert 'id="found"' in found


@pytest.mark.parametrize("path", ["/?cursor=nonsense", "/alerts?cursor=nonsense"])
def test_a_cursor_that_was_not_made_here_is_refused(browser, path):
    assert browser.get(path).status_code == 422


def test_the_calendar_names_what_has_ended(browser):
    text = browser.get("/calendar").text

    assert "expired" in text
    assert "/calendar.ics?token=" in text


def test_an_error_is_a_page_for_people(browser):
    answer = browser.get("/connections/nobody", headers={"Accept": "text/html"})

    assert (answer.status_code, "All connections" in answer.text) == (404, True)
