from __future__ import annotations

import asyncio
import base64
import logging
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import structlog

from monitor.config.connections import SoldscopeConnection
from monitor.config.secret import Secret
from monitor.judge.outcome import Outcome, QuotaReading, Reason
from monitor.providers.soldscope import FREE_PATHS, SoldscopeChecker, free_url
from tests.providers.wire import WireServer, http_answer

if TYPE_CHECKING:
    from monitor.providers.base import RefreshableSecret
    from monitor.providers.transport import HttpClients

pytestmark = pytest.mark.anyio

SECRET = "sst_5d41402abc4b2a76b9719d911017c592"
NEWER = "sst_7d793037a0760186574b0282f2f435e7"
QUOTA = {
    "X-API-RateLimit-Limit": "10000",
    "X-API-RateLimit-Remaining": "7421",
    "X-API-RateLimit-Reset": "2026-12-01",
}
READ_QUOTA = QuotaReading(10000, 7421, datetime(2026, 12, 1, tzinfo=UTC), 28 * 86400)
USED_UP = QUOTA | {"X-API-RateLimit-Remaining": "0"}
ACCOUNT = {"account": {"id": 7, "name": "Acme Ltd"}}


class FakeToken:
    """
    A token whose file holds *newer* after a while.
    """

    def __init__(self, value: str = SECRET, newer: str | None = None) -> None:
        self._value = value
        self._newer = newer
        self.n_refreshes = 0

    def reveal(self) -> str:
        return self._value

    def refresh(self) -> bool:
        self.n_refreshes += 1
        if self._newer is None or self._newer == self._value:
            return False
        self._value = self._newer
        return True


def connection_to(
    base_url: str, token: RefreshableSecret, auth: str = "bearer"
) -> SoldscopeConnection:
    return SoldscopeConnection.model_construct(
        name="shop", base_url=base_url, token=token, auth=auth
    )


def checker_for(
    server: WireServer,
    clients: HttpClients,
    token: RefreshableSecret | None = None,
    auth: str = "bearer",
    path: str = "/v1",
) -> SoldscopeChecker:
    return SoldscopeChecker(
        connection_to(f"http://127.0.0.1:{server.port}{path}", token or FakeToken(), auth),
        clients.get(),
        timedelta(seconds=5),
    )


async def check(serve, clients, answer: bytes, token=None) -> Outcome:
    return await checker_for(await serve.answers(answer), clients, token).check()


async def test_a_working_token_is_ok_with_account_and_quota(serve, clients):
    server = await serve.answers(http_answer(200, ACCOUNT, QUOTA))

    outcome = await checker_for(server, clients).check()

    assert outcome.reason is Reason.OK
    assert outcome.detail == ""
    assert outcome.http_status == 200
    assert outcome.latency_ms is not None
    assert outcome.account == "Acme Ltd"
    assert outcome.quota == READ_QUOTA
    assert not outcome.is_payment_required
    assert outcome.retry_at is None


async def test_the_request_is_what_the_reference_says(serve, clients):
    server = await serve.answers(http_answer())

    await checker_for(server, clients).check()

    (request,) = server.requests
    assert request.startswith(b"GET /v1/auth/check HTTP/1.1\r\n")
    assert f"authorization: bearer {SECRET}\r\n".encode() in request.lower()
    assert f"host: 127.0.0.1:{server.port}\r\n".encode() in request.lower()


@pytest.mark.parametrize("path", ["", "/", "/v1/"])
async def test_a_trailing_slash_does_no_harm(serve, clients, path):
    server = await serve.answers(http_answer())

    await checker_for(server, clients, path=path).check()

    assert f" {path.rstrip('/')}/auth/check ".encode() in server.requests[0]


async def test_a_named_header_carries_the_bare_token(serve, clients):
    server = await serve.answers(http_answer())

    await checker_for(server, clients, auth="header:X-API-Key").check()

    request = server.requests[0].lower()
    assert f"x-api-key: {SECRET}\r\n".encode() in request
    assert b"authorization" not in request


def raw(status: int) -> bytes:
    return f"HTTP/1.1 {status} Odd\r\n\r\n".encode()


