from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.judge import dispatch
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.invites import InviteState
from monitor.judge.outcome import Outcome, Reason, Rules, State
from monitor.judge.quota import Level
from monitor.judge.routing import ChannelRoute, Subject
from monitor.judge.text import LONGEST
from monitor.store import connections, history, invites, outbox, results
from monitor.store.schedule import claim_due
from monitor.store.schema import metadata
from tests.builders import (
    DAY,
    DENIED,
    EVERY,
    HOUR,
    MINUTE,
    OK,
    OPS,
    REFUSED,
    RESETS_AT,
    UNREACHED,
    Story,
    entries_of,
    entry,
    ok_with,
    plan_of,
    throttled,
)
from tests.fakes import NOON

SECOND = timedelta(seconds=1)


def refuse_twice(story: Story, name: str = "one", at: datetime = NOON) -> None:
    story.evaluate(at, **{name: REFUSED})
    story.evaluate(at + 30 * SECOND, **{name: REFUSED})


def test_two_refusals_make_one_alert_for_every_channel_that_wants_it(database):
    channels = (
        OPS,
        ChannelRoute("boss", min_severity=Severity.CRITICAL),
        ChannelRoute("good-news", kinds=frozenset({AlertKind.RECOVERED})),
        ChannelRoute("staging", tags=frozenset({"staging"})),
        ChannelRoute("production", tags=frozenset({"production"})),
        ChannelRoute("only-two", connections=frozenset({"two"})),
    )
    subjects = [Subject("one", frozenset({"production"}))]
    plan = plan_of(entry("one"), entry("two"), channels=channels, subjects=subjects)
    story = Story.begin(database, plan)
    [first] = story.evaluate(NOON, one=REFUSED)
    assert first.alerts == ()
    assert story.alerts() == []
    [second] = story.evaluate(NOON + 30 * SECOND, one=REFUSED)
    assert [alert.kind for alert in second.alerts] == [AlertKind.ERROR]
    [alert] = story.alerts()
    assert (alert.kind, alert.severity, alert.connections) == ("error", "critical", ("one",))
    assert alert.born_at == NOON + 30 * SECOND
    assert alert.facts["reason"] == "token_rejected"
    assert alert.facts["detail"] == REFUSED.detail
    assert story.channels() == ["ops", "boss", "production"]
    story.evaluate(NOON + HOUR, one=REFUSED)
    assert len(story.alerts()) == 1


def test_what_is_stored_is_what_is_said(story):
    [settled] = story.evaluate(NOON, one=replace(REFUSED, account="Acme Ltd"))
    one = story.record("one")
    assert one.standing == settled.verdict.standing
    assert one.standing.state is State.ERROR
    assert one.standing.checked_at == NOON
    assert one.standing.latency_ms == 41.5
    assert one.account == "Acme Ltd"
    with story.database.read() as tx:
        [transition] = history.list_transitions(tx, one.id, 10)
        [check] = history.list_checks(tx, one.id, 10)
    assert transition == settled.verdict.transition
    assert (check.at, check.reason, check.detail) == (NOON, Reason.TOKEN_REJECTED, REFUSED.detail)


def test_an_account_once_read_is_kept(story):
    story.evaluate(NOON, one=ok_with(5_000))
    story.evaluate(NOON + EVERY, one=UNREACHED)
    assert story.record("one").account == "Acme Ltd"


ACCOUNTS = {
    "another": ("Globex", InviteState.REVOKED),
    "the same": ("Acme Ltd", InviteState.OPEN),
    "the same, spelled otherwise": ("ACME  ltd", InviteState.OPEN),
    "none shown": (None, InviteState.OPEN),
}


@pytest.mark.parametrize(("shown", "state"), ACCOUNTS.values(), ids=ACCOUNTS)
def test_links_end_once_a_check_shows_another_account(story, shown, state):
    story.evaluate(NOON, one=replace(OK, account="Acme Ltd"))
    with story.database.write() as tx:
        made, _ = invites.add_invite(tx, story.record("one").id, "user:ana", DAY, NOON)
    story.evaluate(NOON + MINUTE, one=replace(OK, account=shown))
    with story.database.read() as tx:
        found = invites.find_invite(tx, made.id)
    assert found is not None
    assert found.state(NOON + MINUTE) is state


def test_a_recovery_is_told_where_the_error_was(story):
    refuse_twice(story)
    story.evaluate(NOON + EVERY, one=OK)
    assert story.kinds() == [("error", ("one",)), ("recovered", ("one",))]
    assert story.channels() == ["ops", "ops"]
    assert story.alerts()[1].facts["reason_before"] == "token_rejected"


