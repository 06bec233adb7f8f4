"""
Where a setting is changed, as what to do says it: in the file, on a page, at a source.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from monitor.judge.alerts import KINDS, AlertKind
from monitor.judge.outcome import Reason
from monitor.notify.message import compose
from monitor.notify.reasons import IN_FORM, OF_FILE, OF_OTHERS
from monitor.notify.words import explain, place_of, renewal_step
from tests.fakes import NOON

PROVIDERS = (None, "http", "soldscope", "amazon", "countdown", "a-plugin")
OLD_TOKEN = "A renewal brings a new refresh token; the one configured is still the former."

PLACES = {
    "file": "",
    "dashboard": "on the connection's page (Edit)",
    "stores": "in the source “stores”",
    "erp.north": "in the source “erp.north”",
    None: "where it is configured",
}

STEPS: dict[str, tuple[str | None, Reason, str, str, str]] = {
    # provider, reason, detail; of the file; of the others, where {} is the place
    "soldscope": (
        "soldscope",
        Reason.TOKEN_REJECTED,
        "",
        "then replace it where `token` points and in every program",
        "then replace it {} and in every program",
    ),
    "http": (
        "http",
        Reason.TOKEN_REJECTED,
        "",
        "then update it in connwatch's config and in every program",
        "then update it {} and in every program",
    ),
    "of a plugin": (
        "a-plugin",
        Reason.TOKEN_REJECTED,
        "",
        "then update it in connwatch's config and in every program",
        "then update it {} and in every program",
    ),
    "expired": (
        "http",
        Reason.AUTHORIZATION_EXPIRED,
        "",
        "then update the token and `authorized_on`.",
        "then update the token and its date {}.",
    ),
    "a store, revoked": (
        "amazon",
        Reason.AUTHORIZATION_REVOKED,
        "",
        "then update `refresh_token` and run `connwatch renew NAME`.",
        "then update the refresh token {} and run `connwatch renew NAME`.",
    ),
    "a store, expired": (
        "amazon",
        Reason.AUTHORIZATION_EXPIRED,
        "",
        "then update `refresh_token` and run `connwatch renew NAME`.",
        "then update the refresh token {} and run `connwatch renew NAME`.",
    ),
    "a store, its old token": (
        "amazon",
        Reason.AUTHORIZATION_REVOKED,
        OLD_TOKEN,
        "Put the new refresh token where `refresh_token` points.",
        "Put the new refresh token {}.",
    ),
    "a store's region": (
        "amazon",
        Reason.REGION_MISMATCH,
        "",
        "Correct `region` in connwatch's config.",
        "Correct `region` {}.",
    ),
    "another's region": (
        "http",
        Reason.REGION_MISMATCH,
        "",
        "Correct the region in connwatch's config.",
        "Correct the region {}.",
    ),
    "a host": (
        "http",
        Reason.DNS,
        "",
        "the spelling of the host name in connwatch's config.",
        "the spelling of the host name {}.",
    ),
}


@pytest.mark.parametrize(("owner", "place"), PLACES.items(), ids=map(str, PLACES))
def test_an_owner_has_its_place(owner, place):
    assert place_of(owner) == place


@pytest.mark.parametrize("owner", PLACES, ids=str)
@pytest.mark.parametrize(
    ("provider", "reason", "detail", "of_file", "of_others"), STEPS.values(), ids=STEPS
)
def test_what_to_do_names_where_its_owner_changes_it(
    owner, provider, reason, detail, of_file, of_others
):
    place = PLACES[owner]
    text = explain(reason, provider, detail, place=place_of(owner))
    assert (of_others.format(place) if place else of_file) in text.remedy


# The applications, with their client secrets, are the file's, whoever owns the stores.
OF_THE_FILE = re.compile(
    r"`(?!client_secret`)\w+` points|connwatch's config|`refresh_token`|the config\b"
)


@pytest.mark.parametrize("place", [*PLACES.values(), IN_FORM])
@pytest.mark.parametrize("reason", [None, *Reason])
@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_text_is_left_with_a_place_to_fill_or_with_that_of_another_owner(
    provider, reason, place
):
    for detail in ("", OLD_TOKEN):
        text = explain(reason, provider, detail, place=place)
        said = f"{text.name} {text.meaning} {text.remedy} {text.short}"
        assert "{" not in said
        if place:
            assert not OF_THE_FILE.search(said)
        elif provider != "countdown":
            assert "(Edit)" not in said


def test_each_place_has_words_for_the_file_and_for_the_others():
    assert OF_FILE.keys() == OF_OTHERS.keys()


@pytest.mark.parametrize(("owner", "place"), PLACES.items(), ids=map(str, PLACES))
def test_a_store_is_renewed_in_time_where_its_owner_changes_it(owner, place):
    step, _ = renewal_step("amazon", can_renew_here=False, place=place_of(owner))
    token = f"the refresh token {place}" if place else "`refresh_token`"
    assert step.endswith(f"then update {token} and run `connwatch renew NAME`.")
    here, _ = renewal_step("amazon", can_renew_here=True, place=place_of(owner))
    assert here.endswith("switches to the new token automatically.")


ALERTS: dict[str, tuple[AlertKind, dict[str, Any], str]] = {
    "rejected": (
        AlertKind.ERROR,
        {"reason": "token_rejected", "provider": "soldscope"},
        "then replace it {} and in every program that uses it.",
    ),
    "expired": (
        AlertKind.EXPIRED,
        {"reason": "authorization_expired", "provider": "http"},
        "then update the token and its date {}.",
    ),
    "expiring": (
        AlertKind.EXPIRING_SOON,
        {"provider": "amazon"},
        "then update the refresh token {} and run `connwatch renew acme`.",
    ),
    "its token expiring": (
        AlertKind.EXPIRING_SOON,
        {"is_of_token": True},
        "Create a new token and update it {} and in every program that uses it.",
    ),
}


def alert(kind: AlertKind, facts: dict[str, Any]) -> str:
    return compose(kind, KINDS[kind].severity, facts, ["acme"], NOON, "", NOON).body


@pytest.mark.parametrize("owner", [name for name in PLACES if name != "file"], ids=str)
@pytest.mark.parametrize(("kind", "facts", "step"), ALERTS.values(), ids=ALERTS)
def test_an_alert_names_where_the_owner_changes_it(kind, facts, step, owner):
    assert step.format(PLACES[owner]) in alert(kind, facts | {"owner": owner})


@pytest.mark.parametrize("facts", [{}, {"owner": "file"}], ids=["stored before", "of the file"])
@pytest.mark.parametrize("kind", [AlertKind.ERROR, AlertKind.EXPIRED])
def test_an_alert_on_a_connection_of_the_file_names_its_key(kind, facts):
    body = alert(kind, {"reason": "token_rejected", "provider": "soldscope"} | facts)
    assert "then replace it where `token` points and in every program" in body


@pytest.mark.parametrize("owner", [7, "", ["a"], {"b": 1}])
def test_an_owner_that_is_no_text_is_not_believed(owner):
    facts = {"reason": "token_rejected", "provider": "soldscope", "owner": owner}
    assert "then replace it where it is configured and" in alert(AlertKind.ERROR, facts)
