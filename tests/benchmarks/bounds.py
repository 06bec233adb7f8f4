"""
Measure what reading and masking the worst answers of 256 KiB costs, in processor time.

The goal is 20 ms an answer: the event loop, with all checks and the dashboard, waits for it.
`tests/test_bounds.py` holds the same answers to a ratio.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

from monitor.__main__ import COLLECT_GARBAGE_AFTER
from monitor.providers.amazon_lwa import AmazonAnswer, read_exchange
from monitor.providers.amazon_sellers import Expected, read_sellers
from monitor.providers.answers import parse_json, read_outcome
from monitor.providers.ends import read_body_end, read_header_end
from monitor.providers.fetcher import MAX_BODY, Answer
from monitor.providers.headers import read_pause, read_soldscope_quota
from monitor.providers.http_api import ExpectedAnswer, read_answer
from monitor.providers.quota_headers import read_quota_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

GOAL_MS = 20.0
TRIES = 5
NOW = datetime(2026, 11, 22, 4, 0, 0, tzinfo=UTC)

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+/="
TOKEN = "Atzr|" + "".join(random.Random(7).choices(LETTERS, k=2043))
"""As long as Amazon's are; longer ones fit into no header of most servers."""
MONOTONOUS = "a" * 2048
SECRETS = (TOKEN, MONOTONOUS, "amzn1.oa2-cs.v1." + "0f" * 30)


