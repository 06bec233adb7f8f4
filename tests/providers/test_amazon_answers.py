"""
Amazon's answers as bytes of any kind; turns and deadlines without any server.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.clock import utc_now
from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.providers.amazon_lwa import AmazonAnswer, read_exchange
from monitor.providers.amazon_sellers import Doubt, Expected, lists_marketplaces, read_sellers
from monitor.providers.base import GrantLocks, is_sendable
from monitor.providers.fetcher import Answer, Deadline
from monitor.providers.masking import clean

HOST = "api.example.com"
SECRETS = ("amzn1.oa2-cs.v1.5d41402a", "Atzr|IwEBIA/first+token==")
WANTED = Expected({"ATVPDKIKX0DER": "US"})


def heard(status: int, body: bytes, headers: dict[str, str] | None = None) -> AmazonAnswer:
    kinds = {"content-type": "application/json", **(headers or {})}
    return AmazonAnswer(Answer(status, httpx.Headers(kinds), body, 1.0, utc_now()), HOST, SECRETS)


STATUSES = st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 429, 500, 503, 599, 999])
WORDS = st.sampled_from(
    [
        *("error", "error_description", "access_token", "invalid_grant", "server_error"),
        *("errors", "code", "message", "details", "Unauthorized"),
        *("payload", "marketplace", "id", "ATVPDKIKX0DER", "storeName"),
        *("participation", "isParticipating", "hasSuspendedListings"),
    ]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text()
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4)
)


def check_reading(reading: object) -> None:
    outcome = reading.outcome if isinstance(reading, Doubt) else reading
    if isinstance(outcome, str):
        assert is_sendable(outcome)
        return
    assert isinstance(outcome, Outcome)
    assert outcome.detail.isprintable()
    assert bool(outcome.detail) == (outcome.reason is not Reason.OK)
    is_inconclusive = outcome.reason.outcome_class is OutcomeClass.INCONCLUSIVE
    assert (outcome.failed_host == HOST) == (is_inconclusive or outcome.is_unexplained)


@given(status=STATUSES, body=st.binary(max_size=300))
def test_no_bytes_raise_and_none_are_a_refusal(status, body):
    for reading in (
        read_exchange(heard(status, body)),
        read_sellers(heard(status, body), WANTED),
    ):
        check_reading(reading)


@given(status=STATUSES, value=JSON)
def test_no_json_raises(status, value):
    body = json.dumps(value).encode("utf-8", "surrogatepass")
    check_reading(read_exchange(heard(status, body)))
    check_reading(read_sellers(heard(status, body), WANTED))
    lists_marketplaces(heard(status, body))


NOT_JSON = st.sampled_from([b"", b"<html>invalid_grant</html>", b"{", b"\xff\xfe", b"revoked"])


@given(status=STATUSES, body=NOT_JSON)
def test_what_is_no_json_is_never_a_refusal(status, body):
    for reading in (
        read_exchange(heard(status, body)),
        read_sellers(heard(status, body), WANTED),
    ):
        assert isinstance(reading, Outcome)
        assert not reading.reason.is_conclusive
        if 500 <= status < 600:
            assert reading.reason is Reason.SERVER_ERROR


@given(status=st.sampled_from([400, 401, 403, 404]), value=JSON)
def test_lwa_refuses_only_by_the_names_of_its_errors(status, value):
    reading = read_exchange(heard(status, json.dumps(value).encode("utf-8", "surrogatepass")))

    assert isinstance(reading, Outcome)
    names = {"invalid_grant"}  # the only refusal among the words above
    if not isinstance(value, dict) or str(value.get("error")).strip().lower() not in names:
        assert not reading.reason.is_conclusive


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Atza|a+/=", True),
        ("", False),
        ("a b", False),
        ("a\tb", False),
        ("a\r\nb", False),
        ("a\x7f", False),
        ("ä", False),
        ("\ud800", False),
    ],
    ids=ascii,
)
def test_what_can_travel_is_visible_ascii(value, expected):
    assert is_sendable(value) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one Atzr|IwEBIA/first+token== two", "one •••• two"),
        ("one ATZR%7cIwEBIA%2Ffirst%2Btoken%3D%3D two", "one •••• two"),
        ("amzn1.oa2-cs.v1.5d41402a, Atzr|IwEBIA\\/first+token==", "••••, ••••"),
        ("a part: Atzr|IwEBIA", "a part: ••••"),
        ('another\'s: "Atza|IQ.x-_~"', 'another\'s: "••••"'),
        ("a part of the secret amzn1.oa2-cs.v1.5d4", "a part of the secret ••••"),
        ("amzn1.application-oa2-client.1 stays", "amzn1.application-oa2-client.1 stays"),
        ("Great words stay", "Great words stay"),
    ],
)
def test_secrets_of_amazon_are_masked_in_whole_and_in_part(text, expected):
    assert heard(200, b"").clean(text) == expected


def test_a_secret_of_an_odd_shape_is_masked_in_whole():
    odd = replace(heard(200, b""), secrets=("Atzr|first,second",))

    assert odd.clean("one Atzr|first,second two") == "one •••• two"


def test_a_cut_hides_no_half_of_a_secret():
    text = "x" * 195 + SECRETS[1]

    assert "Atzr" not in heard(200, b"").clean(text)


@pytest.mark.parametrize("secrets", [("a b&c", "x"), ("x", "", "a b&c")])
def test_several_secrets_are_cleaned_away_in_every_form(secrets):
    for form in ("a b&c", "a%20b%26c", "a+b%26c", "a b&amp;c"):
        assert clean(f"see {form}!", secrets, 80) == "see ••••!"


@pytest.mark.anyio
async def test_a_turn_keeps_the_same_grant_waiting_and_no_other():
    grants = GrantLocks()
    order = []

    async def use(name: str, *parts: str) -> None:
        async with grants.turn(*parts):
            order.append(f"{name} begins")
            await asyncio.sleep(0)
            order.append(f"{name} ends")

    await asyncio.gather(use("a", "x", "1"), use("b", "x", "1"), use("c", "x1"))

    assert order == ["a begins", "c begins", "a ends", "c ends", "b begins", "b ends"]
    assert grants.n_wanted == 0


@pytest.mark.anyio
async def test_a_turn_that_is_given_up_leaves_nothing_behind():
    grants = GrantLocks()

    async with grants.turn("x"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0), grants.turn("x"):
                pytest.fail("two at once")
        assert grants.n_wanted == 1
    async with grants.turn("x"):
        assert grants.n_wanted == 1
    assert grants.n_wanted == 0


@pytest.mark.anyio
async def test_nothing_of_a_grant_is_kept():
    grants = GrantLocks()

    async with grants.turn("address", SECRETS[1]):
        assert SECRETS[1] not in repr(grants._turns)


def test_a_deadline_never_owes_time():
    assert not Deadline(timedelta(seconds=-1)).left
    assert timedelta(seconds=59) < Deadline(timedelta(minutes=1)).left <= timedelta(minutes=1)
    assert "within the 1.5 s" in Deadline(timedelta(seconds=1.5)).explain(HOST).detail
