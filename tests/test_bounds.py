"""
Whatever comes from outside is read in time that grows with its size alone.

The cost of the worst that anybody may send is compared with that of a plain text of the same size,
on the same machine at the same moment.
"""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx
import pytest

from monitor.__main__ import COLLECT_GARBAGE_AFTER
from monitor.judge.outcome import Outcome, Reason
from monitor.notify.words import clean_facts, mask_parts
from monitor.providers.fetcher import MAX_BODY
from monitor.providers.masking import clean
from monitor.report.advice import Surroundings, write_ticket
from monitor.report.validation import CheckedConnection
from monitor.web.sessions import CSRF_COOKIE, CSRF_HEADER
from tests.benchmarks.bounds import (
    BODIES,
    FIELDS,
    MONOTONOUS,
    PLAIN,
    READERS,
    SECRETS,
    TOKEN,
    answers_of,
    header_answers,
    measure,
    measure_reader,
)
from tests.fakes import NOON
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import Iterator

RATIO = 40
"""Plain text is searched by C at gigabytes a second, and letter by letter it is not."""
AT_LEAST_MS = 2.0
"""What takes less than this when it is plain is compared with this."""


def is_bounded(worst_ms: float, plain_ms: float) -> bool:
    return worst_ms < RATIO * max(plain_ms, AT_LEAST_MS)


@pytest.fixture(autouse=True)
def collect_garbage_as_the_daemon_does() -> Iterator[None]:
    usual = gc.get_threshold()
    gc.set_threshold(COLLECT_GARBAGE_AFTER)
    yield
    gc.set_threshold(*usual)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("body", [name for name in BODIES if name != "plain"])
def test_the_worst_answer_costs_little_more_than_a_plain_one(reader, body):
    headers = httpx.Headers({"Content-Type": "application/json"})
    read = READERS[reader]

    plain = measure_reader(read, answers_of(PLAIN, headers), 2)
    worst = measure_reader(read, answers_of(BODIES[body], headers), 2)

    assert is_bounded(worst, plain), f"{worst:.1f} ms, and {plain:.1f} ms for a plain one"


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("field", [name for name in FIELDS if name != "plain"])
def test_the_worst_headers_cost_little_more_than_plain_ones(reader, field):
    read = READERS[reader]

    plain = measure_reader(read, header_answers(FIELDS["plain"]), 2)
    worst = measure_reader(read, header_answers(FIELDS[field]), 2)

    assert is_bounded(worst, plain), f"{worst:.1f} ms, and {plain:.1f} ms for plain ones"


