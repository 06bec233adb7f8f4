"""
Which notifications travel in one message, and how often a channel gets one.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from monitor.judge.alerts import KINDS, AlertDue, AlertKind, Severity
from monitor.store import alerts, connections, outbox
from monitor.store.schema import alert_connections, notifications
from monitor.store.schema import alerts as alert_table
from tests.builders import HOUR, MINUTE, Story, entry, plan_of
from tests.fakes import NOON

if TYPE_CHECKING:
    from monitor.judge.outbox import NotificationGroup

SECOND = timedelta(seconds=1)
WAIT = 10 * SECOND
LEASE = 90 * SECOND

E, R, Q = AlertKind.ERROR, AlertKind.RECOVERED, AlertKind.QUOTA_LOW


class Box:
    """
    The notifications of one channel.
    """

    def __init__(self, story: Story) -> None:
        self.story = story

    def bear(self, *names, kind=E, at=NOON, severity=None, hold=None, **facts) -> int:
        """
        Store an alert; return the number of its notification.
        """
        ids = [self.story.record(name).id for name in names]
        due = AlertDue(kind, severity or KINDS[kind].severity, {"reason": "timeout"} | facts)
        births = {"ops": alerts.NotificationStart(at + WAIT)}
        with self.story.database.write() as tx:
            alert_id = alerts.add_alert(tx, due, ids, ["ops"], at, births)
            if hold:
                tx.execute(notifications.update().where(
                    notifications.c.alert_id == alert_id
                ).values(state="held", held_by="silence"))  # fmt: skip
            query = notifications.select().where(notifications.c.alert_id == alert_id)
            number: int = tx.execute(query).one().id
            return number

    def claim(self, at=NOON + WAIT, skip=(), *, is_final=False) -> NotificationGroup | None:
        with self.story.database.write() as tx:
            return outbox.claim_next(tx, "ops", at, LEASE, "run", skip, is_final=is_final)

    def ids(self, at=NOON + WAIT, skip=(), *, is_final=False) -> tuple[int, ...]:
        group = self.claim(at, skip, is_final=is_final)
        return () if group is None else group.ids

    def send(self, at=NOON + WAIT) -> tuple[int, ...]:
        ids = self.ids(at)
        with self.story.database.write() as tx:
            outbox.mark_sent(tx, ids, at)
        return ids

    def fail(self, ids, until) -> None:
        with self.story.database.write() as tx:
            outbox.mark_failed(tx, ids, "no answer", until)

    def is_due(self, at, *, is_final=False) -> bool:
        with self.story.database.read() as tx:
            return outbox.due_channels(tx, at, is_final=is_final) == ["ops"]


@pytest.fixture
def box(database):
    names = [f"c{number}" for number in range(12)]
    return Box(Story.begin(database, plan_of(*map(entry, names))))


def test_alerts_of_one_kind_wait_for_each_other_and_go_together(box):
    first = box.bear("c0")
    second = box.bear("c1", at=NOON + 9 * SECOND)
    assert box.ids(NOON + WAIT - SECOND) == ()
    assert not box.is_due(NOON + WAIT - SECOND)
    group = box.claim(NOON + WAIT)
    assert group is not None
    assert group.ids == (first, second)
    assert [row.connections for row in group.notifications] == [("c0",), ("c1",)]
    assert (group.n_connections, group.attempts, group.due_since) == (2, 0, NOON + 9 * SECOND)


def test_a_last_look_waits_for_nobody(box):
    number = box.bear("c0")
    assert box.is_due(NOON, is_final=True)
    assert box.ids(NOON, is_final=True) == (number,)


def test_a_last_look_brings_no_retry_forward(box):
    number = box.bear("c0")
    box.fail(box.ids(), NOON + HOUR)
    assert not box.is_due(NOON + MINUTE, is_final=True)
    assert box.ids(NOON + MINUTE, is_final=True) == ()
    assert box.ids(NOON + HOUR) == (number,)


def test_alerts_of_different_kinds_go_apart(box):
    error, quota, other = box.bear("c0"), box.bear("c1", kind=Q), box.bear("c2")
    assert box.send() == (error, other)
    assert box.send() == (quota,)


def test_no_alert_overtakes_another_of_its_connection_to_join_a_group(box):
    error, recovered, again = box.bear("c0"), box.bear("c0", kind=R), box.bear("c0")
    other = box.bear("c1")
    assert box.send() == (error, other)
    assert box.send() == (recovered,)
    assert box.send() == (again,)


def test_who_waits_behind_a_group_that_fails_does_not_overtake_it(box):
    box.bear("c0")
    box.bear("c1")
    box.fail(box.ids(), NOON + HOUR)
    box.bear("c1", kind=R)
    free = box.bear("c2", kind=R)
    assert box.ids(NOON + MINUTE) == (free,)


@pytest.mark.parametrize(
    ("trouble", "end", "facts"),
    [
        (AlertKind.CHANNEL_FAILED, AlertKind.CHANNEL_RESTORED, {"channel": "mail"}),
        (AlertKind.MONITOR_OFFLINE, AlertKind.MONITOR_ONLINE, {}),
    ],
    ids=["channel", "monitor"],
)
def test_the_end_of_what_is_about_no_connection_waits_for_its_beginning(box, trouble, end, facts):
    begun = box.bear(kind=trouble, **facts)
    box.fail(box.ids(), NOON + HOUR)
    ended = box.bear(kind=end, **facts)
    other = box.bear(kind=AlertKind.CHANNEL_RESTORED, channel="chat")
    assert box.send(NOON + MINUTE) == (other,)
    assert box.send(NOON + MINUTE) == ()
    assert box.send(NOON + HOUR) == (begun,)
    assert box.send(NOON + HOUR) == (ended,)


def test_the_end_of_what_is_held_back_waits_for_it(box):
    box.bear("c0", hold=True)
    box.bear("c0", kind=R)
    other = box.bear("c1", kind=R)
    assert box.ids() == (other,)


def test_new_trouble_does_not_wait_for_what_is_held_back(box):
    box.bear("c0", kind=AlertKind.EXPIRING_SOON, hold=True)
    error = box.bear("c0")
    assert box.ids() == (error,)


def test_a_group_that_failed_is_tried_again_as_it_was(box):
    ids = box.bear("c0"), box.bear("c1")
    box.fail(box.ids(), NOON + MINUTE)
    later = box.bear("c2", at=NOON + 30 * SECOND)
    group = box.claim(NOON + MINUTE)
    assert group is not None
    assert (group.ids, group.attempts) == (ids, 1)
    assert box.ids(NOON + MINUTE) == (later,)


def test_a_group_whose_sender_died_is_sent_again_as_it_was(box):
    ids = box.bear("c0"), box.bear("c1")
    assert box.ids() == ids
    box.bear("c2", at=NOON + WAIT)
    with box.story.database.write() as tx:
        outbox.release_claims_of(tx, "run")
    assert box.ids(NOON + MINUTE) == ids


def test_a_group_that_was_given_back_unsent_takes_others_along(box):
    ids = box.bear("c0"), box.bear("c1")
    claimed = box.ids()
    with box.story.database.write() as tx:
        outbox.release(tx, claimed)
    later = box.bear("c2", at=NOON + WAIT)
    assert box.ids(NOON + MINUTE) == (*ids, later)


def test_dead_ones_that_are_tried_again_travel_together(box):
    numbers = []
    for name in ("c0", "c1", "c2"):
        numbers.append(box.bear(name))
        claimed = box.ids()
        with box.story.database.write() as tx:
            outbox.mark_dead(tx, claimed, "gone")
    with box.story.database.write() as tx:
        assert outbox.retry_dead(tx, NOON + HOUR) == 3
    assert box.ids(NOON + HOUR) == tuple(numbers)


def test_what_is_skipped_joins_no_group(box):
    one, two, three = (box.bear(name) for name in ("c0", "c1", "c2"))
    assert box.ids(skip={two}) == (one, three)


def test_the_worst_are_named_first_and_no_more_than_a_text_lists(box, monkeypatch):
    monkeypatch.setattr(outbox, "MOST_LISTED", 2)
    ids = [box.bear(f"c{n}", severity=Severity.WARNING) for n in range(3)]
    worst = box.bear("c3", severity=Severity.CRITICAL)
    group = box.claim()
    assert group is not None
    assert group.ids == (*ids, worst)
    assert [row.id for row in group.notifications] == [worst, ids[0]]
    assert group.n_connections == 4


def test_of_an_alert_about_many_only_the_first_names_are_read(box):
    box.bear(*(f"c{n}" for n in range(12)), kind=AlertKind.OUTAGE)
    group = box.claim()
    assert group is not None
    [row] = group.notifications
    assert (len(row.connections), row.n_connections, group.n_connections) == (12, 12, 12)


def test_a_connection_that_two_alerts_speak_of_counts_once(box):
    box.bear("c0", "c1", kind=Q)
    box.bear("c1", "c2", kind=Q)
    group = box.claim()
    assert group is not None
    assert (len(group.ids), group.n_connections) == (2, 3)


def fill(box: Box, n: int = 6) -> None:
    """
    Send *n* messages, ten seconds apart; the last two minutes after noon or earlier.
    """
    for number in range(n):
        at = NOON + number * WAIT
        box.bear(f"c{number}", at=at)
        assert box.send(at + WAIT)


def test_after_six_messages_in_five_minutes_the_rest_is_collected(box):
    fill(box, 6)
    late = [box.bear(f"c{n}", at=NOON + n * WAIT) for n in (6, 7, 8)]
    assert box.ids(NOON + 2 * MINUTE) == ()
    last_sent_at = NOON + 6 * WAIT
    assert box.ids(last_sent_at + 5 * MINUTE - SECOND) == ()
    assert box.ids(last_sent_at + 5 * MINUTE) == tuple(late)


def test_collecting_goes_on_while_there_is_something_to_collect(box):
    fill(box, 6)
    at = NOON + 6 * WAIT + 5 * MINUTE
    sent = []
    for _ in range(10):
        box.bear("c6", at=at - WAIT)
        sent.append(bool(box.send(at)))
        at += MINUTE
    assert sent == [True, False, False, False, False] * 2


def test_a_quarter_of_an_hour_after_a_crowd_each_goes_at_once(box):
    fill(box, 6)
    later = NOON + 16 * MINUTE
    for number in range(2):
        box.bear("c6", at=later + number * WAIT)
        assert box.send(later + number * WAIT + WAIT)


def test_five_messages_in_five_minutes_slow_nobody_down(box):
    fill(box, 5)
    number = box.bear("c6", at=NOON + MINUTE)
    assert box.ids(NOON + 2 * MINUTE) == (number,)


def test_another_kind_is_not_kept_from_a_crowded_channel(box):
    fill(box, 6)
    box.bear("c6", at=NOON + MINUTE)
    quota = box.bear("c7", at=NOON + MINUTE, kind=Q)
    assert box.send(NOON + 2 * MINUTE) == (quota,)
    box.bear("c8", at=NOON + 2 * MINUTE, kind=Q)
    assert box.ids(NOON + 3 * MINUTE) == ()


def test_on_a_crowded_channel_messages_that_failed_are_collected_too(box):
    """
    A channel that was down for an hour must not get sixty messages when it is back.
    """
    numbers = []
    for n in range(10):
        numbers.append(box.bear(f"c{n}", at=NOON + n * WAIT))
        box.fail(box.ids(NOON + (n + 1) * WAIT), NOON + HOUR)
    sent = [box.send(NOON + HOUR) for _ in range(7)]
    assert sent == [*((number,) for number in numbers[:6]), ()]
    assert box.send(NOON + HOUR + 5 * MINUTE) == tuple(numbers[6:])


def bear_many(box: Box, n: int, kind: AlertKind = E, *, state: str = "due", waits=WAIT) -> None:
    with box.story.database.write() as tx:
        records = connections.list_records(tx)
        first = tx.execute(
            insert(alert_table).values(
                kind=kind.value, severity="critical", facts={"reason": "timeout"}, born_at=NOON
            ).returning(alert_table.c.id)
        ).scalar_one()  # fmt: skip
        more: dict[str, Any] = {
            "kind": kind.value,
            "severity": "critical",
            "facts": {},
            "born_at": NOON,
        }
        tx.execute(insert(alert_table), [more] * (n - 1))
        numbers = range(first, first + n)
        tx.execute(
            insert(alert_connections),
            [{"alert_id": each, "connection_id": records[each % 12].id} for each in numbers],
        )
        row = {"channel": "ops", "state": state, "attempts": 0}
        times = {"due_since": NOON, "next_attempt_at": NOON + waits}
        tx.execute(insert(notifications), [{"alert_id": each, **row, **times} for each in numbers])


def test_ten_thousand_of_one_kind_are_one_message_in_a_second(box):
    bear_many(box, 10_000)
    began = time.process_time()
    ids = box.send()
    assert len(ids) == 10_000
    assert time.process_time() - began < 3
    assert box.ids() == ()


def test_ten_thousand_ends_behind_ten_thousand_troubles_are_two_messages(box):
    bear_many(box, 10_000)
    bear_many(box, 10_000, R)
    began = time.process_time()
    assert [len(box.send()), len(box.send())] == [10_000, 10_000]
    assert time.process_time() - began < 6


@pytest.mark.parametrize(
    ("state", "waits"), [("held", WAIT), ("due", HOUR)], ids=["held", "waiting"]
)
def test_looking_for_due_channels_is_cheap_however_many_wait(box, state, waits):
    bear_many(box, 10_000, state=state, waits=waits)
    began = time.process_time()
    assert not box.is_due(NOON + MINUTE)
    assert time.process_time() - began < 0.2
