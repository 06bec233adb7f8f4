from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.judge.alerts import KINDS, AlertKind, Severity
from monitor.judge.outcome import OutcomeClass, Reason
from monitor.notify import reasons, texts
from monitor.notify.message import SHORT_LIMIT, TITLE_LIMIT, Message, compose, write_plain
from monitor.notify.words import explain

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NAME = "soldscope-production"
LINK = "http://127.0.0.1:8080/connections/soldscope-production"

FACTS: dict[AlertKind, dict[str, Any]] = {
    AlertKind.ERROR: {
        "reason": "token_rejected",
        "detail": "401 Unauthorized",
        "since": "2026-11-22T11:55:00+00:00",
        "reason_before": None,
    },
    AlertKind.EXPIRED: {
        "reason": "authorization_expired",
        "detail": "",
        "since": "2026-11-20T09:00:00+00:00",
        "reason_before": "timeout",
        "renew_url": "https://renew.example.com/acme?a=1&b=2",
    },
    AlertKind.EXPIRING_SOON: {
        "step": 14,
        "authorized_at": "2025-12-06T00:00:00+00:00",
        "ends_at": "2026-12-06T00:00:00+00:00",
        "renew_url": "https://renew.example.com/acme?a=1&b=2",
    },
    AlertKind.RENEWAL_UNRECORDED: {
        "authorized_at": "2025-11-20T00:00:00+00:00",
        "ends_at": "2026-11-20T00:00:00+00:00",
    },
    AlertKind.RENEWED: {
        "authorized_at": "2026-11-22T00:00:00+00:00",
        "ends_at": "2027-11-22T00:00:00+00:00",
    },
    AlertKind.RECOVERED: {
        "reason_before": "token_rejected",
        "detail_before": "401 Unauthorized",
        "since": "2026-11-22T09:30:00+00:00",
    },
    AlertKind.QUOTA_LOW: {
        "limit": 10_000,
        "remaining": 1_950,
        "resets_at": "2026-12-01T00:00:00+00:00",
        "step": 20,
    },
    AlertKind.QUOTA_FORECAST: {
        "limit": 10_000,
        "remaining": 4_950,
        "resets_at": "2026-12-17T00:00:00+00:00",
        "exhausts_at": "2026-12-12T09:00:00+00:00",
        "earliest": "2026-12-10T21:00:00+00:00",
        "latest": "2026-12-15T03:00:00+00:00",
    },
    AlertKind.QUOTA_EXHAUSTED: {
        "limit": 10_000,
        "remaining": 0,
        "resets_at": "2026-12-01T00:00:00+00:00",
        "step": 0,
    },
    AlertKind.QUOTA_RESTORED: {"limit": 10_000, "remaining": 10_000, "resets_at": None},
    AlertKind.LIMIT_CHANGED: {
        "limit": 50_000,
        "remaining": 41_950,
        "resets_at": None,
        "limit_before": 10_000,
    },
    AlertKind.TEST: {},
    AlertKind.SECRET_EXPIRING: {
        "step": 14,
        "ends_at": "2026-12-06T00:00:00+00:00",
        "application": "our-app",
        "n_connections": 3,
    },
    AlertKind.QUOTA_FORECAST: {
        "limit": 10_000,
        "remaining": 1_950,
        "resets_at": "2026-12-01T00:00:00+00:00",
        "exhausts_at": "2026-11-26T00:00:00+00:00",
        "earliest": "2026-11-25T00:00:00+00:00",
        "latest": "2026-11-28T00:00:00+00:00",
    },
    AlertKind.FLAPPING: {"n": 6, "window": 3600},
    AlertKind.OUTAGE: {
        "host": "api.example.com:443",
        "n_failing": 41,
        "n_total": 60,
        "reason": "timeout",
        "since": "2026-11-22T11:57:00+00:00",
    },
    AlertKind.OUTAGE_OVER: {
        "host": "api.example.com:443",
        "since": "2026-11-22T11:00:00+00:00",
        "until": "2026-11-22T11:50:00+00:00",
        "n": 41,
    },
    AlertKind.MONITOR_OFFLINE: {"since": "2026-11-22T11:57:00+00:00", "n_hosts": 4},
    AlertKind.MONITOR_ONLINE: {
        "since": "2026-11-22T11:00:00+00:00",
        "until": "2026-11-22T11:50:00+00:00",
        "n_missed": 1200,
    },
    AlertKind.CHANNEL_FAILED: {
        "channel": "ops-slack",
        "error": "Slack: error=404.",
        "since": "2026-11-21T12:00:00+00:00",
    },
    AlertKind.CHANNEL_RESTORED: {
        "channel": "ops-slack",
        "since": "2026-11-21T12:00:00+00:00",
    },
    AlertKind.SOURCE_FAILED: {
        "source": "stores",
        "error": "stores.example.com answered 503",
        "since": "2026-11-22T11:57:00+00:00",
    },
    AlertKind.SOURCE_HELD: {
        "source": "stores",
        "n_missing": 48_112,
        "n_known": 50_000,
        "since": "2026-11-22T11:59:00+00:00",
    },
    AlertKind.SOURCE_RESTORED: {"source": "stores", "since": "2026-11-22T11:00:00+00:00"},
    AlertKind.RESUMED: {
        "since": "2026-11-20T12:00:00+00:00",
        "n_changed": 2,
        "lines": ["a: active -> error", "b: active -> expired"],
    },
    AlertKind.DIGEST: {
        "n_active": 40,
        "n_error": 0,
        "n_paused": 1,
        "next_to_end": [{"name": "acme", "ends_at": "2026-12-06T00:00:00+00:00"}],
    },
}

