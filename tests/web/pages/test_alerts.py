"""A failed delivery on the pages: one plain line, and the library's words behind it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from monitor.config.model import AlertSettings, Config
from monitor.store import outbox
from tests.builders import MINUTE, OPS, REFUSED, Story, entry, plan_of
from tests.fakes import NOON
from tests.web_client import open_web

pytestmark = pytest.mark.anyio

PLAN = plan_of(entry("acme"), channels=[OPS])
RAW = (
    "JSON: A Connection error occurred sending JSON notification to ….  Socket Exception:"
    " HTTPConnectionPool(host='…', port=9): Max retries exceeded with url: /x (Caused by"
    ' NewConnectionError("<b>[Errno 111] Connection refused"))'
)


@pytest.mark.parametrize("path", ["/alerts", "/connections/acme"])
async def test_a_failed_delivery_is_one_line_with_the_details_behind_it(database, path):
    story = Story.begin(database, PLAN)
    story.evaluate(NOON, acme=REFUSED)
    story.evaluate(NOON + MINUTE, acme=REFUSED)
    now = NOON + 2 * MINUTE
    with database.write() as tx:
        [row] = outbox.choose_next(tx, "ops", now)
        outbox.mark_failed(tx, [row.id], RAW, now + timedelta(minutes=12))
    config = Config(alerts=AlertSettings(timezone="America/Denver"))
    async with open_web(database, PLAN, config) as web:
        web.now[0] = now
        page = re.sub("</?time[^>]*>", "", (await web.get(path)).text)
    assert "Connection refused. Next try 05:14 MST (attempt 2)" in page
    shown, _, details = page.partition("<summary>Details</summary>")
    assert "HTTPConnectionPool" not in shown
    assert "Caused by" in details
    assert "&lt;b&gt;[Errno 111]" in details
