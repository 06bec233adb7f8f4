"""
The table of alert kinds, and what is computed from it.
"""

from __future__ import annotations

import pytest

from monitor.judge.alerts import (
    ABOUT_NO_CONNECTION,
    CLOCK_KINDS,
    CLOSED_BY,
    KINDS,
    ONLY_IF_NAMED,
    OPENED_BY,
    OPENING_OR_CLOSING,
    RELATED,
    REMINDED_KINDS,
    AlertDue,
    AlertKind,
    Fact,
    Severity,
    SubjectKind,
    ends,
    is_reminded,
    keys_of,
    severities_of,
    severity_of,
)

E, X, R, N = AlertKind.ERROR, AlertKind.EXPIRED, AlertKind.RECOVERED, AlertKind.RENEWED
SOON, SECRET, UNRECORDED = (
    AlertKind.EXPIRING_SOON,
    AlertKind.SECRET_EXPIRING,
    AlertKind.RENEWAL_UNRECORDED,
)
LOW, FORECAST, NONE_LEFT = (
    AlertKind.QUOTA_LOW,
    AlertKind.QUOTA_FORECAST,
    AlertKind.QUOTA_EXHAUSTED,
)
RESTORED, RAISED = AlertKind.QUOTA_RESTORED, AlertKind.LIMIT_CHANGED
OUT, OVER = AlertKind.OUTAGE, AlertKind.OUTAGE_OVER
OFF, ON = AlertKind.MONITOR_OFFLINE, AlertKind.MONITOR_ONLINE
DEAF, HEARING = AlertKind.CHANNEL_FAILED, AlertKind.CHANNEL_RESTORED
UNREAD, HELD, READ = AlertKind.SOURCE_FAILED, AlertKind.SOURCE_HELD, AlertKind.SOURCE_RESTORED


def test_each_kind_has_its_row():
    assert list(KINDS) == list(AlertKind)


def test_the_end_of_a_trouble_names_the_troubles_that_it_closes():
    assert OPENED_BY == {
        R: (E, X),
        N: (X, SOON, UNRECORDED),
        RESTORED: (LOW, NONE_LEFT),
        OVER: (OUT,),
        ON: (OFF,),
        HEARING: (DEAF,),
        READ: (UNREAD, HELD),
    }


def test_a_trouble_needs_no_second_end_after_what_ended_all_that_an_end_speaks_of():
    assert CLOSED_BY == {
        R: (R, N),
        N: (N,),
        RESTORED: (RESTORED, RAISED),
        OVER: (OVER,),
        ON: (ON,),
        HEARING: (HEARING,),
        READ: (READ,),
    }


@pytest.mark.parametrize(
    ("kind", "over_after"),
    [
        (E, {R, N}),
        (X, {R, N}),
        (SOON, {N}),
        (SECRET, set()),
        (UNRECORDED, {N}),
        (LOW, {RESTORED, RAISED}),
        (FORECAST, {RESTORED, RAISED}),
        (NONE_LEFT, {RESTORED, RAISED}),
        (OUT, {OVER}),
        (OFF, {ON}),
        (DEAF, {HEARING}),
        (UNREAD, {READ}),
        (HELD, {READ}),
        (AlertKind.FLAPPING, set()),
        (AlertKind.DIGEST, set()),
    ],
)
def test_a_trouble_is_over_after(kind, over_after):
    assert set(ends(kind)) == over_after


@pytest.mark.parametrize("kind", AlertKind)
def test_what_ends_or_supersedes_a_kind_is_about_the_same(kind):
    row = KINDS[kind]
    assert {KINDS[each].subject for each in (*ends(kind), *row.superseded_by)} <= {row.subject}


@pytest.mark.parametrize("kind", AlertKind)
def test_nothing_that_closes_is_closed(kind):
    assert not (kind.is_closing and ends(kind))


def test_only_what_is_paired_can_make_others_old_news():
    assert set(AlertKind) - RELATED == {AlertKind.FLAPPING, AlertKind.RESUMED, AlertKind.TEST}
    assert {SECRET, FORECAST, RAISED, AlertKind.DIGEST} == RELATED - OPENING_OR_CLOSING


def test_of_these_people_are_reminded():
    assert {E, X, NONE_LEFT, OUT, OFF, DEAF, HELD} == REMINDED_KINDS


