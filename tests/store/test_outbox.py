from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.alerting.outbox import StoredOutbox
from monitor.judge.alerts import KINDS, AlertDue, AlertKind
from monitor.judge.outbox import NotificationGroup, NotificationState
from monitor.notify.delivery import OutboxUnavailable
from monitor.store import alerts, connections, engine, history, outbox
from tests.builders import HOUR, MINUTE, Story, entry, plan_of
from tests.fakes import NOON
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.judge.outbox import Notification
    from monitor.store.engine import Database

LEASE = timedelta(seconds=90)
SECOND = timedelta(seconds=1)


@pytest.fixture
def story(database):
    return Story.begin(database, plan_of(entry("one"), entry("two"), entry("three")))


def bear(
    story: Story,
    *names: str,
    channels: tuple[str, ...] = ("ops",),
    kind: AlertKind = AlertKind.ERROR,
    at: datetime = NOON,
    wait: timedelta = timedelta(),
) -> int:
    ids = [story.record(name).id for name in names]
    births = dict.fromkeys(channels, alerts.NotificationStart(at + wait))
    with story.database.write() as tx:
        return alerts.add_alert(tx, AlertDue.of(kind), ids, channels, at, births)


def claim(
    database: Database,
    channel: str = "ops",
    *,
    at: datetime = NOON,
    owner: str = "run",
    skip: frozenset[int] = frozenset(),
    is_final: bool = False,
) -> NotificationGroup | None:
    with database.write() as tx:
        return outbox.claim_next(tx, channel, at, LEASE, owner, skip, is_final=is_final)


def claimed(
    database: Database, channel: str = "ops", *, at: datetime = NOON, owner: str = "run"
) -> NotificationGroup:
    group = claim(database, channel, at=at, owner=owner)
    assert group is not None
    return group


def alone(group: NotificationGroup | None) -> Notification:
    """
    The one alert of a group.
    """
    assert group is not None
    [row] = group.notifications
    assert group.ids == (row.id,)
    return row


def deliveries(story: Story) -> list[history.NotificationRow]:
    return [delivery for alert in story.alerts() for delivery in alert.notifications]


def due_channels(story: Story, at=NOON) -> list[str]:
    with story.database.read() as tx:
        return outbox.due_channels(tx, at)


def test_a_claim_brings_all_that_a_message_needs(story):
    number = bear(story, "two", "one")
    group = claimed(story.database)
    row = alone(group)
    assert (row.alert_id, group.channel, row.kind, row.severity) == (
        number,
        "ops",
        "error",
        "critical",
    )
    assert row.connections == ("one", "two")
    assert (row.n_connections, group.n_connections) == (2, 2)
    assert (row.born_at, group.due_since, group.attempts) == (NOON, NOON, 0)


def test_channels_with_something_due_are_named_once(story):
    bear(story, "one", channels=("ops", "boss"))
    bear(story, "two", channels=("ops",))
    assert due_channels(story) == ["boss", "ops"]
    assert due_channels(story, NOON - SECOND) == []


def test_what_is_claimed_is_nobody_elses(story, open_database):
    bear(story, "one")
    other = open_database()
    assert claim(story.database) is not None
    assert claim(other, owner="check") is None
    assert claim(story.database) is None
    assert due_channels(story) == []


def test_two_processes_never_claim_the_same(story, open_database, monkeypatch):
    monkeypatch.setattr(outbox, "CROWD", 100)
    names = ("one", "two", "three")
    for kind in (AlertKind.ERROR, AlertKind.RECOVERED) * 5:
        for name in names:
            bear(story, name, kind=kind)
    got: list[int] = []
    start = threading.Barrier(2, timeout=PATIENCE_S)

    def work(owner: str) -> None:
        database = open_database()
        start.wait()
        while (row := claim(database, owner=owner)) is not None:
            got.extend(row.ids)
            with database.write() as tx:
                outbox.mark_sent(tx, row.ids, NOON)

    threads = [threading.Thread(target=work, args=(owner,)) for owner in ("run", "check")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE_S)
    # One that stops because the other holds the three heads leaves the rest to it.
    assert sorted(got) == sorted(set(got))
    assert len(got) == 30


