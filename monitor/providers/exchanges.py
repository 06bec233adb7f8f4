"""Record what is sent and received, for a support ticket, and write it without secrets.

Nothing is recorded unless `RECORDED` holds a list. Decides what of a call a provider's support
needs and which of it nobody may see: the secrets that were sent, in every place and form, and
whatever stands under the name of one.
"""

from __future__ import annotations

import html
import json
import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from monitor.config.addresses import is_secret_header, mask_url
from monitor.judge.text import one_line, printable
from monitor.providers.masking import MASK, mask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

MAX_SHOWN = 4096
"""Bytes of a body in a report."""

_READ = 2 * MAX_SHOWN
"""Letters that are searched for secrets: one that begins in what is shown ends in these."""

_SHORTEST = 8
"""Letters of a secret that is found by its name; shorter ones would mask words."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call, and what came of it.

    Args:
        status: None where there was no response.
        body: What was read of the response.
        is_oversize: There was more.
        failure: Why there was no response.
    """

    at: datetime
    method: str
    url: str = field(repr=False)
    sent: Sequence[tuple[str, str]] = field(repr=False)
    content: bytes = field(repr=False)
    status: int | None
    received: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    is_oversize: bool
    failure: str
    took_ms: float


RECORDED: ContextVar[list[Exchange] | None] = ContextVar("RECORDED", default=None)
"""The calls of the check under way, if they are recorded."""


def write_exchanges(exchanges: Sequence[Exchange], secrets: Sequence[str]) -> list[str]:
    """Return the lines of a report on *exchanges*, in which nothing repeats one of *secrets*."""
    known = tuple(dict.fromkeys([*secrets, *_named_secrets(exchanges)]))
    lines = []
    for number, each in enumerate(exchanges, start=1):
        lines += [f"  {number}. {line}" if not at else line for at, line in _write(each, known)]
    return lines