TITLES = {
    AlertKind.ERROR: f"🔴 {NAME}: token rejected",
    AlertKind.EXPIRED: f"🟡 {NAME}: authorization expired",
    AlertKind.EXPIRING_SOON: f"🟠 {NAME} expires in 14 days (Dec 6)",
    AlertKind.RENEWAL_UNRECORDED: f"🟠 {NAME}: renewal date missing",
    AlertKind.RENEWED: f"🟢 {NAME}: authorization renewed",
    AlertKind.RECOVERED: f"🟢 {NAME} works again",
    AlertKind.QUOTA_LOW: f"🟠 {NAME}: quota low",
    AlertKind.QUOTA_FORECAST: f"🟠 {NAME}: quota will run out",
    AlertKind.QUOTA_EXHAUSTED: f"🔴 {NAME}: quota used up",
    AlertKind.QUOTA_RESTORED: f"🟢 {NAME}: quota available again",
    AlertKind.LIMIT_CHANGED: f"🔵 {NAME}: quota changed",
    AlertKind.TEST: "🔔 [TEST] connwatch test message",
    AlertKind.SECRET_EXPIRING: "🟠 application our-app: client secret expires in 14 days",
    AlertKind.QUOTA_FORECAST: f"🟠 {NAME}: quota runs out in 4 days (Nov 26)",
    AlertKind.FLAPPING: f"🟠 {NAME} is flapping",
    AlertKind.OUTAGE: "🔴 api.example.com is down: 41 of 60 connections failing",
    AlertKind.OUTAGE_OVER: "🟢 api.example.com is back",
    AlertKind.MONITOR_OFFLINE: "🔴 connwatch has lost its internet connection",
    AlertKind.MONITOR_ONLINE: "🟢 connwatch is online again",
    AlertKind.CHANNEL_FAILED: "🔴 channel ops-slack: alerts are not delivered",
    AlertKind.CHANNEL_RESTORED: "🟢 channel ops-slack: alerts are delivered again",
    AlertKind.SOURCE_FAILED: "🟠 source stores cannot be read",
    AlertKind.SOURCE_HELD: "🔴 source stores: removals on hold",
    AlertKind.SOURCE_RESTORED: "🟢 source stores works again",
    AlertKind.RESUMED: "🔵 connwatch is back",
    AlertKind.DIGEST: "🟢 connwatch: 40 healthy",
}