def test_a_lease_that_ends_gives_the_claim_back(story):
    bear(story, "one")
    first = claimed(story.database)
    assert claim(story.database, at=NOON + LEASE - SECOND) is None
    assert due_channels(story, NOON + LEASE) == ["ops"]
    assert claimed(story.database, at=NOON + LEASE).ids == first.ids


def test_a_daemon_that_starts_again_takes_back_its_claims_at_once(story):
    bear(story, "one")
    bear(story, "two", kind=AlertKind.FLAPPING)
    mine = claimed(story.database, owner="run")
    theirs = claimed(story.database, owner="check")
    with story.database.write() as tx:
        outbox.release_claims_of(tx, "run")
    assert claimed(story.database).ids == mine.ids
    assert claim(story.database) is None
    assert theirs.ids != mine.ids


def test_a_recovery_waits_for_the_error_before_it(story):
    bear(story, "one")
    bear(story, "one", kind=AlertKind.RECOVERED)
    first = claimed(story.database)
    assert alone(first).kind == "error"
    assert claim(story.database) is None
    with story.database.write() as tx:
        outbox.mark_failed(tx, first.ids, "no answer", NOON + MINUTE)
    assert claim(story.database) is None
    with story.database.write() as tx:
        outbox.mark_sent(tx, first.ids, NOON)
    assert alone(claimed(story.database)).kind == "recovered"


def test_a_head_that_fails_holds_up_no_other_connection(story):
    bear(story, "one")
    bear(story, "two", kind=AlertKind.EXPIRED)
    bear(story, "one", "three", kind=AlertKind.QUOTA_LOW)
    bear(story, "three", kind=AlertKind.QUOTA_FORECAST)
    head = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_failed(tx, head.ids, "no answer", NOON + HOUR)
    assert alone(claimed(story.database)).connections == ("two",)
    # "three" waits behind the alert that it shares with "one".
    assert claim(story.database) is None


def test_channels_do_not_wait_for_each_other(story):
    bear(story, "one", channels=("ops", "boss"))
    bear(story, "one", channels=("ops", "boss"), kind=AlertKind.RECOVERED)
    claimed(story.database, "ops")
    head = claimed(story.database, "boss")
    with story.database.write() as tx:
        outbox.mark_sent(tx, head.ids, NOON)
    assert alone(claimed(story.database, "boss")).kind == "recovered"
    assert claim(story.database, "ops") is None


def test_an_alert_about_nobody_waits_for_nobody(story):
    bear(story, "one")
    bear(story, kind=AlertKind.TEST)
    claimed(story.database)
    assert alone(claimed(story.database)).connections == ()


def test_what_is_skipped_is_not_overtaken(story):
    bear(story, "one")
    bear(story, "one", kind=AlertKind.RECOVERED)
    bear(story, "two")
    assert alone(claim(story.database, skip=frozenset({1}))).connections == ("two",)


def test_a_hundred_failing_heads_hold_up_no_other_connection(story):
    for kind in [AlertKind.ERROR, AlertKind.RECOVERED] * 50:
        bear(story, "one", kind=kind)
    bear(story, "two", kind=AlertKind.EXPIRED)
    head = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_failed(tx, head.ids, "no answer", NOON + HOUR)
    assert alone(claimed(story.database)).connections == ("two",)


def pause(story: Story, name: str) -> None:
    with story.database.write() as tx:
        connections.pause(tx, story.record(name).id)


def test_nobody_is_told_of_a_paused_connection_until_it_is_resumed(story):
    bear(story, "one")
    pause(story, "one")
    assert claim(story.database) is None

    with story.database.write() as tx:
        connections.resume(tx, story.record("one"), NOON)
    assert alone(claimed(story.database)).connections == ("one",)


def test_nobody_is_told_of_a_connection_that_the_file_no_longer_has(story):
    bear(story, "one")
    with story.database.write() as tx:
        connections.sync(tx, [entry("two"), entry("three")], NOON)
    assert claim(story.database) is None

    with story.database.write() as tx:
        connections.sync(tx, [entry("one"), entry("two"), entry("three")], NOON)
    assert alone(claimed(story.database)).connections == ("one",)


