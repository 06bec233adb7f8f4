"""
The clocks of authorizations, from the file and the database to the alerts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from monitor.judge.authorizations import DateChange, Declared, set_date
from monitor.judge.outcome import Outcome, Reason, State
from monitor.store import alerts, authorizations, connections
from monitor.store.schedule import make_due
from monitor.store.schema import authorizations as table
from tests.builders import (
    DAY,
    EVERY,
    HOUR,
    OK,
    REFUSED,
    UNREACHED,
    Story,
    entries_of,
    entry,
    plan_of,
)

BEGAN_AT = datetime(2025, 12, 3, tzinfo=UTC)
END = BEGAN_AT + 365 * DAY
SECOND = timedelta(seconds=1)
COUNTED = Outcome(Reason.OK, is_countdown=True)
PAGE = "https://renew.example.com/"


def begin(database, *entries, at=BEGAN_AT, **more) -> Story:
    entries = entries or (entry("one"),)
    return Story.begin(database, plan_of(*entries, authorized_at=BEGAN_AT, **more), at)


def renew(story: Story, on: datetime, now: datetime, name: str = "one") -> DateChange:
    [said] = [each for each in entries_of(story.plan) if each.name == name]
    with story.database.write() as tx:
        record = connections.find_record(tx, name)
        assert record is not None
        clock, change = set_date(record.clock, on, said.declared, now)
        authorizations.save(tx, [(record.id, clock, said.steps)])
        make_due(tx, record.id, now)
        return change


def told(story: Story) -> list[str]:
    return [kind for kind, _ in story.kinds()]


YEAR = [
    ("expiring_soon", END - 30 * DAY),
    ("expiring_soon", END - 14 * DAY),
    ("expiring_soon", END - 7 * DAY),
    ("expiring_soon", END - 3 * DAY),
    ("expiring_soon", END - 1 * DAY),
    ("expired", END + 30 * SECOND),
    ("renewed", END + 2 * DAY),
]


@pytest.mark.parametrize(
    "is_restarted",
    [
        pytest.param(False, id="running on"),
        pytest.param(True, id="killed every time", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("is_countdown", [True, False], ids=["countdown", "asked"])
def test_a_year_sends_exactly_its_alerts(open_database, is_countdown, is_restarted, monkeypatch):
    provider = "countdown" if is_countdown else "soldscope"
    plan = plan_of(entry("one", provider=provider), authorized_at=BEGAN_AT, renew_url=PAGE)
    story = Story.begin(open_database(), plan, BEGAN_AT)
    now = BEGAN_AT
    while now < END + 3 * DAY:
        if is_restarted:
            fail_once(story, now, monkeypatch)
            story.database.close()
            story = Story.begin(open_database(), plan, now)
        story.sweep(now)
        story.sweep(now)
        if now == END + 2 * DAY:
            assert renew(story, now, now) is DateChange.RENEWAL
        is_refused = END <= now < END + 2 * DAY and not is_countdown
        asked = COUNTED if is_countdown else REFUSED if is_refused else OK
        for at in (now, now + 30 * SECOND) if END <= now < END + 2 * DAY else (now,):
            story.evaluate(at, one=asked)
        now += 12 * HOUR
    assert [(alert.kind, alert.born_at) for alert in story.alerts()] == YEAR
    severities = [alert.severity for alert in story.alerts()]
    assert severities == ["warning"] * 4 + ["critical"] * 2 + ["info"]
    assert all(alert.facts["renew_url"] == PAGE for alert in story.alerts()[:6])
    clock = story.record("one").clock
    assert (clock.authorized_at, clock.told_step) == (END + 2 * DAY, None)


def fail_once(story: Story, now: datetime, monkeypatch) -> None:
    """Die inside the transaction that would tell a step."""

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(alerts, "add_all", die)
        try:
            story.sweep(now)
        except KeyboardInterrupt:
            return


def test_after_an_absence_only_the_most_urgent_step_is_told(database):
    story = begin(database)
    story.evaluate(BEGAN_AT, one=OK)
    story.sweep(END - 2 * DAY)
    [alert] = story.alerts()
    assert (alert.kind, alert.facts["step"]) == ("expiring_soon", 3)


def test_at_the_end_the_connection_is_due_at_once(database):
    story = begin(database, entry("one", every=7 * DAY))
    story.evaluate(END - HOUR, one=OK)
    assert story.record("one").next_check_at == END
    begin(database, entry("one", every=7 * DAY), at=END)
    [swept] = [one for one in story.sweep(END + SECOND) if one.passed.is_check_due]
    assert swept.name == "one"
    due_at = story.record("one").next_check_at
    assert due_at is not None
    assert due_at <= END + SECOND
    assert story.sweep(END + HOUR) == []


def test_a_check_that_was_under_way_at_the_end_does_not_hide_it(database):
    story = begin(database, entry("one", every=DAY))
    story.evaluate(END + SECOND, one=replace(OK, latency_ms=3000.0))
    assert story.record("one").next_check_at == END + SECOND
    assert told(story) == []


def test_a_success_past_the_end_asks_once_for_the_date(database):
    story = begin(database)
    for number in range(3):
        story.evaluate(END + number * EVERY, one=OK)
    assert told(story) == ["renewal_unrecorded"]
    one = story.record("one")
    assert (one.standing.state, one.clock.known_end) == (State.ACTIVE, None)
    assert story.sweep(END + DAY) == []
    assert renew(story, END - DAY, END + DAY) is DateChange.RENEWAL
    story.evaluate(END + DAY, one=OK)
    assert told(story) == ["renewal_unrecorded", "renewed"]


def test_a_refusal_after_an_unrecorded_renewal_is_no_expiry(database):
    story = begin(database)
    story.evaluate(END + SECOND, one=OK)
    story.evaluate(END + HOUR, one=REFUSED)
    assert story.record("one").standing.reason is Reason.TOKEN_REJECTED


def test_a_service_that_cannot_be_reached_at_the_end_decides_nothing(database):
    story = begin(database)
    story.evaluate(END - DAY, one=OK)
    story.evaluate(END, one=UNREACHED)
    assert story.record("one").standing.state is State.ACTIVE
    assert "renewal_unrecorded" not in told(story)


def test_a_renewal_of_what_was_never_told_is_silent(database):
    story = begin(database)
    story.evaluate(BEGAN_AT, one=OK)
    renew(story, BEGAN_AT + 100 * DAY, BEGAN_AT + 100 * DAY)
    story.evaluate(BEGAN_AT + 100 * DAY, one=OK)
    assert told(story) == []
    assert not story.record("one").clock.is_renewal_pending


def test_a_renewal_is_told_after_a_success_and_not_before(database):
    story = begin(database)
    story.sweep(END - DAY)
    renew(story, END - DAY, END - DAY)
    story.evaluate(END - DAY, one=REFUSED)
    assert told(story) == ["expiring_soon"]
    story.evaluate(END - DAY + HOUR, one=OK)
    assert told(story) == ["expiring_soon", "renewed"]


def test_an_announced_error_that_a_renewal_ends_is_told_as_recovered(database):
    story = begin(database)
    for number in range(2):
        story.evaluate(BEGAN_AT + number * EVERY, one=REFUSED)
    renew(story, BEGAN_AT + DAY, BEGAN_AT + DAY)
    story.evaluate(BEGAN_AT + DAY, one=OK)
    assert told(story) == ["error", "recovered"]


def test_a_correction_is_silent_and_starts_no_renewal(database):
    story = begin(database)
    story.sweep(END - 30 * DAY)
    assert renew(story, BEGAN_AT - DAY, END - 30 * DAY) is DateChange.CORRECTION
    story.evaluate(END - 30 * DAY, one=OK)
    assert told(story) == ["expiring_soon"]


def test_paused_clocks_go_on_and_tell_nothing_until_they_are_resumed(database):
    story = begin(database)
    with database.write() as tx:
        connections.pause(tx, story.record("one").id)
    for days in (30, 14, 7):
        assert story.sweep(END - days * DAY) == []
    with database.write() as tx:
        connections.resume(tx, story.record("one"), END - 2 * DAY)
    story.sweep(END - 2 * DAY)
    assert [alert.facts["step"] for alert in story.alerts()] == [3]


@pytest.mark.parametrize("how", ["hidden", "disabled", "deleted"])
def test_what_is_not_watched_is_not_told(database, how):
    story = begin(database, entry("one"), entry("two"))
    if how == "deleted":
        with database.write() as tx:
            connections.delete_connection(tx, story.record("one"), BEGAN_AT)
        with database.read() as tx:
            assert len(tx.execute(select(table)).all()) == 1
    else:
        kept = [entry("two")] + [entry("one", is_enabled=False)] * (how == "disabled")
        begin(database, *kept)
    story.sweep(END - DAY)
    assert story.kinds() == [("expiring_soon", ("two",))]


def test_a_deleted_one_that_comes_back_counts_from_the_file(database):
    story = begin(database)
    story.sweep(END - DAY)
    with database.write() as tx:
        connections.delete_connection(tx, story.record("one"), END - DAY)
        connections.restore_deleted(tx, entries_of(story.plan)[0], END - DAY)
    assert story.record("one").clock.ends_at == END
    story.sweep(END - DAY)
    assert told(story) == ["expiring_soon"]


def test_a_renamed_connection_keeps_its_clock(database):
    story = begin(database)
    story.sweep(END - 30 * DAY)
    renew(story, END - 29 * DAY, END - 29 * DAY)
    renamed = begin(database, entry("new", renamed_from="one"), at=END - 28 * DAY)
    clock = renamed.record("new").clock
    assert (clock.authorized_at, clock.is_renewal_pending) == (END - 29 * DAY, True)


def test_a_later_date_in_the_file_is_a_renewal_that_is_checked_soon(database):
    story = begin(database, entry("one", every=DAY))
    story.evaluate(END - HOUR, one=OK)
    story.sweep(END - HOUR)
    later = replace(entries_of(story.plan)[0], declared=Declared(END - 2 * HOUR))
    with database.write() as tx:
        connections.sync(tx, [later], END - HOUR)
    assert story.record("one").next_check_at == END - HOUR
    story.evaluate(END - HOUR, one=OK)
    assert told(story) == ["expiring_soon", "renewed"]


def test_a_connection_that_only_a_newer_file_knows_waits(database):
    begin(database, entry("new"))
    story = begin(database, entry("one"), entry("new"))
    older = Story(database, plan_of(entry("one"), authorized_at=BEGAN_AT))
    assert [one.name for one in older.sweep(END - DAY)] == ["one"]
    assert [one.name for one in story.sweep(END - DAY)] == ["new"]


def test_new_steps_in_the_file_count_from_the_next_start(database):
    story = begin(database)
    plan = plan_of(replace(entry("one"), steps=(60,)), authorized_at=BEGAN_AT)
    Story.begin(database, plan, BEGAN_AT)
    with database.read() as tx:
        [at] = tx.execute(select(table.c.next_step_at)).scalars()
    assert at == END - 60 * DAY
    assert story.record("one").clock.told_step is None