ANSWERS = [
    (http_answer(200, ACCOUNT), Reason.OK, "200"),
    (http_answer(402, {"message": "Payment Required"}), Reason.OK, "402"),
    (http_answer(429, {"message": "slow down"}), Reason.THROTTLED, "429"),
    (http_answer(403, {}, USED_UP), Reason.THROTTLED, "403 with nothing left"),
    (http_answer(403, {}, {"Retry-After": "9"}), Reason.THROTTLED, "403 with Retry-After"),
    (http_answer(403, {"error": "Rate limit exceeded"}), Reason.THROTTLED, "403 rate limit"),
    (http_answer(401, {"message": "Unauthenticated"}), Reason.TOKEN_REJECTED, "401"),
    (http_answer(401, b"<html>no</html>"), Reason.TOKEN_REJECTED, "401 in HTML"),
    (http_answer(401, b"x" * 300_000), Reason.TOKEN_REJECTED, "401 at length"),
    (http_answer(403, {"message": "Forbidden"}, QUOTA), Reason.PERMISSION_DENIED, "403"),
    (
        http_answer(403, b"<h1>Forbidden", {"Content-Type": "Text/HTML; charset=utf-8"}),
        Reason.UNEXPECTED_RESPONSE,
        "403 in HTML",
    ),
    (http_answer(403, b"<!doctype html>no"), Reason.UNEXPECTED_RESPONSE, "403 in disguise"),
    (http_answer(403, {"message": "Insufficient credits"}), Reason.OK, "403 no money"),
    (http_answer(429, {"error": "insufficient_quota"}), Reason.OK, "429 no money"),
    (http_answer(403, {"error": "dailyLimitExceeded"}), Reason.THROTTLED, "403 daily limit"),
    (http_answer(403, {"error": "account suspended"}), Reason.PERMISSION_DENIED, "403 account"),
    (http_answer(423, {"error": "locked"}), Reason.UNEXPECTED_RESPONSE, "423"),
    (http_answer(500, b"oops"), Reason.SERVER_ERROR, "500"),
    (http_answer(503, b"", {"Retry-After": "60"}), Reason.SERVER_ERROR, "503"),
    (http_answer(599, b""), Reason.SERVER_ERROR, "599"),
    (http_answer(200, b""), Reason.UNEXPECTED_RESPONSE, "200 empty"),
    (http_answer(200, {}), Reason.UNEXPECTED_RESPONSE, "200 empty object"),
    (http_answer(200, [ACCOUNT]), Reason.UNEXPECTED_RESPONSE, "200 list"),
    (http_answer(200, b"null"), Reason.UNEXPECTED_RESPONSE, "200 null"),
    (http_answer(200, b"<html>Maintenance"), Reason.UNEXPECTED_RESPONSE, "200 HTML"),
    (http_answer(200, b'{"name": "Ac'), Reason.UNEXPECTED_RESPONSE, "200 cut off"),
    (http_answer(200, b"[" * 200_000), Reason.UNEXPECTED_RESPONSE, "200 nested"),
    (http_answer(200, b" " * 300_000), Reason.UNEXPECTED_RESPONSE, "200 oversize"),
    (http_answer(200, {"id": 7, "error": "x"}), Reason.UNEXPECTED_RESPONSE, "200 with error"),
    (http_answer(200, {"ok": False, "id": 7}), Reason.UNEXPECTED_RESPONSE, "200 not ok"),
    (http_answer(201, ACCOUNT), Reason.UNEXPECTED_RESPONSE, "201"),
    (raw(204), Reason.UNEXPECTED_RESPONSE, "204"),
    (raw(101), Reason.UNEXPECTED_RESPONSE, "101"),
    (raw(304), Reason.UNEXPECTED_RESPONSE, "304"),
    (http_answer(302, b"", {"Location": "/login"}), Reason.UNEXPECTED_RESPONSE, "302"),
    (http_answer(400, {"message": "x"}), Reason.UNEXPECTED_RESPONSE, "400"),
    (http_answer(404, {"message": "x"}), Reason.UNEXPECTED_RESPONSE, "404"),
    (http_answer(600, b""), Reason.UNEXPECTED_RESPONSE, "600"),
    (http_answer(999, b""), Reason.UNEXPECTED_RESPONSE, "999"),
]


@pytest.mark.parametrize(
    ("answer", "reason"), [pytest.param(*case[:2], id=case[2]) for case in ANSWERS]
)
async def test_every_answer_has_its_row_in_the_table(serve, clients, answer, reason):
    outcome = await check(serve, clients, answer)

    assert outcome.reason is reason
    assert (outcome.detail == "") is (reason is Reason.OK)
    assert outcome.http_status == int(answer.split()[1])


async def test_nothing_metered_is_ever_called(serve, clients):
    """
    Only the one free path, whatever was answered before.
    """
    server = await serve.answers(*(answer for answer, *_ in ANSWERS))
    checker = checker_for(server, clients, FakeToken(newer=NEWER))

    for _ in range(len(ANSWERS) + 3):
        await checker.check()

    lines = {request.split(b"\r\n")[0] for request in server.requests}
    assert lines == {b"GET /v1/auth/check HTTP/1.1"}
    assert len(server.requests) > len(ANSWERS)