def test_a_paused_connection_holds_up_nobody_else(story):
    bear(story, "one")
    pause(story, "one")
    bear(story, "two")
    assert alone(claimed(story.database)).connections == ("two",)


def test_many_paused_connections_hold_up_nobody_else(story, monkeypatch):
    monkeypatch.setattr(outbox, "LOOK_AHEAD", 3)
    for _ in range(3):
        bear(story, "one")
    pause(story, "one")
    assert due_channels(story) == []
    bear(story, "two")
    assert alone(claimed(story.database)).connections == ("two",)


def test_an_alert_about_several_goes_out_while_one_of_them_is_watched(story):
    bear(story, "one", "two")
    pause(story, "one")
    assert alone(claimed(story.database)).connections == ("one", "two")


def test_what_was_sent_is_never_claimed_again(story):
    bear(story, "one")
    row = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_sent(tx, row.ids, NOON + SECOND)
    [delivery] = deliveries(story)
    assert (delivery.state, delivery.sent_at, delivery.attempts, delivery.error) == (
        NotificationState.SENT,
        NOON + SECOND,
        1,
        None,
    )
    assert claim(story.database, at=NOON + 100 * HOUR) is None


def test_the_next_try_on_a_failing_channel_is_the_earliest_of_all_that_wait(story):
    bear(story, "one")
    first = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_failed(tx, first.ids, "no answer", NOON + HOUR)
        outbox.begin_channel_failure(tx, "ops", NOON)
    bear(story, "two", at=NOON + MINUTE)
    with story.database.read() as tx:
        [failing] = outbox.list_failing_channels(tx)
    assert (failing.error, failing.next_attempt_at) == ("no answer", NOON + MINUTE)


def test_a_channel_fails_as_the_latest_of_what_was_given_up_does(story):
    with story.database.write() as tx:
        outbox.begin_channel_failure(tx, "ops", NOON)
    for name, error in (("one", "no such host"), ("two", "no such channel")):
        bear(story, name)
        group = claimed(story.database)
        with story.database.write() as tx:
            outbox.mark_dead(tx, group.ids, error)
    with story.database.read() as tx:
        [failing] = outbox.list_failing_channels(tx)
    assert (failing.error, failing.next_attempt_at) == ("no such channel", None)


def test_a_failed_attempt_is_counted_and_waits(story):
    bear(story, "one")
    row = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_failed(tx, row.ids, "no answer", NOON + MINUTE)
    [delivery] = deliveries(story)
    assert (delivery.state, delivery.attempts, delivery.error) == (
        NotificationState.DUE,
        1,
        "no answer",
    )
    assert claim(story.database, at=NOON + MINUTE - SECOND) is None
    again = claimed(story.database, at=NOON + MINUTE)
    assert (again.ids, again.attempts, again.due_since) == (row.ids, 1, NOON)


def test_a_claim_given_back_counts_no_attempt(story):
    bear(story, "one")
    row = claimed(story.database)
    with story.database.write() as tx:
        outbox.release(tx, row.ids)
    again = claimed(story.database)
    assert (again.ids, again.attempts) == (row.ids, 0)


def test_the_dead_stay_dead_until_someone_asks(story):
    bear(story, "one")
    bear(story, "two", kind=AlertKind.EXPIRED)
    row = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_dead(tx, row.ids, "no such channel")
    assert claim(story.database, at=NOON + 100 * HOUR) is not None
    assert claim(story.database, at=NOON + 100 * HOUR) is None
    with story.database.write() as tx:
        assert outbox.retry_dead(tx, NOON + 200 * HOUR) == 1
        assert outbox.retry_dead(tx, NOON + 200 * HOUR) == 0
    again = claimed(story.database, at=NOON + 200 * HOUR)
    assert (again.ids, again.attempts, again.due_since) == (row.ids, 0, NOON + 200 * HOUR)