def test_a_trouble_that_ended_unannounced_is_only_history(story):
    story.evaluate(NOON, one=OK)
    story.evaluate(NOON + EVERY, one=REFUSED)
    story.evaluate(NOON + EVERY + 30 * SECOND, one=OK)
    assert story.alerts() == []
    with story.database.read() as tx:
        assert len(history.list_transitions(tx, story.record("one").id, 10)) == 3


def test_a_recovery_from_what_no_channel_heard_of_is_not_told(database):
    deaf = (ChannelRoute("quota", kinds=frozenset({AlertKind.QUOTA_LOW, AlertKind.RECOVERED})),)
    story = Story.begin(database, plan_of(entry("one"), channels=deaf))
    refuse_twice(story)
    story.evaluate(NOON + EVERY, one=OK)
    assert [kind for kind, _ in story.kinds()] == ["error"]
    assert story.channels() == []


def test_a_second_recovery_needs_a_second_error(story):
    refuse_twice(story)
    story.evaluate(NOON + EVERY, one=OK)
    with story.database.write() as tx:
        one = story.record("one")
        again = replace(one.standing, announced_state=State.ERROR)
        results.save_standings(tx, [(one.id, again, one.next_check_at, None)])
    story.evaluate(NOON + 2 * EVERY, one=OK)
    assert [kind for kind, _ in story.kinds()] == ["error", "recovered"]


def test_failures_become_an_error_and_end(story):
    for number in range(3):
        story.evaluate(NOON + number * EVERY, one=UNREACHED)
    [alert] = story.alerts()
    assert (alert.kind, alert.severity) == ("error", "warning")
    story.evaluate(NOON + 3 * EVERY, one=OK)
    assert [kind for kind, _ in story.kinds()] == ["error", "recovered"]


def test_a_rejected_token_after_its_end_has_expired(database):
    story = Story.begin(database, plan_of(entry("one"), authorized_at=NOON - 365 * DAY))
    refuse_twice(story)
    assert story.record("one").standing.state is State.EXPIRED
    assert story.kinds() == [("expired", ("one",))]


# When to look again.


def test_the_rhythm_is_fixed_however_slow_the_answer(story):
    for number in range(10):
        slot = NOON + number * EVERY
        assert story.record("one").next_check_at == slot
        story.evaluate(slot + timedelta(seconds=7.3), one=OK)


def test_missed_slots_are_not_made_up_for(story):
    story.evaluate(NOON + 3 * EVERY + MINUTE, one=OK)
    assert story.record("one").next_check_at == NOON + 4 * EVERY


def test_a_refusal_is_confirmed_soon_and_then_the_rhythm_returns(story):
    story.evaluate(NOON, one=REFUSED)
    assert story.record("one").next_check_at == NOON + 30 * SECOND
    story.evaluate(NOON + 30 * SECOND, one=REFUSED)
    assert story.record("one").next_check_at == NOON + 30 * SECOND + EVERY


def test_a_service_is_not_asked_before_it_wants_to(story):
    story.evaluate(NOON, one=throttled(NOON + HOUR))
    due = story.record("one").next_check_at
    assert due is not None
    assert NOON + HOUR < due <= NOON + HOUR + EVERY


def test_a_check_made_by_hand_does_not_move_the_rhythm(story):
    story.evaluate(NOON, one=OK)
    one = story.record("one")
    with story.database.write() as tx:
        evaluate(tx, [FinishedCheck(one.id, None, NOON + MINUTE, OK)], story.plan)
    after = story.record("one")
    assert after.next_check_at == one.next_check_at
    assert after.standing.checked_at == NOON + MINUTE


def test_a_check_made_by_hand_brings_a_refusal_forward(story):
    story.evaluate(NOON, one=OK)
    one = story.record("one")
    with story.database.write() as tx:
        evaluate(tx, [FinishedCheck(one.id, None, NOON + MINUTE, REFUSED)], story.plan)
    assert story.record("one").next_check_at == NOON + MINUTE + 30 * SECOND


def test_a_check_made_by_hand_and_overtaken_by_a_later_one_changes_nothing(story):
    story.evaluate(NOON, one=OK)
    one = story.record("one")
    refuse_twice(story, at=NOON + EVERY)
    after = story.record("one")
    with story.database.write() as tx:
        assert evaluate(tx, [FinishedCheck(one.id, None, NOON + MINUTE, OK)], story.plan) == []
    assert story.record("one") == after
    assert story.kinds() == [("error", ("one",))]


