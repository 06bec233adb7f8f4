"""Say in a few plain words why a channel did not take a message.

Libraries and services word their errors for programmers; the words here are for whoever has to
fix the channel. The library's own text is kept beside them, for details.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from monitor.notify.times import format_moment
from monitor.notify.words import shorten

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

_CLASSES: dict[str, tuple[str, ...]] = {
    # Ours come first: they say already what is wrong.
    "its URL cannot be read": ("cannot be read",),
    "its URL cannot be used": ("no Apprise URL", "cannot use this URL", "the URL is empty"),
    "it was removed from the configuration": ("not in the configuration any more",),
    "TLS or certificate error": ("certificate", r"\bSSL", r"\bTLS"),
    "connection refused": ("connection refused", "refused the connection", r"errno 111\b"),
    "host name not found": (
        "name or service not known",
        "nodename nor servname",
        "no address associated",
        "name ?resolution",
        "getaddrinfo",
        r"errno -[235]\b",
    ),
    "timed out": ("timed? ?out", "timeout", "did not answer", "no answer", "no end of sending"),
    "network unreachable": ("network is unreachable", "no route to host", "host is unreachable"),
    "connection lost": (
        "connection (was )?reset",
        "unexpectedly closed",
        "broken pipe",
        "remote end closed",
        "aborted",
    ),
    "message too large": (r"\b413\b", "too (long|large)", "size limit", "exceeds? .*size"),
    "the bot is not in the chat: add it again": (
        "bot was (blocked|kicked)",
        "bot is not a member",
        "not_in_channel",
        "not in (the )?(room|channel|chat)",
        "chat_write_forbidden",
    ),
    "not authorized: check its token or password": (
        r"\b(401|403|535)\b",
        "unauthori[sz]ed",
        "forbidden",
        "authentication",
        "invalid_auth",
        "invalid token",
        "not_authed",
        "login failed",
    ),
    "rate limited": (r"\b429\b", "rate.?limit", "too many requests"),
    "address not found: check its URL": (
        r"\b(404|410)\b",
        "not.found",
        "no_service",
        "unknown webhook",
        "is_archived",
    ),
    "message rejected": (r"\b(400|406|409|415|422)\b", "bad request", "unprocessable"),
    "server error": (r"\b5\d\d\b", "server error", "bad gateway", "service unavailable"),
}
"""The words, and what the texts of libraries and services have in them; the first match counts."""

_KNOWN = {
    words: re.compile("|".join(patterns), re.IGNORECASE) for words, patterns in _CLASSES.items()
}

_PORT = re.compile(r"\bport[ =:]+\d{1,5}\b|(?<=[\w.\]…]):\d{1,5}\b", re.IGNORECASE)
"""No status, though it looks like one: mail goes to port 587."""

UNKNOWN = "message not delivered"

_MAIL = re.compile(r"""\((?P<code>[45]\d\d), b(?P<quote>['"])(?P<words>.{0,400}?)(?P=quote)\)""")
"""What `smtplib` says of a mail server's answer: its code, and its words as Python prints bytes."""

_MAIL_LOGIN = {"530", "534", "535", "538"}
_STATUS_OF_MAIL = re.compile(r"^\d\.\d{1,3}\.\d{1,3}\s+")
_BREAK_OF_MAIL = re.compile(r"\\[rnt]+(?:\d{3}[- ])?(?:\d\.\d{1,3}\.\d{1,3} )?")
_LONGEST_QUOTE = 100

_REPR = re.compile(
    r"HTTPS?ConnectionPool|Caused by|Socket Exception|Traceback|\bObject at 0x|<\w+[. ]|\w+Error\(|"
    r"\w+Exception\(|\bb['\"]|[\[({]['\"]",
    re.IGNORECASE,
)
"""Where a text goes over into what Python prints of its own objects."""

_NOTHING = re.compile(
    r"^(?:[\w .-]{1,40}:)?\s*(?:(?:it )?gave no reason|a connection error occurred.*)?$",
    re.IGNORECASE,
)


def name_failure(error: str) -> str:
    """Return the plain words for *error*, as a sender worded it."""
    mail = _MAIL.search(error)
    if mail is not None and mail["code"] not in _MAIL_LOGIN:
        return _quote_mail(mail["code"], mail["words"])
    said = _PORT.sub("", error)
    known = next((words for words, pattern in _KNOWN.items() if pattern.search(said)), None)
    return known or _shorten(error)


def _quote_mail(code: str, words: str) -> str:
    """Return what a mail server answered, in its own words: they name the address at fault."""
    said = _BREAK_OF_MAIL.sub(" ", _STATUS_OF_MAIL.sub("", words)).strip(" .")
    quoted = f": {shorten(said, _LONGEST_QUOTE)}" if said else ""
    return f"the mail server answered {code}{quoted}"


def _shorten(error: str) -> str:
    """Return the beginning of a text that nothing is known of, without what Python prints."""
    head = _REPR.split(error, maxsplit=1)[0].strip()
    said = head.strip(" .,:;([{")
    if head == f"{said}:":
        return UNKNOWN  # the name of the service alone
    return UNKNOWN if _NOTHING.match(said) else shorten(said, _LONGEST_QUOTE)


def describe_attempt(
    error: str, attempts: int, next_at: datetime | None, now: datetime, zone: tzinfo
) -> str:
    """Return why a message was not delivered, and when it is tried again.

    Args:
        attempts: Those made so far.
        next_at: When the next one is due; None where there is none.
    """
    why = name_failure(error)
    why = f"{why[:1].upper()}{why[1:]}."
    if next_at is None:
        times = "1 attempt" if attempts == 1 else f"{attempts:,} attempts"
        return f"{why} Failed after {times}"
    at = "now" if next_at <= now else format_moment(next_at, now, zone)
    return f"{why} Next try {at} (attempt {attempts + 1:,})"