async def test_only_free_paths_are_known():
    assert list(FREE_PATHS) == [
        "/auth/check",
        "/product-research/searches",
        "/keyword-research/searches/{id}/progress",
    ]


@pytest.mark.parametrize(
    "path",
    [
        "/keyword-research/searches",
        "/keyword-research/searches/7",
        "/keyword-research/searches//progress",
        "/keyword-research/searches/7/../progress",
        "/keyword-research/searches/a b/progress",
        "/product-research/products",
        "/product-research/searches?query=lamps",
        "/auth/check/",
        "/auth/check?x=1",
        "/AUTH/CHECK",
        "",
    ],
)
async def test_a_path_not_known_to_be_free_is_refused(path):
    with pytest.raises(ValueError, match="free of charge"):
        free_url("https://api.example.com", path)


@pytest.mark.parametrize(
    "base_url",
    ["https://me:pw@api.example.com", "https://api.example.com?x=1", "https://x/#y", "/v1", ""],
)
async def test_an_address_that_could_change_the_path_is_refused(base_url):
    with pytest.raises(ValueError, match="base_url"):
        free_url(base_url, "/auth/check")


@pytest.mark.parametrize("auth", ["basic", "header:", "query:key", "", "Bearer"])
async def test_an_unknown_form_of_auth_is_refused(serve, clients, auth):
    server = await serve.answers(http_answer())

    with pytest.raises(ValueError, match="auth: expected bearer or header:NAME"):
        checker_for(server, clients, auth=auth)


async def test_402_is_alive_with_nothing_left(serve, clients):
    outcome = await check(serve, clients, http_answer(402, {"name": "Over quota"}, USED_UP))

    assert outcome.reason is Reason.OK
    assert outcome.is_payment_required
    assert outcome.quota is not None
    assert outcome.quota.remaining == 0
    assert outcome.account is None


@pytest.mark.parametrize("status", [402, 403, 429])
async def test_credit_that_is_used_up_is_alive_with_nothing_left(serve, clients, status):
    body = {"error": {"code": "insufficient_quota", "message": "Check your billing details."}}

    outcome = await check(serve, clients, http_answer(status, body, QUOTA))

    assert (outcome.reason, outcome.is_payment_required) == (Reason.OK, True)
    assert outcome.quota == READ_QUOTA


async def test_402_is_not_asked_again(serve, clients):
    server = await serve.answers(http_answer(402))
    token = FakeToken(newer=NEWER)

    await checker_for(server, clients, token).check()

    assert (len(server.requests), token.n_refreshes) == (1, 0)


RESET = datetime.now(UTC).replace(microsecond=0) + timedelta(days=20)
RESETS = {"X-API-RateLimit-Reset": RESET.isoformat()}


@pytest.mark.parametrize(
    ("headers", "waits_until"),
    [
        pytest.param({}, None, id="nothing said"),
        pytest.param(QUOTA | RESETS, None, id="quota left"),
        pytest.param(USED_UP | RESETS, RESET, id="used up"),
        pytest.param({"Retry-After": "soon"}, None, id="unreadable"),
        pytest.param(USED_UP | RESETS | {"Retry-After": "60"}, RESET, id="the reset is later"),
    ],
)
async def test_throttling_waits_for_what_the_server_names(serve, clients, headers, waits_until):
    outcome = await check(serve, clients, http_answer(429, {}, headers))

    assert outcome.reason is Reason.THROTTLED
    assert outcome.retry_at == waits_until


async def test_retry_after_counts_from_the_answer(serve, clients):
    before = datetime.now(UTC)

    outcome = await check(serve, clients, http_answer(429, {}, {"Retry-After": "120"}))

    assert outcome.retry_at is not None
    assert timedelta(seconds=119) < outcome.retry_at - before < timedelta(seconds=130)


async def test_a_refusal_is_not_asked_again_without_a_new_token(serve, clients):
    server = await serve.answers(http_answer(401), http_answer(200, ACCOUNT))
    token = FakeToken()

    outcome = await checker_for(server, clients, token).check()

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert (len(server.requests), token.n_refreshes) == (1, 1)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_counts_only_after_the_newer_token_was_tried(serve, clients, status):
    server = await serve.answers(http_answer(status, {}), http_answer(200, ACCOUNT))

    outcome = await checker_for(server, clients, FakeToken(newer=NEWER)).check()

    assert outcome.reason is Reason.OK
    assert SECRET.encode() in server.requests[0]
    assert NEWER.encode() in server.requests[1]