def test_a_check_made_by_hand_counts_after_the_clock_was_set_back(story):
    """
    Else nobody who runs no daemon would see anything new until that day comes again.
    """
    story.evaluate(NOON + timedelta(days=3), one=OK)
    one = story.record("one")
    with story.database.write() as tx:
        evaluate(tx, [FinishedCheck(one.id, None, NOON, REFUSED)], story.plan)
    after = story.record("one").standing
    assert (after.state, after.checked_at) == (State.ERROR, NOON)


def test_one_connection_twice_in_a_batch_is_judged_twice(story):
    one = story.record("one")
    with story.database.write() as tx:
        twice = [
            FinishedCheck(one.id, None, NOON, REFUSED),
            FinishedCheck(one.id, NOON, NOON + SECOND, REFUSED),
        ]
        evaluate(tx, twice, story.plan)
    assert story.record("one").standing.refusals == 2
    assert story.kinds() == [("error", ("one",))]
    with story.database.read() as tx:
        assert len(history.list_transitions(tx, one.id, 10)) == 1


# What is dropped.


def test_what_the_plan_does_not_know_is_dropped(database):
    story = Story.begin(database, plan_of(entry("one"), entry("two")))
    smaller = Story(database, plan_of(entry("two")))
    assert smaller.evaluate(NOON, one=REFUSED) == []
    assert story.record("one").standing.state is State.PENDING


def test_a_batch_of_nothing_is_fine(story):
    assert story.evaluate(NOON) == []


# Quotas.


def test_a_quota_is_stored_as_it_was_shown(story):
    story.evaluate(NOON, one=ok_with(7_421))
    quota = story.record("one").quota
    assert (quota.shown.limit, quota.shown.remaining, quota.shown.resets_at) == (
        10_000,
        7_421,
        RESETS_AT,
    )
    assert quota.level(Rules()) is Level.OK
    assert quota.seen_at == NOON


def test_a_step_is_told_once(story):
    for number, remaining in enumerate([5_000, 1_999, 1_500, 1_001]):
        story.evaluate(NOON + number * EVERY, one=ok_with(remaining))
    assert story.kinds() == [("quota_low", ("one",))]
    story.evaluate(NOON + HOUR, one=ok_with(900))
    story.evaluate(NOON + 2 * HOUR, one=ok_with(0))
    assert [kind for kind, _ in story.kinds()] == ["quota_low", "quota_low", "quota_exhausted"]
    story.evaluate(RESETS_AT + SECOND, one=ok_with(10_000, resets_at=RESETS_AT + 31 * DAY))
    assert story.kinds()[-1] == ("quota_restored", ("one",))


def test_a_restored_quota_that_was_never_told_low_is_not_told(database):
    deaf = (ChannelRoute("closing", kinds=frozenset({AlertKind.QUOTA_RESTORED})),)
    story = Story.begin(database, plan_of(entry("one"), channels=deaf))
    story.evaluate(NOON, one=ok_with(100))
    story.evaluate(RESETS_AT + SECOND, one=ok_with(10_000, resets_at=RESETS_AT + 31 * DAY))
    assert [kind for kind, _ in story.kinds()] == ["quota_low"]


def test_an_unchanged_quota_is_written_once_an_hour(story):
    story.evaluate(NOON, one=ok_with(5_000))
    story.evaluate(NOON + EVERY, one=ok_with(5_000))
    assert story.record("one").quota.seen_at == NOON
    story.evaluate(NOON + HOUR, one=ok_with(5_000))
    assert story.record("one").quota.seen_at == NOON + HOUR
    story.evaluate(NOON + HOUR + EVERY, one=ok_with(4_999))
    assert story.record("one").quota.seen_at == NOON + HOUR + EVERY


@pytest.fixture
def family(database):
    """
    Three tokens of one account and one of another.
    """
    story = Story.begin(database, plan_of(*map(entry, ("a", "b", "c", "other"))))
    story.evaluate(
        NOON,
        a=ok_with(5_000),
        b=ok_with(5_000),
        c=ok_with(5_000),
        other=ok_with(5_000, account="Other Ltd"),
    )
    return story


def test_a_shared_quota_is_told_once_naming_all(family):
    family.evaluate(NOON + EVERY, a=ok_with(1_900))
    family.evaluate(NOON + EVERY + SECOND, b=ok_with(1_899))
    family.evaluate(NOON + EVERY + 2 * SECOND, c=ok_with(1_898))
    assert family.kinds() == [("quota_low", ("a", "b", "c"))]
    assert family.channels() == ["ops"]