SAID = {
    AlertKind.ERROR: [
        "The service rejects this token",
        "Since Nov 22, 11:55 UTC (5 minutes).",
        "What to do: Create a new token",
        "Details: 401 Unauthorized",
    ],
    AlertKind.EXPIRED: [
        "Since Nov 20, 09:00 UTC (2 days 3 hours).",
        "Before: timed out.",
        "Renew it with the provider",
        "Renewal page: https://renew.example.com/acme?a=1&b=2\n",
    ],
    AlertKind.EXPIRING_SOON: [
        "The authorization expires in 14 days (Dec 6).",
        "After that, all calls with this connection will fail.",
        f"then run `connwatch renew {NAME}`",
        "Renewal page: https://renew.example.com/acme?a=1&b=2\n",
    ],
    AlertKind.RENEWAL_UNRECORDED: [
        "should have expired on Nov 20.",
        f"`connwatch renew {NAME} --on DATE`",
    ],
    AlertKind.RENEWED: [
        "Renewed on Nov 22.",
        "Next renewal due in 365 days (Nov 22, 2027).",
        "No action needed.",
    ],
    AlertKind.RECOVERED: [
        "Down for 2 hours 30 minutes (token rejected).",
        "Re-run jobs that failed since Nov 22, 09:30 UTC.",
    ],
    AlertKind.QUOTA_LOW: [
        "1,950 of 10,000 requests left (19%), resets in 9 days (Dec 1).",
        "Postpone what can wait",
    ],
    AlertKind.QUOTA_EXHAUSTED: ["10,000 requests is used up", "The credential itself is fine."],
    AlertKind.QUOTA_RESTORED: ["10,000 of 10,000 requests left (100%)."],
    AlertKind.LIMIT_CHANGED: ["raised from 10,000 to 50,000", "41,950 of 50,000"],
    AlertKind.TEST: ["Test message from connwatch. Nothing is wrong."],
    AlertKind.SECRET_EXPIRING: [
        "It expires in 14 days (Dec 6).",
        "3 stores stop.",
        "Sellers have nothing to do.",
    ],
    AlertKind.QUOTA_FORECAST: [
        "At the current rate, the quota runs out in 4 days (Nov 26).",
        "between Nov 25 and Nov 28.",
        "1,950 of 10,000 requests left (19%), resets in 9 days (Dec 1).",
    ],
    AlertKind.FLAPPING: ["6 changes in 1 hour.", f"`connwatch history {NAME}`"],
    AlertKind.OUTAGE: [
        "41 of 60 connections to api.example.com:443 fail: timed out.",
        "Since Nov 22, 11:57 UTC (3 minutes).",
        "Account owners have nothing to do",
    ],
    AlertKind.OUTAGE_OVER: [
        "Down for 50 minutes, from Nov 22, 11:00 UTC.",
        "41 connections were affected.",
        "Re-run jobs that failed since Nov 22, 11:00 UTC.",
    ],
    AlertKind.MONITOR_OFFLINE: ["All 4 hosts are unreachable.", "Since Nov 22, 11:57 UTC"],
    AlertKind.MONITOR_ONLINE: [
        "Offline for 50 minutes, from Nov 22, 11:00 UTC to Nov 22, 11:50 UTC.",
        "1,200 checks were missed",
    ],
    AlertKind.CHANNEL_FAILED: [
        "Alerts to ops-slack have failed for 1 day",
        "`connwatch alerts test`",
        "Details: address not found: check its URL",
    ],
    AlertKind.CHANNEL_RESTORED: ["Down for 1 day,", "`connwatch alerts retry`"],
    AlertKind.SOURCE_FAILED: [
        "stores has been unreadable for 3 minutes, since Nov 22, 11:57 UTC.",
        "Its connections are checked as before",
        "`connwatch sources refresh stores`",
        "Details: stores.example.com answered 503",
    ],
    AlertKind.SOURCE_HELD: [
        "stores no longer lists 48,112 of its 50,000 connections.",
        "Nothing was removed",
        "`connwatch sources accept stores`",
    ],
    AlertKind.SOURCE_RESTORED: ["Down for 1 hour,", "No action needed."],
    AlertKind.RESUMED: [
        "connwatch was down for 2 days, since Nov 20, 12:00 UTC.",
        "2 connections changed:\n- a: active -> error\n- b: active -> expired\n",
    ],
    AlertKind.DIGEST: [
        "Status: 40 active, 1 paused.",
        "Next to expire:\n- acme: in 14 days (Dec 6)\n",
    ],
}


