"""
Our own link: one alert instead of one for everything that cannot be reached.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from monitor.judge.incidents import Connectivity
from monitor.judge.outcome import Outcome, Reason, State
from monitor.judge.routing import ChannelRoute
from monitor.store import connections, history, schema
from monitor.store.schedule import claim_due
from monitor.store.schema import notifications, offline_times
from tests.builders import (
    CLIENT_REJECTED,
    DAY,
    EU_HOST,
    HOUR,
    LWA_HOST,
    MINUTE,
    NA_HOST,
    OK,
    REFUSED,
    UNREACHED,
    Story,
    amazon_store,
    entry,
    plan_of,
    watched_of,
    with_watched,
)
from tests.fakes import NOON

if TYPE_CHECKING:
    from datetime import datetime

SECOND = timedelta(seconds=1)
HOSTS = ("alpha.example.com", "beta.example.com", "gamma.example.com")
THREE = ("one", "two", "three")
NO_NAME = Outcome(Reason.DNS, "Cannot resolve the host.")
BAD_TLS = Outcome(Reason.TLS, "The certificate is not trusted.")
BROKEN = Outcome(Reason.SERVER_ERROR, "The service failed (503).", http_status=503)


def with_uplink(story: Story, said: Connectivity = Connectivity.DOWN) -> Story:
    story.plan = replace(story.plan, uplink=("https://up.example.com",))
    story.uplink = said
    return story


@pytest.fixture
def apart(database) -> Story:
    """
    Three connections to three hosts, all well.
    """
    hosts = dict(zip(THREE, HOSTS, strict=True))
    story = Story.begin(database, plan_of(*(entry(name, host=hosts[name]) for name in THREE)))
    story.evaluate(NOON, **dict.fromkeys(THREE, OK))
    return story


@pytest.fixture
def linked(apart) -> Story:
    """
    The same with `checks.uplink`, which does not answer.
    """
    return with_uplink(apart)


def kinds(story: Story) -> list[str]:
    return [kind for kind, _ in story.kinds()]


def times(story: Story) -> list[tuple[datetime, datetime | None, int]]:
    """
    Begin, end and missed checks of all times without a link.
    """
    columns = offline_times.c
    with story.database.read() as tx:
        query = select(columns.started_at, columns.ended_at, columns.n_missed).order_by(columns.id)
        return [(row.started_at, row.ended_at, row.n_missed) for row in tx.execute(query)]


def send(story: Story, *channels: str) -> None:
    """
    Have what waits on these channels arrive.
    """
    with story.database.write() as tx:
        tx.execute(
            update(notifications)
            .where(notifications.c.channel.in_(channels))
            .values(state="sent", sent_at=NOON)
        )


# --- with uplink


def test_a_link_that_is_gone_is_one_alert_about_nobody(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    linked.evaluate(NOON + 2 * MINUTE, two=UNREACHED, three=NO_NAME)
    [alert] = linked.alerts()
    assert (alert.kind, alert.severity, alert.connections) == ("monitor_offline", "critical", ())
    assert linked.channels() == ["ops"]
    assert times(linked) == [(NOON + MINUTE, None, 3)]


def test_nothing_is_counted_without_a_link(linked):
    before = linked.record("one").standing
    for number in range(1, 6):
        linked.evaluate(NOON + number * MINUTE, one=UNREACHED, two=BAD_TLS, three=NO_NAME)
    after = linked.record("one").standing
    assert (after.state, after.failures, after.successes) == (State.ACTIVE, 0, before.successes)
    assert (after.checked_at, after.last_reason) == (NOON + 5 * MINUTE, Reason.TIMEOUT)
    assert linked.record("one").failed_host is None
    assert linked.record("two").standing.failures == 0
    assert kinds(linked) == ["monitor_offline"]


def test_checks_without_a_link_are_in_the_history(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    with linked.database.read() as tx:
        checks = history.list_checks(tx, linked.record("one").id, 10)
    assert [check.reason for check in checks] == [Reason.TIMEOUT, Reason.OK]


def test_without_a_link_no_outage_begins(database):
    story = with_uplink(Story.begin(database, plan_of(*map(entry, THREE))))
    for number in range(4):
        story.evaluate(NOON + number * MINUTE, **dict.fromkeys(THREE, UNREACHED))
    story.uplink = Connectivity.UP
    story.evaluate(NOON + 5 * MINUTE, **dict.fromkeys(THREE, OK))
    assert kinds(story) == ["monitor_offline", "monitor_online"]


def test_failures_count_while_an_uplink_answers(linked):
    linked.uplink = Connectivity.UP
    for number in range(3):
        linked.evaluate(NOON + number * MINUTE, one=UNREACHED, two=UNREACHED, three=UNREACHED)
    assert kinds(linked) == ["error"] * 3
    assert times(linked) == []


def test_with_uplink_nobody_guesses(linked):
    linked.uplink = Connectivity.UNKNOWN
    linked.evaluate(NOON + MINUTE, **dict.fromkeys(THREE, UNREACHED))
    assert times(linked) == []


def test_an_answer_in_the_same_batch_outweighs_the_uplink(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED, two=REFUSED)
    assert times(linked) == []
    assert linked.record("one").standing.failures == 1


def test_the_link_is_back_when_an_uplink_answers(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    send(linked, "ops")
    linked.uplink = Connectivity.UP
    linked.evaluate(NOON + 9 * MINUTE, one=UNREACHED)
    assert kinds(linked) == ["monitor_offline", "monitor_online"]
    facts = linked.alerts()[-1].facts
    assert (facts["since"], facts["until"], facts["n_missed"]) == (
        (NOON + MINUTE).isoformat(),
        (NOON + 9 * MINUTE).isoformat(),
        1,
    )
    assert linked.record("one").standing.failures == 1, "that one is the service's own"
    assert linked.channels() == ["ops", "ops"]


@pytest.mark.parametrize("answer", [OK, REFUSED, BROKEN], ids=lambda one: one.reason.value)
def test_the_link_is_back_when_any_service_answers(linked, answer):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    linked.evaluate(NOON + 2 * MINUTE, two=answer)
    assert times(linked) == [(NOON + MINUTE, NOON + 2 * MINUTE, 1)]


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(Reason.OK, is_countdown=True),
        replace(CLIENT_REJECTED, is_taken_over=True),
        Outcome(Reason.UNEXPECTED_RESPONSE, "connwatch could not finish the check."),
        BAD_TLS,
    ],
    ids=["countdown", "taken over", "own fault", "tls"],
)
def test_what_is_no_answer_does_not_end_it(linked, outcome):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    linked.evaluate(NOON + 2 * MINUTE, two=outcome)
    [(_, ended_at, _)] = times(linked)
    assert ended_at is None


def test_an_answer_from_before_does_not_end_it(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    linked.evaluate(NOON + MINUTE - SECOND, two=OK)
    [(_, ended_at, _)] = times(linked)
    assert ended_at is None


def test_news_that_could_not_be_sent_is_taken_back(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    linked.evaluate(NOON + 2 * MINUTE, two=OK)
    assert kinds(linked) == ["monitor_offline", "monitor_online"]
    assert [len(alert.notifications) for alert in linked.alerts()] == [0, 1]


def test_news_is_taken_back_only_where_it_was_not_sent(database):
    hosts = zip(THREE, HOSTS, strict=True)
    plan = plan_of(
        *(entry(name, host=host) for name, host in hosts),
        channels=(ChannelRoute("local"), ChannelRoute("remote")),
    )
    story = with_uplink(Story.begin(database, plan))
    story.evaluate(NOON + MINUTE, one=UNREACHED)
    send(story, "local")
    story.evaluate(NOON + 2 * MINUTE, two=OK)
    assert story.channels() == ["local", "local", "remote"]


def test_news_on_its_way_when_the_link_returns_is_taken_back_if_it_does_not_arrive(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    in_flight = NOON + 3 * MINUTE
    with linked.database.write() as tx:
        tx.execute(update(notifications).values(claimed_by="run", claimed_until=in_flight))
    linked.evaluate(NOON + 2 * MINUTE, two=OK)
    assert linked.channels() == ["ops", "ops"], "it may arrive"
    linked.sweep(in_flight - SECOND)
    assert linked.channels() == ["ops", "ops"]
    linked.sweep(in_flight)
    assert [alert.kind for alert in linked.alerts() if alert.notifications] == ["monitor_online"]


def test_a_reminder_that_could_not_be_sent_is_taken_back_as_well(database):
    channels = [ChannelRoute("ops"), ChannelRoute("mail")]
    story = with_uplink(Story.begin(database, plan_of(entry("one"), channels=channels)))
    story.evaluate(NOON, one=UNREACHED)
    send(story, "mail")
    story.sweep(NOON + DAY)
    assert kinds(story) == ["monitor_offline", "monitor_offline"]
    story.uplink = Connectivity.UP
    story.evaluate(NOON + DAY + MINUTE, one=OK)
    story.uplink = Connectivity.DOWN
    story.evaluate(NOON + DAY + 2 * MINUTE, one=UNREACHED)
    waiting = [
        (alert.kind, alert.born_at, each.channel)
        for alert in story.alerts()
        for each in alert.notifications
        if each.state == "due"
    ]
    again = NOON + DAY + MINUTE
    assert waiting == [
        ("monitor_online", again, "ops"),
        ("monitor_online", again, "mail"),
        ("monitor_offline", again + MINUTE, "ops"),
        ("monitor_offline", again + MINUTE, "mail"),
    ]


def test_nobody_hears_of_an_end_whose_begin_concerned_nobody(database):
    deaf = ChannelRoute("deaf", kinds=frozenset())
    plan = plan_of(entry("one"), channels=(deaf,))
    story = with_uplink(Story.begin(database, plan))
    story.evaluate(NOON, one=UNREACHED)
    story.evaluate(NOON + MINUTE, one=OK)
    assert kinds(story) == ["monitor_offline"]


def test_it_lasts_over_a_restart(linked):
    linked.evaluate(NOON + MINUTE, one=UNREACHED)
    again = Story.begin(linked.database, linked.plan, NOON + 2 * MINUTE)
    again.evaluate(NOON + 2 * MINUTE, one=UNREACHED)
    assert kinds(again) == ["monitor_offline"]
    assert again.record("one").standing.failures == 0


# --- without uplink


def test_connections_to_two_hosts_that_all_fail_are_our_own_fault(apart):
    apart.evaluate(NOON + MINUTE, one=UNREACHED, two=NO_NAME)
    assert times(apart) == [], "the third was reached"
    apart.evaluate(NOON + 2 * MINUTE, three=UNREACHED)
    [alert] = apart.alerts()
    assert alert.kind == "monitor_offline"
    assert alert.facts["n_hosts"] == 3
    for number in range(3, 9):
        apart.evaluate(NOON + number * MINUTE, **dict.fromkeys(THREE, UNREACHED))
    assert kinds(apart) == ["monitor_offline"]
    assert apart.record("three").standing.failures == 0
    apart.evaluate(NOON + 10 * MINUTE, two=OK)
    assert kinds(apart) == ["monitor_offline", "monitor_online"]


def test_one_host_alone_may_be_down_itself(database):
    story = Story.begin(database, plan_of(entry("one"), entry("two")))
    for number in range(3):
        story.evaluate(NOON + number * MINUTE, one=UNREACHED, two=UNREACHED)
    assert kinds(story) == ["error", "error"]


def test_stores_that_get_no_token_all_fail_at_one_host(database):
    stores = (amazon_store("na", host=NA_HOST), amazon_store("eu", host=EU_HOST))
    story = Story.begin(database, plan_of(*stores))
    no_token = replace(UNREACHED, failed_host=LWA_HOST)
    story.evaluate(NOON, na=no_token, eu=no_token)
    assert times(story) == []


@pytest.mark.parametrize("outcome", [BAD_TLS, BROKEN, REFUSED], ids=lambda one: one.reason.value)
def test_whoever_is_reached_shows_that_there_is_a_link(apart, outcome):
    apart.evaluate(NOON + MINUTE, one=UNREACHED, two=UNREACHED, three=outcome)
    assert times(apart) == []


def test_what_is_never_called_says_nothing_of_the_link(database):
    plan = plan_of(
        entry("one", host=HOSTS[0]),
        entry("two", host=HOSTS[1]),
        entry("counted", provider="countdown", host=""),
        entry("paused", host=HOSTS[2]),
    )
    story = Story.begin(database, plan)
    story.evaluate(NOON, counted=Outcome(Reason.OK, is_countdown=True), paused=OK)
    with story.database.write() as tx:
        connections.pause(tx, story.record("paused").id)
    story.evaluate(NOON + MINUTE, one=UNREACHED, two=UNREACHED)
    assert len(times(story)) == 1


def test_a_store_that_takes_over_a_verdict_says_nothing_of_the_link(database):
    plan = plan_of(amazon_store("a"), amazon_store("b"), entry("other"))
    story = Story.begin(database, plan)
    taken_over = replace(CLIENT_REJECTED, is_taken_over=True)
    story.evaluate(NOON, a=CLIENT_REJECTED, b=taken_over, other=OK)
    story.evaluate(NOON + MINUTE, a=replace(UNREACHED, failed_host=LWA_HOST), other=UNREACHED)
    assert len(times(story)) == 1


def put_off(story: Story) -> None:
    """
    Have nothing due for an hour.
    """
    with story.database.write() as tx:
        tx.execute(update(schema.connections).values(next_check_at=NOON + HOUR))


def due_at(story: Story, at) -> set[str]:
    with story.database.read() as tx:
        return {one.name for one in claim_due(tx, at, 100)}


def test_other_hosts_are_asked_when_one_is_not_reached(apart):
    put_off(apart)
    apart.evaluate(NOON + MINUTE, one=UNREACHED)
    assert due_at(apart, NOON + MINUTE) == {"two", "three"}


def test_other_hosts_are_asked_once(apart):
    apart.evaluate(NOON + MINUTE, one=UNREACHED)
    apart.evaluate(NOON + MINUTE + SECOND, two=OK, three=OK)
    put_off(apart)
    apart.evaluate(NOON + 2 * MINUTE, one=UNREACHED)
    assert due_at(apart, NOON + 2 * MINUTE) == set()


def test_one_connection_of_five_other_hosts_is_asked(database):
    names = {f"c{number}": f"h{number // 2}.example.com" for number in range(18)}
    story = Story.begin(database, plan_of(*(entry(n, host=h) for n, h in names.items())))
    story.evaluate(NOON, **dict.fromkeys(names, OK))
    put_off(story)
    story.evaluate(NOON + MINUTE, c0=UNREACHED)
    asked = due_at(story, NOON + MINUTE)
    assert len(asked) == len({names[name] for name in asked}) == 5
    assert "c1" not in asked


# --- what was told before it was clear


def impatient(story: Story) -> None:
    """
    Have one failure be an error already.
    """
    rules = replace(watched_of(story.plan)["one"].rules, error_after_failures=1)
    watched = {name: replace(one, rules=rules) for name, one in watched_of(story.plan).items()}
    story.plan = with_watched(story.plan, watched)


def test_errors_that_nobody_has_heard_of_are_taken_back(apart):
    impatient(apart)
    apart.evaluate(NOON + MINUTE, one=UNREACHED, two=UNREACHED)
    assert kinds(apart) == ["error", "error"]
    apart.evaluate(NOON + 2 * MINUTE, one=UNREACHED, three=UNREACHED)
    assert kinds(apart) == ["monitor_offline"]
    assert apart.record("one").standing.announced_state is None
    apart.evaluate(NOON + 3 * MINUTE, one=OK, three=OK, two=UNREACHED)
    assert kinds(apart)[1:] == ["monitor_online", "error"], "what lasts is told after all"
    assert apart.alerts()[-1].connections == ("two",)


def test_errors_that_somebody_has_heard_of_stay(apart):
    impatient(apart)
    apart.evaluate(NOON + MINUTE, one=UNREACHED)
    send(apart, "ops")
    apart.evaluate(NOON + 2 * MINUTE, one=UNREACHED, two=UNREACHED, three=UNREACHED)
    assert kinds(apart) == ["error", "monitor_offline"]
    apart.evaluate(NOON + 3 * MINUTE, one=OK)
    assert kinds(apart)[2:] == ["monitor_online", "recovered"]
