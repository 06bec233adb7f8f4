"""
What a check saw, as steps.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.config.connections import CountdownConnection
from monitor.config.model import Config
from monitor.judge.outcome import Marketplace, Outcome, Reason
from monitor.providers.fetcher import Failure
from monitor.providers.reachability import Hop, ProbeResult
from monitor.report.advice import Surroundings, advise, write_ticket
from monitor.report.validation import (
    CheckedConnection,
    Mark,
    StepName,
    describe_try,
    read_advice,
    read_clocks,
    read_marketplaces,
    read_permission,
    read_probe,
    read_quota,
    read_token,
    read_token_ends,
)
from tests.fakes import NOON

DAY = timedelta(days=1)
HOST = "api.example"
EACH: dict[str, Any] = {
    "name": "store",
    "provider": "countdown",
    "owner": "file",
    "detail": "",
    "state": "active",
    "reason": "ok",
    "since": "2026-11-01T00:00:00Z",
    "last_check": {"conclusive": True, "reason": "ok"},
    "expiring_soon": False,
    "renewal_unrecorded": False,
    "authorization": None,
    "clocks": [],
    "quota": None,
}


def known(outcome: Outcome | None = None, **more: Any) -> CheckedConnection:
    each: Any = EACH | more
    return CheckedConnection(outcome or Outcome(Reason.OK), each, NOON, 30)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (
            Outcome(Reason.TOKEN_REJECTED, 'It said: "hunter2".', http_status=401),
            "token rejected (HTTP 401)",
        ),
        (
            Outcome(Reason.UNEXPECTED_RESPONSE, 'got "hunter2"', http_status=200, advice="hunter2"),
            "(HTTP 200)",
        ),
        (Outcome(Reason.SERVER_ERROR, "hunter2", http_status=503), "(HTTP 503)"),
        (Outcome(Reason.PROTOCOL, "x is not called."), "x is not called."),
        (Outcome(Reason.DNS), "host name not found"),
    ],
)
def test_a_try_says_nothing_of_what_the_service_said(outcome, said):
    words = describe_try(outcome)
    assert said.lower() in words.lower()
    assert "hunter2" not in words


def at(days: float) -> str:
    return (NOON + days * DAY).isoformat().replace("+00:00", "Z")


def tls(days: float) -> ProbeResult:
    return ProbeResult(Hop.TLS, 5.0, tls="TLS 1.3", certificate_ends_at=NOON + days * DAY)


WAYS = {
    "one address": (ProbeResult(Hop.RESOLVE, 1.0, n_addresses=1), Mark.OK, "1 address"),
    "several": (ProbeResult(Hop.RESOLVE, 1.0, n_addresses=3), Mark.OK, "3 addresses"),
    "no name": (ProbeResult(Hop.RESOLVE, 1.0), Mark.OK, "an address already: nothing to look up"),
    "connected": (ProbeResult(Hop.CONNECT, 1.0, address="192.0.2.1:443"), Mark.OK, "192.0.2.1:443"),
    "connected as written": (ProbeResult(Hop.CONNECT, 1.0, address=HOST), Mark.OK, "open"),
    "refused": (
        ProbeResult(Hop.CONNECT, 1.0, Failure(Reason.CONNECT, "Cannot connect.")),
        Mark.FAILED,
        "Cannot connect.",
    ),
    "certificate of months": (
        tls(98),
        Mark.OK,
        "TLS 1.3, certificate expires in 98 days (Feb 28, 2027)",
    ),
    "certificate of two weeks": (tls(14), Mark.WARNING, "expires in 14 days (Dec 6)"),
    "certificate of a day more": (tls(14.1), Mark.OK, "expires in 14 days (Dec 6)"),
    "no TLS": (ProbeResult(Hop.TLS), Mark.SKIPPED, "not used"),
}


@pytest.mark.parametrize(("reached", "mark", "words"), WAYS.values(), ids=WAYS)
def test_the_way_is_told_in_words(reached, mark, words):
    step = read_probe(reached, HOST, NOON)
    assert (step.state, step.target, step.took_ms) == (mark, HOST, reached.took_ms)
    assert words in step.words


TOKENS = {
    "accepted": (Outcome(Reason.OK), True, Mark.OK),
    "accepted, whatever came later": (
        Outcome(Reason.SERVER_ERROR, http_status=503, is_token_issued=True),
        True,
        Mark.OK,
    ),
    "refused": (Outcome(Reason.CLIENT_REJECTED, http_status=401), True, Mark.FAILED),
    "no answer": (Outcome(Reason.TIMEOUT), True, Mark.FAILED),
    "throttled": (Outcome(Reason.THROTTLED, http_status=429), True, Mark.WARNING),
    "no way": (Outcome(Reason.DNS), False, Mark.SKIPPED),
    "answered although there was no way": (
        Outcome(Reason.TOKEN_REJECTED, http_status=401),
        False,
        Mark.FAILED,
    ),
    "secret unreadable": (Outcome(Reason.PROTOCOL, "The token cannot be read."), True, Mark.FAILED),
}


@pytest.mark.parametrize(("outcome", "is_reached", "mark"), TOKENS.values(), ids=TOKENS)
def test_the_token_step_is_about_the_token(outcome, is_reached, mark):
    assert read_token(outcome, HOST, is_reached=is_reached).state is mark


def test_a_refusal_is_named_with_its_status():
    outcome = Outcome(Reason.AUTHORIZATION_REVOKED, http_status=400, latency_ms=9.0)
    step = read_token(outcome, HOST, is_reached=True)
    assert (step.words, step.took_ms) == ("authorization revoked (HTTP 400)", 9.0)


def test_without_an_answer_the_step_says_why():
    outcome = Outcome(Reason.TIMEOUT, "It did not answer within 10 s.")
    for read in (read_token, read_permission):
        assert read(outcome, HOST, is_reached=True).words == "It did not answer within 10 s."


def test_a_code_that_nothing_looked_at_is_a_warning_of_its_own():
    outcome = Outcome(Reason.OK, advice='set expect_json = { "/code" = 0 }')

    assert [(step.state, step.words) for step in read_advice(outcome, HOST)] == [
        (Mark.WARNING, 'set expect_json = { "/code" = 0 }')
    ]
    assert list(read_advice(Outcome(Reason.OK), HOST)) == []


def marketplace(country: str, **more: bool) -> Marketplace:
    usual = {"is_participating": True, "has_suspended_listings": False, "is_configured": True}
    return Marketplace(country, f"ID-{country}", **usual | more)


US = marketplace("US")
MISSING = marketplace("CA", is_participating=False)
SUSPENDED = marketplace("MX", has_suspended_listings=True)
EXTRA = marketplace("BR", is_configured=False)

MARKETPLACES = {
    "all": (Reason.OK, (US,), Mark.OK, "US"),
    "one missing": (Reason.MARKETPLACE_MISMATCH, (US, MISSING), Mark.FAILED, "US; missing: CA"),
    "none at all": (Reason.MARKETPLACE_MISMATCH, (), Mark.FAILED, "the account has none"),
    "suspended": (
        Reason.OK,
        (US, SUSPENDED),
        Mark.WARNING,
        "US, MX; listings suspended in MX",
    ),
    "more than named": (
        Reason.OK,
        (US, EXTRA),
        Mark.OK,
        "US; also has BR, which `marketplaces` does not name",
    ),
    "not answered": (Reason.PERMISSION_DENIED, None, Mark.SKIPPED, "not known: "),
}


@pytest.mark.parametrize(
    ("reason", "found", "mark", "words"), MARKETPLACES.values(), ids=MARKETPLACES
)
def test_marketplaces_are_compared(reason, found, mark, words):
    step = read_marketplaces(Outcome(reason, marketplaces=found), HOST)
    assert step.state is mark
    assert step.words.startswith(words)


def test_permission_was_granted_where_marketplaces_do_not_match():
    outcome = Outcome(Reason.MARKETPLACE_MISMATCH, marketplaces=(MISSING,), is_token_issued=True)
    assert read_permission(outcome, HOST, is_reached=True).state is Mark.OK


def quota(level: str | None, remaining: int | None, limit: int | None = 100) -> dict[str, Any]:
    return {"limit": limit, "remaining": remaining, "resets_at": at(9), "level": level}


QUOTAS = {
    "plenty": (quota("ok", 90), Mark.OK, "90 of 100 requests left"),
    "low": (quota("low", 5), Mark.WARNING, "5 of 100"),
    "used up": (quota("exhausted", 0), Mark.FAILED, "0 of 100"),
    "without a limit": (quota("ok", 7, None), Mark.OK, "7 requests left"),
    "without what is left": (quota(None, None), Mark.OK, "? of 100"),
    "unknown": (None, Mark.SKIPPED, "the service says nothing"),
}


@pytest.mark.parametrize(("left", "mark", "words"), QUOTAS.values(), ids=QUOTAS)
def test_the_quota_is_told(left, mark, words):
    step = read_quota(known(quota=left), HOST)
    assert step.state is mark
    assert words in step.words


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (None, "cannot be read: x-left"),
        (
            quota("ok", 7),
            "7 of 100 requests left, resets in 9 days (Dec 1); cannot be read: x-left",
        ),
    ],
)
def test_a_quota_that_cannot_be_read_is_named(left, words):
    answered = known(Outcome(Reason.OK, unreadable_quota=("x-left",)), quota=left)

    step = read_quota(answered, HOST)

    assert (step.state, step.words) == (Mark.WARNING, words)


def test_an_end_that_cannot_be_read_is_named_with_what_to_do():
    (step,) = read_token_ends(Outcome(Reason.OK, unreadable_ends=("the claim `exp`: soon",)))

    assert step.state is Mark.WARNING
    assert step.words.startswith("cannot be read: the claim `exp`: soon. Set `authorized_on`")


def authorized(days: float | None, **more: Any) -> dict[str, Any]:
    authorization = {
        "authorized_at": at(-300),
        "expires_at": None if days is None else at(days),
        "days_left": None if days is None else int(days),
        "source": "declared",
    }
    return {"authorization": authorization} | more


AUTHORIZATIONS = {
    "unknown": ({}, Mark.SKIPPED, "its end is not known"),
    "far": (authorized(65), Mark.OK, "expires in 65 days (Jan 26, 2027) (declared)"),
    "soon": (authorized(7, expiring_soon=True), Mark.WARNING, "expires in 7 days (Nov 29)"),
    "past": (authorized(-3, state="expired"), Mark.FAILED, "expired 3 days ago (Nov 19)"),
    "no limit": (authorized(None), Mark.OK, "without a known limit"),
    "renewed by somebody": (
        authorized(None, renewal_unrecorded=True),
        Mark.WARNING,
        "connwatch renew store --on DATE",
    ),
}


@pytest.mark.parametrize(("more", "mark", "words"), AUTHORIZATIONS.values(), ids=AUTHORIZATIONS)
def test_the_authorization_is_counted_down(more, mark, words):
    step, _ = read_clocks(known(**more), "our-app")
    assert (step.name, step.state) == (StepName.AUTHORIZATION, mark)
    assert words in step.words


def secret(days: int) -> dict[str, Any]:
    clock = {"kind": "client_secret", "ends_at": at(days), "days_left": days, "source": "declared"}
    return {"clocks": [clock]}


EXPIRED = Outcome(Reason.CLIENT_SECRET_EXPIRED, http_status=403, is_token_issued=True)
SECRETS = {
    "unknown": (None, {}, Mark.SKIPPED, "client_secret_created_on"),
    "far": (None, secret(100), Mark.OK, "our-app: expires in 100 days (Mar 2, 2027)"),
    "soon": (None, secret(29), Mark.WARNING, "expires in 29 days (Dec 21)"),
    "refused at an unknown age": (EXPIRED, {}, Mark.FAILED, "Amazon says that it has ended"),
    "refused before the date": (EXPIRED, secret(9), Mark.FAILED, "Amazon says: already over"),
    "refused after the date": (EXPIRED, secret(-9), Mark.FAILED, "expired 9 days ago (Nov 13)"),
}


@pytest.mark.parametrize(("outcome", "more", "mark", "words"), SECRETS.values(), ids=SECRETS)
def test_the_client_secret_is_counted_down(outcome, more, mark, words):
    _, step = read_clocks(known(outcome, **more), "our-app")
    assert (step.name, step.state) == (StepName.CLIENT_SECRET, mark)
    assert words in step.words


def test_a_token_without_a_date_has_no_clocks():
    assert list(read_clocks(known(), None)) == []


COUNTDOWN = CountdownConnection.model_validate(
    {
        "name": "c",
        "provider": "countdown",
        "authorized_on": (NOON - 300 * DAY).date(),
        "renew_url": "https://x.example/",
    }
)


def advice(**more: Any) -> list[tuple[str, bool]]:
    found = advise(known(**more), COUNTDOWN, Config())
    return [(each.remedy.split(maxsplit=1)[0], each.page is not None) for each in found]


def test_where_all_is_well_nothing_is_advised():
    assert advice() == []


def test_an_end_that_is_near_has_a_page():
    assert advice(expiring_soon=True) == [("Ask", True)]


def test_one_page_is_named_once():
    broken = {"state": "error", "reason": "authorization_revoked"}
    assert len(advice(**broken, expiring_soon=True)) == 1


def test_a_check_without_an_answer_is_advised_on_without_a_page():
    unheard = {"conclusive": False, "reason": "dns"}
    assert advice(last_check=unheard) == [("Check", False)]


def test_trouble_that_lasts_is_advised_on_before_the_latest_check():
    more = {"state": "error", "reason": "permission_denied"}
    unheard = {"conclusive": False, "reason": "dns"}
    assert advice(**more, last_check=unheard) == [("Check", True)]


def test_a_used_up_quota_leads_to_where_more_is_sold():
    assert advice(quota=quota("exhausted", 0)) == [("Upgrade", True)]


def test_a_ticket_hides_addresses_of_people_and_stays_on_its_lines():
    outcome = Outcome(Reason.TOKEN_REJECTED, 'The server says: "ask ann@acme.example\x1b[2J\nnow"')
    around = Surroundings("connwatch 0.1.0", {"connection": "soldscope"})
    text = write_ticket(around, [read_token(outcome, HOST, is_reached=True)], known(outcome), [])
    assert "ann@" not in text
    assert '"ask (address hidden) [2J now"' in text
    assert "\x1b" not in text
    assert "  hosts         api.example\n" in text
