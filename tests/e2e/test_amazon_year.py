"""
A store walked through a year: exactly its alerts, whatever happens to the daemon meanwhile.

Real processes, real HTTP, a real web hook. Only the wall clock is not real: it jumps.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Protocol

import pytest

from monitor.notify.times import format_date
from tests.e2e.aged_daemon import LAST_MOMENTS
from tests.e2e.amazon_stage import run_amazon, set_stage
from tests.e2e.own_amazon import CLIENT_ID, run_own_amazon
from tests.waiting import wait_until

if TYPE_CHECKING:
    from monitor.simulator.amazon import Grant
    from tests.e2e.amazon_stage import SimulatedAmazon, Stage

DAY = timedelta(days=1)
BEGAN_AT = datetime.combine(datetime.now(UTC).date(), time(), UTC)
END = BEGAN_AT + 365 * DAY
RENEWED_AT = END + 2 * DAY
NEXT_END = RENEWED_AT + 365 * DAY
SOON = timedelta(seconds=30)

RENEWED = "renewed"


@dataclass(frozen=True)
class Step:
    """
    An instant of the year, and what people are told then.
    """

    at: datetime
    kind: str
    words: str


YEAR = [
    *(
        Step(END - days * DAY, "expiring_soon", f"acme expires {when} ({END:%b} {END.day})")
        for days, when in (
            (30, "in 30 days"),
            (14, "in 14 days"),
            (7, "in 7 days"),
            (3, "in 3 days"),
            (1, "tomorrow"),
        )
    ),
    Step(END, "expired", "acme: authorization expired"),
    Step(RENEWED_AT, RENEWED, "acme: authorization renewed"),
    Step(
        NEXT_END - 30 * DAY,
        "expiring_soon",
        f"acme expires in 30 days ({NEXT_END:%b} {NEXT_END.day})",
    ),
]
SHORT_YEAR = [YEAR[0], *YEAR[4:]]


class Amazon(Protocol):
    """
    The service, with the people behind the store and its application.
    """

    def move_to(self, ahead: timedelta) -> None: ...

    def rotate_secret(self, at: datetime) -> str: ...

    def authorize_again(self) -> str: ...


@dataclass
class SimulatedSeller:
    """
    A seller of the simulator, and the developer of the application.
    """

    amazon: SimulatedAmazon
    grant: Grant

    def move_to(self, ahead: timedelta) -> None:
        self.amazon.move_to(ahead)

    def rotate_secret(self, at: datetime) -> str:
        return self.amazon.simulator.amazon.rotate_secret(self.grant.application.id, at).value

    def authorize_again(self) -> str:
        simulator = self.amazon.simulator
        issued = simulator.amazon.reauthorize(self.grant.id, simulator.clock.now())
        return issued.refresh_token


@dataclass
class Walk:
    """
    A store on its way through a year.

    Args:
        n_twice: How many messages may have come twice: the daemon died when they were sent.
    """

    stage: Stage
    amazon: Amazon
    told: list[Step] = field(default_factory=list)
    n_twice: int = 0

    def go_to(self, at: datetime) -> None:
        """
        Jump; secrets are rotated in time, as twice a year they must be.
        """
        self.stage.put("app.secret", self.amazon.rotate_secret(at))
        ahead = at + SOON - datetime.now(UTC)
        self.amazon.move_to(ahead)
        self.stage.move_to(ahead)

    def renew(self) -> None:
        """
        Let the seller authorize again: a new refresh token, and its day recorded.
        """
        self.stage.put("acme.token", self.amazon.authorize_again())
        ended = self.stage.commands.run("renew", "acme")
        assert ended.code == 0
        assert f"recorded as renewed on {format_date(RENEWED_AT, RENEWED_AT)}" in ended.out

    def wait_until_told(self, step: Step) -> None:
        self.told.append(step)
        self.stage.wait_until_told(*(each.kind for each in self.told))

    def wait_until_checked(self) -> None:
        """
        Return when the daemon has looked at the store after the latest jump.
        """
        began = self.stage.now - SOON

        def is_checked() -> bool:
            at = self.stage.shown().get("acme", {}).get("checked_at")
            return at is not None and datetime.fromisoformat(at) >= began

        wait_until(is_checked, why=self.stage.log)


def take_step(walk: Walk, step: Step) -> None:
    walk.go_to(step.at)
    if step.kind == RENEWED:
        walk.wait_until_checked()
        walk.renew()
    walk.wait_until_told(step)


def live_through(walk: Walk, year: list[Step]) -> None:
    with walk.stage.commands.daemon() as daemon:
        begin(walk)
        for step in year:
            take_step(walk, step)
        daemon.stop()
        assert daemon.named("job.failed") == []


def be_killed_between(walk: Walk, year: list[Step]) -> None:
    with walk.stage.commands.daemon() as daemon:
        begin(walk)
        daemon.kill()
    for step in year:
        walk.go_to(step.at)
        with walk.stage.commands.daemon() as daemon:
            if step.kind == RENEWED:
                walk.wait_until_checked()
                walk.renew()
            walk.wait_until_told(step)
            daemon.kill()


def be_killed_at_any_moment(walk: Walk, year: list[Step]) -> None:
    with walk.stage.commands.daemon() as daemon:
        begin(walk)
        daemon.kill()
    chance = random.Random(20261122)
    for step in year:
        walk.go_to(step.at)
        moments = list(LAST_MOMENTS)
        if step.kind == "expired":
            moments = [one for one in moments if not one.startswith("steps")]
        if step.kind == RENEWED:
            walk.renew()
            # The command has told the outbox already, and asked in the daemon's place.
            moments = [one for one in moments if not one.startswith(("steps", "batch"))]
        moment = chance.choice(moments)
        with walk.stage.commands.daemon(moment) as daemon:
            daemon.wait_for_death()
        walk.n_twice += moment in {"sent", "arrival recorded, not committed"}
        with walk.stage.commands.daemon() as daemon:
            walk.wait_until_told(step)
            daemon.kill()


def begin(walk: Walk) -> None:
    """
    Authorized, checked, and half a year without a word.
    """
    walk.wait_until_checked()
    walk.go_to(BEGAN_AT + 180 * DAY)
    walk.wait_until_checked()
    assert walk.stage.shown()["acme"]["state"] == "active"


def expect_exactly(walk: Walk, year: list[Step]) -> None:
    """
    Each alert once, to the one they concern, in the right words, and sent.
    """
    stage = walk.stage
    alerts = stage.alerts()
    assert [alert.kind for alert in alerts] == [step.kind for step in year]
    assert {alert.connections for alert in alerts} == {("acme",)}
    for step, alert in zip(year, alerts, strict=True):
        assert timedelta() <= alert.born_at - step.at < timedelta(minutes=5)
    said = [step.words for step in year]
    counted = Counter(title.partition(" ")[2] for title in stage.titles())
    assert set(counted) == set(said)
    surplus = counted - Counter(said)
    assert surplus.total() == walk.n_twice
    shown = stage.shown()["acme"]
    assert (shown["state"], shown["expiring_soon"]) == ("active", True)
    assert shown["authorization"]["expires_at"] == f"{NEXT_END:%Y-%m-%dT%H:%M:%SZ}"
    transitions = stage.history("acme")["transitions"]
    assert [each["to"] for each in transitions][::-1] in (
        ["active", "expired", "active"],
        ["pending", "active", "expired", "active"],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "go",
    [
        live_through,
        pytest.param(be_killed_between, marks=pytest.mark.long, id="killed between"),
        pytest.param(be_killed_at_any_moment, marks=pytest.mark.long, id="killed at any moment"),
    ],
)
def test_a_year_of_a_store_sends_exactly_its_alerts(tmp_path, go):
    with set_stage(tmp_path) as stage, run_amazon(stage) as amazon:
        application = amazon.open_application(stage, "app")
        day = f"{BEGAN_AT:%Y-%m-%d}"
        grant = amazon.open_store(stage, "acme", application, BEGAN_AT, authorized_on=day)
        stage.configure()
        walk = Walk(stage, SimulatedSeller(amazon, grant))
        go(walk, YEAR)
        expect_exactly(walk, YEAR)


@pytest.mark.long
@pytest.mark.parametrize("go", [live_through, be_killed_between], ids=["running on", "killed"])
def test_the_same_holds_for_an_amazon_that_others_might_have_written(tmp_path, go):
    with set_stage(tmp_path) as stage, run_own_amazon(BEGAN_AT) as amazon:
        stage.add_application("app", CLIENT_ID, amazon.rotate_secret(BEGAN_AT), amazon.token_url)
        day = f"{BEGAN_AT:%Y-%m-%d}"
        stage.add_store("acme", "app", amazon.refresh_token, amazon.url, authorized_on=day)
        stage.configure()
        walk = Walk(stage, amazon)
        go(walk, SHORT_YEAR)
        expect_exactly(walk, SHORT_YEAR)
        stage.secrets |= set(amazon.access_tokens)
        assert amazon.complaints == []
