"""
Give services' answers to the checkers: each ends in an outcome that can be stored and shown.

The answers come through a real server on loopback, broken HTTP as well.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Self

from structlog.testing import capture_logs

from monitor.config.http import PRESETS
from monitor.config.load import load_config
from monitor.engine.batch import FinishedCheck
from monitor.engine.evaluate import evaluate
from monitor.providers.base import GrantLocks
from monitor.providers.registry import build_checker
from monitor.providers.transport import HttpClients
from monitor.store import connections
from tests.builders import entry as entry_of
from tests.builders import plan_of
from tests.fakes import NOON
from tests.fuzz import bait
from tests.fuzz.core import FaultError
from tests.fuzz.installation import TemporaryStore

if TYPE_CHECKING:
    from random import Random

    from monitor.judge.outcome import Outcome
    from tests.fuzz.core import Case

SECRET = bait.SECRET
CLIENT_SECRET = "amzn1.oa2-cs.v1.hunter2hunter2"
REFRESH_TOKEN = "Atzr|hunter2hunter2hunter2"
SECRETS = (SECRET, CLIENT_SECRET, REFRESH_TOKEN)
HANGS_AFTER_S = 60
NEXT = b"next answer"

CONFIG = """
[checks]
timeout = "1s"
[web]
listen = ""
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.x"
client_secret = "{client_secret}"
token_url = "http://127.0.0.1:{port}/auth/o2/token"
[[connections]]
name = "soldscope"
provider = "soldscope"
base_url = "http://127.0.0.1:{port}/api/v1"
token = "{secret}"
[[connections]]
name = "amazon"
provider = "amazon"
application = "our-app"
region = "na"
endpoint = "http://127.0.0.1:{port}"
marketplaces = ["US"]
refresh_token = "{refresh_token}"
[[connections]]
name = "http"
provider = "http"
url = "http://127.0.0.1:{port}/me"
token = "{secret}"
expect_json = {{ "/data/0/ok" = true }}
[[connections]]
name = "plain"
provider = "http"
url = "http://127.0.0.1:{port}/me"
token = "{secret}"
auth = "header:X-Key"
expires_header = "X-Expires"
"""
PRESET = """
[[connections]]
name = "{preset}"
provider = "http"
preset = "{preset}"
url = "http://127.0.0.1:{port}/me"
token = "{secret}"
"""
NAMES = ("soldscope", "amazon", "http", "plain", *PRESETS)

TOKEN = {"access_token": "Atza|x", "token_type": "bearer", "expires_in": 3600}
SELLERS = {
    "payload": [
        {
            "marketplace": {"id": "ATVPDKIKX0DER", "countryCode": "US", "name": "Amazon.com"},
            "participation": {"isParticipating": True, "hasSuspendedListings": False},
            "storeName": "Acme",
        }
    ]
}
BODIES = (
    {"id": 7, "name": "Acme Ltd", "company": "Acme", "email": "a@example.com"},
    {"account": {"name": "Acme"}, "data": [{"ok": True}], "ok": True},
    {"ok": False, "error": "token_revoked"},
    {"error": {"code": 403, "message": "no", "errors": [{"reason": "dailyLimitExceeded"}]}},
    {"error": "invalid_grant", "error_description": "The token is no longer valid"},
    {"error": {"type": "authentication_error", "message": "invalid x-api-key"}},
    {"errors": [{"code": "Unauthorized", "message": "Access denied", "details": "expired"}]},
    {"errors": "[API] Unavailable Shop"},
    {"expires_at": "2026-12-01", "active": True, "revoked": False},
    TOKEN,
    SELLERS,
)
HEADERS = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Quota-Limit",
    "X-Quota-Remaining",
    "X-Quota-Reset",
    "X-Shopify-Shop-Api-Call-Limit",
    "anthropic-ratelimit-requests-reset",
    "x-ratelimit-reset-requests",
    "github-authentication-token-expiration",
    "X-Expires",
    "x-amzn-RequestId",
    "x-amzn-RateLimit-Limit",
    "Date",
    "Content-Type",
    "Content-Encoding",
    "Transfer-Encoding",
    "Location",
    "Set-Cookie",
    "WWW-Authenticate",
)
VALUES = (
    "0",
    "1",
    "1000",
    "-5",
    "1e309",
    "9" * 400,
    "1/40",
    "999, 3",
    '"default";r=50;t=30',
    '"a";q=100;w=3600, "b";q=5;w=1',
    "100;w=60",
    ";;;",
    '"' * 100,
    "1780000000",
    "1780000000000",
    "1" * 19,
    "6m0s",
    "1s",
    "Wed, 21 Oct 2026 07:28:00 GMT",
    "Wed, 99 Oct 0000 99:99:99 GMT",
    "2026-12-01T00:00:00Z",
    "2026-12-01 00:00:00 UTC",
    "9999-12-31T23:59:59+14:00",
    "0000-00-00",
    "gzip",
    "br",
    "chunked",
    "text/html; charset=utf-16",
    "application/json; charset=nowhere",
    SECRET,
)
STATUSES = (200, 200, 200, 204, 301, 304, 400, 401, 402, 403, 404, 423, 429, 500, 503, 999, 42)


class Answers:
    """
    Answers made from good ones, to each provider and preset.

    The first piece is the connection's name; the others are the lines of the answer, and of the
    next one after `NEXT`.
    """

    name = "answers"

    def __enter__(self) -> Self:
        self._runner = asyncio.Runner()
        self._store = TemporaryStore(plan_of(*(entry_of(name) for name in NAMES)))
        self._answers: list[bytes] = []
        self._clients = HttpClients(4)
        self._server = self._runner.run(self._listen())
        port = self._server.sockets[0].getsockname()[1]
        words = {
            "port": port,
            "secret": SECRET,
            "client_secret": CLIENT_SECRET,
            "refresh_token": REFRESH_TOKEN,
        }
        text = CONFIG.format(**words)
        text += "".join(PRESET.format(preset=preset, **words) for preset in PRESETS)
        path = self._store.folder / "config.toml"
        path.touch(mode=0o600)
        path.write_text(text, "utf-8")
        self._config = load_config(path)
        return self

    def __exit__(self, *error: object) -> None:
        self._server.close()
        self._runner.run(self._clients.aclose())
        self._runner.close()
        self._store.close()

    def make(self, random: Random) -> Case:
        name = random.choice(NAMES)
        if name != "amazon":
            return (name, *_make_answer(random))
        token = _make_answer(random, is_token=random.random() < 0.7)
        return (name, *token, NEXT, *_make_answer(random))

    def run(self, case: Case) -> None:
        name = str(case[0]) if case else ""
        if name not in NAMES:
            return
        sent: list[bytes] = [b""]
        for piece in case[1:]:
            if piece == NEXT:
                sent.append(b"")
            else:
                assert isinstance(piece, bytes)
                sent[-1] += piece
        self._answers = sent
        with capture_logs() as logs:
            outcome = self._runner.run(self._check(name))
            _examine(outcome, repr(logs))
            with self._store.database.write() as tx:
                record = connections.find_record(tx, name)
                assert record is not None
                finished = FinishedCheck(record.id, None, NOON + timedelta(seconds=1), outcome)
                evaluate(tx, [finished], self._store.plan)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(self._answers.pop(0) if self._answers else b"")
            await writer.drain()
        writer.close()

    async def _check(self, name: str) -> Outcome:
        [connection] = [one for one in self._config.connections if one.name == name]
        checker = build_checker(connection, self._config, self._clients, GrantLocks())
        async with asyncio.timeout(HANGS_AFTER_S):
            return await checker.check()


def _examine(outcome: Outcome, logged: str) -> None:
    told = [logged, outcome.detail, outcome.account or "", outcome.request_id or ""]
    told += [*outcome.unreadable_ends, *outcome.unreadable_quota]
    for text in told:
        if any(secret in text for secret in SECRETS):
            raise FaultError(f"a secret is told: {text!r}")
        text.encode()  # it is stored and shown


def _make_answer(random: Random, *, is_token: bool = False) -> list[bytes]:
    status = 200 if is_token else random.choice(STATUSES)
    body = TOKEN if is_token else random.choice(BODIES)
    payload = _make_body(random, body)
    lines = [f"HTTP/1.1 {status} Fine"]
    headers = {"Content-Type": "application/json", "Content-Length": str(len(payload))}
    for _ in range(random.choice((0, 1, 2, 4))):
        value = random.choice(VALUES) if random.random() < 0.8 else bait.text(random)
        lines.append(f"{random.choice(HEADERS)}: {value}")
    if random.random() < 0.1:
        headers["Content-Length"] = random.choice(("0", "-1", "1", "x", "99999999999"))
    if random.random() < 0.1:
        payload = zlib.compress(payload)[: random.randrange(1, 40)]
        headers |= {"Content-Encoding": random.choice(("gzip", "deflate"))}
        headers["Content-Length"] = str(len(payload))
    if random.random() < 0.1:
        del headers["Content-Length"]
        headers["Transfer-Encoding"] = "chunked"
        size = random.choice((f"{len(payload):x}", "zz", "-1", "f" * 40, "0"))
        payload = f"{size}\r\n".encode() + payload + b"\r\n0\r\n\r\n"
    lines += [f"{name}: {value}" for name, value in headers.items()]
    pieces = [f"{line}\r\n".encode("utf-8", "surrogatepass") for line in [*lines, ""]]
    if random.random() < 0.05:
        at = random.randrange(len(pieces))
        pieces[at] = bait.damage(random, pieces[at])
    return [*pieces, payload]


def _make_body(random: Random, body: object) -> bytes:
    if random.random() < 0.4:
        body = _change(random, body)
    if random.random() < 0.05:
        return random.choice((b"", b"[" * 100_000, b"<html>no</html>", b"\xff\xfe{\x00}\x00", b"0"))
    payload = json.dumps(body).encode()
    return bait.damage(random, payload) if random.random() < 0.15 else payload


def _change(random: Random, value: object) -> object:
    """
    Return *value* with something in it replaced, put in or taken out.
    """
    if isinstance(value, dict) and value and random.random() < 0.8:
        key = random.choice(list(value))
        changed = dict(value)
        match random.randrange(4):
            case 0:
                del changed[key]
            case 1:
                changed[bait.text(random)] = value[key]
            case _:
                changed[key] = _change(random, value[key])
        return changed
    if isinstance(value, list) and value and random.random() < 0.8:
        return [_change(random, value[0]), *value[random.randrange(2) :]]
    other: tuple[object, ...] = (
        None,
        True,
        0,
        -1,
        10**30,
        1e308,
        float("nan"),
        [],
        {},
        [[]],
        {"": {}},
        [None] * 500,
    )
    return random.choice((*other, *(bait.text(random) for _ in range(12))))
