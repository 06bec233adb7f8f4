"""
Every row of the verdict table, against the simulated Amazon on ports of its own.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.clock import utc_now
from monitor.config.secret import Secret
from monitor.judge.outcome import Marketplace, Reason
from monitor.providers.amazon import LastSuccess
from monitor.simulator.faults import AmazonFault
from monitor.simulator.server import start_simulator
from tests.providers.amazon_bench import PROBE, TOKEN, Bench, Recorder, fingerprint
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from monitor.judge.outcome import Outcome
    from monitor.providers.transport import HttpClients

pytestmark = pytest.mark.anyio


@pytest.fixture
async def bench(anyio_backend: str, clients: HttpClients) -> AsyncIterator[Bench]:
    simulator = await start_simulator()
    try:
        await simulator.start_region_hosts()
        now = simulator.clock.now()
        issued = simulator.amazon.add_application("Our app", now)
        store = simulator.amazon.add_grant(
            issued.application.id, "na", "Acme Ltd", now, marketplaces=("US", "CA", "MX")
        )
        yield Bench(
            simulator,
            Recorder(clients.get()),
            issued.application.client_id,
            issued.client_secret,
            issued.application.id,
            store.grant,
            store.refresh_token,
        )
    finally:
        await simulator.stop()


def countries(outcome: Outcome) -> dict[str, tuple[bool, bool, bool]]:
    """Participating, suspended, configured: by country."""
    assert outcome.marketplaces is not None
    return {
        one.country: (one.is_participating, one.has_suspended_listings, one.is_configured)
        for one in outcome.marketplaces
    }


async def test_a_sound_store_is_ok_after_one_exchange_and_one_call(bench):
    outcome = await bench.checker("US", "CA", "MX").check()

    assert outcome.reason is Reason.OK
    assert outcome.detail == ""
    assert outcome.http_status == 200
    assert outcome.account == "Acme Ltd"
    assert outcome.failed_host is None
    assert outcome.latency_ms is not None
    assert outcome.request_id is not None
    assert len(outcome.request_id) == 36
    assert outcome.fingerprint == fingerprint(bench.refresh_token)
    assert outcome.marketplaces is not None
    assert outcome.marketplaces[0] == Marketplace("US", "ATVPDKIKX0DER", True, False, True)  # noqa: FBT003 - its fields in order
    assert bench.client.asked == [TOKEN, PROBE]


async def test_each_check_exchanges_afresh_so_that_a_revocation_shows(bench):
    checker = bench.checker()
    assert (await checker.check()).reason is Reason.OK

    bench.simulator.amazon.revoke(bench.grant.id, bench.simulator.clock.now())

    assert (await checker.check()).reason is Reason.AUTHORIZATION_REVOKED
    assert bench.client.asked == [TOKEN, PROBE, TOKEN]


async def test_without_configured_marketplaces_those_it_sells_in_count_as_configured(bench):
    bench.grant.set_participation("CA", is_participating=False)

    outcome = await bench.checker().check()

    assert outcome.reason is Reason.OK
    assert countries(outcome) == {
        "US": (True, False, True),
        "CA": (False, False, False),
        "MX": (True, False, True),
    }


async def test_without_configured_marketplaces_an_account_that_sells_nowhere_lacks_them_all(bench):
    for country in ("US", "CA", "MX"):
        bench.grant.set_participation(country, is_participating=False)

    outcome = await bench.checker().check()

    assert outcome.reason is Reason.MARKETPLACE_MISMATCH
    assert set(countries(outcome).values()) == {(False, False, True)}


async def test_the_token_probe_stops_after_the_exchange(bench):
    bench.grant.is_vendor = True

    outcome = await bench.checker(is_probed=False).check()

    assert (outcome.reason, outcome.detail, outcome.marketplaces) == (Reason.OK, "", None)
    assert outcome.fingerprint == fingerprint(bench.refresh_token)
    assert bench.client.asked == [TOKEN]


async def test_the_token_probe_sees_a_revocation(bench):
    bench.simulator.amazon.revoke(bench.grant.id, bench.simulator.clock.now())

    outcome = await bench.checker(is_probed=False).check()

    assert outcome.reason is Reason.AUTHORIZATION_REVOKED


LWA = [
    ("lwa_500", None, Reason.SERVER_ERROR, "500 Internal Server Error"),
    ("lwa_503", None, Reason.SERVER_ERROR, "503 Service Unavailable"),
    ("lwa_html", 503, Reason.SERVER_ERROR, "503"),
    ("lwa_html", 400, Reason.UNEXPECTED_RESPONSE, "text/html"),
    ("lwa_html", 401, Reason.UNEXPECTED_RESPONSE, "text/html"),
    ("lwa_html", 200, Reason.UNEXPECTED_RESPONSE, "text/html"),
    ("lwa_html", 302, Reason.UNEXPECTED_RESPONSE, "redirects"),
    ("lwa_empty", None, Reason.UNEXPECTED_RESPONSE, "an empty answer"),
    ("lwa_throttle", None, Reason.THROTTLED, "429"),
    ("lwa_reset", None, Reason.PROTOCOL, "closed the connection"),
    ("lwa_hang", None, Reason.TIMEOUT, "within the 1 s that a check may take"),
    ("lwa_slow", 5, Reason.TIMEOUT, "within the 1 s"),
    ("lwa_access_denied", None, Reason.PERMISSION_DENIED, "Access denied"),
    ("lwa_unauthorized_client", None, Reason.CLIENT_REJECTED, "unauthorized_client"),
]


@pytest.mark.parametrize(
    ("fault", "value", "reason", "words"), LWA, ids=[f"{row[0]}-{row[1]}" for row in LWA]
)
async def test_what_lwa_answers_has_its_reason_and_its_host(bench, fault, value, reason, words):
    bench.switch_on(fault, value=value)

    outcome = await bench.checker(timeout_s=1 if reason is Reason.TIMEOUT else 5).check()

    assert outcome.reason is reason
    assert words in outcome.detail
    is_silent = reason.is_conclusive or reason is Reason.THROTTLED
    assert outcome.failed_host == (None if is_silent else bench.lwa_host)
    assert not outcome.is_unexplained
    assert bench.client.asked == [TOKEN]


@pytest.mark.parametrize("wording", ["usual", "old", "variant"])
async def test_a_refused_refresh_token_is_known_in_all_wordings(bench, wording):
    bench.simulator.amazon.revoke(bench.grant.id, bench.simulator.clock.now())
    bench.switch_on("lwa_wording", value=wording)

    outcome = await bench.checker().check()

    assert outcome.reason is Reason.AUTHORIZATION_REVOKED
    assert "invalid grant parameter : refresh_token" in outcome.detail
    assert "rejected the refresh token (invalid_grant)." in outcome.detail


async def test_a_lapsed_year_looks_like_a_revocation(bench):
    bench.grant.age(timedelta(days=366))

    assert (await bench.checker().check()).reason is Reason.AUTHORIZATION_REVOKED


@pytest.mark.parametrize(
    "changes",
    [{"client_id": "amzn1.application-oa2-client.f"}, {"client_secret": Secret("amzn1.x")}],
    ids=["id", "secret"],
)
async def test_a_wrong_client_is_the_developers_to_mend(bench, changes):
    outcome = await bench.checker(**changes).check()

    assert outcome.reason is Reason.CLIENT_REJECTED
    assert "client ID or client secret" in outcome.detail
    assert "invalid_client" in outcome.detail


async def test_a_secret_rotated_away_is_refused_after_its_grace(bench):
    bench.simulator.amazon.rotate_secret(bench.application_id, bench.simulator.clock.now())
    assert (await bench.checker().check()).reason is Reason.OK

    bench.simulator.clock.advance(timedelta(days=7, seconds=1))

    assert (await bench.checker().check()).reason is Reason.CLIENT_REJECTED


async def test_a_secret_past_its_days_shows_at_the_api_though_lwa_is_content(bench):
    bench.simulator.amazon.application(bench.application_id).age_secret(timedelta(days=181))

    outcome = await bench.checker().check()

    assert outcome.reason is Reason.CLIENT_SECRET_EXPIRED
    assert "180 days" in outcome.detail
    assert bench.client.asked == [TOKEN, PROBE]


SP = [
    ("sp_500", None, Reason.SERVER_ERROR, "500", [PROBE]),
    ("sp_503", None, Reason.SERVER_ERROR, "503", [PROBE]),
    ("sp_html", 503, Reason.SERVER_ERROR, "503", [PROBE]),
    ("sp_html", 403, Reason.UNEXPECTED_RESPONSE, "text/html", [PROBE]),
    ("sp_html", 401, Reason.UNEXPECTED_RESPONSE, "text/html", [PROBE]),
    ("sp_html", 200, Reason.UNEXPECTED_RESPONSE, "Service unavailable", [PROBE]),
    ("sp_html", 301, Reason.UNEXPECTED_RESPONSE, "redirects", [PROBE]),
    ("sp_empty", 200, Reason.UNEXPECTED_RESPONSE, "an empty answer", [PROBE]),
    ("sp_empty", 403, Reason.UNEXPECTED_RESPONSE, "an empty answer", [PROBE]),
    ("sp_empty", 502, Reason.SERVER_ERROR, "502", [PROBE]),
    ("sp_404", None, Reason.UNEXPECTED_RESPONSE, "404", [PROBE]),
    ("sp_throttle", None, Reason.THROTTLED, "429", [PROBE]),
    ("sp_401", None, Reason.TOKEN_REJECTED, "401", [PROBE, TOKEN, PROBE]),
    ("token_refused", None, Reason.AUTHORIZATION_REVOKED, "two fresh", [PROBE, TOKEN, PROBE]),
    ("early_token_death", 0, Reason.UNEXPECTED_RESPONSE, "expired", [PROBE, TOKEN, PROBE]),
    ("empty_payload", None, Reason.MARKETPLACE_MISMATCH, "lists no marketplace", [PROBE]),
    ("idle_marketplaces", None, Reason.MARKETPLACE_MISMATCH, "participates in none", [PROBE]),
    ("sp_hang", None, Reason.TIMEOUT, "within the 1 s", [PROBE]),
    ("sp_slow", 5, Reason.TIMEOUT, "within the 1 s", [PROBE]),
]


@pytest.mark.parametrize(
    ("fault", "value", "reason", "words", "asked"), SP, ids=[f"{row[0]}-{row[1]}" for row in SP]
)
async def test_what_a_region_answers_has_its_reason_and_its_host(
    bench, fault, value, reason, words, asked
):
    bench.switch_on(fault, value=value)

    outcome = await bench.checker(timeout_s=1 if reason is Reason.TIMEOUT else 5).check()

    assert outcome.reason is reason
    assert words in outcome.detail
    is_silent = reason.is_conclusive or reason is Reason.THROTTLED
    assert outcome.failed_host == (None if is_silent else bench.host())
    assert not outcome.is_unexplained
    assert bench.client.asked == [TOKEN, *asked]


async def test_a_region_that_resets_the_connection_is_inconclusive(bench):
    bench.switch_on("sp_reset")

    outcome = await bench.checker().check()

    assert (outcome.reason, outcome.failed_host) == (Reason.PROTOCOL, bench.host())


@pytest.mark.parametrize("name", ["lwa", "na"])
async def test_a_host_that_is_down_is_named(bench, name):
    await bench.simulator.stop_host(name)

    outcome = await bench.checker().check()

    host = bench.lwa_host if name == "lwa" else bench.host()
    assert (outcome.reason, outcome.failed_host) == (Reason.CONNECT, host)
    assert host in outcome.detail


async def test_one_spoiled_access_token_is_replaced_and_forgiven(bench):
    bench.grant.n_spoiled = 1

    outcome = await bench.checker().check()

    assert outcome.reason is Reason.OK
    assert bench.client.asked == [TOKEN, PROBE, TOKEN, PROBE]


async def test_faults_that_only_change_the_form_change_no_verdict(bench):
    bench.switch_on(
        "shuffled_keys", "extra_marketplaces", "missing_store_name", "missing_rate_header"
    )

    outcome = await bench.checker("US", "CA", "MX").check()

    assert outcome.reason is Reason.OK
    assert outcome.account is None
    assert list(countries(outcome)) == ["US", "CA", "MX"]


@pytest.mark.parametrize("shape", ["shuffled_keys", "missing_details", "missing_rate_header"])
async def test_refusals_are_known_in_every_shape(bench, shape):
    bench.switch_on(shape, "storm_403")
    assert (await bench.checker().check()).is_unexplained
    bench.simulator.amazon_faults.clear()
    bench.switch_on(shape, "token_refused")
    assert (await bench.checker().check()).reason is Reason.AUTHORIZATION_REVOKED
    bench.simulator.amazon_faults.clear()
    bench.switch_on(shape)
    bench.simulator.amazon.revoke(bench.grant.id, bench.simulator.clock.now())

    assert (await bench.checker().check()).reason is Reason.AUTHORIZATION_REVOKED


async def test_marketplaces_absent_or_idle_are_named_with_what_there_is_instead(bench):
    bench.grant.set_participation("CA", is_participating=False)

    outcome = await bench.checker("CA", "US", "BR").check()

    assert outcome.reason is Reason.MARKETPLACE_MISMATCH
    assert "Not in the account: BR." in outcome.detail
    assert "not participating: CA." in outcome.detail
    assert "It participates in: US, MX." in outcome.detail
    assert countries(outcome) == {
        "CA": (False, False, True),
        "US": (True, False, True),
        "BR": (False, False, True),
        "MX": (True, False, False),
    }
    assert outcome.account == "Acme Ltd"


async def test_suspended_listings_are_shown_and_no_fault(bench):
    bench.grant.set_participation("MX", has_suspended_listings=True)

    outcome = await bench.checker("US", "MX").check()

    assert outcome.reason is Reason.OK
    assert countries(outcome)["MX"] == (True, True, True)


async def test_an_empty_list_shows_what_was_expected(bench):
    bench.switch_on("empty_payload")

    outcome = await bench.checker("US").check()

    assert outcome.reason is Reason.MARKETPLACE_MISMATCH
    assert countries(outcome) == {"US": (False, False, True)}


@pytest.mark.parametrize("code", ["UK", "GB"])
async def test_the_united_kingdom_is_called_as_the_configuration_does(bench, code):
    store = bench.simulator.amazon.add_grant(
        bench.grant.application.id, "eu", "Acme Europe", bench.simulator.clock.now()
    )
    token = Secret(store.refresh_token)

    outcome = await bench.checker(code, region="eu", refresh_token=token).check()

    assert outcome.reason is Reason.OK
    assert next(iter(countries(outcome))) == code
    assert len(countries(outcome)) == 16


async def test_the_pause_after_an_empty_bucket_doubles_up_to_an_hour_and_starts_anew(bench):
    checker = bench.checker()
    for _ in range(15):
        assert (await checker.check()).reason is Reason.OK
    waits = []
    for _ in range(8):
        before = utc_now()
        outcome = await checker.check()
        assert (outcome.reason, outcome.failed_host) == (Reason.THROTTLED, None)
        assert outcome.retry_at is not None
        waits.append(round((outcome.retry_at - before).total_seconds() / 5) * 5)
    assert waits == [65, 130, 260, 520, 1040, 2080, 3600, 3600]

    bench.simulator.clock.advance(timedelta(seconds=63))
    assert (await checker.check()).reason is Reason.OK
    outcome = await checker.check()

    assert outcome.retry_at is not None
    assert timedelta(seconds=60) < outcome.retry_at - utc_now() <= timedelta(seconds=65)


async def test_a_store_of_another_region_is_told_which_one(bench):
    checker = bench.checker(region="eu")

    outcomes = [await checker.check(), await checker.check()]

    for outcome in outcomes:
        assert outcome.reason is Reason.REGION_MISMATCH
        assert 'Set region = "na"' in outcome.detail
        assert (outcome.failed_host, outcome.is_unexplained) == (None, False)
    assert bench.client.asked == [TOKEN, PROBE, PROBE, PROBE, TOKEN, PROBE]


async def test_a_lost_role_is_unexplained_and_the_other_regions_are_asked_once(bench):
    bench.grant.remove_role()
    checker = bench.checker()

    outcomes = [await checker.check(), await checker.check()]

    for outcome in outcomes:
        assert (outcome.reason, outcome.is_unexplained) == (Reason.PERMISSION_DENIED, True)
        assert outcome.failed_host == bench.host()
        assert "lacks a role" in outcome.detail
        assert "No other region accepts it either." in outcome.detail
    assert bench.client.asked == [TOKEN, PROBE, PROBE, PROBE, TOKEN, PROBE]


async def test_after_a_success_the_other_regions_are_asked_again_and_history_counts(bench):
    checker = bench.checker()
    bench.switch_on("account_deactivated")
    await checker.check()
    bench.simulator.amazon_faults.clear()
    assert (await checker.check()).reason is Reason.OK
    bench.switch_on("account_deactivated")
    bench.client.requests.clear()

    outcome = await checker.check()

    assert outcome.reason is Reason.PERMISSION_DENIED
    assert "It worked before" in outcome.detail
    assert "deactivated" in outcome.detail
    assert bench.client.asked == [TOKEN, PROBE, PROBE, PROBE]


@pytest.mark.parametrize(
    ("past", "has_worked"),
    [
        (None, False),
        (LastSuccess(), True),
        (LastSuccess(fingerprint("Atzr|another")), False),
    ],
    ids=["nothing known", "let in", "let in with another token"],
)
async def test_what_is_remembered_from_before_a_start_counts_as_history(bench, past, has_worked):
    bench.switch_on("account_deactivated")

    outcome = await bench.checker(past=past).check()

    assert ("It worked before" in outcome.detail) is has_worked
    assert ("never seen this authorization work" in outcome.detail) is not has_worked


async def test_a_token_that_was_let_in_before_a_start_is_told_from_a_newer_one(bench):
    bench.switch_on("account_deactivated")

    outcome = await bench.checker(past=LastSuccess(fingerprint(bench.refresh_token))).check()

    assert "It worked before" in outcome.detail


@pytest.mark.parametrize("fault", ["sp_500", "sp_throttle", "sp_hang", "sp_html"])
async def test_another_region_that_gives_no_answer_is_asked_again_at_the_next_check(bench, fault):
    bench.grant.remove_role()
    bench.switch_on(fault, where="fe")
    checker = bench.checker(timeout_s=1.5 if fault == "sp_hang" else 5)

    outcome = await checker.check()
    assert (outcome.reason, outcome.is_unexplained) == (Reason.PERMISSION_DENIED, True)
    assert "`region` is not the one" in outcome.detail
    bench.simulator.amazon_faults.clear()
    again = await checker.check()

    assert "No other region accepts it either." in again.detail
    assert bench.client.asked == [TOKEN, PROBE, PROBE, PROBE] * 2


async def test_with_an_address_of_ones_own_no_other_region_is_asked(bench):
    outcome = await bench.checker(region="eu", others=()).check()

    assert (outcome.reason, outcome.is_unexplained) == (Reason.PERMISSION_DENIED, True)
    assert outcome.failed_host == bench.host("eu")
    assert bench.client.asked == [TOKEN, PROBE]


async def test_a_storm_in_one_region_is_unexplained_there_and_nothing_elsewhere(bench):
    store = bench.simulator.amazon.add_grant(
        bench.grant.application.id, "eu", "Acme Europe", bench.simulator.clock.now()
    )
    bench.switch_on("storm_403", where="na")

    stormy = await bench.checker().check()
    calm = await bench.checker(region="eu", refresh_token=Secret(store.refresh_token)).check()

    assert (stormy.reason, stormy.is_unexplained) == (Reason.PERMISSION_DENIED, True)
    assert stormy.failed_host == bench.host("na")
    assert calm.reason is Reason.OK


async def test_a_wrong_address_is_named_as_such(bench):
    checker = bench.checker()
    object.__setattr__(checker._store, "address", bench.simulator.region_urls["na"] + "/v0")

    outcome = await checker.check()

    assert outcome.reason is Reason.PERMISSION_DENIED
    assert "Check `endpoint`" in outcome.detail
    assert not outcome.is_unexplained


async def test_a_renewed_token_in_the_file_is_found_before_a_refusal_counts(bench, tmp_path):
    path = tmp_path / "refresh-token"
    path.write_text(bench.refresh_token)
    checker = bench.checker(refresh_token=Secret({"file": str(path)}))
    assert (await checker.check()).reason is Reason.OK
    amazon, now = bench.simulator.amazon, bench.simulator.clock.now()
    amazon.revoke(bench.grant.id, now)
    renewed = amazon.reauthorize(bench.grant.id, now).refresh_token
    path.write_text(renewed + "\n")
    bench.client.requests.clear()

    outcome = await checker.check()

    assert outcome.reason is Reason.OK
    assert outcome.fingerprint == fingerprint(renewed)
    assert bench.client.asked == [TOKEN, TOKEN, PROBE]


@pytest.mark.parametrize("is_dead", [True, False], ids=["refused by lwa", "past its days"])
async def test_a_rotated_secret_in_the_file_is_found_before_a_refusal_counts(
    bench, tmp_path, is_dead
):
    path = tmp_path / "client-secret"
    path.write_text(bench.client_secret)
    secret = Secret({"file": str(path)})
    checkers = [bench.checker(client_secret=secret) for _ in range(2)]
    assert {(await checker.check()).reason for checker in checkers} == {Reason.OK}
    amazon, now = bench.simulator.amazon, bench.simulator.clock.now()
    if is_dead:
        issued = amazon.rotate_secret(bench.application_id, now)
        bench.simulator.clock.advance(timedelta(days=8))
    else:
        amazon.application(bench.application_id).age_secret(timedelta(days=181))
        issued = amazon.rotate_secret(bench.application_id, now)
    path.write_text(issued.value)

    # Only one of them finds the file changed; the other finds the secret changed.
    outcomes = await asyncio.gather(*(checker.check() for checker in checkers))

    assert {outcome.reason for outcome in outcomes} == {Reason.OK}


async def test_a_secret_and_a_token_that_were_both_replaced_are_both_read_again(bench, tmp_path):
    secret, token = tmp_path / "secret", tmp_path / "token"
    secret.write_text(bench.client_secret)
    token.write_text(bench.refresh_token)
    checker = bench.checker(
        client_secret=Secret({"file": str(secret)}), refresh_token=Secret({"file": str(token)})
    )
    assert (await checker.check()).reason is Reason.OK

    amazon, clock = bench.simulator.amazon, bench.simulator.clock
    secret.write_text(amazon.rotate_secret(bench.application_id, clock.now()).value)
    token.write_text(amazon.reauthorize(bench.grant.id, clock.now()).refresh_token)
    clock.advance(timedelta(days=7, seconds=1))

    assert (await checker.check()).reason is Reason.OK


async def test_a_file_that_is_gone_is_named_beside_the_refusal(bench, tmp_path):
    path = tmp_path / "refresh-token"
    path.write_text(bench.refresh_token)
    checker = bench.checker(refresh_token=Secret({"file": str(path)}))
    assert (await checker.check()).reason is Reason.OK
    path.unlink()
    assert (await checker.check()).reason is Reason.OK
    bench.simulator.amazon.revoke(bench.grant.id, bench.simulator.clock.now())

    outcome = await checker.check()

    assert outcome.reason is Reason.AUTHORIZATION_REVOKED
    assert "The refresh token could not be read again" in outcome.detail
    assert "No such file" in outcome.detail


@pytest.mark.parametrize("name", ["client_secret", "refresh_token"])
async def test_a_secret_that_is_not_there_is_an_outcome_and_nothing_is_sent(
    bench, monkeypatch, name
):
    monkeypatch.delenv("NOT_SET", raising=False)

    outcome = await bench.checker(**{name: Secret({"env": "NOT_SET"})}).check()

    assert outcome.reason is Reason.PROTOCOL
    who = name.replace("_", " ")
    assert f"Amazon was not called: the {who} cannot be read: env NOT_SET" in outcome.detail
    assert (outcome.failed_host, outcome.latency_ms) == (None, None)
    assert bench.client.asked == []


@pytest.mark.parametrize("name", ["client_secret", "refresh_token"])
@pytest.mark.parametrize("value", ["Atzr|a b", "Atzr|ä", "Atzr|\u202ea", "Atzr|a\nb"], ids=ascii)
async def test_a_secret_that_cannot_travel_is_named_and_nothing_is_sent(
    bench, tmp_path, name, value
):
    path = tmp_path / "secret"
    path.write_text(value, encoding="utf-8")

    outcome = await bench.checker(**{name: Secret({"file": str(path)})}).check()

    assert outcome.reason is Reason.PROTOCOL
    assert outcome.detail.startswith(
        f"Amazon was not called: the {name.replace('_', ' ')} cannot be "
    )
    assert "Atzr" not in outcome.detail
    assert bench.client.asked == []


async def test_one_exchange_per_grant_runs_at_a_time(bench):
    bench.switch_on("lwa_slow", value=0.05)
    n_running, most = 0, 0
    send = bench.client.send

    async def watch(request, **kwargs):
        nonlocal n_running, most
        if request.method != "POST":
            return await send(request, **kwargs)
        n_running += 1
        most = max(most, n_running)
        try:
            return await send(request, **kwargs)
        finally:
            n_running -= 1

    bench.client.send = watch
    outcomes = await asyncio.gather(*(bench.checker().check() for _ in range(4)))

    assert {outcome.reason for outcome in outcomes} == {Reason.OK}
    assert most == 1
    assert bench.grants.n_wanted == 0


async def test_other_grants_do_not_wait(bench):
    others = [
        bench.simulator.amazon.add_grant(
            bench.grant.application.id, "na", f"Store {n}", bench.simulator.clock.now()
        )
        for n in range(3)
    ]
    bench.switch_on("lwa_slow", value=0.7)
    checkers = [bench.checker(refresh_token=Secret(one.refresh_token)) for one in others]

    outcomes = await asyncio.gather(*(checker.check() for checker in checkers))

    assert max(outcome.latency_ms or 0 for outcome in outcomes) < 1400


async def test_waiting_for_ones_turn_counts_in(bench):
    bench.switch_on("lwa_hang")
    first = asyncio.create_task(bench.checker(timeout_s=30).check())
    async with asyncio.timeout(PATIENCE_S):
        while not bench.client.requests:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.005)

    outcome = await bench.checker(timeout_s=0.2).check()

    assert (outcome.reason, outcome.failed_host) == (Reason.TIMEOUT, bench.lwa_host)
    assert outcome.latency_ms is not None
    assert outcome.latency_ms < 5000
    assert bench.client.asked == [TOKEN]
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert bench.grants.n_wanted == 0


async def test_the_time_limit_holds_for_the_check_as_a_whole(bench):
    bench.switch_on("lwa_slow", "sp_slow", value=0.6)

    outcome = await bench.checker(timeout_s=1).check()

    assert (outcome.reason, outcome.failed_host) == (Reason.TIMEOUT, bench.host())
    assert "within the 1 s that a check may take" in outcome.detail


async def test_no_secret_is_in_any_outcome(bench):
    for fault in AmazonFault:
        if fault in {AmazonFault.LWA_HANG, AmazonFault.SP_HANG} or fault.endswith("slow"):
            continue
        bench.simulator.amazon_faults.clear()
        bench.switch_on(fault)
        told = repr(await bench.checker("US", "BR").check())
        for secret in (bench.refresh_token, bench.client_secret, "Atza|"):
            assert secret not in told, fault
    assert {request.url.path for request in bench.client.requests} == {
        "/auth/o2/token",
        "/sellers/v1/marketplaceParticipations",
    }
