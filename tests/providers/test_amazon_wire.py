"""
Amazon's checker against a small server of our own, for what the simulator does not do.
"""

from __future__ import annotations

import html
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import pytest

from monitor.clock import utc_now
from monitor.config.secret import Secret
from monitor.judge.outcome import Reason
from monitor.providers.amazon_lwa import Credentials
from tests.providers.amazon_bench import (
    CLIENT_ID,
    CLIENT_SECRET,
    PROBE,
    REFRESH_TOKEN,
    TOKEN,
    Recorder,
    expect,
    make_checker,
)
from tests.providers.wire import http_answer

if TYPE_CHECKING:
    from monitor.judge.outcome import Outcome
    from monitor.providers.amazon import AmazonChecker
    from monitor.providers.transport import HttpClients
    from tests.providers.wire import Serve, WireServer

pytestmark = pytest.mark.anyio

ACCESS_TOKEN = "Atza|IQEBLjAs/access+token=="
GRANTED = {
    "access_token": ACCESS_TOKEN,
    "token_type": "bearer",
    "expires_in": 3600,
    "refresh_token": REFRESH_TOKEN,
}
DENIED = "Access to requested resource is denied."
EXPIRED = "The access token you provided has expired."
REFUSED = "The access token you provided is revoked, malformed or invalid."


def entry(marketplace_id: str = "ATVPDKIKX0DER", **changes: Any) -> dict[str, Any]:
    return {
        "marketplace": {"id": marketplace_id, "countryCode": "US", "name": "Amazon.com"},
        "storeName": "BestSellerStore",
        "participation": {"isParticipating": True, "hasSuspendedListings": False},
        **changes,
    }


def errors(code: str, details: Any = "", message: str = DENIED, **more: Any) -> dict[str, Any]:
    return {"errors": [{"details": details, "message": message, "code": code, **more}]}


GOOD = http_answer(200, {"payload": [entry()]})


class Wire:
    """
    One server that is LWA and the API; each gives its answers one after the other.
    """

    def __init__(self, client: Recorder, server: WireServer, forms: list[dict[str, Any]]) -> None:
        self.client = client
        self.server = server
        self.forms = forms

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def checker(self, **more: Any) -> AmazonChecker:
        root = f"http://{self.host}"
        return make_checker(self.client, f"{root}/auth/o2/token", root, **more)


async def open_wire(
    serve: Serve,
    clients: HttpClients,
    lwa: bytes | list[bytes] | None = None,
    api: bytes | list[bytes] = GOOD,
) -> Wire:
    answers = {
        name: [some] if isinstance(some, bytes) else list(some)
        for name, some in (("POST", lwa or http_answer(200, GRANTED)), ("GET", api))
    }
    forms: list[dict[str, Any]] = []

    async def run(server, reader, writer) -> None:
        while True:
            request = await server.read_request(reader)
            method = request.partition(b" ")[0].decode()
            if method == "POST":
                length = int(request.lower().partition(b"content-length: ")[2].split()[0])
                forms.append(parse_qs((await reader.readexactly(length)).decode()))
            own = answers[method]
            writer.write(own.pop(0) if len(own) > 1 else own[0])
            await writer.drain()

    return Wire(Recorder(clients.get()), await serve.script(run), forms)


async def check(serve, clients, lwa=None, api=GOOD, **more: Any) -> Outcome:
    return await (await open_wire(serve, clients, lwa, api)).checker(**more).check()


async def test_both_requests_are_what_the_reference_says(serve, clients):
    wire = await open_wire(serve, clients)

    outcome = await wire.checker().check()

    assert (outcome.reason, outcome.account) == (Reason.OK, "BestSellerStore")
    exchange, probe = (request.lower() for request in wire.server.requests)
    assert exchange.startswith(b"post /auth/o2/token http/1.1\r\n")
    assert b"content-type: application/x-www-form-urlencoded;charset=utf-8\r\n" in exchange
    assert b"authorization" not in exchange
    assert b"user-agent: connwatch/" in exchange
    assert wire.forms == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": [REFRESH_TOKEN],
            "client_id": [CLIENT_ID],
            "client_secret": [CLIENT_SECRET],
        }
    ]
    assert probe.startswith(b"get /sellers/v1/marketplaceparticipations http/1.1\r\n")
    assert f"x-amz-access-token: {ACCESS_TOKEN}\r\n".lower().encode() in probe
    assert b"authorization" not in probe
    assert b"content-length" not in probe
    assert b"content-type" not in probe