TEXTS = {
    "the token": TOKEN,
    "one letter": "a",
    "escapes": "%61",
    "entities": "&#x61;",
    "control characters": "\0",
    "overrides": "\u202e",
    "an address without its end": "a.b",
    "calls": "@a ",
    "links": "](http://a",
    "spaces": "  ",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_texts_for_people_are_made_in_time_that_grows_with_their_length(text):
    url = f"https://{TOKEN}:{MONOTONOUS}@hooks.example/{'a/' * 200}"

    def make(text: str) -> None:
        clean(text, SECRETS, 500)
        clean(text, SECRETS, 10**9)
        clean_facts({"detail": text, "list": [text[:1000]] * 50})
        mask_parts(text[: 64 * 1024], url)

    usual, other = fill("word ", MAX_BODY), fill(text, MAX_BODY)
    plain = measure(lambda: make(usual), 2)
    worst = measure(lambda: make(other), 2)

    assert worst < 5 * plain + RATIO * AT_LEAST_MS


def test_addresses_of_people_are_hidden_in_time_that_grows_with_the_text():
    each: Any = {
        "name": "store",
        "provider": "countdown",
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
    answered = CheckedConnection(Outcome(Reason.OK), each, NOON, 30)

    def write(text: str) -> None:
        write_ticket(Surroundings("connwatch", {"said": text}), [], answered, [])

    plain = measure(lambda: write("word " * 20_000), 2)
    worst = measure(lambda: write("a.b" * 30_000), 2)

    assert is_bounded(worst, plain)


HEAD = 60_000


def fill(text: str, length: int = HEAD) -> str:
    return text * (length // len(text))


FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}

REQUESTS: dict[str, tuple[str, str, dict[str, str], str]] = {
    "a long address": ("GET", "/?q=" + fill("x"), {}, ""),
    "many parameters": ("GET", "/?" + fill("a&"), {}, ""),
    "the same parameter": ("GET", "/?" + fill("state=a&", 8_000), {}, ""),
    "percent signs": ("GET", "/?q=" + fill("%", 8_000), {}, ""),
    "an escaped search": ("GET", "/?q=" + fill("%41", 8_000), {}, ""),
    "many folders": ("GET", "/connections/" + fill("a/"), {}, ""),
    "the way up": ("GET", "/static/" + fill("../"), {}, ""),
    "a shorter way up": ("GET", "/static/" + fill("../", 8_000), {}, ""),
    "a cursor": ("GET", "/api/v1/connections?cursor=" + fill("A", 8_000), {}, ""),
    "many cookies": ("GET", "/", {"cookie": fill("a=b; ")}, ""),
    "a cookie in quotes": ("GET", "/", {"cookie": 'a="' + fill('\\"') + '"'}, ""),
    "our own in quotes": ("GET", "/", {"cookie": f'{CSRF_COOKIE}="' + fill('\\"') + '"'}, ""),
    "octal cookies": ("GET", "/", {"cookie": 'a="' + fill("\\101") + '"'}, ""),
    "a long session": ("GET", "/", {"cookie": "connwatch_session=" + fill("x")}, ""),
    "media types": ("GET", "/", {"accept": fill("text/html;q=0.1,")}, ""),
    "a long token": ("GET", "/api/v1/connections", {"authorization": "Bearer " + fill("x")}, ""),
    "a long host": ("GET", "/", {"host": fill("a.")}, ""),
    "forwarded for": ("GET", "/", {"x-forwarded-for": fill("1.1.1.1,")}, ""),
    "tags": ("GET", "/static/style.css", {"if-none-match": fill('"a",')}, ""),
    "ranges": ("GET", "/static/style.css", {"range": "bytes=" + fill("0-1,")}, ""),
    "an origin": ("POST", "/login", FORM | {"origin": "http://" + fill("a.")}, "password=x"),
    "many fields": ("POST", "/login", FORM, fill("a=b&")),
    "escaped fields": ("POST", "/login", FORM, "password=" + fill("%41")),
    "parts": (
        "POST",
        "/login",
        {"content-type": "multipart/form-data; boundary=" + "a" * 60},
        fill("--" + "a" * 60 + "\r\n\r\n"),
    ),
    "nested lists": ("POST", "/api/v1/connections/a/renew", JSON, fill("[")),
    "lists": ("POST", "/api/v1/connections/a/renew", JSON, '{"on": [' + fill("{},") + "1]}"),
    "keys": (
        "POST",
        "/api/v1/connections/a/renew",
        JSON,
        "{" + ",".join(f'"{number}":1' for number in range(5_000)) + "}",
    ),
    "digits": ("POST", "/api/v1/connections/a/renew", JSON, '{"on": ' + fill("9") + "}"),
    "escapes": ("POST", "/api/v1/silences", JSON, '{"reason": "' + fill("\\u0000") + '"}'),
}


async def ask(app: Any, method: str, target: str, headers: dict[str, str], body: str) -> int:
    path, _, query = target.partition("?")
    sent: list[dict[str, Any]] = []
    given = [{"type": "http.request", "body": body.encode(), "more_body": False}]

    async def receive() -> dict[str, Any]:
        return given.pop() if given else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    usual = {"host": "127.0.0.1:8080"} | headers
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in usual.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8080),
        "state": {},
    }
    await app(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.anyio
async def test_the_worst_requests_cost_little_more_than_a_page(database):
    too_dear = {}
    async with open_web(database) as web:
        await web.get("/login")
        word = web.client.cookies[CSRF_COOKIE]

        async def cost(method: str, target: str, headers: dict[str, str], body: str) -> float:
            if method == "POST":
                more = {CSRF_HEADER.lower(): word, "cookie": f"{CSRF_COOKIE}={word}"}
                headers = headers | more
            started = time.process_time()
            status = await ask(web.app, method, target, headers, body)
            took = time.process_time() - started
            assert status < 500
            return took * 1000

        plain = min([await cost("GET", "/", {}, "") for _ in range(3)])
        for name, request in REQUESTS.items():
            for _ in range(3):  # the least of several counts: one that is small enough will do
                worst = await cost(*request)
                if worst < 10 * max(plain, 5.0):
                    break
            else:
                too_dear[name] = worst

    assert not too_dear, f"a page costs {plain:.1f} ms"
