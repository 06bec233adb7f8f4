"""
Several alerts of one kind as one message.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.judge.alerts import KINDS, AlertKind, Severity
from monitor.judge.outbox import Notification, NotificationGroup
from monitor.notify.formats import Form, write
from monitor.notify.message import SHORT_LIMIT, TITLE_LIMIT, compose_group, compose_many
from monitor.notify.samples import sample_facts
from monitor.notify.texts import SAMPLES
from tests.fakes import NOON

LINK = "http://127.0.0.1:8080/"
SINCE = (NOON - timedelta(minutes=5)).isoformat()


def told(
    *names: str,
    kind: AlertKind = AlertKind.ERROR,
    n: int | None = None,
    severity: Severity | None = None,
    born_at=NOON,
    **facts: object,
) -> Notification:
    return Notification(
        1, 1, kind, severity or KINDS[kind].severity, facts, names, n or len(names), born_at
    )


def refused(name: str, reason: str = "token_rejected") -> Notification:
    return told(name, reason=reason, since=SINCE)


def word(*alerts: Notification, n_alerts: int | None = None, link: str | None = None):
    n = n_alerts or len(alerts)
    return compose_many(alerts, n, n, link, NOON)


def test_the_same_trouble_is_said_once_for_all():
    message = word(*(refused(f"store-{n}") for n in range(12)), link=LINK)
    assert message.title == "🔴 12 connections: token rejected"
    assert message.severity is Severity.CRITICAL
    assert message.body.startswith("The service rejects this token: ")
    assert "- store-11: token rejected (since Nov 22, 11:55 UTC)" in message.body
    assert message.body.count("What to do") == 1
    assert message.body.count("Create a new token") == 1
    assert message.body.endswith(f"Open in connwatch: {LINK}")


def test_different_troubles_have_a_line_each_and_every_remedy_once():
    message = word(
        refused("a"), refused("b", "client_secret_expired"), refused("c"), refused("d", "timeout")
    )
    assert message.title == "🔴 4 connections are failing"
    lines = message.body.splitlines()
    first = lines.index("Affected:") + 1
    assert lines[first : first + 4] == [
        "- a: token rejected (since Nov 22, 11:55 UTC)",
        "- b: client secret expired (since Nov 22, 11:55 UTC)",
        "- c: token rejected (since Nov 22, 11:55 UTC)",
        "- d: timed out (since Nov 22, 11:55 UTC)",
    ]
    steps = lines[lines.index("What to do:") + 1 :]
    assert [step.partition(":")[0] for step in steps] == [
        "- token rejected",
        "- client secret expired",
        "- timed out",
    ]


@pytest.mark.parametrize(
    ("link", "more"),
    [(LINK, f"and 980 more: {LINK}"), (None, "and 980 more")],
    ids=["with a page", "without"],
)
def test_at_most_twenty_are_listed(link, more):
    message = word(*(refused(f"store-{n}") for n in range(25)), n_alerts=1000, link=link)
    assert message.title == "🔴 1,000 connections are failing"
    assert message.body.count("- store-") == 20
    assert more in message.body.splitlines()
    assert message.body.count(LINK) == (link is not None)


def test_one_severe_among_them_makes_the_message_severe():
    message = word(told("a", severity=Severity.WARNING), told("b", severity=Severity.CRITICAL))
    assert message.severity is Severity.CRITICAL


def test_each_renewal_has_its_page_beside_its_name():
    def ending(name: str, days: int) -> Notification:
        ends_at = (NOON + timedelta(days=days)).isoformat()
        page = f"https://example.com/{name}"
        return told(name, kind=AlertKind.EXPIRING_SOON, ends_at=ends_at, renew_url=page)

    message = word(ending("a", 14), ending("b", 30))
    assert message.title == "🟠 2 connections expire soon"
    assert "- a expires in 14 days (Dec 6): https://example.com/a" in message.body
    assert "- b expires in 30 days (Dec 22)" in message.body
    assert message.urls == ("https://example.com/a", "https://example.com/b")
    assert message.body.count("Ask the account owner to renew it") == 1
    assert '<a href="https://example.com/b">' in write(message, Form.HTML, 10_000)


def test_unrecorded_renewals_share_one_command():
    kind = AlertKind.RENEWAL_UNRECORDED
    message = word(*(told(name, kind=kind, connection=name) for name in ("a", "b")))
    assert message.body.count("connwatch renew") == 1
    assert "`connwatch renew NAME --on DATE`" in message.body


@pytest.mark.parametrize(
    ("kind", "facts", "line"),
    [
        (AlertKind.RECOVERED, {}, "a works again"),
        (AlertKind.CHANNEL_RESTORED, {"channel": "ops"}, "channel ops: alerts are delivered again"),
        (AlertKind.OUTAGE_OVER, {"host": "a:443", "until": str(NOON)}, "a is back"),
    ],
)
def test_the_end_of_a_trouble_is_not_dated_by_its_beginning(kind, facts, line):
    message = word(
        told("a", kind=kind, since=SINCE, **facts), told("b", kind=kind, since=SINCE, **facts)
    )
    assert f"- {line} (down for 5 minutes)" in message.body
    assert "(since" not in message.body


def test_several_that_recover_are_spoken_of_as_several():
    message = word(told("a", "b", kind=AlertKind.RECOVERED), told("c", kind=AlertKind.RECOVERED))
    assert "- a, b work again\n- c works again\n" in message.body


def test_an_alert_about_many_is_one_line():
    quota = told("a", "b", "c", "d", n=300, kind=AlertKind.QUOTA_LOW, remaining=50, limit=1000)
    other = told("x", kind=AlertKind.QUOTA_LOW, remaining=1, limit=9)
    message = compose_many([quota, other], 2, 301, None, NOON)
    assert message.title == "🟠 301 connections: quota low"
    assert "- a, b, c and 297 more: quota low (50 of 1,000 left)" in message.body
    assert "- x: quota low (1 of 9 left)" in message.body


def test_two_alerts_about_one_connection_name_it():
    before, after = (
        told("a", kind=AlertKind.LIMIT_CHANGED, limit=n, limit_before=10) for n in (20, 30)
    )
    message = compose_many([before, after], 2, 1, None, NOON)
    assert message.title.endswith("a: quota changed")


def test_troubles_of_applications_and_hosts_count_those():
    outages = [told("a", "b", kind=AlertKind.OUTAGE, host=f"h{n}.example.com") for n in range(2)]
    assert word(*outages).title == "🔴 2 services are down"
    assert "- h1.example.com is down" in word(*outages).body
    channels = [told(kind=AlertKind.CHANNEL_FAILED, channel=f"ops-{n}") for n in range(3)]
    assert word(*channels).title == "🔴 3 channels: alerts are not delivered"
    secrets = [told("a", kind=AlertKind.SECRET_EXPIRING, application=f"app-{n}") for n in range(2)]
    assert word(*secrets).title == "🟠 2 applications: client secret expires soon"


def test_a_text_message_names_as_many_as_fit():
    few = word(refused("a"), refused("b"), link=LINK).short
    assert few.startswith("🔴 2 connections: token rejected: a, b. Create a new token")
    assert few.endswith(LINK)
    many = word(*(refused(f"a-rather-long-name-{n}") for n in range(20)), n_alerts=900).short
    assert len(many) <= SHORT_LIMIT
    assert many.startswith("🔴 900 connections are failing")


def test_a_late_message_says_since_when_it_was_known():
    early = told("a", reason="timeout", born_at=NOON - timedelta(hours=2))
    assert "Detected Nov 22, 10:00 UTC" in word(refused("b"), early).body
    assert "Detected" not in word(refused("a"), refused("b")).body


def test_names_and_details_from_outside_are_harmless():
    message = word(refused("@channel"), refused("b\nForged: line"))
    assert "\nForged" not in message.body
    assert "@channel" not in message.body.replace("@\u200bchannel", "")


@pytest.mark.parametrize("kind", list(AlertKind))
@pytest.mark.parametrize("n_facts", [0, 1], ids=["without facts", "with facts"])
def test_every_kind_can_be_told_together(kind, n_facts):
    facts = sample_facts(kind, NOON) if n_facts else {}
    alerts = [told(*SAMPLES[kind].connections, kind=kind, **facts) for _ in range(3)]
    message = word(*alerts, link=LINK)
    assert 5 < len(message.title) <= TITLE_LIMIT
    assert "{" not in message.title + message.body + message.short
    assert "None" not in message.title + message.body + message.short
    assert 5 < len(message.short) <= SHORT_LIMIT
    for form in Form:
        assert write(message, form, 2000)


def test_one_alert_alone_reads_as_ever():
    one = told(*(f"c{n}" for n in range(20)), n=100_000, reason="timeout")
    group = NotificationGroup((7,), "ops", (one,), 100_000, 0, NOON)
    message = compose_group(group, lambda names: f"{LINK}{len(names)}", NOON)
    assert message.title == "🔴 100,000 connections: timed out"
    assert f"and 99,980 more: {LINK}20" in message.body


def test_the_page_of_a_group_is_that_of_all_its_names():
    group = NotificationGroup((7, 8), "ops", (refused("a"), refused("b")), 2, 0, NOON)
    message = compose_group(group, lambda names: f"{LINK}{'+'.join(names)}", NOON)
    assert message.body.endswith(f"Open in connwatch: {LINK}a+b")


STORE: dict[str, Any] = {"reason": "authorization_revoked", "provider": "amazon", "since": SINCE}
HERE: dict[str, Any] = {"can_renew_here": True}
ELSEWHERE: dict[str, Any] = {"renew_url": "https://renew.example/b"}
ENDING: dict[str, Any] = {"ends_at": "2026-11-29T00:00:00Z", "provider": "amazon"}
OF_AUTHORIZATIONS = {
    "revoked": (AlertKind.ERROR, STORE),
    "expired": (AlertKind.EXPIRED, STORE | {"reason": "authorization_expired"}),
    "expiring": (AlertKind.EXPIRING_SOON, ENDING),
    "unrecorded": (AlertKind.RENEWAL_UNRECORDED, ENDING),
}


@pytest.mark.parametrize(("kind", "facts"), OF_AUTHORIZATIONS.values(), ids=OF_AUTHORIZATIONS)
@pytest.mark.parametrize("form", Form)
def test_every_store_of_a_group_has_its_own_renewal_link(kind, facts, form):
    alerts = (
        told("a", kind=kind, **facts | HERE),
        told("b", kind=kind, **facts | ELSEWHERE),
    )
    group = NotificationGroup((7, 8), "ops", alerts, 2, 0, NOON)
    message = compose_group(group, lambda names: f"{LINK}{'+'.join(names)}", NOON)
    assert not message.body.startswith("\n")
    listed = message.body.partition("What to do")[0].splitlines()
    [of_a] = [line for line in listed if line.startswith(("- a ", "- a:"))]
    assert of_a.endswith(f": {LINK}a")
    assert message.body.count(f"{LINK}a\n") == 1
    assert message.body.count("https://renew.example/b") == 1
    text = str(write(message, form, 4000))
    assert form is Form.SHORT or f"{LINK}a" in text


def test_steps_for_one_problem_name_who_takes_which():
    alerts = (
        told("a", **STORE, **HERE),
        told("b", **STORE, **ELSEWHERE),
        refused("c"),
        refused("d"),
    )
    steps = word(*alerts, link=LINK).body.partition("What to do:")[2]
    assert [line.partition(": ")[0] for line in steps.strip().splitlines()[:3]] == [
        "- a",
        "- b",
        "- token rejected",
    ]