def fill(piece: bytes, n_bytes: int) -> bytes:
    """
    Return whole copies of *piece*, *n_bytes* at most.
    """
    return piece * (n_bytes // len(piece))


def wrap(before: bytes, piece: bytes, after: bytes) -> bytes:
    """
    Return an answer as large as any that is read.
    """
    return before + fill(piece, MAX_BODY - len(before) - len(after)) + after


def message_of(text: str) -> bytes:
    return wrap(b'{"message": "', text.encode(), b'"}')


PLAIN = message_of("The token was not accepted, ask your administrator for another one. ")

BODIES = {
    "plain": PLAIN,
    "the token again and again": message_of(TOKEN),
    "pieces of it": message_of("".join(TOKEN[at : at + 19] + "!" for at in range(0, 2000, 3))),
    "pieces of it, backwards": message_of(TOKEN[40:15:-1] + "."),
    "a token of one letter": message_of("a"),
    "nearly that": message_of("a" * 2047 + "b"),
    "percent signs": message_of("%61"),
    "entities": message_of("&#x61;"),
    "backslashes": message_of("\\\\u0061"),
    "control characters": message_of("\\u0000"),
    "lone surrogates": message_of("\\ud800"),
    "bidi overrides": message_of("\u202e"),
    "spaces": message_of(" "),
    "Amazon's shapes": message_of("Atza|"),
    "words that begin a saying": wrap(b'{"errors": [{"details": "', b"secret ", b'"}]}'),
    "words that begin another": wrap(b'{"errors": [{"details": "', b"access token ", b'"}]}'),
    "errors": wrap(b'{"errors": [', b'{"message": " "}, ', b"1]}"),
    "members": wrap(b'{"errors": [', b'{"a":1},', b"1]}"),
    "lists": wrap(b'{"payload": [', b"[],", b"1]}"),
    "errors that are empty": wrap(
        b'{"error": [', b"[" + b"[]," * 990 + b"[]],", b'[]], "errors": [], "fault": ""}'
    ),
    "objects around the answer": b"{"
    + b",".join(
        b'"%s": {' % name + b",".join(b'"key%d":0' % number for number in range(1000)) + b"}"
        for name in (b"response", b"result", b"data", b"meta", b"header", b"head", b"body")
    )
    + b"}",
    "marketplaces": wrap(
        b'{"payload": [',
        b'{"marketplace": {"id": "A"}, "participation": {"isParticipating": true}}, ',
        b"1]}",
    ),
    "keys": b"{" + b",".join(b'"%d":1' % number for number in range(26_000)) + b"}",
    "nested lists": b"[" * MAX_BODY,
    "nested objects": fill(b'{"a":', MAX_BODY),
    "a number": b"9" * MAX_BODY,
    "a fraction": b"0." + b"9" * (MAX_BODY - 2),
    "numbers of 4,290 digits": wrap(b'{"id": [', b"9" * 4290 + b",", b"1]}"),
    "brackets": b"<" * MAX_BODY,
    "scripts": fill(b"<script ", MAX_BODY),
    "styles": fill(b"<style></style>", MAX_BODY),
    "a page full of the token": wrap(b"<html>", TOKEN.encode(), b"</html>"),
    "a page full of spaces": wrap(b"<html>", b" \n", b"</html>"),
    "bytes that are no text": b"\xff" * MAX_BODY,
    "UTF-16": wrap(b"", "[1,".encode("utf-16-le"), b""),
    "nothing but white space": b" " * MAX_BODY,
}

FIELD_BYTES = 32 * 1024 - 100

FIELDS = {
    "plain": "x" * FIELD_BYTES,
    "commas": "1," * (FIELD_BYTES // 2),
    "commas that are read": "1," * 2000 + "1",
    "quotation marks": '"' * FIELD_BYTES,
    "digits": "1" * FIELD_BYTES,
    "weekdays": "Sun, " * (FIELD_BYTES // 5),
    "parameters": '"a"' + ";r=1" * (FIELD_BYTES // 4 - 1),
    "dictionaries": ", limit=1" * (FIELD_BYTES // 9),
    "parentheses": " (" * (FIELD_BYTES // 2),
    "slashes": "1/2, " * (FIELD_BYTES // 5),
    "scopes": 'error="' * (FIELD_BYTES // 7),
}

NAMES = (
    "RateLimit",
    "RateLimit-Policy",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "X-Shop-Api-Call-Limit",
    "X-API-RateLimit-Limit",
    "X-API-RateLimit-Reset",
    "Retry-After",
    "WWW-Authenticate",
    "Content-Type",
    "Location",
    "Date",
    "X-Ends",
)

TERMS = ExpectedAnswer(frozenset({200}), {}, has_body=True)
WITH_POINTER = ExpectedAnswer(frozenset({200}), {"/message": "x"}, has_body=True)


def read_http(answer: Answer) -> None:
    report = read_quota_headers(answer.headers, answer.received_at)
    read_pause(answer.headers, answer.received_at)
    read_answer(answer, report, TERMS, SECRETS)
    read_header_end(answer, "X-Ends")
    read_body_end(answer, parse_json(answer.body), "/message")


def read_expected(answer: Answer) -> None:
    report = read_quota_headers(answer.headers, answer.received_at)
    read_answer(answer, report, WITH_POINTER, SECRETS)


def read_soldscope(answer: Answer) -> None:
    quota, _ = read_soldscope_quota(answer.headers, answer.received_at)
    read_outcome(answer, quota, TOKEN, "")


def read_login(answer: Answer) -> None:
    read_exchange(AmazonAnswer(answer, "api.amazon.com", SECRETS))


def read_store(answer: Answer) -> None:
    heard = AmazonAnswer(answer, "sellingpartnerapi-eu.amazon.com", SECRETS)
    read_sellers(heard, Expected({"A1PA6795UKMFR9": "DE"}))


READERS: dict[str, Callable[[Answer], None]] = {
    "http": read_http,
    "soldscope": read_soldscope,
    "http, expect_json": read_expected,
    "Amazon's token service": read_login,
    "Amazon's Sellers API": read_store,
}
STATUSES = (200, 400, 401, 403)


def answers_of(body: bytes, headers: httpx.Headers) -> Iterable[Answer]:
    for status in STATUSES:
        yield Answer(status, headers, body, 1.0, NOW)


def header_answers(text: str) -> Iterable[Answer]:
    return answers_of(b"{}", httpx.Headers(dict.fromkeys(NAMES, text)))


def measure(work: Callable[[], object], tries: int = TRIES) -> float:
    """
    Return the processor time of *work* in milliseconds: the least of several tries.
    """
    times = []
    for _ in range(tries):
        parse_json.cache_clear()
        started = time.thread_time()
        work()
        times.append(time.thread_time() - started)
    return min(times) * 1000


def measure_reader(
    read: Callable[[Answer], None], answers: Iterable[Answer], tries: int = TRIES
) -> float:
    """
    Return what the dearest of *answers* costs.
    """
    return max(measure(lambda answer=answer: read(answer), tries) for answer in answers)  # type: ignore[misc]  # mypy loses the type of a default


def main(options: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="bounds", description=__doc__)
    parser.parse_args(options)
    gc.set_threshold(COLLECT_GARBAGE_AFTER)
    html = httpx.Headers({"Content-Type": "text/html"})
    print(f"{'answer of 256 KiB':<28}", *(f"{name:>24}" for name in READERS))
    worst = 0.0
    for name, body in BODIES.items():
        costs = [measure_reader(read, answers_of(body, html)) for read in READERS.values()]
        worst = max(worst, *costs)
        print(f"{name:<28}", *(f"{cost:>21.1f} ms" for cost in costs))
    print(f"{'14 headers of 32 KiB':<28}")
    for name, text in FIELDS.items():
        costs = [measure_reader(read, header_answers(text)) for read in READERS.values()]
        worst = max(worst, *costs)
        print(f"{name:<28}", *(f"{cost:>21.1f} ms" for cost in costs))
    print(f"worst: {worst:.1f} ms of processor time (goal: below {GOAL_MS:g} ms)")
