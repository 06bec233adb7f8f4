"""
`monitor.report.status`: what connections look like to programs, and what exit code they mean.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from monitor.judge.authorizations import (
    AuthorizationClock,
    Declared,
    confirm,
    declare_date,
    start_of,
)
from monitor.judge.connections import ConnectionRecord, Watched
from monitor.judge.outbox import NotificationState
from monitor.judge.outcome import Outcome, QuotaReading, Reason, Rules, Standing, State, Transition
from monitor.judge.quota import Quota, judge_quota
from monitor.judge.routing import Subject
from monitor.judge.suppression import Muting
from monitor.judge.verdict import judge
from monitor.report import history, status
from monitor.store.history import AlertRow, CheckRow, NotificationRow

NOW = datetime(2026, 11, 22, 4, 0, 0, 250_000, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULES = Rules()

OK = Outcome(Reason.OK, latency_ms=41.239, account="Acme Ltd")
REFUSED = Outcome(Reason.TOKEN_REJECTED, "The token was rejected (401).", latency_ms=9)
TIMEOUT = Outcome(Reason.TIMEOUT, "No answer within 10 s.")
THROTTLED = Outcome(Reason.THROTTLED, "Too many requests.")
UNPAID = Outcome(Reason.OK, is_payment_required=True)


def ok_with(limit: int | None, remaining: int | None) -> Outcome:
    resets_at = datetime(2026, 12, 1, tzinfo=UTC)
    return replace(OK, quota=QuotaReading(limit, remaining, resets_at))


WATCHED = Watched(Subject("acme", frozenset({"production", "eu"})), RULES)


def clock(authorized_on: date | None, valid_days: int = 365) -> AuthorizationClock:
    if authorized_on is None:
        return AuthorizationClock()
    authorized_at = start_of(authorized_on)
    return declare_date(AuthorizationClock(), Declared(authorized_at, valid_days), NOW)


def record(
    *outcomes: Outcome,
    until: datetime = NOW,
    authorized_on: date | None = None,
    valid_days: int = 365,
    is_enabled: bool = True,
    is_paused: bool = False,
) -> ConnectionRecord:
    """Return a connection after *outcomes*, a minute apart, the last of them at *until*."""
    first = until - MINUTE * max(len(outcomes) - 1, 0)
    standing, quota = Standing.unknown(first - MINUTE), Quota()
    counted = clock(authorized_on, valid_days)
    for position, outcome in enumerate(outcomes):
        at = first + MINUTE * position
        standing = judge(standing, outcome, RULES, counted.known_end, at).standing
        counted = confirm(counted, outcome, at).clock
        quota = judge_quota(quota, outcome, RULES, at).quota
    return ConnectionRecord(
        id=1,
        name="acme",
        provider="soldscope",
        host="api.example.com",
        is_configured=True,
        is_enabled=is_enabled,
        is_paused=is_paused,
        next_check_at=None,
        standing=standing,
        account="Acme Ltd" if outcomes else None,
        quota=quota,
        account_key=None,
        clock=counted,
    )


def shown(*outcomes: Outcome, **more) -> Any:
    return status.connection_json(record(*outcomes, **more), WATCHED, NOW)


def test_a_connection_has_all_fields_of_the_contract_in_its_order():
    assert shown(OK, ok_with(10_000, 7421), authorized_on=date(2026, 6, 23)) == {
        "name": "acme",
        "provider": "soldscope",
        "state": "active",
        "reason": "ok",
        "detail": "",
        "since": "2026-11-22T03:59:00Z",
        "checked_at": "2026-11-22T04:00:00Z",
        "latency_ms": 41.2,
        "tags": ["eu", "production"],
        "account": "Acme Ltd",
        "last_check": {
            "at": "2026-11-22T04:00:00Z",
            "conclusive": True,
            "reason": "ok",
            "in_a_row": 2,
        },
        "expiring_soon": False,
        "renewal_unrecorded": False,
        "authorization": {
            "authorized_at": "2026-06-23T00:00:00Z",
            "expires_at": "2027-06-23T00:00:00Z",
            "days_left": 212,
            "source": "declared",
        },
        "clocks": [
            {
                "kind": "authorization",
                "of": "acme",
                "ends_at": "2027-06-23T00:00:00Z",
                "days_left": 212,
                "source": "declared",
            }
        ],
        "quota": {
            "limit": 10_000,
            "remaining": 7421,
            "resets_at": "2026-12-01T00:00:00Z",
            "level": "ok",
            "exhausts_at": None,
        },
        "marketplaces": None,
        "group": None,
        "owner": "file",
        "notes": "",
        "muted_until": None,
        "maintenance": None,
        "acknowledged": None,
    }


def test_a_connection_never_checked_says_so_and_nothing_else():
    each = shown()
    assert (each["state"], each["reason"]) == ("pending", "not_checked")
    unknown = ("checked_at", "latency_ms", "account", "last_check", "authorization", "quota")
    assert [each[name] for name in unknown] == [None] * len(unknown)
    assert each["clocks"] == []


def test_the_group_of_a_connection_is_said():
    watched = replace(WATCHED, subject=replace(WATCHED.subject, group="acme"))
    assert status.connection_json(record(), watched, NOW)["group"] == "acme"


def test_every_object_is_plain_json():
    each = shown(OK, REFUSED, authorized_on=date(2026, 1, 1))
    assert json.loads(json.dumps(each)) == each


def test_an_inconclusive_check_shows_beside_the_state_that_stands():
    each = shown(OK, TIMEOUT, TIMEOUT)
    assert (each["state"], each["reason"]) == ("active", "ok")
    assert each["last_check"] == {
        "at": "2026-11-22T04:00:00Z",
        "conclusive": False,
        "reason": "timeout",
        "in_a_row": 2,
    }


@pytest.mark.parametrize("how", ["is_paused", "is_disabled"])
def test_paused_covers_the_state_and_leaves_the_reason_underneath(how):
    switch = {"is_paused": True} if how == "is_paused" else {"is_enabled": False}
    each = shown(REFUSED, authorized_on=date(2025, 12, 1), **switch)
    assert (each["state"], each["reason"]) == ("paused", "token_rejected")
    assert each["expiring_soon"] is False
    assert each["authorization"]["days_left"] == 8  # clocks go on


FLAGS = {
    "a moment before the largest step": (timedelta(days=30, seconds=1), OK, False),
    "at the largest step": (timedelta(days=30), OK, True),
    "on the last day": (timedelta(hours=1), OK, True),
    "in error": (timedelta(days=3), REFUSED, True),
    "never checked": (timedelta(days=3), None, True),
    "at the end": (timedelta(0), None, False),
}


@pytest.mark.parametrize(("left", "outcome", "expected"), FLAGS.values(), ids=FLAGS)
def test_the_flag_holds_from_the_largest_step_to_the_end(left, outcome, expected):
    ends_at = NOW + left
    each = shown(*[outcome] if outcome else [], authorized_on=ends_at - timedelta(days=365))
    assert each["expiring_soon"] is expected


def test_an_authorization_without_a_known_limit_has_no_clock():
    each = shown(OK, authorized_on=date(2020, 1, 1), valid_days=0)
    assert each["authorization"] == {
        "authorized_at": "2020-01-01T00:00:00Z",
        "expires_at": None,
        "days_left": None,
        "source": "declared",
    }
    assert (each["clocks"], each["expiring_soon"], each["renewal_unrecorded"]) == ([], False, False)


def test_a_success_after_the_end_makes_the_end_unknown():
    each = shown(OK, authorized_on=date(2025, 11, 1))
    assert each["renewal_unrecorded"] is True
    assert (each["authorization"]["expires_at"], each["authorization"]["days_left"]) == (None, None)
    assert each["clocks"] == []


@pytest.mark.parametrize(
    "of",
    [
        {"outcomes": [OK], "until": datetime(2026, 10, 1, tzinfo=UTC)},
        {"outcomes": [REFUSED, REFUSED]},
        {"outcomes": [TIMEOUT]},
        {"outcomes": []},
    ],
    ids=["success before the end", "refused since", "not answered since", "not asked since"],
)
def test_a_renewal_is_missed_only_where_a_check_saw_it(of):
    outcomes = of.pop("outcomes")
    each = shown(*outcomes, authorized_on=date(2025, 11, 1), **of)
    assert each["renewal_unrecorded"] is False
    assert each["authorization"]["expires_at"] == "2026-11-01T00:00:00Z"
    assert each["authorization"]["days_left"] == -22


def test_a_missed_renewal_stays_missed_whatever_comes_after():
    for later in ({"is_paused": True}, {}):
        each = shown(OK, REFUSED, authorized_on=date(2025, 11, 1), **later)
        assert each["renewal_unrecorded"] is True
        assert each["reason"] == "token_rejected"  # the end is unknown: it cannot have passed
        assert each["authorization"]["expires_at"] is None


def test_a_flag_begins_with_the_first_step_that_the_authorization_has():
    ends_at = NOW + timedelta(days=6)
    short = shown(OK, authorized_on=ends_at - timedelta(days=7), valid_days=7)
    assert short["expiring_soon"] is False
    assert shown(OK, authorized_on=ends_at - timedelta(days=8), valid_days=8)["expiring_soon"]


def test_what_ends_first_comes_first_and_what_never_ends_last():
    objects: Any = {
        "endless": shown(OK),
        "late": shown(OK, authorized_on=date(2026, 10, 1)),
        "over": shown(REFUSED, authorized_on=date(2025, 10, 1)),
        "soon": shown(OK, authorized_on=date(2025, 12, 1)),
        "unrecorded": shown(OK, authorized_on=date(2025, 10, 1)),
    }
    ordered = sorted(objects, key=lambda name: status.ending_first(objects[name]))
    assert ordered == ["over", "soon", "late", "endless", "unrecorded"]


def test_the_end_of_a_client_secret_sorts_only_what_has_no_other_end():
    def of(**ends: str) -> dict[str, Any]:
        return {"clocks": [{"kind": kind, "ends_at": at} for kind, at in ends.items()]}

    objects: Any = {
        "none": of(),
        "secret late": of(client_secret="2027-03-01"),
        "secret soon": of(client_secret="2026-12-01"),
        "late": of(authorization="2027-10-01", client_secret="2026-12-01"),
        "soon": of(authorization="2027-01-01", client_secret="2027-03-01"),
        "token": of(authorization="2026-11-30", token="2027-02-01"),
    }
    ordered = sorted(objects, key=lambda name: status.ending_first(objects[name]))
    assert ordered == ["soon", "token", "late", "secret soon", "secret late", "none"]


def test_a_quota_with_unknown_parts_shows_them_as_unknown():
    assert shown(ok_with(None, 12))["quota"]["limit"] is None
    assert shown(ok_with(100, None))["quota"]["level"] is None


def test_payment_required_shows_nothing_left():
    quota = shown(ok_with(100, 40), UNPAID)["quota"]
    assert (quota["remaining"], quota["limit"], quota["level"]) == (0, 100, "exhausted")


def test_instants_are_written_in_utc_whatever_zone_they_came_in():
    berlin = timezone(timedelta(hours=1))
    at = datetime(2026, 1, 1, 0, 30, tzinfo=berlin)
    assert status.instant(at) == "2025-12-31T23:30:00Z"


def test_the_summary_counts_each_state_and_the_flag():
    objects: Any = [
        shown(OK),
        shown(OK, authorized_on=date(2025, 12, 1)),
        shown(REFUSED),
        shown(),
        shown(OK, is_paused=True),
    ]
    assert status.summary(objects) == {
        "active": 2,
        "error": 1,
        "expired": 0,
        "pending": 1,
        "paused": 1,
        "expiring_soon": 1,
        "needs_attention": 2,
    }
    assert list(status.report_json(objects, NOW)) == ["checked_at", "summary", "connections"]


NEEDING: dict[str, tuple[Any, bool]] = {
    "active": (shown(OK), False),
    "pending": (shown(), False),
    "error": (shown(REFUSED), True),
    "expired": (shown(REFUSED, authorized_on=date(2025, 11, 1)), True),
    "expiring soon": (shown(OK, authorized_on=date(2025, 12, 1)), True),
    "expiring soon, not checked yet": (shown(authorized_on=date(2025, 12, 1)), True),
    "low quota": (shown(ok_with(100, 5)), True),
    "quota used up": (shown(ok_with(100, 0)), True),
    "payment required": (shown(UNPAID), True),
    "enough quota": (shown(ok_with(100, 50)), False),
    "renewed, and no one said when": (shown(OK, authorized_on=date(2025, 11, 1)), True),
    "inconclusive, and the state stands": (shown(OK, TIMEOUT), False),
    "paused, and broken": (shown(REFUSED, is_paused=True), False),
    "switched off, and expiring soon": (
        shown(OK, authorized_on=date(2025, 12, 1), is_enabled=False),
        False,
    ),
    "paused, and its quota is used up": (shown(ok_with(100, 0), is_paused=True), False),
    "muted, and broken": (
        status.connection_json(record(REFUSED), WATCHED, NOW, Muting(NOW + MINUTE)),
        True,
    ),
}


@pytest.mark.parametrize(("each", "is_so"), NEEDING.values(), ids=NEEDING)
def test_what_needs_attention_is_counted_once(each, is_so):
    assert status.needs_attention(each) is is_so
    assert status.summary([each])["needs_attention"] == int(is_so)


SOON = date(2025, 12, 1)
PAST = date(2025, 11, 1)
FINE = shown(OK)
CODES: dict[str, tuple[list[status.Json], int, int]] = {
    "nothing to show": ([], 3, 3),
    "active": ([FINE], 0, 0),
    "error": ([shown(REFUSED)], 2, 2),
    "expired": (
        [shown(REFUSED, authorized_on=PAST)],
        2,
        2,
    ),
    "quota used up": ([shown(ok_with(100, 0))], 2, 2),
    "payment required": ([shown(UNPAID)], 2, 2),
    "never checked": ([shown()], 3, 3),
    "pending after an inconclusive check": ([shown(TIMEOUT)], 3, 3),
    "inconclusive, and the state stands": ([shown(OK, TIMEOUT)], 0, 3),
    "throttled, and the state stands": ([shown(OK, THROTTLED)], 0, 3),
    "inconclusive three times": ([shown(OK, TIMEOUT, TIMEOUT, TIMEOUT)], 2, 2),
    "inconclusive after a refusal": ([shown(REFUSED, TIMEOUT)], 2, 2),
    "expiring soon": ([shown(OK, authorized_on=SOON)], 1, 1),
    "quota low": ([shown(ok_with(100, 20))], 1, 1),
    "renewal unrecorded": ([shown(OK, authorized_on=PAST)], 1, 1),
    "expiring soon and inconclusive": ([shown(OK, TIMEOUT, authorized_on=SOON)], 1, 3),
    "paused in error": ([shown(REFUSED, is_paused=True)], 0, 0),
    "paused with nothing left": ([shown(ok_with(100, 0), is_paused=True)], 0, 0),
    "paused, never checked": ([shown(is_enabled=False)], 0, 0),
    "error before pending": ([FINE, shown(), shown(REFUSED)], 2, 2),
    "pending before expiring soon": ([shown(OK, authorized_on=SOON), shown()], 3, 3),
    "expiring soon before fine": ([FINE, shown(OK, authorized_on=SOON)], 1, 1),
    "a paused one hides nothing": ([shown(is_paused=True), shown(REFUSED)], 2, 2),
}


@pytest.mark.parametrize(("objects", "of_status", "of_check"), CODES.values(), ids=CODES)
def test_exit_codes_are_the_first_that_applies(objects, of_status, of_check):
    assert status.exit_code(objects) == of_status
    assert status.exit_code(objects, is_check=True) == of_check


def test_the_worst_comes_first_and_equals_keep_their_order():
    objects: Any = {
        "paused": shown(is_paused=True),
        "fine": FINE,
        "fine too": dict(FINE),
        "low": shown(ok_with(100, 20)),
        "pending": shown(),
        "used up": shown(ok_with(100, 0)),
        "error": shown(REFUSED),
    }
    ordered = sorted(objects, key=lambda name: status.urgency(objects[name]))
    assert ordered == ["error", "used up", "pending", "low", "fine", "fine too", "paused"]


def test_history_has_the_fields_of_the_contract():
    sent_at = NOW + MINUTE
    assert history.history_json(
        "acme",
        [Transition(NOW, State.ACTIVE, State.ERROR, Reason.TOKEN_REJECTED, "401")],
        [CheckRow(NOW, Reason.TIMEOUT, 10_000.44, "late")],
        [
            AlertRow(
                7,
                "error",
                "critical",
                {"reason": "token_rejected"},
                NOW,
                ("acme", "globex"),
                (
                    NotificationRow("ops", NotificationState.SENT, 1, sent_at, None, NOW),
                    NotificationRow("boss", NotificationState.DEAD, 9, None, "secret words", NOW),
                ),
            )
        ],
    ) == {
        "name": "acme",
        "transitions": [
            {
                "at": "2026-11-22T04:00:00Z",
                "from": "active",
                "to": "error",
                "reason": "token_rejected",
                "detail": "401",
            }
        ],
        "checks": [
            {
                "at": "2026-11-22T04:00:00Z",
                "conclusive": False,
                "reason": "timeout",
                "latency_ms": 10_000.4,
                "detail": "late",
            }
        ],
        "alerts": [
            {
                "id": 7,
                "kind": "error",
                "severity": "critical",
                "connections": ["acme", "globex"],
                "born_at": "2026-11-22T04:00:00Z",
                "notifications": [
                    {
                        "channel": "ops",
                        "state": "sent",
                        "attempts": 1,
                        "sent_at": "2026-11-22T04:01:00Z",
                        "error": None,
                    },
                    {
                        "channel": "boss",
                        "state": "dead",
                        "attempts": 9,
                        "sent_at": None,
                        "error": "secret words",
                    },
                ],
            }
        ],
    }