def word(kind, facts=None, connections=(NAME,), **changes) -> Message:
    arguments: dict[str, Any] = {
        "severity": KINDS[kind].severity,
        "facts": FACTS[kind] if facts is None else facts,
        "connections": connections,
        "born_at": NOW,
        "link": LINK,
        "now": NOW,
    }
    return compose(kind, **(arguments | changes))


@pytest.mark.parametrize("kind", AlertKind)
def test_each_kind_has_its_title(kind):
    assert word(kind).title == TITLES[kind]


COMMANDS = {
    "acme": "`connwatch renew acme --on DATE`",
    "acme eu": "`connwatch renew 'acme eu' --on DATE`",
    "-acme": "`connwatch renew --on DATE -- -acme`",
    "acme\u202e": "`connwatch renew NAME --on DATE`",
}


@pytest.mark.parametrize(("name", "command"), COMMANDS.items(), ids=ascii)
def test_an_unrecorded_renewal_names_its_connection_in_the_command(name, command):
    message = word(AlertKind.RENEWAL_UNRECORDED, connections=(name,))
    assert command in message.body
    assert command.strip("`") in message.short


WHO_MENDS = {
    "amazon": (
        AlertKind.ERROR,
        {"reason": "permission_denied", "provider": "amazon"},
        "Compare the app's roles in Developer Central",
        "allowed IP addresses",
    ),
    "another": (
        AlertKind.ERROR,
        {"reason": "permission_denied", "provider": "soldscope"},
        "allowed IP addresses",
        "Amazon",
    ),
    "not known": (
        AlertKind.ERROR,
        {"reason": "permission_denied"},
        "allowed IP addresses",
        "Amazon",
    ),
    "countdown": (
        AlertKind.EXPIRED,
        {"reason": "authorization_expired", "provider": "countdown"},
        "expired by its date; connwatch does not call this service",
        "the service rejects it",
    ),
}


@pytest.mark.parametrize(("kind", "facts", "said", "not_said"), WHO_MENDS.values(), ids=WHO_MENDS)
def test_who_was_asked_decides_what_is_to_be_done(kind, facts, said, not_said):
    body = word(kind, facts).body
    assert said in body
    assert not_said not in body


@pytest.mark.parametrize("kind", AlertKind)
def test_each_kind_says_what_happened_and_what_to_do(kind):
    body = word(kind).body
    assert [said for said in SAID[kind] if said not in body] == []
    assert ("\n\nWhat to do: " in body) is not ("\n\nNo action needed.\n" in body)
    assert f"\n\nOpen in connwatch: {LINK}" in body


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_explained_with_a_remedy(reason):
    text = explain(reason, None)
    message = word(AlertKind.ERROR, {"reason": reason.value}, ("NAME",))
    assert message.title == f"🔴 NAME: {text.name}"
    assert text.meaning in message.body
    assert f"{text.remedy}\n" in message.body


@pytest.mark.parametrize("provider", [None, "", "acme", "http", "soldscope", "countdown"])
@pytest.mark.parametrize("reason", Reason)
def test_amazon_is_spoken_of_for_amazon_alone(reason, provider):
    text = explain(reason, provider)
    said = f"{text.name} {text.meaning} {text.remedy} {text.short}"
    assert not re.search(r"Amazon|Seller|Developer Central|store\b|refresh", said)
    if provider != "soldscope":
        assert "SoldScope" not in said


@pytest.mark.parametrize("reason", Reason)
def test_only_an_inconclusive_error_says_that_it_may_be_their_side(reason):
    body = word(AlertKind.ERROR, {"reason": reason.value}).body
    # A credential that connwatch could not read or send is `protocol` as well.
    is_open = reason.outcome_class is OutcomeClass.INCONCLUSIVE and reason is not Reason.PROTOCOL
    # `not_checked` never makes an alert; its class is the default.
    assert (reasons.MAYBE_THEIRS in body) is is_open


def test_a_change_of_reason_says_what_it_was_before():
    facts = FACTS[AlertKind.ERROR] | {"reason_before": "permission_denied"}
    assert "\nBefore: permission denied." in word(AlertKind.ERROR, facts).body


def test_a_lowered_limit_tells_whom_to_ask():
    facts = {"limit": 5, "limit_before": 10}
    body = word(AlertKind.LIMIT_CHANGED, facts).body
    assert "lowered from 10 to 5" in body
    assert "contact the service" in body


