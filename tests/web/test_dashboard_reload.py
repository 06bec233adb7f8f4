"""
What the dashboard, the API and the metrics say of reading the file.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from monitor.config.errors import Problem
from monitor.engine.live import ReloadStatus
from monitor.web.metrics import Metrics
from tests.builders import Story, entry, plan_of
from tests.fakes import NOON
from tests.web_client import open_web

pytestmark = pytest.mark.anyio

HOUR = timedelta(hours=1)
MISTAKES = (
    Problem("connections[2].every", "at least 10s, got 5s"),
    Problem("web", "<b>unknown key</b>"),
)


async def test_a_file_that_was_read_is_said_to_be_in_force(database):
    reloads = ReloadStatus()
    reloads.note_success(NOON)
    async with open_web(database, reloads=reloads) as web:
        said = (await web.get("/api/v1/configuration")).json()
        page = (await web.get("/monitor")).text
    assert said == {
        "path": said["path"],
        "read_at": "2026-11-22T12:00:00Z",
        "failed_at": None,
        "mistakes": [],
        "needs_restart": [],
    }
    assert "Nov 22, 12:00:00 UTC" in page
    assert "not reloaded" not in page


async def test_a_bad_file_is_shown_with_every_mistake_until_it_is_mended(database):
    reloads = ReloadStatus()
    reloads.note_success(NOON)
    reloads.note_failure(NOON + HOUR, MISTAKES)
    async with open_web(database, reloads=reloads) as web:
        said = (await web.get("/api/v1/configuration")).json()
        page = (await web.get("/monitor")).text
        assert (said["read_at"], said["failed_at"]) == (
            "2026-11-22T12:00:00Z",
            "2026-11-22T13:00:00Z",
        )
        assert said["mistakes"][0] == {
            "place": "connections[2].every",
            "message": "at least 10s, got 5s",
        }
        assert "The file was not reloaded" in page
        assert "connections[2].every" in page
        assert "&lt;b&gt;unknown key" in page
        reloads.note_success(NOON + 2 * HOUR)
        assert "not reloaded" not in (await web.get("/monitor")).text


async def test_a_setting_that_waits_for_a_restart_is_shown(database):
    reloads = ReloadStatus()
    reloads.note_success(NOON, ("monitor.database",))
    async with open_web(database, reloads=reloads) as web:
        assert (await web.get("/api/v1/configuration")).json()["needs_restart"] == [
            "monitor.database"
        ]
        assert "Restart the daemon" in (await web.get("/monitor")).text


@pytest.mark.parametrize(("is_success", "value"), [(True, "1.0"), (False, "0.0")])
async def test_the_metrics_say_whether_and_when_the_file_was_read(database, is_success, value):
    metrics = Metrics(CollectorRegistry())
    metrics.note_reading(NOON, is_success=is_success)
    async with open_web(database, metrics=metrics) as web:
        lines = (await web.get("/metrics")).text.splitlines()
    assert f"connwatch_config_reload_success {value}" in lines
    [at] = [one for one in lines if one.startswith("connwatch_config_last_reload_success_time")]
    assert float(at.split()[1]) == NOON.timestamp()


def test_what_is_not_as_the_file_says_is_told_in_a_few_words():
    reloads = ReloadStatus()
    reloads.note_success(NOON)
    assert reloads.describe() == ""
    reloads.note_success(NOON, ("web.listen",))
    assert reloads.describe() == "restart to change web.listen"
    reloads.note_failure(NOON, MISTAKES[:1])
    assert reloads.describe() == (
        "the file was not reloaded at 12:00:00 UTC (1 mistake), the former settings are in force"
    )


async def test_a_request_under_way_ends_by_the_settings_that_it_began_with(database):
    one, two = plan_of(entry("one"), entry("two")), plan_of(entry("two"))
    Story.begin(database, one)
    may_read = asyncio.Event()
    async with open_web(database, one) as web:
        usual = web.parts.reader.read

        async def wait_and_read(work):
            await may_read.wait()
            return await usual(work)

        web.parts.reader.read = wait_and_read  # type: ignore[method-assign]
        asking = asyncio.create_task(web.get("/api/v1/connections"))
        await asyncio.sleep(0.05)
        web.reload(two)
        may_read.set()
        names = [each["name"] for each in (await asking).json()["connections"]]
        assert names == ["one", "two"]
        after = (await web.get("/api/v1/connections")).json()["connections"]
        assert [each["name"] for each in after] == ["two"]
