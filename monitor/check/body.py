"""
Read what an answer's body says, and make it fit to be shown to people.

Decides whether a body is the API's answer, whose account it names and what
text of it may be quoted. Everything quoted is cleaned, freed of the secrets
that were sent, and of long pieces of them, and cut, in this order: a cut could
hide half a secret.
"""

from __future__ import annotations

import html
import json
import re
import string
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator

Secrets = str | tuple[str, ...]
"""What was sent and must not be repeated: one secret, or several."""

MASK = "••••"
LONGEST_SHOWN = 19
"""More letters of a secret in a row than this are no coincidence."""

MAX_ACCOUNT = 200
MAX_MESSAGE = 200
MAX_EXCERPT = 80
READ_FOR_EXCERPT = 4096

ACCOUNT_FIELDS = ("name", "company", "email", "id")
ACCOUNT_PLACES = ("account", "user", "data")
MESSAGE_FIELDS = (
    "message",
    "error_description",
    "detail",
    "error",
    "title",
    "code",
    "errorCode",
    "type",
)
ERROR_PLACES = ("error", "errors")
VERDICT_FIELDS = ("ok", "success", "authenticated", "valid")
BAD_STATUSES = frozenset({"error", "fail", "failed", "failure"})

_PIECE = LONGEST_SHOWN + 1
_BLOCK = _PIECE // 2
_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

_TAG = re.compile(
    r"<(?:script|style)\b.*?(?:</(?:script|style)>|$)|<[^<>]*>", re.IGNORECASE | re.DOTALL
)
_RATE_LIMIT = re.compile(
    r"rate.?limit|too.?many.?requests|throttl|quota.?(?:exceeded|exhausted)"
    r"|requests?.?limit.?exceeded",
    re.IGNORECASE,
)