QUOTAS = {
    "limit unknown": ({"remaining": 7, "step": 0}, "\n7 requests left."),
    "limit 0": ({"remaining": 7, "limit": 0}, "7 requests left."),
    "one of several windows": (
        {"remaining": 7, "limit": 10, "window": "tokens-day", "unit": "tokens"},
        '7 of 10 tokens left (70%).\nThe API calls this quota "tokens-day".',
    ),
    "all unknown": ({}, "How much is left is unknown."),
    "true is no number": ({"remaining": True}, "How much is left is unknown."),
    "period over": (
        {"remaining": 7, "resets_at": "2026-11-22T11:00:00Z"},
        "It should have reset Nov 22, 11:00 UTC.",
    ),
}


@pytest.mark.parametrize(("facts", "expected"), QUOTAS.values(), ids=QUOTAS)
def test_an_unknown_quota_is_called_unknown(facts, expected):
    assert expected in word(AlertKind.QUOTA_LOW, facts).body


def test_a_402_without_headers_says_that_all_is_used_up():
    assert "The quota is used up." in word(AlertKind.QUOTA_EXHAUSTED, {}).body


def test_several_connections_are_counted_and_listed():
    message = word(AlertKind.ERROR, connections=["a", "b", "c"])
    assert message.title == "🔴 3 connections: token rejected"
    assert message.body.startswith("The service rejects this token")
    assert "\n\nAffected:\n- a\n- b\n- c\n\n" in message.body
    assert word(AlertKind.RECOVERED, connections=["a", "b"]).title == "🟢 2 connections work again"


def test_of_a_thousand_connections_twenty_are_listed():
    message = word(AlertKind.ERROR, connections=[f"store-{n}" for n in range(1000)])
    assert message.title == "🔴 1,000 connections: token rejected"
    assert message.body.count("\n- ") == 20
    assert f"- store-19\nand 980 more: {LINK}\n\n" in message.body


def test_more_connections_than_are_named_are_counted():
    message = word(AlertKind.ERROR, connections=["a", "b"], n_connections=1000, link=None)
    assert message.title == "🔴 1,000 connections: token rejected"
    assert "\n- a\n- b\nand 998 more\n" in message.body


def test_of_many_changes_after_a_pause_twenty_are_listed():
    facts = {"n_changed": 100, "lines": [f"store-{n}: broken" for n in range(50)]}
    body = word(AlertKind.RESUMED, facts).body
    assert body.count("\n- store-") == 20
    assert "\nand 80 more\n" in body


def test_twenty_connections_are_all_listed():
    assert "more\n" not in word(AlertKind.ERROR, connections=[str(n) for n in range(20)]).body


@pytest.mark.parametrize("kind", AlertKind)
def test_a_test_says_so_in_title_and_body(kind):
    message = word(kind, is_test=True)
    assert "[TEST]" in message.title
    assert "[TEST]" in message.short
    assert "[TEST] Test message from connwatch. Nothing is wrong." in message.body


def test_without_a_link_there_is_no_link_line():
    assert "Open in connwatch:" not in word(AlertKind.ERROR, link=None).body


def test_a_late_message_says_when_it_should_have_come():
    message = word(AlertKind.ERROR, born_at=NOW - timedelta(hours=5))
    assert "Detected Nov 22, 07:00 UTC; delivery was delayed 5 hours." in message.body
    assert "delayed" not in word(AlertKind.ERROR, born_at=NOW - timedelta(minutes=9)).body


def test_severity_travels_with_the_message():
    assert word(AlertKind.ERROR, severity=Severity.WARNING).severity is Severity.WARNING


def test_a_forged_line_in_the_detail_does_not_begin_a_line():
    detail = "401\n\nWhat to do: send your password to <!channel> @here\r\nOpen in connwatch: http://evil"
    body = word(AlertKind.ERROR, {"reason": "token_rejected", "detail": detail}).body
    assert body.count("\nWhat to do: ") == 1
    assert body.count("\nOpen in connwatch: ") == 1
    assert "<!channel>" not in body
    assert "@here" not in body


def test_a_reason_of_another_version_is_told_as_such():
    message = word(AlertKind.ERROR, {"reason": "new\nreason", "reason_before": "old\nreason"})
    assert message.title == f"🔴 {NAME}: failing"
    assert "Before: old reason." in message.body


