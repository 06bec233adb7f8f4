"""
Count the climbs of one batch of checks: calls from a package into one listed above it.

A batch is to fall through the packages: load, judge, correlate, dispatch, save. Where a
lower package calls back into a higher one, a reader has to climb back as well.
"""

from __future__ import annotations

import inspect
import sys
import tempfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge.outcome import Marketplace, Outcome, Reason
from monitor.store import connections, migrate
from monitor.store.engine import Database
from tests.builders import (
    CLIENT_REJECTED,
    DENIED,
    EU_HOST,
    EVERY,
    OK,
    REFUSED,
    REVOKED,
    UNREACHED,
    Story,
    amazon_store,
    entries_of,
    entry,
    ok_with,
    plan_of,
    throttled,
)
from tests.fakes import NOON

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, FrameType

ORDER = (
    "cli",
    "web",
    "report",
    "engine",
    "alerting",
    "notify",
    "providers",
    "store",
    "config",
    "judge",
)
"""The packages, from high to low; others belong to no floor, and a call through them counts."""

JOINING = {"cli", "web", "report", "engine", "alerting"}
"""Those that join the others; the others are called, and come back with a value."""

IN_PIECES = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
"""What runs on when a value is asked of it: to ask is no call, and says not who made it."""

FE_HOST = "sellingpartnerapi-fe.amazon.com"
SOLD_IN = Marketplace(
    "JP", "A1VC38T7YXB528", is_participating=True, has_suspended_listings=False, is_configured=True
)
LISTED = Outcome(Reason.OK, latency_ms=80.0, marketplaces=(SOLD_IN,))

PLAN = plan_of(
    *(entry(f"account-{number}") for number in range(8)),
    *(amazon_store(f"na-{number}") for number in range(3)),
    *(amazon_store(f"eu-{number}", host=EU_HOST, application="their-app") for number in range(5)),
    *(amazon_store(f"fe-{number}", host=FE_HOST, application="third-app") for number in range(4)),
)

BEFORE: list[dict[str, Outcome]] = [
    {
        **{
            entry.name: OK if entry.provider == "soldscope" else LISTED
            for entry in entries_of(PLAN)
        },
        "account-1": REFUSED,
        "account-3": ok_with(2_500),
    },
    {"account-1": REFUSED, "eu-0": UNREACHED},
    {"account-2": REFUSED, "eu-0": UNREACHED, "fe-0": REVOKED, "na-0": CLIENT_REJECTED},
]
"""The batches before, five minutes apart, in which other connections are not checked."""

BATCH: dict[str, Outcome] = {
    "account-0": OK,
    "account-1": OK,  # recovered
    "account-2": REFUSED,  # an error, since confirmed
    "account-3": ok_with(1_900),  # one step of its quota lower
    "account-4": DENIED,
    "account-5": throttled(),
    "account-6": ok_with(9_000, account="Globex Inc"),
    "account-7": OK,
    **{f"na-{number}": CLIENT_REJECTED for number in range(3)},  # their application is refused
    **{f"eu-{number}": UNREACHED for number in range(4)},  # their host is out
    "eu-4": LISTED,
    "fe-0": REVOKED,
    **{f"fe-{number}": LISTED for number in range(1, 4)},
}


@dataclass
class Trip:
    """
    The way of one batch through the packages.

    Args:
        alerts: The kinds that it made due, in their order.
        climbs: How often a function of a package called one of a higher package.
        stays: The package of each function, when it was entered for the first time, where
            it changed. What the store and the rules call in turn belongs to their stay.
    """

    alerts: list[str] = field(default_factory=list)
    climbs: Counter[tuple[str, str]] = field(default_factory=Counter)
    stays: list[str] = field(default_factory=list)
    entered: set[CodeType] = field(default_factory=set)

    @property
    def n_returns(self) -> int:
        """How often the way goes on in a higher package than the one before."""
        floors = [ORDER.index(package) for package in self.stays]
        return sum(after < before for before, after in pairwise(floors))

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """Take in a call, as `sys.setprofile` tells it."""
        code, package = frame.f_code, _package_of(frame)
        if event != "call" or package is None or code.co_flags & IN_PIECES:
            return
        callers = list(_callers(frame))
        if callers and ORDER.index(package) < ORDER.index(callers[0][0]):
            self.climbs[_name(callers[0][1]), _name(frame)] += 1
        # Comprehensions and what dataclasses generate are nothing that anybody goes to read.
        is_written = not any(name.startswith("<") for name in (code.co_name, code.co_filename))
        is_own_stay = all(caller in JOINING for caller, _ in callers)
        if is_written and is_own_stay and code not in self.entered:
            self.entered.add(code)
            if self.stays[-1:] != [package]:
                self.stays.append(package)


def make_trip() -> Trip:
    """Settle `BATCH` on a database of its own."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Database(f"sqlite:///{folder}/connwatch.db")) as database,
    ):
        migrate.upgrade(database)
        story = Story.begin(database, PLAN, NOON)
        for number, outcomes in enumerate(BEFORE):
            story.evaluate(NOON + number * EVERY, **outcomes)
            story.send_all(NOON + number * EVERY)
        n_before = len(story.kinds())
        trip = _follow_batch(story)
        trip.alerts += [kind for kind, _ in story.kinds()[n_before:]]
        return trip


def _follow_batch(story: Story) -> Trip:
    at = NOON + len(BEFORE) * EVERY
    trip = Trip()
    with story.database.write() as tx:
        known = {record.name: record for record in connections.list_records(tx)}
        finished = [
            FinishedCheck(known[name].id, known[name].next_check_at, at, outcome)
            for name, outcome in BATCH.items()
        ]
        before = sys.getprofile()
        sys.setprofile(trip.note)
        try:
            evaluate(tx, finished, PLAN)
        finally:
            sys.setprofile(before)
    return trip


def _callers(frame: FrameType) -> Iterator[tuple[str, FrameType]]:
    """Yield the functions of ours above *frame*, past those of libraries, with their package."""
    above = frame.f_back
    while above is not None:
        package = _package_of(above)
        if package is not None:
            yield package, above
        above = above.f_back


def _package_of(frame: FrameType) -> str | None:
    # By its module, since what dataclasses generate has no file.
    return _package_of_module(frame.f_globals.get("__name__", ""))


@cache
def _package_of_module(module: str) -> str | None:
    parts = module.split(".")
    if parts[0] != "monitor" or len(parts) == 1:
        return None
    return parts[1] if parts[1] in ORDER else None


def _name(frame: FrameType) -> str:
    module = frame.f_globals["__name__"].removeprefix("monitor.")
    return f"{module}.{frame.f_code.co_qualname}"
