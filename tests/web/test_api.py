"""
What programs are answered.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import Marketplace
from monitor.judge.routing import ChannelRoute, Subject
from monitor.judge.suppression import Acknowledgement, Scope
from monitor.report.history import alert_json
from monitor.report.status import connection_json
from monitor.store import connections, history, outbox, suppression
from monitor.store.engine import StoreError
from tests.builders import (
    DAY,
    MINUTE,
    OK,
    OPS,
    REFUSED,
    UNREACHED,
    Story,
    amazon_store,
    entries_of,
    entry,
    ok_with,
    plan_of,
    watched_of,
)
from tests.fakes import NOON, FakeChecker
from tests.web_client import open_web

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.judge.outcome import Outcome
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

PLAN = plan_of(
    entry("acme"),
    entry("beta", provider="http"),
    amazon_store("gamma"),
    entry("delta"),
    channels=[OPS],
    subjects=[Subject("acme", frozenset({"production", "eu"})), Subject("beta", frozenset({"eu"}))],
    authorized_at=NOON - 340 * DAY,
)
SOLD = (Marketplace("US", "ATVPDKIKX0DER", True, False, True),)  # noqa: FBT003 - its fields
LIST = "/api/v1/connections"


@pytest.fixture
def story(database: Database) -> Story:
    story = Story.begin(database, PLAN)
    story.evaluate(
        NOON,
        acme=ok_with(50, account="Übermut & Söhne"),
        beta=REFUSED,
        gamma=replace(OK, marketplaces=SOLD),
    )
    return story


def names(answer: dict[str, Any]) -> list[str]:
    return [one["name"] for one in answer["connections"]]


async def test_the_list_is_what_status_prints(story):
    async with open_web(story.database, PLAN) as web:
        answer = (await web.get(LIST)).json()
    with story.database.read() as tx:
        records = connections.list_records(tx)
    assert answer == {
        "connections": [connection_json(one, watched_of(PLAN)[one.name], NOON) for one in records],
        "summary": {
            "active": 2,
            "error": 1,
            "expired": 0,
            "pending": 1,
            "paused": 0,
            "expiring_soon": 4,
            "needs_attention": 4,
        },
        "next": None,
    }


FILTERS = {
    "one state": ("state=error", ["beta"]),
    "two states": ("state=error&state=pending", ["beta", "delta"]),
    "soon": ("state=expiring_soon&provider=amazon", ["gamma"]),
    "tag": ("tag=eu", ["acme", "beta"]),
    "one of two tags": ("tag=production&tag=nobody", ["acme"]),
    "provider": ("provider=amazon", ["gamma"]),
    "tag and state": ("tag=eu&state=active", ["acme"]),
    "word in the name": ("q=LT", ["delta"]),
    "word in the account": ("q=übermut", ["acme"]),
    "words in any order": ("q=eu+ACME", ["acme"]),
    "nothing found": ("q=zebra", []),
    "needs attention": ("state=needs_attention&q=a", ["acme", "beta", "gamma", "delta"]),
    "worst first": ("order=worst_first", ["beta", "delta", "acme", "gamma"]),
}


@pytest.mark.parametrize(("query", "expected"), FILTERS.values(), ids=FILTERS)
async def test_filters_narrow_the_list(story, query, expected):
    async with open_web(story.database, PLAN) as web:
        response = await web.get(f"{LIST}?{query}")
    assert (response.status_code, names(response.json())) == (200, expected)


SUMMARIES = {
    "all": ("", 4, 4),
    "a tag": ("tag=eu", 2, 2),
    "a state": ("state=error", 1, 1),
    "a search": ("q=delta", 1, 1),
    "nothing": ("q=zzzz", 0, 0),
    "muted": ("state=muted", 1, 1),
    "acknowledged": ("state=acknowledged", 1, 1),
    "low quota": ("state=low_quota", 1, 1),
}


@pytest.mark.parametrize(("query", "n", "needing"), SUMMARIES.values(), ids=SUMMARIES)
async def test_the_summary_counts_what_matches(story, query, n, needing):
    with story.database.write() as tx:
        suppression.add_silence(tx, Scope.TAG, "production", "", NOON, NOON + DAY)
        given = Acknowledgement(NOON, None, "")
        suppression.save_acknowledgement(tx, story.record("beta").id, given)
    async with open_web(story.database, PLAN) as web:
        summary = (await web.get(f"{LIST}?{query}")).json()["summary"]
    states = ("active", "error", "expired", "pending", "paused")
    assert (sum(summary[state] for state in states), summary["needs_attention"]) == (n, needing)


@pytest.mark.parametrize("order", ["file", "worst_first"])
async def test_pages_together_are_the_list(story, order):
    async with open_web(story.database, PLAN) as web:
        whole = names((await web.get(f"{LIST}?order={order}")).json())
        found, cursor = [], ""
        for _ in range(len(whole)):
            page = (await web.get(f"{LIST}?order={order}&limit=1{cursor}")).json()
            found += names(page)
            assert sum(page["summary"].values()) == 12  # of all pages, and each expires soon
            cursor = f"&cursor={page['next']}"
        assert (found, page["next"]) == (whole, None)


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "cursor=!", "cursor=MQ.", "cursor=", "state=red", "x=1"],
)
async def test_a_wrong_parameter_is_named(story, query):
    async with open_web(story.database, PLAN) as web:
        response = await web.get(f"{LIST}?{query}")
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert query.partition("=")[0] in response.json()["detail"]
    assert (response.json()["detail"] == "query.x: unknown") == (query == "x=1")


async def test_a_cursor_of_another_order_is_refused(story):
    async with open_web(story.database, PLAN) as web:
        cursor = (await web.get(f"{LIST}?limit=1")).json()["next"]
        response = await web.get(f"{LIST}?order=worst_first&cursor={cursor}")
    assert response.status_code == 422


async def test_what_is_known_already_is_not_sent_again(story):
    async with open_web(story.database, PLAN) as web:
        first = await web.get(LIST)
        tag = first.headers["etag"]
        same = await web.get(LIST, headers={"If-None-Match": f'"other", W/{tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        story.evaluate(NOON + MINUTE, delta=OK)
        changed = await web.get(LIST, headers={"If-None-Match": tag})
        assert (changed.status_code, changed.headers["etag"] != tag) == (200, True)


async def test_one_connection_is_described(story):
    async with open_web(story.database, PLAN) as web:
        answer = (await web.get(f"{LIST}/gamma")).json()
    web.check_described("Connection", answer)
    assert (answer["name"], answer["marketplaces"][0]["country"]) == ("gamma", "US")


async def test_a_change_from_outside_is_seen_at_once(story):
    async with open_web(story.database, PLAN) as web:
        await web.get(LIST)
        with story.database.write() as tx:
            connections.pause(tx, story.record("acme").id)
            connections.delete_connection(tx, story.record("beta"), NOON)
        answer = (await web.get(LIST)).json()
    assert (names(answer), answer["summary"]["paused"]) == (["acme", "gamma", "delta"], 1)


async def test_time_alone_changes_what_is_shown(story):
    async with open_web(story.database, PLAN) as web:
        before = (await web.get(f"{LIST}?state=expiring_soon")).json()
        web.now[0] = NOON + 25 * DAY
        after = (await web.get(f"{LIST}?state=expiring_soon")).json()
    assert (len(before["connections"]), len(after["connections"])) == (4, 0)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("GET", "/history"),
        ("POST", "/validate"),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("POST", "/renew"),
        ("DELETE", ""),
    ],
)
async def test_a_name_that_nobody_knows_is_not_found(story, method, path):
    async with open_web(story.database, PLAN) as web:
        response = await web.change(f"{LIST}/nobody{path}", method)
    assert response.status_code == 404
    web.check_described("Problem", response.json())


async def test_the_history_is_what_the_command_prints(story):
    story.evaluate(NOON + MINUTE, beta=REFUSED)
    async with open_web(story.database, PLAN) as web:
        answer = (await web.get(f"{LIST}/beta/history?limit=1")).json()
    web.check_described("History", answer)
    assert [one["to"] for one in answer["transitions"]] == ["error"]
    assert len(answer["checks"]) == 1
    assert [one["kind"] for one in answer["alerts"]] == ["error"]


async def test_alerts_are_listed_page_by_page(story):
    story.evaluate(NOON + MINUTE, beta=REFUSED)
    with story.database.read() as tx:
        expected = [alert_json(row) for row in history.list_alerts(tx, 100)]
    assert len(expected) > 1
    async with open_web(story.database, PLAN) as web:
        found, query = [], ""
        for _ in expected:
            page = (await web.get(f"/api/v1/alerts?limit=1{query}")).json()
            web.check_described("AlertList", page)
            found += page["alerts"]
            query = f"&cursor={page['next']}"
        assert page["next"] is None
    assert found == expected


async def test_dead_notifications_are_found_and_sent_again(story):
    with story.database.write() as tx:
        outbox.mark_dead(tx, [1], "gone")
    async with open_web(story.database, PLAN) as web:
        dead = (await web.get("/api/v1/alerts?dead=true")).json()["alerts"]
        assert [one["notifications"][0]["state"] for one in dead] == ["dead"]
        assert (await web.change("/api/v1/alerts/retry")).json() == {"revived": 1}
        assert (await web.get("/api/v1/alerts?dead=true")).json()["alerts"] == []
        assert len(web.wakes) == 1
    assert story.alerts()[0].notifications[0].state is NotificationState.DUE


async def test_a_pause_lasts_until_it_is_resumed(story):
    async with open_web(story.database, PLAN) as web:
        paused = await web.change(f"{LIST}/beta/pause")
        assert (paused.json()["state"], story.record("beta").next_check_at) == ("paused", None)
        web.now[0] = NOON + MINUTE
        resumed = await web.change(f"{LIST}/beta/resume")
        assert resumed.json()["state"] == "error"
        assert story.record("beta").next_check_at == NOON + MINUTE


async def test_a_deletion_is_lifted_by_resuming(story):
    async with open_web(story.database, PLAN) as web:
        assert (await web.change(f"{LIST}/beta", "DELETE")).status_code == 204
        assert (await web.get(f"{LIST}/beta")).status_code == 404
        assert (await web.change(f"{LIST}/beta/pause")).status_code == 404
        assert (await web.change(f"{LIST}/beta/resume")).json()["state"] == "pending"


async def test_what_the_file_switches_off_cannot_be_resumed(database):
    plan = plan_of(entry("off", is_enabled=False))
    Story.begin(database, plan)
    async with open_web(database, plan) as web:
        response = await web.change(f"{LIST}/off/resume")
    assert response.status_code == 409
    assert "enabled = true" in response.json()["detail"]


async def test_a_renewal_counts_from_its_day_and_is_checked_next(story):
    async with open_web(story.database, PLAN) as web:
        answer = await web.change(f"{LIST}/gamma/renew", json={"on": "2026-11-20"})
        assert answer.json()["authorization"]["expires_at"] == "2027-11-20T00:00:00Z"
        today = await web.change(f"{LIST}/gamma/renew")
        assert today.json()["authorization"]["authorized_at"] == "2026-11-22T00:00:00Z"
    assert story.record("gamma").next_check_at == NOON


@pytest.mark.parametrize("provider", ["soldscope", "http", "of-a-plugin"])
async def test_today_is_no_renewal_of_a_token_without_a_known_expiry(database, provider):
    plan = plan_of(entry("bare", provider=provider))
    story = Story.begin(database, plan)
    before = story.record("bare").clock
    async with open_web(database, plan) as web:
        bodies: list[dict[str, str] | None] = [None, {}]
        for body in bodies:
            response = await web.change(f"{LIST}/bare/renew", json=body)
            assert (response.status_code, story.record("bare").clock) == (422, before)
            assert response.json()["detail"].startswith("on: bare has no known expiry")
        given = await web.change(f"{LIST}/bare/renew", json={"on": "2026-11-20"})
    assert given.json()["authorization"]["expires_at"] == "2027-11-20T00:00:00Z"


@pytest.mark.parametrize("on", ["2026-11-23", "1815-12-10", "tomorrow", 5.5])
async def test_a_renewal_on_an_impossible_day_is_refused(story, on):
    before = story.record("gamma").clock
    async with open_web(story.database, PLAN) as web:
        response = await web.change(f"{LIST}/gamma/renew", json={"on": on})
    assert (response.status_code, story.record("gamma").clock) == (422, before)
    web.check_described("Problem", response.json())


COUNTDOWN = """
[[connections]]
name = "acme"
provider = "countdown"
authorized_on = 2026-01-01
"""


@pytest.fixture
def counted(tmp_path: Path, database: Database):
    path = tmp_path / "config.toml"
    path.write_text(COUNTDOWN)
    config = load_config(path)
    return config, Story.begin(database, make_plan(config))


@pytest.mark.parametrize(
    ("outcome", "state", "n_settled"), [(OK, "active", 1), (UNREACHED, "pending", 1)]
)
async def test_a_validation_checks_and_stores_like_any_check(
    counted, outcome: Outcome, state, n_settled
):
    config, story = counted
    checkers = {"acme": FakeChecker(outcome)}
    async with open_web(story.database, story.plan, config, checkers) as web:
        response = await web.change(f"{LIST}/acme/validate")
        run = web.parts.validations.find("acme")
        assert run is not None
        assert len(run.steps) == len(response.json()["steps"]) > 0
    web.check_described("Validation", response.json())
    assert response.json()["connection"]["state"] == state
    assert (len(web.settled), story.record("acme").standing.checked_at) == (n_settled, NOON)


async def test_a_paused_connection_is_asked_once_and_stays_paused(counted):
    config, story = counted
    with story.database.write() as tx:
        connections.pause(tx, story.record("acme").id)
    async with open_web(story.database, story.plan, config, {"acme": FakeChecker(OK)}) as web:
        response = await web.change(f"{LIST}/acme/validate")
    assert response.json()["connection"]["state"] == "paused"
    assert (web.settled, story.record("acme").standing.checked_at) == ([], None)


async def test_a_validation_that_could_not_be_stored_says_so_and_is_no_fault(counted):
    config, story = counted
    checker = FakeChecker(OK)
    async with open_web(story.database, story.plan, config, {"acme": checker}) as web:

        async def fail(_change: object) -> None:
            raise StoreError("the database is locked")

        web.parts.store.write = fail  # type: ignore[method-assign, assignment]
        with capture_logs() as logs:
            response = await web.change(f"{LIST}/acme/validate")
    assert response.status_code == 409
    assert "the database could not be used" in response.json()["detail"]
    assert [one for one in logs if one["log_level"] == "error"] == []


async def test_what_has_no_checker_cannot_be_validated(counted):
    config, story = counted
    async with open_web(story.database, story.plan, config, {}) as web:
        response = await web.change(f"{LIST}/acme/validate")
    assert response.status_code == 409


async def test_two_who_press_at_once_watch_one_run(counted):
    config, story = counted
    async with open_web(story.database, story.plan, config, {"acme": FakeChecker(OK)}) as web:
        first = await web.parts.validations.start("acme")
        second = await web.parts.validations.start("acme")
        await first.wait()
        third = await web.parts.validations.start("acme")
        await third.wait()
    assert (second is first, third is first) == (True, False)


async def test_a_fault_within_a_validation_is_told_as_ours(counted, capsys):
    config, story = counted

    class Broken:
        async def check(self) -> Outcome:
            raise RuntimeError("a secret")

    async with open_web(story.database, story.plan, config, {"acme": Broken()}) as web:
        response = await web.change(f"{LIST}/acme/validate")
    assert response.status_code == 409
    assert "fault of connwatch" in response.json()["detail"]
    assert "secret" not in response.text


async def test_every_model_describes_what_is_answered(story):
    async with open_web(story.database, PLAN) as web:
        web.check_described("ConnectionList", (await web.get(LIST)).json())


async def test_channels_of_the_plan_have_counters_from_the_start(story):
    plan = replace(PLAN, channels=(ChannelRoute("ops"),))
    async with open_web(story.database, plan) as web:
        text = (await web.get("/metrics")).text
    assert 'connwatch_notifications_total{channel="ops",result="sent"} 0.0' in text


async def test_a_list_is_given_while_a_reload_is_about_to_rename_a_connection(story):
    """The database has the new name some moments before the pages know it."""
    async with open_web(story.database, PLAN) as web:
        assert names((await web.get(LIST)).json()) == ["acme", "beta", "gamma", "delta"]
        renamed = [entry("alpha", renamed_from="acme"), *entries_of(PLAN)[1:]]
        with story.database.write() as tx:
            connections.sync(tx, renamed, NOON)
        for path in (LIST, "/", "/metrics", "/monitor", "/calendar", "/calendar.ics", "/alerts"):
            assert (await web.get(path)).status_code == 200, path
        assert names((await web.get(LIST)).json()) == ["beta", "gamma", "delta"]
        assert (await web.get(f"{LIST}/acme")).status_code == 404