async def test_a_newer_token_that_is_refused_too_is_a_refusal(serve, clients):
    server = await serve.answers(http_answer(401))

    outcome = await checker_for(server, clients, FakeToken(newer=NEWER)).check()

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert len(server.requests) == 2


async def test_a_newer_token_that_could_not_be_asked_is_inconclusive(serve, clients):
    server = await serve.answers(http_answer(401), http_answer(503, b""))

    outcome = await checker_for(server, clients, FakeToken(newer=NEWER)).check()

    assert outcome.reason is Reason.SERVER_ERROR


async def test_a_token_refreshed_by_another_connection_is_used(serve, clients):
    """
    Two connections share a file: the one that looks second finds no change.
    """
    fine = http_answer(200, ACCOUNT)
    server = await serve.answers(fine, fine, http_answer(401), fine)
    token = FakeToken(newer=NEWER)
    first, second = (checker_for(server, clients, token) for _ in range(2))
    for checker in (first, second, first):
        await checker.check()
    assert token.n_refreshes == 1

    await second.check()

    assert NEWER.encode() in server.requests[-1]
    assert token.n_refreshes == 1


@pytest.mark.parametrize(
    "token", ["", "two words", "line\r\nX-Evil: 1", "line\n", "tökn", "••••", "nul\0", "tab\t"]
)
async def test_a_token_that_cannot_be_sent_is_said_so_and_not_sent(serve, clients, token):
    server = await serve.answers(http_answer())

    outcome = await checker_for(
        server, clients, FakeToken(token) if token else EmptyToken()
    ).check()

    assert outcome.reason is Reason.PROTOCOL
    assert outcome.detail.startswith("The token cannot be sent: ")
    assert server.connections == 0


class EmptyToken(FakeToken):
    def reveal(self) -> str:
        return ""


async def test_a_token_file_is_read_again_before_a_refusal_counts(serve, clients, tmp_path):
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(0o600)
    server = await serve.answers(*[http_answer(200, ACCOUNT), http_answer(401)] * 2)
    checker = checker_for(server, clients, Secret({"file": "token"}, tmp_path))
    await checker.check()
    path.write_text(NEWER)

    outcome = await checker.check()

    assert outcome.reason is Reason.OK
    assert [NEWER.encode() in request for request in server.requests] == [False, False, True]


async def test_a_refusal_counts_when_the_token_file_is_gone(serve, clients, tmp_path):
    path = tmp_path / "token"
    path.write_text(SECRET)
    path.chmod(0o600)
    server = await serve.answers(http_answer(200, ACCOUNT), http_answer(401))
    checker = checker_for(server, clients, Secret({"file": "token"}, tmp_path))
    await checker.check()
    path.unlink()

    outcome = await checker.check()

    assert outcome.reason is Reason.TOKEN_REJECTED
    assert f"The token could not be read again: file {path}: " in outcome.detail


async def test_a_token_that_was_never_readable_is_inconclusive(serve, clients, tmp_path):
    server = await serve.answers(http_answer(200, ACCOUNT))
    checker = checker_for(server, clients, Secret({"env": "NO_SUCH_TOKEN_HERE"}))

    outcome = await checker.check()

    assert outcome.reason is Reason.PROTOCOL
    assert outcome.detail.startswith("The token cannot be read: env NO_SUCH_TOKEN_HERE: ")
    assert server.connections == 0


async def test_a_redirect_never_carries_the_token_away(serve, clients):
    other = await serve.answers(http_answer())
    location = {"Location": f"http://127.0.0.1:{other.port}/?token={SECRET}"}
    server = await serve.answers(http_answer(307, b"", location))

    outcome = await checker_for(server, clients).check()

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE
    assert "to 127.0.0.1." in outcome.detail
    assert (other.connections, len(server.requests)) == (0, 1)


ECHOES = [
    pytest.param(http_answer(status, body, headers), id=f"{status} {kind}")
    for status in (200, 302, 400, 401, 403, 429, 500)
    for kind, body, headers in (
        ("message", {"message": f"Token {SECRET} is bad", "error": "x"}, {}),
        ("upper case", {"error": {"message": f"no: {SECRET.upper()}"}}, {}),
        ("text", f"<b>{SECRET}</b> is no token".encode(), {"Content-Type": SECRET}),
        ("at a cut", b"y" * 60 + SECRET.encode(), {}),
        ("at another cut", b"<" + b"y" * 4060 + b">" + SECRET.encode() + b" " * 99, {}),
        ("target", b"", {"Location": f"https://{SECRET.replace('_', '-')}.example/{SECRET}"}),
        ("account", {"name": SECRET, "id": 1}, {}),
        ("headers", {"error": "x"}, {"X-API-RateLimit-Limit": f"of {SECRET}"}),
        ("broken JSON", f'["{SECRET}'.encode(), {}),
    )
]