def parse_json(body: bytes) -> Any:
    """
    Return the JSON value in *body*, or None if there is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def is_answer(value: object) -> bool:
    """
    Tell whether *value* is an API's own answer: an object without an error inside.
    """
    if not isinstance(value, dict) or not value:
        return False
    if any(value.get(name) for name in ERROR_PLACES):
        return False
    if str(value.get("status")).lower() in BAD_STATUSES:
        return False
    return all(value.get(name) not in (False, "false") for name in VERDICT_FIELDS)


def find_account(value: dict[str, Any], secret: Secrets) -> str | None:
    """
    Return whose account it is: the first of name, company, email and id.
    """
    places = [value, *(value.get(name) for name in ACCOUNT_PLACES)]
    for field in ACCOUNT_FIELDS:
        for place in places:
            found = place.get(field) if isinstance(place, dict) else None
            # True is an int to Python, and nobody's name.
            if isinstance(found, str | int) and not isinstance(found, bool):
                if account := clean(str(found), secret, MAX_ACCOUNT):
                    return account
    return None


def find_message(value: object, secret: Secrets) -> str | None:
    """
    Return the server's own words about what went wrong.
    """
    for text in _texts(value):
        if message := clean(text, secret, MAX_MESSAGE):
            return message
    return None


def says_rate_limited(body: bytes) -> bool:
    """
    Tell whether *body* says that there were too many requests.

    Of JSON only the fields for messages are read: a link to a page about rate
    limits is no such message.
    """
    value = parse_json(body)
    texts = [_plain_text(body, "")] if value is None else _texts(value)
    return any(_RATE_LIMIT.search(text) for text in texts)


def describe(body: bytes, content_type: str, secret: Secrets) -> str:
    """
    Say in a few words what *body* is, where an API's answer was expected.
    """
    if not body:
        return "an empty answer"
    value = parse_json(body)
    if isinstance(value, dict):
        return "an empty JSON object" if not value else "a JSON object that reports an error"
    if value is not None:
        return f"JSON that is no object but a {type(value).__name__}"
    kind = clean(content_type.partition(";")[0], secret, MAX_EXCERPT) or "no content type"
    excerpt = clean(_plain_text(body, secret), secret, MAX_EXCERPT)
    return f'{kind}, beginning "{excerpt}"' if excerpt else kind


def clean(text: str, secret: Secrets, length: int) -> str:
    """
    Return *text* on one line, without control characters and *secret*, at most *length* long.
    """
    if not text.isprintable():
        text = "".join(letter if letter.isprintable() else " " for letter in text)
    text = " ".join(text.split())
    # No form of a secret is shorter than itself: most texts need no search.
    if present := [one for one in _each(secret) if one and len(text) >= len(one)]:
        text = re.sub(_forms(present), MASK, text, flags=re.IGNORECASE)
    text = _mask_pieces(text, _each(secret))
    return text if len(text) <= length else text[: length - 1] + "…"


def _mask_pieces(text: str, secrets: tuple[str, ...]) -> str:
    """
    Hide what stands in one of *secrets*, forwards or backwards, letter for letter.

    Whatever is as long as a piece covers one of the blocks that the text falls
    into: where none of these is known, which is nearly always, nothing else is
    compared.
    """
    ways = [way for one in secrets if len(one) >= _PIECE for way in _ways(one.translate(_FOLD))]
    folded = text.translate(_FOLD)
    shown: list[str] = []
    end = 0
    for at in range(0, len(folded) - _BLOCK + 1, _BLOCK):
        found = [way for way in ways if folded[at : at + _BLOCK] in way]
        for start in range(max(0, at - _BLOCK + 1), at + 1 if found else 0):
            piece = folded[start : start + _PIECE]
            if len(piece) == _PIECE and any(piece in way for way in found):
                if start > end or not shown:
                    shown += [text[end:start], MASK]
                end = start + _PIECE
    return "".join([*shown, text[end:]])


def _ways(secret: str) -> tuple[str, str]:
    return secret, secret[::-1]


def _each(secret: Secrets) -> tuple[str, ...]:
    return (secret,) if isinstance(secret, str) else secret


def _forms(secrets: list[str]) -> str:
    return "|".join(
        "".join(map(_letter_forms, secret)) for secret in sorted(secrets, key=len, reverse=True)
    )


@lru_cache(maxsize=256)
def _letter_forms(letter: str) -> str:
    """
    Match a letter of a secret however it comes back.

    As it was sent, as it stands in a URL, a form and a page, and as PHP writes
    it in JSON; libraries differ in which letters of one text they encode.
    """
    if letter.isascii() and letter.isalnum():
        return letter
    forms = {letter, quote(letter, safe=""), quote_plus(letter), html.escape(letter)}
    escaped = {re.escape(form) for form in forms}
    if letter == "/":
        escaped.add(r"\\/")
    elif letter in "-._~":
        escaped.add(f"%{ord(letter):02X}")
    return f"(?:{'|'.join(sorted(escaped, key=len, reverse=True))})"


def _plain_text(body: bytes, secret: Secrets) -> str:
    text = body[:READ_FOR_EXCERPT].decode("utf-8", "replace")
    text = html.unescape(_TAG.sub(" ", text))
    # The end may hold the first part of a secret, which no one would recognize.
    longest = max(map(len, _each(secret)), default=0)
    return text if len(body) <= READ_FOR_EXCERPT else text[: max(0, len(text) - 3 * longest)]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, list):
        value = {ERROR_PLACES[1]: value}  # Salesforce leaves the object around its errors out
    if not isinstance(value, dict):
        return
    places: list[object] = [value]
    for name in ERROR_PLACES:
        inner = value.get(name)
        places += inner[:3] if isinstance(inner, list) else [inner]
    for field in MESSAGE_FIELDS:
        for place in places:
            found = place.get(field) if isinstance(place, dict) else None
            if isinstance(found, str):
                yield found
    yield from (place for place in places if isinstance(place, str))