APPLICATION = {"reason": "client_rejected", "application": "our-app", "n_connections": 60}


def test_an_error_of_an_application_speaks_for_all_its_stores():
    message = word(AlertKind.ERROR, APPLICATION)
    assert message.title == "🔴 application our-app: client id or secret rejected"
    assert "\nAffects all 60 stores that use our-app.\n" in message.body
    assert "permissions" not in message.body


def test_an_application_whose_permissions_changed_is_told_what_to_compare():
    facts = {
        **APPLICATION,
        "reason": "permission_denied",
        "permissions_changed": True,
        "n_connections": None,
    }
    message = word(AlertKind.ERROR, facts)
    assert "Affects every store that uses our-app." in message.body
    assert "its permissions were probably changed" in message.body
    assert f"What to do: {texts.PERMISSIONS_STEP}" in message.body
    assert texts.PERMISSIONS_SHORT in message.short


def test_trouble_in_a_digest_is_not_called_fine():
    message = word(AlertKind.DIGEST, {"n_active": 38, "n_error": 1, "n_expired": 1})
    assert message.title == "🔴 connwatch: 2 of 40 connections need attention"
    assert "fine" not in message.body


def test_what_expired_long_before_it_was_seen_is_dated_by_its_end():
    facts = FACTS[AlertKind.EXPIRED] | {"ends_at": "2026-10-05T00:00:00+00:00"}
    lines = word(AlertKind.EXPIRED, facts).body.splitlines()
    assert lines[1] == "The authorization expired 48 days ago (Oct 5)."
    assert "Since" not in "".join(lines)


def test_what_is_out_of_quota_is_not_called_fine():
    message = word(AlertKind.DIGEST, {"n_active": 3, "n_exhausted": 2})
    assert message.title == "🔴 connwatch: 2 of 3 connections need attention"
    assert "Status: 3 active, 2 out of quota." in message.body


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        (
            AlertKind.ERROR,
            {"reason": "client_rejected", "application": "our-app", "n_connections": 1},
            "Affects the 1 store that uses our-app.",
        ),
        (AlertKind.SECRET_EXPIRING, {"n_connections": 1}, "rejects every call: 1 store stops."),
        (AlertKind.OUTAGE_OVER, {"n": 1}, "1 connection was affected."),
        (AlertKind.MONITOR_OFFLINE, {"n_hosts": 1}, "The 1 host cannot be reached."),
        (AlertKind.MONITOR_ONLINE, {"n_missed": 1}, "1 check was missed."),
        (AlertKind.RESUMED, {"n_changed": 1, "lines": ["a: x"]}, "1 connection changed:"),
        (
            AlertKind.MONITOR_OFFLINE,
            {"shortage": "descriptors", "n_waiting": 1},
            "connwatch itself cannot check: too few file descriptors on its machine.",
        ),
        (AlertKind.MONITOR_OFFLINE, {"shortage": "threads", "n_waiting": 1}, "1 check is waiting."),
        (AlertKind.MONITOR_OFFLINE, {"shortage": "memory", "n_waiting": 9}, "9 checks are waiting"),
        (AlertKind.MONITOR_OFFLINE, {"shortage": "disk"}, "no connection is to blame"),
        (AlertKind.MONITOR_OFFLINE, {"shortage": "descriptors"}, "Raise LimitNOFILE in the unit"),
        (AlertKind.MONITOR_ONLINE, {"shortage": "descriptors"}, "has enough resources again"),
        (AlertKind.RESUMED, {"n_missed": 1, "lines": ["a: x"]}, "1 check was missed."),
        (AlertKind.RESUMED, {"n_missed": 1152, "lines": ["a: x"]}, "1,152 checks were missed."),
        (AlertKind.DIGEST, {"n_error": 1}, "connwatch: the connection needs attention"),
        (
            AlertKind.DIGEST,
            {"n_error": 1, "n_active": 1},
            "connwatch: 1 of 2 connections needs attention",
        ),
    ],
)
def test_one_is_spoken_of_as_one(kind, facts, said):
    message = word(kind, facts)
    assert said in f"{message.title}\n{message.body}"