def _write(each: Exchange, secrets: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    at = each.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    yield 0, f"{at} {each.method} {mask(mask_url(one_line(each.url)), secrets)}"
    yield from ((1, f"     > {line}") for line in _headers(each.sent, secrets))
    if each.content:
        yield from ((1, f"     > {line}") for line in ("", *_body(each.content, secrets)))
    if each.status is None:
        yield 1, f"     no response ({each.took_ms:,.0f} ms): {mask(each.failure, secrets)}"
        return
    found = (value for name, value in each.received if _REQUEST_ID.fullmatch(name))
    request_id = mask(one_line(next(found, "none")), secrets)
    yield 1, f"     < HTTP {each.status} ({each.took_ms:,.0f} ms), request id {request_id}"
    yield from ((1, f"     < {line}") for line in _headers(each.received, secrets))
    body = _body(each.body, secrets, is_oversize=each.is_oversize)
    yield from ((1, f"     < {line}") for line in ("", *(body or ["(no body)"])))


_REQUEST_ID = re.compile(
    r"(?:x-)?(?:[a-z]{2,20}-)?(?:request-?id|correlation-?id|trace-?id)|cf-ray|x-amzn-requestid",
    re.IGNORECASE,
)


def _headers(fields: Sequence[tuple[str, str]], secrets: tuple[str, ...]) -> Iterator[str]:
    for name, value in fields:
        if is_secret_header(name):
            scheme, space, _ = value.partition(" ")
            shown = f"{scheme} {MASK}" if space and scheme.isalpha() else MASK
        else:
            shown = mask(mask_url(one_line(value[:_READ])), secrets)[:MAX_SHOWN]
        yield f"{one_line(name)}: {shown}"


def _unescape(value: str) -> str:
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:
        return value


# A member of JSON, a field of a form or an address, an element, an attribute, an input of a page.
_NAME = r"(?P<name>[\w.:-]{1,60})"
_MEMBER = re.compile(r'(?P<before>"(?P<name>[^"\\]{1,100})"\s*:\s*")(?P<value>(?:[^"\\]|\\.)*)')
_FIELD = re.compile(r"(?P<before>(?:^|[?&])(?P<name>[^=&\s\"<>]{1,100})=)(?P<value>[^&\s\"<>]+)")
_ELEMENT = re.compile(rf"(?P<before><{_NAME}(?:\s[^<>]{{0,200}})?>)(?P<value>[^<>]+)")
_ATTRIBUTE = re.compile(rf"(?P<before>\s{_NAME}=[\"'])(?P<value>[^\"'<>]+)")
_INPUT = re.compile(
    rf"(?P<before>\sname=[\"']?{_NAME}[\"']?(?:\s[^<>]{{0,200}}?)?\svalue=[\"']?)(?P<value>[^\"'<>]+)"
)
_DECODERS: Mapping[re.Pattern[str], Callable[[str], str]] = {
    _MEMBER: _unescape,
    _FIELD: unquote_plus,
    _ELEMENT: html.unescape,
    _ATTRIBUTE: html.unescape,
    _INPUT: html.unescape,
}


def _body(content: bytes, secrets: tuple[str, ...], *, is_oversize: bool = False) -> list[str]:
    """Return the lines of a body, cut and without secrets."""
    text = content[: 2 * _READ].decode("utf-8", "replace")[:_READ]
    for pattern in _DECODERS:
        text = pattern.sub(_mask_named, text)
    if is_oversize:
        text = _cut_at_secrets(text)
    written = mask(text, secrets).encode("utf-8", "replace")
    text = written[:MAX_SHOWN].decode("utf-8", "ignore")
    if is_oversize or len(content) > MAX_SHOWN or len(written) > MAX_SHOWN:
        at_least = "more than " if is_oversize else ""
        text = f"{text}… ({at_least}{len(content):,} bytes)"
    return [printable(line) for line in text.splitlines()]


_CONTAINER = re.compile(r'"(?P<name>[^"\\]{1,100})"\s*:\s*[\[{]')


def _cut_at_secrets(text: str) -> str:
    """Return *text* up to an object or list of secrets: JSON that was cut cannot be looked into."""
    for match in _CONTAINER.finditer(text):
        if _is_named_secret(match["name"].removesuffix("s")):
            return text[: match.end()] + MASK
    return text


def _is_named_secret(name: str) -> bool:
    name = unquote_plus(name).rpartition(":")[2]
    return is_secret_header(name) and name != "token_type"


def _mask_named(match: re.Match[str]) -> str:
    return match["before"] + (MASK if _is_named_secret(match["name"]) else match["value"])


def _named_secrets(exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Yield what stands under the name of a secret, wherever it was sent or received."""
    for each in exchanges:
        for name, value in (*each.sent, *each.received):
            if is_secret_header(name):
                yield from _if_long(value.rpartition(" ")[2])
        for content in (each.content, each.body):
            text = content.decode("utf-8", "replace")[:_READ]
            for pattern, decode in _DECODERS.items():
                for match in pattern.finditer(text):
                    if _is_named_secret(match["name"]):
                        yield from _if_long(decode(match["value"]))
            yield from _secrets_of_json(content)


def _if_long(value: str) -> Iterator[str]:
    if len(value) >= _SHORTEST:
        yield value


def _secrets_of_json(content: bytes) -> Iterator[str]:
    """Yield what stands in objects and lists under the name of a secret, however it is written."""
    try:
        waiting = [(json.loads(content), False)]
    except (ValueError, RecursionError):
        return
    for value, is_secret in waiting:
        if isinstance(value, dict):
            for name, each in value.items():
                is_container = isinstance(each, dict | list)
                # `"tokens": 12` counts them, `"tokens": [...]` lists them.
                is_named = _is_named_secret(name.removesuffix("s") if is_container else name)
                waiting.append((each, is_secret or is_named))
        elif isinstance(value, list):
            waiting += [(each, is_secret) for each in value]
        elif is_secret and isinstance(value, str | int):
            yield from _if_long(str(value))
