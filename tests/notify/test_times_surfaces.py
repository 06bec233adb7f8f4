"""One end, one figure: what every surface says of the same end at the same instant."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.cli.connections import describe_renewal
from monitor.cli.output import connection_row
from monitor.cli.quota import describe_window
from monitor.config.model import AlertSettings, Config
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.authorizations import DateChange
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.message import compose
from monitor.report.doctor import judge_certificate
from monitor.report.status import connection_json, quotas_json
from monitor.report.validation import CheckedConnection, read_clocks, read_quota
from monitor.web.views import format_forecast
from tests.builders import DAY, OK, OPS, Story, amazon_store, ok_with, plan_of, watched_of
from tests.web_client import open_web

if TYPE_CHECKING:
    from monitor.report.status import ConnectionJson
    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio

DATE = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d+(?:, \d{4})?"
WORDS = re.compile(rf"(today|tomorrow|yesterday|in [\d,]+ days?|[\d,]+ days? ago) \(({DATE})\)")
OTHER_FORMS = re.compile(r"\b0 days|\d{4}-\d\d-\d\d|days? left|00:00")
DENVER = Config(alerts=AlertSettings(timezone="America/Denver"))
"""Where the evening before is still going on when an authorization expires."""


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


ENDS = {
    "the morning before": ("2026-11-30T00:00", "2026-12-01", "tomorrow", "Dec 1", "1 day"),
    "the night before": ("2026-11-30T23:59", "2026-12-01", "tomorrow", "Dec 1", "1 day"),
    "a week, and less than 24 h more": (
        "2026-11-30T09:58",
        "2026-12-07",
        "in 7 days",
        "Dec 7",
        "7 days",
    ),
    "later today": ("2026-11-30T09:00", "2026-11-30T15:30", "today", "Nov 30", "today"),
    "tomorrow at noon": ("2026-11-30T15:00", "2026-12-01T12:00", "tomorrow", "Dec 1", "1 day"),
    "over the year": ("2026-12-20T12:00", "2027-01-05", "in 16 days", "Jan 5, 2027", "16 days"),
}


def words_in(text: str) -> set[tuple[str, str]]:
    assert not OTHER_FORMS.search(text), text
    return set(WORDS.findall(text))


class Surfaces:
    """What is known of one store whose authorization and client secret end at one instant."""

    def __init__(self, database: Database, now: datetime, end: datetime) -> None:
        self.now, self.end = now, end
        self.plan = plan_of(
            amazon_store("gamma"),
            channels=[OPS],
            authorized_at=end - 365 * DAY,
            secret_created_at=end - 180 * DAY,
        )
        self.story = Story.begin(database, self.plan, now - DAY)
        self.story.evaluate(now - timedelta(seconds=1), gamma=OK)

    @property
    def each(self) -> ConnectionJson:
        record = self.story.record("gamma")
        return connection_json(record, watched_of(self.plan)["gamma"], self.now)

    def answered(self) -> CheckedConnection:
        return CheckedConnection(Outcome(Reason.OK), self.each, self.now, 30, DENVER.alerts.zone)

    def alert(self, kind: AlertKind, **facts: Any) -> list[str]:
        message = compose(
            kind, Severity.WARNING, facts, ["gamma"], self.now, None, self.now,
            zone=DENVER.alerts.zone,
        )  # fmt: skip
        return [message.title, message.body, message.short]


@pytest.fixture(params=ENDS.values(), ids=list(ENDS))
def case(request, database: Database):
    now, end, *words = request.param
    return Surfaces(database, utc(now), utc(end)), *words


async def test_every_surface_names_an_end_by_one_word(case):
    surfaces, when, date, column = case
    now, end, ends_at = surfaces.now, surfaces.end, surfaces.end.isoformat()
    row = connection_row(surfaces.each, now)
    clock = surfaces.story.record("gamma").clock
    said = {
        "status": str(row.remarks),
        "renew": describe_renewal(clock, DateChange.RENEWAL, now).partition("; ")[2],
        "validate": str([step.words for step in read_clocks(surfaces.answered(), "our-app")]),
        "doctor": judge_certificate("host", end, now).words,
        "digest": surfaces.alert(
            AlertKind.DIGEST, n_active=1, next_to_end=[{"name": "gamma", "ends_at": ends_at}]
        )[1],
        "renewed": surfaces.alert(AlertKind.RENEWED, ends_at=ends_at)[1],
    }
    for kind in (AlertKind.EXPIRING_SOON, AlertKind.SECRET_EXPIRING):
        for part, text in zip(("title", "body", "SMS"), surfaces.alert(kind, ends_at=ends_at)):  # noqa: B905 - three each
            said[f"{part} of {kind}"] = text
    # A long title has no room for the date as well.
    rotation = [said.pop(f"{part} of {AlertKind.SECRET_EXPIRING}") for part in ("title", "SMS")]
    async with open_web(surfaces.story.database, surfaces.plan, DENVER) as web:
        web.now[0] = now
        pages = {path: (await web.get(path)).text for path in ("/", "/connections/gamma")}
        calendar = (await web.get("/calendar")).text
        feed = (await web.get("/calendar.ics")).text.replace("\r\n ", "")
    said["list"] = re.findall(r"Authorization expires [^<]*", pages["/"])[0]
    said["page"] = re.findall(r"Authorization expires [^<]*", pages["/connections/gamma"])[0]

    assert {surface: words_in(text) for surface, text in said.items()} == {
        surface: {(when, date)} for surface in said
    }
    assert [re.findall(rf"expires {when}\b", text) for text in rotation] == [
        [f"expires {when}"]
    ] * 2
    assert str(row.cells[2]).removeprefix("🟠 ") == column
    assert f">{column}</span>" in pages["/"]
    assert f"<td>{date}</td><td>{column}</td>" in pages["/connections/gamma"]
    assert (
        re.findall(rf"<td>({DATE})<div class=\"quiet\">([^<]*)</div>", calendar)
        == [(date, when)] * 2
    )
    assert f"DTSTART;VALUE=DATE:{end:%Y%m%d}" in feed
    assert f"SUMMARY:gamma: the authorization expires {date}".replace(",", "\\,") in feed


@pytest.mark.parametrize("kind", [AlertKind.EXPIRING_SOON, AlertKind.EXPIRED])
async def test_what_is_over_is_nowhere_said_to_be_left(database, kind):
    surfaces = Surfaces(database, utc("2026-12-01T00:00"), utc("2026-12-01"))
    text = " ".join(surfaces.alert(kind, ends_at=surfaces.end.isoformat(), reason="ok"))
    async with open_web(surfaces.story.database, surfaces.plan, DENVER) as web:
        web.now[0] = surfaces.now
        page = (await web.get("/connections/gamma")).text
    assert "expired today (Dec 1)" in text
    assert str(connection_row(surfaces.each, surfaces.now).cells[2]) == "expired"
    assert "<td>Dec 1</td><td>expired</td>" in page
    assert not re.search(r"(?<!\d)0 days", page + text)


RESETS = {
    "midnight": ("2026-11-30T12:00", "2026-12-01", "tomorrow (Dec 1)"),
    "at the end of the month": ("2026-11-30T12:00", "2026-12-31", "in 31 days (Dec 31)"),
    "far, and in the middle of a day": (
        "2026-11-30T12:00",
        "2026-12-09T10:06",
        "in 9 days (Dec 9)",
    ),
    "within hours": ("2026-11-30T12:00", "2026-12-01T05:30", "Nov 30, 22:30 MST"),
}


@pytest.mark.parametrize(("now", "resets", "words"), RESETS.values(), ids=RESETS)
def test_every_surface_names_a_reset_by_one_word(database, now, resets, words):
    surfaces = Surfaces(database, utc(now), utc("2027-06-01"))
    zone, resets_at = DENVER.alerts.zone, utc(resets)
    surfaces.story.evaluate(surfaces.now, gamma=ok_with(500, resets_at=resets_at))
    record, each = surfaces.story.record("gamma"), surfaces.each
    [report] = quotas_json([(record, watched_of(surfaces.plan)["gamma"])], surfaces.now)[
        "connections"
    ]
    quota = each["quota"]
    assert quota is not None
    said = {
        "status": str(connection_row(each, surfaces.now, zone=zone).remarks),
        "quota": " ".join(describe_window(report["windows"][0], surfaces.now, zone)),
        "validate": read_quota(surfaces.answered(), "host").words,
        "list": format_forecast(quota, surfaces.now, zone).striptags(),
        "alert": surfaces.alert(
            AlertKind.QUOTA_LOW, limit=10_000, remaining=500, resets_at=resets_at.isoformat()
        )[1],
    }
    assert {surface: f"resets {words}" in text for surface, text in said.items()} == dict.fromkeys(
        said, True
    )