def test_a_forecast_that_comes_late_names_no_day_that_is_past():
    facts = FACTS[AlertKind.QUOTA_FORECAST] | {"exhausts_at": "2026-11-22T11:59:00+00:00"}
    message = word(AlertKind.QUOTA_FORECAST, facts)
    assert message.title == f"🟠 {NAME}: quota will run out"
    assert message.body.startswith(
        "At the current rate, the quota runs out before it resets.\n1,950"
    )


@pytest.mark.parametrize("kind", AlertKind)
@pytest.mark.parametrize("facts", [{}, None], ids=["no facts", "facts"])
def test_each_kind_fits_a_text_message_with_its_next_step(kind, facts):
    message = word(kind, facts, connections=["x" * 100], link=None)
    assert len(message.short) <= SHORT_LIMIT
    assert message.short.startswith(message.title)
    assert message.short.endswith(".")
    assert "`" not in message.short


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_fits_a_text_message(reason):
    message = word(AlertKind.ERROR, {"reason": reason.value}, connections=["x" * 100], link=None)
    assert message.short == f"{message.title}. {explain(reason, None).short.replace('`', '')}"
    assert len(message.short) <= SHORT_LIMIT


def test_a_link_goes_into_a_text_message_where_there_is_room():
    assert word(AlertKind.RECOVERED).short.endswith(f". {LINK}")
    assert LINK not in word(AlertKind.RECOVERED, link=f"{LINK}{'x' * 60}").short


def test_a_link_that_leads_nowhere_is_left_out():
    assert "Open in connwatch:" not in word(AlertKind.ERROR, link="javascript:alert(1)").body
    assert "Open in connwatch:" not in word(AlertKind.ERROR, link="https://x.io/\nBcc: y").body


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FACT_NAMES = sorted({name for facts in FACTS.values() for name in facts})


@given(
    kind=st.sampled_from(AlertKind),
    facts=st.dictionaries(st.sampled_from(FACT_NAMES), JSON),
    connections=st.lists(st.text(max_size=120), max_size=30),
    is_test=st.booleans(),
)
def test_no_facts_break_a_message(kind, facts, connections, is_test):
    message = word(kind, facts, connections, is_test=is_test)
    assert len(message.title) <= TITLE_LIMIT
    assert len(message.title.splitlines()) == 1
    assert "{who}" not in message.title
    assert message.body
    assert len(message.short) <= SHORT_LIMIT
    assert write_plain(message.parts) == message.body
    (message.title + message.body + message.short + repr(message.content)).encode()


END = datetime(2026, 12, 6, tzinfo=UTC)
LEFT = {
    "a month": (timedelta(days=30), "in 30 days (Dec 6)."),
    "a moment less than a month": (timedelta(days=30, seconds=-5), "in 30 days (Dec 6)."),
    "the last step": (timedelta(days=1), "tomorrow (Dec 6)."),
    "a second": (timedelta(seconds=1), "tomorrow (Dec 6)."),
    "delivered after the end": (-timedelta(hours=1), "expired today (Dec 6)."),
    "delivered a day late": (-timedelta(days=1), "expired yesterday (Dec 6)."),
    "delivered a week late": (-timedelta(days=7), "expired 7 days ago (Dec 6)."),
}


@pytest.mark.parametrize(("left", "said"), LEFT.values(), ids=LEFT)
def test_an_end_is_named_with_its_date_and_never_in_0_days(left, said):
    message = word(
        AlertKind.EXPIRING_SOON,
        FACTS[AlertKind.EXPIRING_SOON] | {"renew_url": None},
        now=END - left,
        born_at=END - left,
    )
    assert said in message.body
    assert "0 days" not in f"{message.title} {message.body}".replace("30 days", "")
    assert "Renewal page" not in message.body


def test_an_end_in_the_middle_of_a_day_is_today_on_that_day():
    facts = {"ends_at": "2026-12-06T15:00:00+02:00"}
    message = word(AlertKind.EXPIRING_SOON, facts, now=END + timedelta(hours=1), born_at=END)
    assert message.title == f"🟠 {NAME} expires today (Dec 6)"


def test_a_renewal_without_a_known_end_says_so():
    facts = {"authorized_at": "2026-11-22T00:00:00+00:00", "ends_at": None}
    assert "Its expiry is not known." in word(AlertKind.RENEWED, facts).body
