"""
Which page mends what, and its address.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from monitor.cli.output import connection_row
from monitor.config.connections import (
    AmazonConnection,
    Application,
    CountdownConnection,
    SoldscopeConnection,
)
from monitor.config.marketplaces import Region
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.words import explain, name_command, place_of, renewal_step
from monitor.report.advice import (
    NEEDS,
    Need,
    current_reason,
    find_page,
    problem_reason,
    remedy_of,
    step_of,
)
from monitor.report.status import connection_json
from monitor.web.views import format_problem
from tests.builders import HOUR, MINUTE, OK, Story, entry, plan_of, watched_of
from tests.fakes import NOON

ID = "amzn1.sp.solution.1"


def store(**more: Any) -> AmazonConnection:
    fields = {"name": "s", "provider": "amazon", "application": "a", "region": "eu"}
    return AmazonConnection.model_validate(fields | {"refresh_token": "Atzr|x"} | more)


def app(**more: Any) -> Application:
    fields = {"name": "a", "client_id": "c", "client_secret": "s"}
    return Application.model_validate(fields | more)


def url_of(connection: AmazonConnection, application: Application, need: Need) -> str:
    page = find_page(connection, application, need, "w0rd")
    assert page is not None
    assert page.url is not None
    return page.url


def test_the_consent_page_carries_id_state_and_redirect():
    application = app(application_id=ID, redirect_url="https://us.example/cb?a=1&b=2")
    parts = urlsplit(url_of(store(), application, Need.AUTHORIZE))
    assert (parts.scheme, parts.path) == ("https", "/apps/authorize/consent")
    assert parse_qs(parts.query) == {
        "application_id": [ID],
        "state": ["w0rd"],
        "redirect_uri": ["https://us.example/cb?a=1&b=2"],
    }


def test_without_a_redirect_amazon_takes_the_first_one_registered():
    url = url_of(store(), app(application_id=ID), Need.AUTHORIZE)
    assert url.endswith(f"?application_id={ID}&state=w0rd")


HOSTS = {
    "the first marketplace's": (("NL", "DE"), "sellercentral.amazon.nl"),
    "the one of its country": (("DE", "NL"), "sellercentral-europe.amazon.com"),
    "the region's": (None, "sellercentral-europe.amazon.com"),
}


@pytest.mark.parametrize(("countries", "host"), HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("need", [Need.AUTHORIZE, Need.LOOK])
def test_the_host_is_a_seller_central_of_the_region(countries, host, need):
    url = url_of(store(marketplaces=countries), app(application_id=ID), need)
    assert urlsplit(url).netloc == host


@pytest.mark.parametrize("region", Region)
def test_every_region_has_a_page(region):
    url = url_of(store().model_copy(update={"region": region}), app(), Need.AUTHORIZE)
    assert url.startswith("https://sellercentral")


def test_an_address_of_a_simulator_leads_to_amazons_page_all_the_same():
    connection = store(endpoint="http://127.0.0.1:8090/eu")
    assert "amazon" in urlsplit(url_of(connection, app(application_id=ID), Need.AUTHORIZE)).netloc


def test_without_an_application_id_the_page_of_the_file_is_taken():
    connection = store(renew_url="https://seller.example/renew")
    assert url_of(connection, app(), Need.AUTHORIZE) == "https://seller.example/renew"


def test_with_neither_the_way_is_told_in_words():
    page = find_page(store(), app(), Need.AUTHORIZE, "w0rd")
    assert page is not None
    assert "Manage Your Apps" in page.words


def test_a_self_authorized_application_has_no_consent_page():
    page = find_page(store(valid_days=0), app(application_id=ID), Need.AUTHORIZE, "w0rd")
    assert page is not None
    assert "Develop Apps" in page.words
    assert page.url is not None
    assert "consent" not in page.url


def test_the_developer_console_is_named_without_an_address_that_nobody_confirmed():
    page = find_page(store(), app(application_id=ID), Need.DEVELOP, "w0rd")
    assert page is not None
    assert ("Developer Central" in page.words, page.url) == (True, None)


def test_a_countdown_has_the_page_of_the_file_or_none():
    fields = {"name": "c", "provider": "countdown", "authorized_on": date(2026, 1, 15)}
    bare = CountdownConnection.model_validate(fields)
    named = CountdownConnection.model_validate(fields | {"renew_url": "https://x.example/"})
    page = find_page(named, None, Need.AUTHORIZE, "")
    assert page is not None
    assert page.url == "https://x.example/"
    assert find_page(bare, None, Need.AUTHORIZE, "") is None


def test_a_token_service_has_no_seller_to_ask():
    fields = {"name": "t", "provider": "soldscope", "base_url": "https://x.example", "token": "t"}
    connection = SoldscopeConnection.model_validate(fields)
    assert find_page(connection, None, Need.AUTHORIZE, "") is None


@pytest.mark.parametrize("reason", [each for each in Reason if not each.is_conclusive])
def test_against_trouble_on_the_way_no_page_helps(reason):
    assert reason not in NEEDS


DNS = Outcome(Reason.DNS, "old.example.com was not found.")
REFUSED_TO_CONNECT = Outcome(Reason.CONNECT, "new.example.com refused the connection.")
BUSY = Outcome(Reason.THROTTLED)
REJECTED = Outcome(Reason.TOKEN_REJECTED, "It was rejected.", http_status=401)
CURRENT = {
    "the first reason lasts": ([DNS] * 4, Reason.DNS),
    "another one since": ([DNS] * 3 + [REFUSED_TO_CONNECT], Reason.CONNECT),
    "and back": ([DNS] * 3 + [REFUSED_TO_CONNECT, DNS], Reason.DNS),
    "throttled is no other": ([DNS] * 3 + [BUSY], Reason.DNS),
    "rejected for a reason": ([REJECTED] * 2 + [DNS] * 5, Reason.TOKEN_REJECTED),
    "never active": ([DNS] * 3 + [REJECTED], Reason.TOKEN_REJECTED),
}


@pytest.mark.parametrize(("outcomes", "reason"), CURRENT.values(), ids=CURRENT)
def test_the_advice_is_for_what_the_detail_says(database, outcomes, reason):
    story = Story.begin(database, plan_of(entry("a")))
    for number, outcome in enumerate([OK, *outcomes]):
        story.evaluate(NOON + number * MINUTE, a=outcome)
    record = story.record("a")
    each = connection_json(record, watched_of(story.plan)["a"], NOON + HOUR)
    assert current_reason(each) is problem_reason(each) is reason
    said = explain(reason, record.provider, each["detail"], place=place_of(each["owner"]))
    assert (format_problem(each, NOON + HOUR, UTC) or ("", ""))[1] == name_command(said.remedy, "a")
    remarks = str(connection_row(each, NOON + HOUR).remarks)
    assert said.name in remarks
    assert "the last check had no usable response" not in remarks or reason.is_conclusive


@pytest.mark.parametrize("owner", ["file", "dashboard", "stores"])
def test_list_page_and_commands_name_where_its_owner_changes_it(database, owner):
    story = Story.begin(database, plan_of(entry("a")))
    for number, outcome in enumerate([OK, REJECTED, REJECTED]):
        story.evaluate(NOON + number * MINUTE, a=outcome)
    watched = replace(watched_of(story.plan)["a"], owner=owner)
    each = connection_json(story.record("a"), watched, NOON + HOUR)
    place = place_of(owner) or "where `token` points"
    said = f"then replace it {place} and in every program that uses it."
    told = format_problem(each, NOON + HOUR, UTC)
    assert told is not None
    assert said in told[1]
    assert said in remedy_of(each, Reason.TOKEN_REJECTED, can_renew_here=False)
    remarks = str(connection_row(each, NOON + HOUR, can_renew_here=False).remarks)
    assert said in remarks
    expected, _ = renewal_step(each["provider"], can_renew_here=False, place=place_of(owner))
    assert step_of(each, can_renew_here=False) == expected
