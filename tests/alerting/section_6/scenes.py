"""
What the rows of section 6 have in common: connections, channels, outcomes and stories.

A row names its sentence, says in a few words which case of it is tried, and is
a story: a configuration, and steps, of which some happen and some compare what
channels received. The steps are explained in `stage`; bunches of them, `*(...)`,
stand on a line of their own where a row is long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from monitor.judge.incidents import Connectivity
from monitor.judge.outcome import Outcome, Reason
from tests.alerting.stage import channel, check, connection, link, settings, sleep, wait
from tests.builders import OK, REFUSED, UNREACHED, ok_with
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.alerting.stage import Step

SEND = wait("10s")
"""As long as an alert waits for others of its kind."""


@dataclass(frozen=True)
class Row:
    """
    One case of a sentence.

    Args:
        tables: The configuration beside what every one has.
        files: What else is in its folder.
    """

    sentence: str
    case: str
    tables: tuple[str, ...]
    steps: tuple[Step, ...]
    files: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.sentence}: {self.case}"


def row(sentence: str, case: str, tables: tuple[str, ...], *steps: Step, **files: str) -> Row:
    return Row(sentence, case, tables, steps, files)


OPS = channel("ops")
MAIL = channel("mail")
ONE = connection("one")
TWO = connection("two")
THREE = (connection("one"), connection("two"), connection("three"))

BUSY = Outcome(Reason.SERVER_ERROR, "The service failed (503).", http_status=503)
COUNTED = Outcome(Reason.OK, is_countdown=True)
DENIED = Outcome(Reason.PERMISSION_DENIED, "The token may not do this (403).", latency_ms=40.0)

ENDS_TOMORROW = date(2025, 11, 23)
"""Of an authorization that lasts a year: it ends twelve hours after the story begins."""
ENDS_IN_A_WEEK = date(2025, 11, 29)
ENDS_IN_TWENTY_DAYS = date(2025, 12, 12)
ENDED = date(2025, 11, 1)
SECRET_ENDS_TOMORROW = date(2026, 5, 27)
"""Of a client secret, which lasts 180 days."""
SECRET_ENDS_IN_TWENTY_DAYS = date(2026, 6, 15)


def all_of(outcome: Outcome, *names: str) -> dict[str, Outcome]:
    return dict.fromkeys(names or ("one", "two", "three"), outcome)


def fail(*names: str) -> tuple[Step, ...]:
    """Have connections refused twice, which confirms it."""
    both = all_of(REFUSED, *(names or ("one",)))
    return check(both), sleep("30s"), check(both)


def falter(*names: str) -> tuple[Step, ...]:
    """Have connections fail three times without a conclusion, which is an error."""
    return (sleep("1m"), check(all_of(BUSY, *names))) * 3


FAIL = fail()
RUN_OUT = (check(one=COUNTED), sleep("30s"), check(one=COUNTED))
OUTAGE = falter("one", "two", "three")
OFFLINE = (link(Connectivity.DOWN), check(one=UNREACHED))
ONLINE = (link(Connectivity.UP), check(one=OK))
IN_NEW_YORK = settings(
    "alerts", quiet_hours={"zone": "America/New_York", "from": "22:00", "to": "07:00"}
)
HOURLY = settings("alerts", remind_every="1h")
HOUR = (wait("1h"), SEND)
UPLINK = settings("checks", uplink=["https://up.example.com"])


def closing_channels(trouble: str, end: str) -> tuple[str, str]:
    """Configure two channels for what is critical: one names the end, the other names nothing."""
    return (
        channel("named", min_severity="critical", kinds=[trouble, end]),
        channel("silent", min_severity="critical"),
    )


def alternate(n: int, every: str = "5m") -> tuple[Step, ...]:
    """Have the state of `one` change so many times, the last time to an error if that is even."""
    steps: list[Step] = []
    for number in range(n):
        steps += [sleep(every), check(one=REFUSED if number % 2 else OK)]
    return tuple(steps)


def burn() -> Iterable[Step]:
    """Have `one` use up a quota in 17 days that is to last for 25."""
    for hour in range(0, 8 * 24, 6):
        yield check(one=ok_with(10_000 - 25 * hour, resets_at=NOON + timedelta(days=25)))
        yield sleep("6h")
