"""Record what is sent and received, for a support ticket, and write it without secrets.

Nothing is recorded unless `RECORDED` holds a list. Decides what of a call a provider's support
needs and which of it nobody may see: the secrets that were sent, in every place and form, and
whatever stands under the name of one.
"""

from __future__ import annotations

import json
import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from monitor.config.addresses import is_secret_header, mask_url, names_secret
from monitor.judge.text import one_line, printable
from monitor.providers.masking import MASK, mask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
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
    body = _body(each.body, secrets)
    if each.is_oversize:
        body = ["(the body is longer than connwatch reads)"]
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


# A member of JSON, and a field of a form or an address.
_MEMBER = re.compile(r'(?P<before>"(?P<name>[^"\\]{1,100})"\s*:\s*")(?P<value>(?:[^"\\]|\\.)*)')
_FIELD = re.compile(r"(?P<before>(?:^|[?&])(?P<name>[^=&\s\"<>]{1,100})=)(?P<value>[^&\s\"<>]+)")


def _body(content: bytes, secrets: tuple[str, ...]) -> list[str]:
    """Return the lines of a body, cut and without secrets."""
    text = content[: 2 * _READ].decode("utf-8", "replace")[:_READ]
    for pattern in (_MEMBER, _FIELD):
        text = pattern.sub(_mask_named, text)
    text = mask(text, secrets)
    if len(content) > MAX_SHOWN or len(text) > MAX_SHOWN:
        text = f"{text[:MAX_SHOWN]}… ({len(content):,} bytes)"
    return [printable(line) for line in text.splitlines()]


def _mask_named(match: re.Match[str]) -> str:
    is_secret = names_secret(unquote_plus(match["name"])) and match["name"] != "token_type"
    return match["before"] + (MASK if is_secret else match["value"])


def _named_secrets(exchanges: Sequence[Exchange]) -> Iterator[str]:
    """Yield what stands under the name of a secret, wherever it was sent or received."""
    for each in exchanges:
        for name, value in (*each.sent, *each.received):
            if is_secret_header(name) and len(value.rpartition(" ")[2]) >= _SHORTEST:
                yield value.rpartition(" ")[2]
        for content in (each.content, each.body):
            text = content.decode("utf-8", "replace")[:_READ]
            for pattern, decode in ((_MEMBER, _unescape), (_FIELD, unquote_plus)):
                for match in pattern.finditer(text):
                    if names_secret(unquote_plus(match["name"])):
                        value = decode(match["value"])
                        if len(value) >= _SHORTEST:
                            yield value


def _unescape(value: str) -> str:
    try:
        return str(json.loads(f'"{value}"'))
    except ValueError:
        return value