@pytest.mark.parametrize("answer", ECHOES)
async def test_a_token_sent_back_is_shown_nowhere(serve, clients, answer, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    server = await serve.answers(answer)
    checker = checker_for(server, clients)

    with structlog.testing.capture_logs() as logs:
        outcome = await checker.check()

    shown = f"{outcome!r} {logs!r} {checker!r} {caplog.text} {capfd.readouterr()!r}".lower()
    assert SECRET not in shown
    assert SECRET[:20] not in shown


async def test_a_failure_names_the_host_and_not_the_token(clients):
    connection = connection_to("http://api.example.invalid", FakeToken())
    checker = SoldscopeChecker(connection, clients.get(), timedelta(seconds=5))

    outcome = await checker.check()

    assert outcome.reason is Reason.DNS
    assert outcome.detail.startswith("Cannot resolve api.example.invalid: ")
    assert outcome.http_status is None
    assert outcome.quota is None
    assert SECRET not in repr(outcome)


async def test_unreadable_quota_headers_are_told_once_a_connection(serve, clients):
    headers = {
        "X-API-RateLimit-Limit": "lots" * 100,
        "X-API-RateLimit-Remaining": "-1",
        "X-API-RateLimit-Reset": "2026-12-01",
    }
    server = await serve.answers(http_answer(200, ACCOUNT, headers))
    checker = checker_for(server, clients)

    with structlog.testing.capture_logs() as logs:
        outcomes = [await checker.check() for _ in range(3)]

    (entry,) = logs
    assert entry["event"] == "quota.unreadable"
    assert entry["log_level"] == "warning"
    assert entry["connection"] == "shop"
    assert set(entry["fields"]) == {"x-api-ratelimit-limit", "x-api-ratelimit-remaining"}
    assert max(map(len, entry["fields"].values())) == 50
    assert outcomes[2].quota == QuotaReading(
        None, None, datetime(2026, 12, 1, tzinfo=UTC), 28 * 86400
    )


async def test_absent_quota_headers_are_no_warning(serve, clients):
    with structlog.testing.capture_logs() as logs:
        outcome = await check(serve, clients, http_answer(200, ACCOUNT))

    assert logs == []
    assert outcome.quota == QuotaReading()


@pytest.mark.parametrize("status", [401, 403, 500, 404])
async def test_a_trouble_says_nothing_of_the_quota(serve, clients, status):
    outcome = await check(serve, clients, http_answer(status, {}, QUOTA))

    assert outcome.quota is None


async def test_what_the_server_says_is_passed_on(serve, clients):
    message = "Token revoked\r\n\x1b[31m by   owner \u202e" + "!" * 500

    outcome = await check(serve, clients, http_answer(401, {"message": message}))

    told = re.search(r'The server says: "(.*)"$', outcome.detail)
    assert told is not None
    assert told[1].startswith("Token revoked [31m by owner !!!")
    assert len(told[1]) == 200
    # Where to create a new one says the remedy, which stands beside it everywhere.
    assert outcome.detail.startswith("The token was revoked (401). The server says: ")


async def test_200_checks_at_once_are_all_answered(serve, clients):
    server = await serve.answers(http_answer(200, ACCOUNT, QUOTA))
    checkers = [checker_for(server, clients) for _ in range(200)]

    outcomes = await asyncio.gather(*(checker.check() for checker in checkers))

    assert {outcome.reason for outcome in outcomes} == {Reason.OK}
    assert len(server.requests) == 200


async def test_checks_one_after_the_other_share_a_connection(serve, clients):
    server = await serve.answers(http_answer(200, ACCOUNT, QUOTA))
    checkers = [checker_for(server, clients) for _ in range(20)]

    for checker in checkers:
        await checker.check()

    assert (server.connections, len(server.requests)) == (1, 20)


async def test_the_token_is_sent_as_written(serve, clients):
    token = base64.b64encode(bytes(range(60))).decode() + "~!#$%&'*+-.^_`|\"\\"
    server = await serve.answers(http_answer())

    await checker_for(server, clients, FakeToken(token)).check()

    assert f"Bearer {token}\r\n".encode() in server.requests[0]