def test_a_shared_quota_names_no_paused_connection(family):
    with family.database.write() as tx:
        connections.pause(tx, family.record("b").id)
    family.evaluate(NOON + EVERY, a=ok_with(1_900))
    assert family.kinds() == [("quota_low", ("a", "c"))]


def test_a_shared_quota_is_told_once_within_one_batch(family):
    family.evaluate(NOON + EVERY, b=ok_with(1_900), a=ok_with(1_899), c=ok_with(1_898))
    assert family.kinds() == [("quota_low", ("a", "b", "c"))]
    family.evaluate(NOON + 2 * EVERY, a=ok_with(0), b=ok_with(0), c=ok_with(0))
    assert family.kinds()[1:] == [("quota_exhausted", ("a", "b", "c"))]


def test_a_shared_quota_goes_to_all_channels_of_all(database):
    channels = (
        ChannelRoute("red", tags=frozenset({"red"})),
        ChannelRoute("blue", tags=frozenset({"blue"})),
    )
    subjects = [Subject("a", frozenset({"red"})), Subject("b", frozenset({"blue"}))]
    plan = plan_of(entry("a"), entry("b"), channels=channels, subjects=subjects)
    story = Story.begin(database, plan)
    story.evaluate(NOON, a=ok_with(5_000), b=ok_with(5_000))
    story.evaluate(NOON + EVERY, a=ok_with(1_900), b=ok_with(1_900))
    assert sorted(story.channels()) == ["blue", "red"]


def test_a_shared_quota_that_is_low_from_the_start_names_all(database):
    channels = (
        ChannelRoute("red", tags=frozenset({"red"})),
        ChannelRoute("blue", tags=frozenset({"blue"})),
    )
    subjects = [
        Subject("a", frozenset({"red"})),
        Subject("b", frozenset({"blue"})),
        Subject("c", frozenset({"red"})),
    ]
    plan = plan_of(*map(entry, "abc"), channels=channels, subjects=subjects)
    story = Story.begin(database, plan)
    story.evaluate(NOON, a=ok_with(1_900), b=ok_with(1_900), c=ok_with(1_900))
    assert story.kinds() == [("quota_low", ("a", "b", "c"))]
    assert story.channels() == ["red", "blue"]


def test_a_step_told_at_the_turn_of_a_period_names_nobody_twice(family):
    """
    The reset is told in seconds from now: around its instant each answer names another.
    """
    end = NOON + 30 * DAY
    family.evaluate(NOON + EVERY, a=ok_with(900, resets_at=end), b=ok_with(900, resets_at=end))
    family.evaluate(
        end + SECOND / 10,
        a=ok_with(450, resets_at=end + SECOND / 4),
        b=ok_with(449, resets_at=end + SECOND / 2),
    )
    assert family.kinds()[-1] == ("quota_low", ("a", "b"))


def test_one_quota_of_many_accounts_is_told_for_each(family):
    family.evaluate(NOON + EVERY, a=ok_with(1_900), other=ok_with(1_900, account="Other Ltd"))
    assert family.kinds() == [("quota_low", ("a", "b", "c")), ("quota_low", ("other",))]


def test_accounts_of_one_name_at_different_hosts_share_nothing(database):
    plan = plan_of(entry("a"), entry("b", host="api.example.org"))
    story = Story.begin(database, plan)
    story.evaluate(NOON, a=ok_with(5_000), b=ok_with(5_000))
    story.evaluate(NOON + EVERY, a=ok_with(1_900))
    assert story.kinds() == [("quota_low", ("a",))]


def test_a_changed_limit_is_told_once_for_all(family):
    family.evaluate(NOON + EVERY, a=ok_with(45_000, 50_000))
    family.evaluate(NOON + EVERY + SECOND, b=ok_with(45_000, 50_000), c=ok_with(45_000, 50_000))
    assert family.kinds() == [("limit_changed", ("a", "b", "c"))]


def test_a_restored_quota_is_told_once_for_all(family):
    fresh = ok_with(10_000, resets_at=RESETS_AT + 31 * DAY)
    family.evaluate(NOON + EVERY, a=ok_with(100))
    family.evaluate(RESETS_AT + SECOND, a=fresh, b=fresh, c=fresh)
    assert family.kinds() == [
        ("quota_low", ("a", "b", "c")),
        ("quota_restored", ("a", "b", "c")),
    ]


