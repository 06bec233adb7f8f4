"""
One cause, one alert, through the daemon; and a daemon whose clock is set wrong.

Real processes and real HTTP; the clock jumps where a round of checks would take minutes.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests.e2e.amazon_stage import run_amazon, set_stage
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.amazon_stage import SimulatedAmazon, Stage

EVERY = timedelta(seconds=65)
"""The shortest rhythm there is for a store."""

ROUND = EVERY + timedelta(seconds=10)
DAY = timedelta(days=1)

pytestmark = pytest.mark.slow


@pytest.fixture
def stage(tmp_path) -> Iterator[Stage]:
    with set_stage(tmp_path) as stage:
        yield stage


@pytest.fixture
def amazon(stage) -> Iterator[SimulatedAmazon]:
    with run_amazon(stage) as amazon:
        yield amazon


def jump(stage: Stage, amazon: SimulatedAmazon, by: timedelta) -> None:
    amazon.move_to(stage.ahead + by)
    stage.move_to(stage.ahead + by)


def standings(stage: Stage) -> Counter[tuple[str, str]]:
    return Counter((each["state"], each["reason"]) for each in stage.shown().values())


def wait_until_all(stage: Stage, n: int, state: str, reason: str) -> None:
    wait_until(
        lambda: standings(stage) == {(state, reason): n},
        why=lambda: f"{standings(stage)}: {stage.log()}",
    )


def wait_until_checked(stage: Stage, n: int) -> None:
    """
    Return when *n* stores were checked after now.
    """
    began = f"{stage.now:%Y-%m-%dT%H:%M:%SZ}"

    def is_checked() -> bool:
        checked = [each["checked_at"] or "" for each in stage.shown().values()]
        return len([at for at in checked if at >= began]) >= n

    wait_until(is_checked, why=stage.log)


def go_round(stage: Stage, amazon: SimulatedAmazon, n: int) -> int:
    """
    Let every store's turn come; return how many exchanges that took.
    """
    before = len(amazon.exchanges)
    jump(stage, amazon, ROUND)
    wait_until_checked(stage, n)
    return len(amazon.exchanges) - before


def test_a_secret_rotated_away_is_one_error_for_forty_stores_and_one_is_asked(stage, amazon):
    application = amazon.open_application(stage, "app")
    for number in range(40):
        amazon.open_store(stage, f"store-{number:02}", application, every='"65s"')
    stage.configure()
    with stage.commands.daemon() as daemon:
        wait_until_all(stage, 40, "active", "ok")

        # The developer rotates the secret and tells nobody; a week later the old one dies.
        now = amazon.simulator.clock.now()
        rotated = amazon.simulator.amazon.rotate_secret(application.id, now)
        jump(stage, amazon, 7 * DAY + timedelta(minutes=1))
        stage.wait_until_told("error")
        wait_until_all(stage, 40, "error", "client_rejected")

        [error] = stage.alerts()
        assert error.facts["n_connections"] == 40
        assert len(error.connections) == 40
        assert [go_round(stage, amazon, 40) for _ in range(3)] == [1, 1, 1]
        assert stage.kinds() == ["error"]

        # The new one in its place is found by the one that is asked, and all others follow.
        stage.put("app.secret", rotated.value)
        jump(stage, amazon, ROUND)
        stage.wait_until_told("error", "recovered")
        wait_until_all(stage, 40, "active", "ok")
        assert go_round(stage, amazon, 40) == 40
        daemon.stop()
    assert stage.kinds() == ["error", "recovered"]
    assert len(stage.titles()) == 2
    assert daemon.named("job.failed") == []


def open_region(stage: Stage, amazon: SimulatedAmazon, **checks: str) -> None:
    """
    Twelve stores of two applications in one region, and one of another region.
    """
    for name in ("app-one", "app-two"):
        application = amazon.open_application(stage, name)
        for number in range(6):
            amazon.open_store(stage, f"{name}-store-{number}", application, every='"65s"')
    amazon.open_store(stage, "elsewhere", application, region="eu", every='"65s"')
    stage.configure(**checks)


def expect_nobody_told_to_authorize_again(stage: Stage) -> None:
    said = [f"{body['title']} {body['message']}" for _, body in stage.hook.posts]
    assert not [text for text in said if re.search(r"authori[sz]e|revoked", text)]


def test_a_storm_of_403_over_a_region_is_one_outage_and_then_over(stage, amazon):
    open_region(stage, amazon)
    with stage.commands.daemon() as daemon:
        wait_until_all(stage, 13, "active", "ok")

        amazon.simulator.amazon_faults.switch_on("storm_403", where="na")
        jump(stage, amazon, ROUND)
        stage.wait_until_told("outage")
        wait_until(lambda: standings(stage)["error", "permission_denied"] == 12, why=stage.log)
        go_round(stage, amazon, 13)
        assert stage.kinds() == ["outage"]
        [outage] = stage.alerts()
        assert outage.facts["host"] == urlsplit(amazon.simulator.region_urls["na"]).netloc
        assert outage.facts["n_total"] == 12
        assert stage.shown()["elsewhere"]["state"] == "active"

        amazon.simulator.amazon_faults.clear()
        jump(stage, amazon, ROUND)
        stage.wait_until_told("outage", "outage_over")
        wait_until_all(stage, 13, "active", "ok")
        daemon.stop()
    assert stage.kinds() == ["outage", "outage_over"]
    assert len(stage.titles()) == 2
    expect_nobody_told_to_authorize_again(stage)


def test_a_storm_that_stays_was_a_lost_permission_and_one_error_an_application(stage, amazon):
    open_region(stage, amazon, outage_hold='"10m"')
    with stage.commands.daemon() as daemon:
        wait_until_all(stage, 13, "active", "ok")

        amazon.simulator.amazon_faults.switch_on("storm_403", where="na")
        jump(stage, amazon, ROUND)
        stage.wait_until_told("outage")
        wait_until(lambda: standings(stage)["error", "permission_denied"] == 12, why=stage.log)
        jump(stage, amazon, timedelta(minutes=11))
        stage.wait_until_told("outage", "error", "error")
        go_round(stage, amazon, 13)
        daemon.stop()
    _, *errors = stage.alerts()
    assert {error.facts["application"] for error in errors} == {"app-one", "app-two"}
    assert [len(error.connections) for error in errors] == [6, 6]
    assert all(error.facts["permissions_changed"] for error in errors)
    assert stage.kinds() == ["outage", "error", "error"]


def test_one_refused_store_is_told_alone_after_its_neighbours_were_asked(stage, amazon):
    open_region(stage, amazon)
    with stage.commands.daemon() as daemon:
        wait_until_all(stage, 13, "active", "ok")
        lonely = next(iter(amazon.simulator.amazon.grants))
        amazon.simulator.amazon_faults.switch_on("account_deactivated", where=lonely.id)
        before = len(amazon.exchanges)

        assert stage.check("app-one-store-0")[0] == 2

        stage.wait_until_told("error")
        daemon.stop()
    [error] = stage.alerts()
    assert error.connections == ("app-one-store-0",)
    # Twice the store itself, and five neighbours once.
    assert len(amazon.exchanges) - before == 2 + 5


def test_a_clock_that_is_set_wrong_stops_no_check_and_repeats_no_step(stage, amazon):
    application = amazon.open_application(stage, "app")
    since = amazon.simulator.clock.now() - timedelta(days=335) + timedelta(hours=1)
    since = since.replace(microsecond=0)
    day = since.isoformat()
    amazon.open_store(stage, "acme", application, since, every='"65s"', authorized_on=day)
    stage.configure()
    with stage.commands.daemon() as daemon:
        wait_until_all(stage, 1, "active", "ok")
        told: list[str] = []
        for hours in (-3, 6, -3, 3, -6, 6):
            told = ["expiring_soon"] if told or hours == 6 else []
            has_asked = partial(lambda n: len(amazon.exchanges) > n, len(amazon.exchanges))
            # The clock of the daemon's machine alone: Amazon's is right.
            stage.move_to(stage.ahead + timedelta(hours=hours))
            wait_until(has_asked, why=stage.log)
            stage.wait_until_told(*told)
            # What is under way when the clock is set counts as a check after it.
            wait_until(lambda: len(daemon.named("check.finished")) == len(amazon.exchanges))
        daemon.stop()
    assert stage.kinds() == ["expiring_soon"]
    assert len(stage.titles()) == 1
    assert len(daemon.named("clock.stepped")) == 6
    assert daemon.named("job.failed") == []
    assert daemon.named("clock.step_not_settled") == []