@pytest.mark.parametrize("kind", sorted(REMINDED_KINDS))
def test_what_lasts_is_critical_and_has_an_end(kind):
    assert KINDS[kind].severity is Severity.CRITICAL
    assert KINDS[kind].closed_by


@pytest.mark.parametrize("kind", AlertKind)
def test_only_what_people_are_reminded_of_announces_a_state(kind):
    row = KINDS[kind]
    assert row.announces is None or row.is_reminded


@pytest.mark.parametrize("kind", AlertKind)
def test_only_of_what_lasts_and_is_no_reminder_people_are_reminded(kind):
    assert is_reminded(AlertDue(kind, Severity.CRITICAL)) is (kind in REMINDED_KINDS)
    assert not is_reminded(AlertDue(kind, Severity.WARNING))
    assert not is_reminded(AlertDue(kind, Severity.CRITICAL, {"reminder": 1}))


def test_these_are_received_only_by_channels_that_name_them():
    assert {AlertKind.DIGEST, AlertKind.RESUMED} == ONLY_IF_NAMED


def test_these_are_raised_by_clocks():
    assert {SOON, SECRET, UNRECORDED} == CLOCK_KINDS


def test_these_are_about_no_connection():
    rare = {AlertKind.RESUMED, AlertKind.DIGEST, AlertKind.TEST}
    assert {OFF, ON, DEAF, HEARING, UNREAD, HELD, READ} | rare == ABOUT_NO_CONNECTION


@pytest.mark.parametrize(
    ("kind", "facts", "keys"),
    [
        (E, {"host": "h"}, {1, 2}),
        (SECRET, {"application": "our-app"}, {"our-app"}),
        (OUT, {"host": "h"}, {"h"}),
        (OVER, {"host": "h"}, {"h"}),
        (DEAF, {"channel": "ops"}, {"ops"}),
        (HEARING, {}, {"None"}),
        (HELD, {"source": "stores"}, {"stores"}),
        (OFF, {}, {"monitor"}),
        (AlertKind.DIGEST, {}, {"monitor"}),
    ],
)
def test_an_alert_is_known_by_what_it_is_about(kind, facts, keys):
    assert keys_of(kind, facts, (1, 2)) == keys


@pytest.mark.parametrize(
    ("kind", "needs"),
    [
        (E, {Fact.PROVIDER, Fact.RENEW_URL, Fact.OWNER}),
        (X, {Fact.PROVIDER, Fact.RENEW_URL, Fact.OWNER}),
        (SOON, {Fact.PROVIDER, Fact.RENEW_URL, Fact.OWNER}),
        (UNRECORDED, {Fact.PROVIDER, Fact.RENEW_URL, Fact.CONNECTION}),
    ],
)
def test_a_text_needs_to_know_of_its_connections(kind, needs):
    assert KINDS[kind].needs == needs


@pytest.mark.parametrize("kind", sorted(set(AlertKind) - {E, X, SOON, UNRECORDED}))
def test_no_other_text_needs_to_know_of_its_connections(kind):
    assert not KINDS[kind].needs


@pytest.mark.parametrize("kind", AlertKind)
def test_a_kind_has_its_severity_but_where_its_row_says_otherwise(kind):
    usual = KINDS[kind].severity
    assert severity_of(kind) is usual
    assert (severity_of(kind, is_inconclusive=True) is usual) is (kind is not E)
    assert (severity_of(kind, is_last_step=True) is usual) is (kind not in {SOON, SECRET})


@pytest.mark.parametrize(
    ("kind", "severities"),
    [
        (E, [Severity.CRITICAL, Severity.WARNING]),
        (X, [Severity.CRITICAL]),
        (SOON, [Severity.WARNING, Severity.CRITICAL]),
        (SECRET, [Severity.WARNING, Severity.CRITICAL]),
        (AlertKind.TEST, [Severity.INFO]),
    ],
)
def test_the_usual_severity_comes_first(kind, severities):
    assert severities_of(kind) == severities


def test_an_alert_is_made_of_its_kind_and_facts():
    expected = AlertDue(OUT, Severity.CRITICAL, {"host": "h", "kind": "any"})
    assert AlertDue.of(OUT, host="h", kind="any") == expected


def test_each_subject_is_one_of_a_kind():
    assert {row.subject for row in KINDS.values()} == set(SubjectKind)