def test_what_was_taken_out_of_the_file_is_not_named(family):
    smaller = plan_of(*map(entry, ("a", "b", "other")))
    with family.database.write() as tx:
        connections.sync(tx, entries_of(smaller), NOON)
    Story(family.database, smaller).evaluate(NOON + EVERY, a=ok_with(1_900))
    assert family.kinds() == [("quota_low", ("a", "b"))]


# All or nothing, and many.


def count_all(story: Story) -> dict[str, int]:
    with story.database.read() as tx:
        return {
            table.name: tx.execute(select(func.count()).select_from(table)).scalar_one()
            for table in metadata.sorted_tables
        }


def test_a_failure_late_in_the_batch_keeps_nothing_of_it(story, monkeypatch):
    story.evaluate(NOON, one=REFUSED)
    before = count_all(story), story.record("one"), story.record("two")
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise LookupError

        patch.setattr(results, "save_standings", fail)
        with pytest.raises(LookupError):
            story.evaluate(NOON + 30 * SECOND, one=REFUSED, two=ok_with(100))
    assert (count_all(story), story.record("one"), story.record("two")) == before
    story.evaluate(NOON + 30 * SECOND, one=REFUSED, two=ok_with(100))
    assert story.kinds() == [("error", ("one",)), ("quota_low", ("two",))]


def test_a_failure_while_an_alert_is_born_leaves_no_state_without_it(story, monkeypatch):
    story.evaluate(NOON, one=REFUSED)
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise LookupError

        patch.setattr(dispatch, "route", fail)
        with pytest.raises(LookupError):
            story.evaluate(NOON + 30 * SECOND, one=REFUSED)
    assert story.record("one").standing.announced_state is None
    story.evaluate(NOON + 30 * SECOND, one=REFUSED)
    assert story.kinds() == [("error", ("one",))]


def test_a_batch_of_a_thousand(database):
    names = [f"c{number:04}" for number in range(1_000)]
    story = Story.begin(database, plan_of(*map(entry, names)))
    kinds_of_outcome = (OK, REFUSED, DENIED, UNREACHED)
    outcomes = {name: kinds_of_outcome[number % 4] for number, name in enumerate(names)}
    assert len(story.evaluate(NOON, **outcomes)) == 1_000
    settled = story.evaluate(NOON + MINUTE, **outcomes)
    states = {one.record.name: one.verdict.standing.state for one in settled}
    assert [states[f"c{number:04}"] for number in range(4)] == [
        State.ACTIVE,
        State.ERROR,
        State.ERROR,
        State.PENDING,
    ]
    assert count_all(story) == {
        "connections": 1_000,
        "quotas": 1_000,
        "authorizations": 0,
        "checks": 2_000,
        "transitions": 750,
        "alerts": 500,
        "alert_connections": 500,
        "notifications": 500,
        **dict.fromkeys(("audit", "invites", "invite_tries", "proposals", "people"), 0),
        "check_hours": 0,
        "check_days": 0,
        "api_tokens": 0,
        "handshakes": 0,
        "stored_tokens": 0,
        "entries": 0,
        "missing_entries": 0,
        "sources": 0,
        "channels": 0,
        "web_sessions": 0,
        "quota_samples": 0,
        "quota_forecasts": 0,
        "quota_windows": 0,
        "deletions": 0,
        "watermarks": 0,
        "applications": 0,
        "inquiries": 0,
        "keys": 0,
        "outages": 0,
        "participations": 0,
        "silences": 0,
        "acknowledgements": 0,
        "reminders": 500,
        "flappings": 0,
        "channel_states": 0,
        "offline_times": 0,
    }
    with database.read() as tx:
        assert outbox.due_channels(tx, NOON + MINUTE) == ["ops"]
        assert claim_due(tx, NOON + MINUTE, 10) == []


def test_texts_of_any_letter_are_kept_on_one_line_as_long_as_people_read(story):
    detail = "„Zürich“ 🛑 \u2028 " + "x" * 5_000
    story.evaluate(NOON, one=Outcome(Reason.TOKEN_REJECTED, detail))
    kept = story.record("one").standing.detail
    assert kept.startswith("„Zürich“ 🛑 xxx")
    assert kept.endswith("x…")
    assert LONGEST - 3 <= len(kept) <= LONGEST


def test_instants_are_kept_to_the_microsecond(story):
    at = datetime(2026, 11, 22, 12, 0, 0, 123_457, tzinfo=UTC)
    story.evaluate(at, one=OK)
    assert story.record("one").standing.checked_at == at