def lwa_error(error: Any, status: int = 400, **more: Any) -> bytes:
    return http_answer(status, {"error_description": "Words.", "error": error, **more})


LWA = {
    "invalid_grant at 401": (lwa_error("invalid_grant", 401), Reason.AUTHORIZATION_REVOKED),
    "invalid_grant at 200": (lwa_error("invalid_grant", 200), Reason.AUTHORIZATION_REVOKED),
    "invalid_grant in capitals": (lwa_error(" INVALID_GRANT "), Reason.AUTHORIZATION_REVOKED),
    "invalid_grant and more keys": (
        lwa_error("invalid_grant", error_index="x" * 120, request_id="1"),
        Reason.AUTHORIZATION_REVOKED,
    ),
    "invalid_grant at 500": (lwa_error("invalid_grant", 500), Reason.SERVER_ERROR),
    "invalid_grant at 302": (lwa_error("invalid_grant", 302), Reason.UNEXPECTED_RESPONSE),
    "invalid_client at 400": (lwa_error("invalid_client"), Reason.CLIENT_REJECTED),
    "unauthorized_client": (lwa_error("unauthorized_client"), Reason.CLIENT_REJECTED),
    "access_denied": (lwa_error("access_denied", 403), Reason.PERMISSION_DENIED),
    "server_error at 400": (lwa_error("server_error"), Reason.SERVER_ERROR),
    "ServerError at 400": (lwa_error("ServerError"), Reason.SERVER_ERROR),
    "temporarily_unavailable at 400": (lwa_error("temporarily_unavailable"), Reason.SERVER_ERROR),
    "invalid_request": (lwa_error("invalid_request"), Reason.UNEXPECTED_RESPONSE),
    "unsupported_grant_type": (lwa_error("unsupported_grant_type"), Reason.UNEXPECTED_RESPONSE),
    "invalid_scope": (lwa_error("invalid_scope"), Reason.UNEXPECTED_RESPONSE),
    "an error of another type": (lwa_error({"code": "x"}), Reason.UNEXPECTED_RESPONSE),
    "an error nobody knows": (lwa_error("pink"), Reason.UNEXPECTED_RESPONSE),
    "401 without an error": (http_answer(401, {"message": "no"}), Reason.UNEXPECTED_RESPONSE),
    "403 without JSON": (http_answer(403, b"invalid_grant"), Reason.UNEXPECTED_RESPONSE),
    "403 asking for a pause": (http_answer(403, b"", {"Retry-After": "9"}), Reason.THROTTLED),
    "429 in HTML": (http_answer(429, b"<html>"), Reason.THROTTLED),
    "404": (http_answer(404, b"not found"), Reason.UNEXPECTED_RESPONSE),
    "599": (http_answer(599, b""), Reason.SERVER_ERROR),
    "200 without a token": (http_answer(200, {"x": 1}), Reason.UNEXPECTED_RESPONSE),
    "200 with an empty object": (http_answer(200, {}), Reason.UNEXPECTED_RESPONSE),
    "200 with an empty token": (
        http_answer(200, GRANTED | {"access_token": ""}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200 with a number for a token": (
        http_answer(200, GRANTED | {"access_token": 7}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200 with a line break in the token": (
        http_answer(200, GRANTED | {"access_token": "Atza|a\r\nX-Evil: 1"}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200 with an endless token": (
        http_answer(200, GRANTED | {"access_token": "x" * 100_000}),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "200 with a list": (http_answer(200, [GRANTED]), Reason.UNEXPECTED_RESPONSE),
    "200 cut off": (http_answer(200, b'{"access_token": "Atz'), Reason.UNEXPECTED_RESPONSE),
    "200 nested": (http_answer(200, b"[" * 100_000), Reason.UNEXPECTED_RESPONSE),
    "200 oversize": (http_answer(200, b" " * 300_000), Reason.UNEXPECTED_RESPONSE),
    "201 with a token": (http_answer(201, GRANTED), Reason.UNEXPECTED_RESPONSE),
}


@pytest.mark.parametrize(("answer", "reason"), LWA.values(), ids=LWA)
async def test_what_lwa_says_counts_by_its_error(serve, clients, answer, reason):
    wire = await open_wire(serve, clients, answer)

    outcome = await wire.checker().check()

    assert outcome.reason is reason
    assert wire.client.asked == [TOKEN]
    is_silent = reason.is_conclusive or reason is Reason.THROTTLED
    assert outcome.failed_host == (None if is_silent else wire.host)
    assert outcome.detail.isprintable()


API = {
    "expired twice": ([errors("Unauthorized", EXPIRED)], Reason.UNEXPECTED_RESPONSE, 2),
    "refused twice": ([errors("Unauthorized", REFUSED)], Reason.AUTHORIZATION_REVOKED, 2),
    "refused in other letters": (
        [errors("unauthorized", " the ACCESS  TOKEN\nis Malformed ")],
        Reason.AUTHORIZATION_REVOKED,
        2,
    ),
    "refused in the message": (
        [errors("Unauthorized", None, REFUSED)],
        Reason.AUTHORIZATION_REVOKED,
        2,
    ),
    "expired, then refused twice": (
        [errors("Unauthorized", EXPIRED), errors("Unauthorized", REFUSED)],
        Reason.AUTHORIZATION_REVOKED,
        3,
    ),
    "refused, then expired twice": (
        [errors("Unauthorized", REFUSED), errors("Unauthorized", EXPIRED)],
        Reason.UNEXPECTED_RESPONSE,
        3,
    ),
    "client secret expired": (
        [errors("Unauthorized", "The LWA secret token you provided has expired.")],
        Reason.CLIENT_SECRET_EXPIRED,
        1,
    ),
    "no details": ([errors("Unauthorized")], Reason.PERMISSION_DENIED, 1),
    "details are null": ([errors("Unauthorized", None)], Reason.PERMISSION_DENIED, 1),
    "another code": ([errors("AccessDenied", "No.")], Reason.PERMISSION_DENIED, 1),
    "another code without details": ([errors("AccessDenied")], Reason.PERMISSION_DENIED, 1),
    "no code, no details": ([{"errors": [{"message": DENIED}]}], Reason.PERMISSION_DENIED, 1),
    "no route": ([errors("MissingAuthenticationToken", None)], Reason.PERMISSION_DENIED, 1),
    "token missing": (
        [errors("Unauthorized", "Access token is missing in the request header.")],
        Reason.PERMISSION_DENIED,
        1,
    ),
    "a gateway's message": ([{"message": "Forbidden"}], Reason.PERMISSION_DENIED, 1),
    "an object without words": ([{"x": 1}], Reason.UNEXPECTED_RESPONSE, 1),
    "an empty list of errors": ([{"errors": []}], Reason.UNEXPECTED_RESPONSE, 1),
    "errors that are none": ([{"errors": [None, 1]}], Reason.UNEXPECTED_RESPONSE, 1),
    "quota at 403": ([errors("QuotaExceeded")], Reason.THROTTLED, 1),
    "a rate limit at 403": ([errors("X", "", "Rate limit exceeded")], Reason.THROTTLED, 1),
}


UNEXPLAINED = [
    [errors("Unauthorized")],
    [errors("Unauthorized", None)],
    [errors("AccessDenied")],
    [{"errors": [{"message": DENIED}]}],
]


@pytest.mark.parametrize(("bodies", "reason", "n"), API.values(), ids=API)
async def test_a_403_counts_by_its_code_and_details(serve, clients, bodies, reason, n):
    wire = await open_wire(serve, clients, api=[http_answer(403, body) for body in bodies])

    outcome = await wire.checker().check()

    assert outcome.reason is reason
    assert wire.client.asked == [TOKEN, PROBE] * n
    assert outcome.is_unexplained == (bodies in UNEXPLAINED)


INACTIVE = "The seller account is not active"
DENIALS = {
    "in the message": (errors("Unauthorized", "", INACTIVE), f"Unauthorized: {INACTIVE}"),
    "in the message, details null": (errors("Unauthorized", None, INACTIVE), INACTIVE),
    "without a code": ({"errors": [{"message": INACTIVE}]}, INACTIVE),
    "under another code": (errors("AccessDenied", "", INACTIVE), f"AccessDenied: {INACTIVE}"),
    "a code alone": (errors("AccountInactive", "", ""), "AccountInactive"),
    "another code, usual words": (errors("AccessDenied"), f"AccessDenied: {DENIED}"),
    "in the details": (errors("Unauthorized", INACTIVE), INACTIVE),
    "in a gateway's message": ({"message": INACTIVE}, INACTIVE),
    "the usual words": (errors("Unauthorized"), None),
    "no words": (errors("Unauthorized", "", ""), None),
    "a word that says nothing": (errors("Unauthorized", "", "Forbidden"), None),
}


@pytest.mark.parametrize(("body", "words"), DENIALS.values(), ids=DENIALS)
async def test_the_reason_of_a_403_is_quoted_wherever_it_stands(serve, clients, body, words):
    outcome = await check(serve, clients, api=http_answer(403, body))

    assert outcome.reason is Reason.PERMISSION_DENIED
    assert ("without a reason" in outcome.detail) is (words is None)
    assert ("Amazon says" in outcome.detail) is (words is not None)
    if words is not None:
        assert outcome.detail.endswith(f'{words}"')


@pytest.mark.parametrize(
    ("status", "reason", "n"),
    [
        (400, Reason.UNEXPECTED_RESPONSE, 1),
        (401, Reason.TOKEN_REJECTED, 2),
        (404, Reason.UNEXPECTED_RESPONSE, 1),
        (413, Reason.UNEXPECTED_RESPONSE, 1),
        (429, Reason.THROTTLED, 1),
        (500, Reason.SERVER_ERROR, 1),
        (204, Reason.UNEXPECTED_RESPONSE, 1),
        (307, Reason.UNEXPECTED_RESPONSE, 1),
    ],
)
async def test_other_statuses_have_their_reason(serve, clients, status, reason, n):
    body = b"" if status == 204 else errors("InvalidInput", "", "Invalid Input")
    wire = await open_wire(serve, clients, api=http_answer(status, body))

    outcome = await wire.checker().check()

    assert (outcome.reason, outcome.http_status) == (reason, status)
    assert wire.client.asked == [TOKEN, PROBE] * n


async def test_three_refusals_of_three_kinds_prove_nothing(serve, clients):
    api = [
        http_answer(403, errors("Unauthorized", EXPIRED)),
        http_answer(403, errors("Unauthorized", REFUSED)),
        http_answer(401, errors("Unauthorized")),
    ]
    wire = await open_wire(serve, clients, api=api)

    outcome = await wire.checker().check()

    assert (outcome.reason, outcome.failed_host) == (Reason.UNEXPECTED_RESPONSE, wire.host)
    assert wire.client.asked == [TOKEN, PROBE] * 3


async def test_a_401_that_a_fresh_token_mends_is_forgiven(serve, clients):
    api = [http_answer(401, errors("Unauthorized", REFUSED)), GOOD]

    assert (await check(serve, clients, api=api)).reason is Reason.OK


async def test_an_expired_client_secret_is_known_at_401_too(serve, clients):
    details = "The LWA secret token you provided has expired."
    api = http_answer(401, errors("Unauthorized", details))

    assert (await check(serve, clients, api=api)).reason is Reason.CLIENT_SECRET_EXPIRED


async def test_a_revocation_between_two_tokens_shows_at_lwa(serve, clients):
    lwa = [http_answer(200, GRANTED), lwa_error("invalid_grant")]
    api = http_answer(403, errors("Unauthorized", REFUSED))

    assert (await check(serve, clients, lwa, api)).reason is Reason.AUTHORIZATION_REVOKED


@pytest.mark.parametrize("place", ["lwa", "api"])
@pytest.mark.parametrize(
    ("value", "seconds"), [("120", 120), ("1.5", 1.5), ("0", 0), ("soon", 65), ("-5", 0)]
)
async def test_retry_after_is_heeded_and_else_the_bucket(serve, clients, place, value, seconds):
    before = utc_now()
    outcome = await check(
        serve, clients, **{place: http_answer(429, errors("Quota"), {"Retry-After": value})}
    )

    assert outcome.reason is Reason.THROTTLED
    assert outcome.retry_at is not None
    waited = (outcome.retry_at - before).total_seconds()
    assert seconds <= waited < seconds + 5


async def test_retry_after_may_be_a_date(serve, clients):
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=7)
    headers = {"Retry-After": until.strftime("%a, %d %b %Y %H:%M:%S GMT")}

    outcome = await check(serve, clients, api=http_answer(429, b"", headers))

    assert outcome.retry_at == until


PAYLOADS: dict[str, tuple[Any, tuple[str, ...], Reason]] = {
    "no payload": ({"x": 1}, (), Reason.UNEXPECTED_RESPONSE),
    "payload is an object": ({"payload": {}}, (), Reason.UNEXPECTED_RESPONSE),
    "payload is null": ({"payload": None}, (), Reason.UNEXPECTED_RESPONSE),
    "a list": ([entry()], (), Reason.UNEXPECTED_RESPONSE),
    "empty": ({"payload": []}, (), Reason.MARKETPLACE_MISMATCH),
    "nothing readable": ({"payload": [1, None, {}, []]}, (), Reason.UNEXPECTED_RESPONSE),
    "something readable": ({"payload": [1, entry(), {}]}, ("US",), Reason.OK),
    "no participation": (
        {"payload": [entry(participation=None)]},
        (),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "participation is a word": (
        {"payload": [entry(participation={"isParticipating": "yes"})]},
        (),
        Reason.UNEXPECTED_RESPONSE,
    ),
    "no word on suspension": (
        {"payload": [entry(participation={"isParticipating": True})]},
        ("US",),
        Reason.OK,
    ),
    "an id nobody knows": ({"payload": [entry("A2ZV50J4W1RKNI")]}, (), Reason.OK),
    "an id nobody knows for one that is wanted": (
        {"payload": [entry("A2ZV50J4W1RKNI")]},
        ("US",),
        Reason.MARKETPLACE_MISMATCH,
    ),
    "another country's name": (
        {"payload": [entry(marketplace={"id": "ATVPDKIKX0DER", "countryCode": "XX"})]},
        ("US",),
        Reason.OK,
    ),
    "twice, idle first": (
        {"payload": [entry(participation={"isParticipating": False}), entry()]},
        ("US",),
        Reason.OK,
    ),
    "errors beside the payload": ({"payload": [entry()], "errors": []}, ("US",), Reason.OK),
}


UNKNOWN = "A2ZV50J4W1RKNI"
PARTICIPATION = [
    # known to participate, known not to, unknown to participate, unknown not to
    ((), Reason.MARKETPLACE_MISMATCH),
    (("US",), Reason.OK),
    (("US", "-CA"), Reason.OK),
    (("-US",), Reason.MARKETPLACE_MISMATCH),
    (("-US", "-CA", "-MX"), Reason.MARKETPLACE_MISMATCH),
    (("?",), Reason.OK),
    (("-?",), Reason.MARKETPLACE_MISMATCH),
    (("-US", "?"), Reason.MARKETPLACE_MISMATCH),
    (("US", "-?"), Reason.OK),
    (("-US", "-?"), Reason.MARKETPLACE_MISMATCH),
    (("-US", "US"), Reason.OK),
]


@pytest.mark.parametrize(("sold", "reason"), PARTICIPATION, ids=str)
async def test_an_account_that_participates_nowhere_is_a_mismatch(serve, clients, sold, reason):
    """
    Without `marketplaces`: whatever the account has is right, but it has to have something.
    """
    ids = {"US": "ATVPDKIKX0DER", "CA": "A2EUQ1WTGCTBG2", "MX": "A1AM78C64UM0Y8", "?": UNKNOWN}
    payload = [
        entry(ids[each.lstrip("-")], participation={"isParticipating": not each.startswith("-")})
        for each in sold
    ]

    outcome = await check(serve, clients, api=http_answer(200, {"payload": payload}))

    assert outcome.reason is reason
    assert bool(outcome.detail) is (reason is not Reason.OK)
    assert outcome.marketplaces is not None
    if outcome.marketplaces:
        is_sold = any(one.is_configured and one.is_participating for one in outcome.marketplaces)
        assert is_sold is (reason is Reason.OK)


@pytest.mark.parametrize(("body", "wanted", "reason"), PAYLOADS.values(), ids=PAYLOADS)
async def test_a_list_of_marketplaces_is_read_with_patience(serve, clients, body, wanted, reason):
    wire = await open_wire(serve, clients, api=http_answer(200, body))

    outcome = await wire.checker(expected=expect(*wanted)).check()

    assert outcome.reason is reason
    assert outcome.failed_host == (wire.host if reason is Reason.UNEXPECTED_RESPONSE else None)
    assert wire.client.asked == [TOKEN, PROBE]


async def test_the_account_is_the_first_name_of_a_known_marketplace_that_is_used(serve, clients):
    payload = [
        entry("A2ZV50J4W1RKNI", storeName="Elsewhere"),
        entry("A2EUQ1WTGCTBG2", storeName="Idle", participation={"isParticipating": False}),
        entry("A1AM78C64UM0Y8", storeName="  "),
        entry("ATVPDKIKX0DER", storeName=f"Ac\u202eme\n {REFRESH_TOKEN}"),
    ]

    outcome = await check(serve, clients, api=http_answer(200, {"payload": payload}))

    assert outcome.account == "Ac me ••••"


@pytest.mark.parametrize("place", ["lwa", "api"])
async def test_the_request_id_is_kept_clean_and_short(serve, clients, place):
    headers = {"X-Amzn-RequestID": f"{REFRESH_TOKEN}\t" + "7" * 100}
    answer = http_answer(400, lwa_error("invalid_grant").partition(b"\r\n\r\n")[2], headers)

    outcome = await check(serve, clients, **{place: answer})

    assert outcome.request_id == "•••• " + "7" * 58 + "…"


def spell(secret: str) -> list[str]:
    """The forms in which a server may repeat a secret."""
    return [secret, quote(secret, safe=""), html.escape(secret), secret.lower(), secret[:16]]


SECRETS = (REFRESH_TOKEN, CLIENT_SECRET, ACCESS_TOKEN)
ECHO = " ".join(form for secret in SECRETS for form in spell(secret))
ECHOES = {
    "description": lambda status: lwa_error("invalid_grant", status, error_description=ECHO),
    "unknown error": lambda status: lwa_error(ECHO, status, error_description=ECHO),
    "details": lambda status: http_answer(status, errors("Unauthorized", REFUSED + ECHO)),
    "message": lambda status: http_answer(status, errors(ECHO[:100], "", ECHO)),
    "bare message": lambda status: http_answer(status, {"message": ECHO}),
    "a page": lambda status: http_answer(
        status, f"<p>{html.escape(ECHO)}".encode(), {"Content-Type": f"text/{CLIENT_SECRET}"}
    ),
    "far into a page": lambda status: http_answer(status, b"<p>" + b" " * 4000 + ECHO.encode()),
    "doubly encoded": lambda status: http_answer(status, {"message": json.dumps({"x": ECHO})}),
    "payload": lambda status: http_answer(status, {"payload": [entry(storeName=ECHO)]}),
    "headers": lambda status: http_answer(
        status,
        errors("Unauthorized"),
        {"X-Amzn-RequestId": ECHO, "Location": f"https://x/{quote(ECHO)}"},
    ),
}


@pytest.mark.parametrize("place", ["lwa", "api"])
@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
async def test_a_server_that_repeats_all_secrets_finds_none_in_the_outcome(
    serve, clients, echo, place
):
    for status in (200, 302, 400, 401, 403, 429, 500):
        told = repr(await check(serve, clients, **{place: echo(status)})).lower()

        # The first letters alone are what every token of Amazon's begins with.
        assert [secret for secret in SECRETS if secret[8:16].lower() in told] == [], status


async def test_what_holds_secrets_does_not_show_them(serve, clients):
    checker = (await open_wire(serve, clients)).checker()
    assert (await checker.check()).reason is Reason.OK
    credentials = Credentials(CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, ACCESS_TOKEN)

    told = repr([checker, checker._store, checker._app, credentials])

    assert CLIENT_ID in told
    assert not any(secret in told for secret in SECRETS)


async def test_a_secret_of_the_environment_is_read_at_the_first_check(serve, clients, monkeypatch):
    wire = await open_wire(serve, clients)
    checker = wire.checker(refresh_token=Secret({"env": "STORE_TOKEN"}))
    monkeypatch.setenv("STORE_TOKEN", "Atzr|of-the-environment")

    assert (await checker.check()).reason is Reason.OK
    assert wire.forms[0]["refresh_token"] == ["Atzr|of-the-environment"]
