"""
How every kind of alert reads, on every medium: short, with one step, nothing twice.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from monitor.judge.alerts import KINDS, REMINDED_KINDS, AlertKind
from monitor.judge.authorizations import OLD_TOKEN_IN_USE
from monitor.judge.outbox import Notification
from monitor.judge.outcome import Reason
from monitor.notify.formats import Form, write
from monitor.notify.message import BODY_LIMIT, TITLE_LIMIT, Message, compose, compose_many
from monitor.notify.samples import sample_facts, sample_message
from monitor.notify.texts import SAMPLES
from monitor.notify.words import clean_detail
from tests.fakes import NOON

LINK = "https://watch.example.com/connections/acme"
URL = "https://seller.example/renew"
LONG = " ".join(f"word-{n}" for n in range(100))

STORE: dict[str, Any] = {"provider": "amazon", "renew_url": URL, "can_renew_here": False}
HERE: dict[str, Any] = {"provider": "amazon", "renew_url": None, "can_renew_here": True}


def word(kind: AlertKind, name: str = "acme", **facts: Any) -> Message:
    sample = SAMPLES[kind]
    names = [name] * bool(sample.connections)
    said = sample_facts(kind, NOON) | facts
    return compose(kind, KINDS[kind].severity, said, names, NOON, LINK, NOON)


def measure(message: Message) -> int:
    """
    Return the length of a text as people read it: an address is a link, and lists are scanned.
    """
    parts = [part for part in message.parts if not part.is_list or part.label == "What to do"]
    return sum(
        len(f"{part.label}: " if part.label else "") + len(re.sub(r"https?://\S+", "", line))
        for part in parts
        for line in part.lines
    )


def sentences(message: Message) -> list[str]:
    lines = [line for part in message.parts for line in part.lines if not part.is_list]
    return [each for line in lines for each in re.split(r"(?<=[.!?])\s+", line) if " " in each]


def steps(message: Message) -> list[str]:
    return re.findall(r"(?m)^(?:What to do:|No action needed\.)", message.body)


VARIANTS: dict[str, tuple[AlertKind, dict[str, Any]]] = {
    **{kind.value: (kind, {}) for kind in AlertKind},
    **{f"{kind.value}, reminder": (kind, {"reminder": 3}) for kind in sorted(REMINDED_KINDS)},
    **{
        f"error, {provider}, {reason.value}": (
            AlertKind.ERROR,
            {
                "reason": reason.value,
                "provider": provider,
                "detail": f'It is so. It says: "{LONG}"',
            },
        )
        for reason in Reason
        for provider in ("amazon", "soldscope", "http")
    },
    **{
        f"error of {owner}, {provider}, {reason.value}": (
            AlertKind.ERROR,
            {
                "reason": reason.value,
                "provider": provider,
                "detail": f'It is so. It says: "{LONG}"',
                "owner": owner,
            },
        )
        for reason in Reason
        for provider in ("amazon", "soldscope", "http")
        for owner in ("dashboard", "stores-of-the-warehouse", None)
    },
    "expired, its date is known": (
        AlertKind.EXPIRED,
        {"ends_at": (NOON - timedelta(days=1)).isoformat()},
    ),
    "expired, renewed here": (AlertKind.EXPIRED, HERE),
    "expired by its date": (AlertKind.EXPIRED, {"provider": "countdown", "detail": ""}),
    "expiring, renewed here": (AlertKind.EXPIRING_SOON, HERE),
    "expiring token": (AlertKind.EXPIRING_SOON, {"is_of_token": True}),
    "an application's error": (
        AlertKind.ERROR,
        {"reason": "client_rejected", "application": "our-app", "n_connections": 60},
    ),
    "an application's permissions": (
        AlertKind.ERROR,
        {
            "reason": "permission_denied",
            "provider": "amazon",
            "application": "our-app",
            "n_connections": 60,
            "permissions_changed": True,
        },
    ),
    "digest with trouble": (AlertKind.DIGEST, {"n_error": 3}),
    "a lowered limit": (AlertKind.LIMIT_CHANGED, {"limit_before": 100_000}),
    "of several windows": (AlertKind.QUOTA_FORECAST, {"window": "tokens-day", "unit": "tokens"}),
}


@pytest.mark.parametrize(("kind", "facts"), VARIANTS.values(), ids=VARIANTS)
def test_each_alert_is_short_and_says_nothing_twice(kind, facts):
    message = word(kind, **facts)
    assert len(message.title) <= TITLE_LIMIT == 60
    assert measure(message) <= BODY_LIMIT == 400
    said = sentences(message)
    assert [each for each in said if said.count(each) > 1] == []
    assert len(steps(message)) == 1
    assert "{" not in message.title + message.body + message.short


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("kind", AlertKind)
def test_each_sample_has_one_step_on_each_medium(kind, form):
    text = write(sample_message(kind, NOON), form, 4000, has_title=True)
    if form is not Form.SHORT:
        plain = re.sub(r"<[^>]+>|[*\\]", "", text)
        assert len(re.findall(r"What to do:|^No action needed\.", plain, re.MULTILINE)) == 1


@pytest.mark.parametrize("kind", AlertKind)
def test_a_long_name_costs_neither_the_title_nor_the_text(kind):
    name = "a-name-that-is-longer-than-any-title-" * 2
    message = word(kind, name)
    assert len(message.title) <= TITLE_LIMIT
    if KINDS[kind].subject == "connection":
        assert name in message.body  # where the title has no room for all of it


AUTHORIZATION: dict[str, tuple[AlertKind, dict[str, Any]]] = {
    "revoked": (AlertKind.ERROR, {"reason": "authorization_revoked"}),
    "expired": (AlertKind.EXPIRED, {}),
    "expiring": (AlertKind.EXPIRING_SOON, {}),
    "unrecorded": (AlertKind.RENEWAL_UNRECORDED, {}),
}


@pytest.mark.parametrize(("kind", "facts"), AUTHORIZATION.values(), ids=AUTHORIZATION)
@pytest.mark.parametrize("form", [form for form in Form if form is not Form.SHORT])
def test_an_alert_on_an_authorization_has_one_renewal_link_beside_its_page(kind, facts, form):
    text = write(word(kind, **facts, **STORE), form, 4000)
    n = 2 if form in {Form.MAIL, Form.HTML, Form.TELEGRAM} else 1  # as address and as text
    assert (text.count(URL), text.count(LINK)) == (n, n)
    assert len(re.findall("Renew at Amazon:", text)) == 1


@pytest.mark.parametrize(("kind", "facts"), AUTHORIZATION.values(), ids=AUTHORIZATION)
def test_where_the_page_renews_it_is_the_one_link(kind, facts):
    message = word(kind, **facts, **HERE)
    assert message.body.count("http") == message.body.count(f"Renew at Amazon: {LINK}") == 1
    assert message.urls == (LINK,)


def test_another_error_of_a_store_has_no_renewal_link():
    body = word(AlertKind.ERROR, reason="client_rejected", provider="amazon").body
    assert "Renew at Amazon" not in body


OLD = (
    "A renewal brings a new refresh token; the one configured is still the one from before the"
    " renewal of 2026-11-20. Put the new one where `refresh_token` points. Amazon rejected the"
    f' refresh token (invalid_grant). Amazon says: "{LONG}"'
)


NEW = f'{OLD_TOKEN_IN_USE.format(day="2026-11-20")} Amazon rejected it. Amazon says: "{LONG}"'


@pytest.mark.parametrize("detail", [OLD, NEW], ids=["as it was stored before", "as it is stored"])
@pytest.mark.parametrize(
    ("kind", "reason"),
    [(AlertKind.ERROR, "authorization_revoked"), (AlertKind.EXPIRED, "authorization_expired")],
)
def test_an_old_token_after_a_renewal_has_its_own_remedy(kind, reason, detail):
    message = word(kind, reason=reason, detail=detail, **STORE)
    assert "A renewal brings" not in message.body
    assert "Put the new refresh token where `refresh_token` points." in message.body
    assert "authorize the app again" not in message.body
    assert message.body.index("refresh token where") < message.body.index("Amazon says")
    assert message.body.endswith('…"')


@pytest.mark.parametrize("kind", [AlertKind.RECOVERED, AlertKind.OUTAGE_OVER])
def test_what_is_over_says_since_when_jobs_failed_and_quotes_no_remedy(kind):
    facts: dict[str, Any] = {"detail_before": "The seller must authorize the application again."}
    body = word(kind, **facts).body
    assert "What to do: Re-run jobs that failed since Nov 22, " in body
    assert "Down for " in body
    assert "seller must" not in body


def test_a_renewal_asks_for_nothing():
    body = word(AlertKind.RENEWED).body
    assert "\n\nNo action needed.\n\n" in body
    assert "Next renewal due " in body
    assert "jobs" not in body


def test_a_group_of_renewals_has_a_link_for_each_and_one_step():
    alerts = [
        Notification(
            n,
            n,
            AlertKind.EXPIRED,
            KINDS[AlertKind.EXPIRED].severity,
            {"reason": "authorization_expired"} | STORE | {"renew_url": f"{URL}/{n}"},
            (f"store-{n}",),
            1,
            NOON,
        )
        for n in range(3)
    ]
    message = compose_many(alerts, 3, 3, LINK, NOON)
    assert [message.body.count(f"{URL}/{n}") for n in range(3)] == [1, 1, 1]
    assert len(steps(message)) == 1


CUT = {
    "a quotation is cut": (
        f'Our conclusion. Amazon says: "{"x y " * 100}"',
        r'^Our conclusion\. Amazon says: "[xy ]+…"$',
    ),
    "what the API says": (
        f'The token was rejected. The API says "{"x y " * 100}".',
        r'^The token was rejected\. The API says "[xy ]+…"\.$',
    ),
    "our conclusion stays whole": (
        f'{"We know. " * 8}The server says: "{"x y " * 100}"',
        r"^(We know\. ){7}We know\.",
    ),
    "short enough": ('Fine. It says: "no"', r'^Fine\. It says: "no"$'),
    "quotation marks within": (
        f'Ours. Amazon says: "a "b" {"c d " * 100}"',
        r'^Ours\. Amazon says: "a "b" [cd ]+…"$',
    ),
}


@pytest.mark.parametrize(("detail", "expected"), CUT.values(), ids=CUT)
def test_cutting_cuts_quotations_only(detail, expected):
    shown = clean_detail(detail, 100)
    assert len(shown) <= 100
    assert re.search(expected, shown)


def test_a_quotation_of_which_next_to_nothing_is_left_is_left_out():
    detail = (
        'Amazon rejected the refresh token. Amazon says: "The request has an invalid parameter"'
    )
    assert clean_detail(detail, 58) == "Amazon rejected the refresh token."
    assert clean_detail(detail, 68) == (
        'Amazon rejected the refresh token. Amazon says: "The request has a…"'
    )