def test_the_dead_hold_up_nobody(story):
    bear(story, "one")
    bear(story, "one", kind=AlertKind.RECOVERED)
    row = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_dead(tx, row.ids, "no such channel")
    assert alone(claimed(story.database)).kind == "recovered"


@pytest.mark.parametrize("late", ["mark_failed", "mark_dead", "release"])
def test_what_was_sent_stays_sent_whatever_comes_late(story, late):
    """
    A claim outlived by its lease may be sent by two: the one who got through wins.
    """
    bear(story, "one")
    row = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_sent(tx, row.ids, NOON)
        if late == "mark_failed":
            outbox.mark_failed(tx, row.ids, "no answer", NOON)
        elif late == "mark_dead":
            assert not outbox.mark_dead(tx, row.ids, "no such channel")
        else:
            outbox.release(tx, row.ids)
    [delivery] = deliveries(story)
    assert (delivery.state, delivery.attempts, delivery.error) == (NotificationState.SENT, 1, None)


def test_what_arrives_after_it_was_given_up_is_sent(story):
    bear(story, "one")
    row = claimed(story.database)
    with story.database.write() as tx:
        outbox.mark_dead(tx, row.ids, "no answer")
        outbox.mark_sent(tx, row.ids, NOON)
    [delivery] = deliveries(story)
    assert (delivery.state, delivery.error) == (NotificationState.SENT, None)


def test_steps_for_what_is_gone_do_nothing(story):
    bear(story, "one")
    row = claimed(story.database)
    record = story.record("one")
    with story.database.write() as tx:
        connections.delete_connection(tx, record, NOON)
        outbox.mark_sent(tx, row.ids, NOON)
        outbox.mark_failed(tx, row.ids, "no answer", NOON)
        outbox.mark_dead(tx, row.ids, "no answer")
        outbox.release(tx, row.ids)
    assert story.alerts() == []


# The same through the port that the delivery knows.


OPS_PLAN = plan_of()
GROUP = NotificationGroup((1,), "ops", (), 0, 0, NOON)


@pytest.mark.anyio
async def test_the_port_speaks_of_kinds_and_severities(story, worker):
    bear(story, "one")
    stored = StoredOutbox(worker, "run", lambda: OPS_PLAN)
    assert await stored.due_channels(NOON) == ["ops"]
    notification = await stored.claim_next("ops", NOON, LEASE)
    assert notification is not None
    assert notification.kind is AlertKind.ERROR
    assert notification.notifications[0].severity is KINDS[AlertKind.ERROR].severity
    assert await stored.claim_next("ops", NOON, LEASE) is None
    await stored.release(notification)
    assert await stored.claim_next("ops", NOON, LEASE) == notification
    await stored.mark_failed(notification, "no answer", NOON + MINUTE, NOON)
    assert await stored.claim_next("ops", NOON, LEASE) is None
    await stored.mark_dead(notification, "no answer", NOON)
    await stored.mark_sent(notification, NOON)
    assert [delivery.state for delivery in deliveries(story)] == [NotificationState.SENT]


@pytest.mark.anyio
async def test_the_port_says_when_the_database_is_locked(story, worker, open_database, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0)
    story.database.close()
    stored = StoredOutbox(worker, "run", lambda: OPS_PLAN)
    with open_database().write():
        assert await stored.due_channels(NOON) == []
        for step in (
            stored.claim_next("ops", NOON, LEASE),
            stored.mark_sent(GROUP, NOON),
            stored.mark_failed(GROUP, "no answer", NOON, NOON),
            stored.mark_dead(GROUP, "no answer", NOON),
            stored.release(GROUP),
        ):
            with pytest.raises(OutboxUnavailable, match="locked"):
                await step
    await stored.release(GROUP)


@pytest.mark.anyio
async def test_the_port_says_when_the_database_cannot_be_read(worker, database):
    database.path.write_bytes(b"no database at all" * 300)
    with pytest.raises(OutboxUnavailable, match="not a database"):
        await StoredOutbox(worker, "run", lambda: OPS_PLAN).due_channels(NOON)
