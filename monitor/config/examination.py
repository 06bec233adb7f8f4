"""Examine the text of a secret before it is used: pure rules, one function, one table.

Decides which characters can be part of no secret, and which are there by mistake in one of a kind.
No sentence repeats any part of the secret. When a secret is read, and what follows from a flaw, is
decided in `secret` and by what uses it.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class SecretUse(StrEnum):
    """What a secret is used for, which decides what it may contain."""

    ANY = "any"
    HEADER = "header"  # the whole value of a header, which may begin with a scheme
    PASSWORD = "password"  # noqa: S105 - the name of a use
    TOKEN = "token"  # noqa: S105 - likewise; sent in an address or as a user's name
    HEADER_TOKEN = "header token"  # noqa: S105 - likewise


_TOKENS = {SecretUse.TOKEN, SecretUse.HEADER_TOKEN}
_IN_HEADERS = {SecretUse.HEADER, SecretUse.HEADER_TOKEN}
_BYTE_ORDER_MARK = "\ufeff"
_LINE_BREAKS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0")
"""Letters and marks by their category, and yet invisible."""

_QUOTATION_MARKS = frozenset("\"'`“”„‟‘’‚‛«»‹›＂＇")  # noqa: RUF001 - all that editors put there
_SCHEME = re.compile(r"(?:authorization:\s*)?bearer(?:\s|$)", re.IGNORECASE)
_AGAIN = "copy it again from where it was created"


def find_flaw(text: str, use: SecretUse = SecretUse.ANY) -> str | None:
    """Return what is wrong with *text* as a secret for *use*, and what to do; None if nothing."""
    if text.isascii() and text.isprintable() and " " not in text:
        # Nearly every secret: looked at character by character, a million of them take minutes.
        return _find_wrapping(text) if use in _TOKENS else None
    return (
        _find_control(text)
        or _find_invisible(text, use)
        or (_find_wrapping(text) if use in _TOKENS else None)
        or (_find_unsendable(text, use) if use in _IN_HEADERS else None)
    )


def find_user_flaw(name: str) -> str | None:
    """Return what is wrong with the *name* of a user; None if nothing."""
    flaw = find_flaw(name, SecretUse.PASSWORD)
    return None if flaw is None else flaw.replace("the secret", "the user's name", 1)


def _find_control(text: str) -> str | None:
    if text.startswith(_BYTE_ORDER_MARK):
        return (
            "the secret starts with a byte order mark (U+FEFF), which some editors add: save the"
            " file as UTF-8 without it"
        )
    for position, char in enumerate(text, 1):
        if char in _LINE_BREAKS:
            return (
                f"the secret contains a line break (control character {_code(char)}, at position"
                f" {position}): keep it on one line, with nothing before or after it"
            )
        category = unicodedata.category(char)
        if category == "Cs":
            return (
                "the secret is not UTF-8 text (control character or another encoding): save it as"
                " UTF-8"
            )
        if category == "Cc":
            return (
                f"the secret contains a control character ({_code(char)}, at position {position}):"
                " keep it on one line, with nothing before or after it"
            )
    return None


def _find_invisible(text: str, use: SecretUse) -> str | None:
    if use is SecretUse.PASSWORD:
        return None
    for position, char in enumerate(text, 1):
        if char in _FILLERS or unicodedata.category(char) == "Cf":
            return (
                f"the secret contains an invisible character ({_code(char)}, at position"
                f" {position}): {_AGAIN}"
            )
    return None


def _find_wrapping(text: str) -> str | None:
    """Say what stands around the token itself."""
    if text[:1].isspace() or text[-1:].isspace():
        return "the secret starts or ends with a space: remove it"
    if text[:1] in _QUOTATION_MARKS or text[-1:] in _QUOTATION_MARKS:
        return "the secret is in quotation marks: remove them, they are not part of it"
    if _SCHEME.match(text):
        return 'the secret starts with "Bearer ": keep the token alone, connwatch adds the rest'
    return None


def _find_unsendable(text: str, use: SecretUse) -> str | None:
    if text[:1].isspace() or text[-1:].isspace():
        return "the secret starts or ends with a space: remove it"
    for position, char in enumerate(text, 1):
        if not char.isascii():
            return (
                f"the secret contains a character outside ASCII (at position {position}), which no"
                f" header can carry: {_AGAIN}"
            )
        if use is SecretUse.HEADER_TOKEN and char.isspace():
            return f"the secret contains a space (at position {position}): {_AGAIN}"
    return None


def _code(char: str) -> str:
    return f"U+{ord(char):04X}"


_PASSWORD = re.compile(r"passw(?:or)?d|passphrase", re.IGNORECASE)
_TOKEN = re.compile(r"token|secret|key$", re.IGNORECASE)


def use_of_key(key: str) -> SecretUse:
    """Return what a secret is probably used for, by the key of the file that holds it."""
    if _PASSWORD.search(key):
        return SecretUse.PASSWORD
    return SecretUse.TOKEN if _TOKEN.search(key) else SecretUse.ANY


_ACCESS_TOKEN = "an access token, which lasts an hour and belongs nowhere in this file"  # noqa: S105 - a name
_REFRESH_TOKEN = "a refresh token: write it as refresh_token of its connection"  # noqa: S105 - a name
_CLIENT_SECRET = "a client secret: write it as client_secret of its application"  # noqa: S105 - a name
_APPLICATION_ID = "an application id: write it as application_id of its application"
_SHAPES = {
    "Atza|": _ACCESS_TOKEN,
    "Atc|": _ACCESS_TOKEN,
    "Atzr|": _REFRESH_TOKEN,
    "amzn1.oa2-cs.": _CLIENT_SECRET,
    "amzn1.application-oa2-client.": "a client id: write it as client_id of its application",
    "amzn1.sp.solution.": _APPLICATION_ID,
    "amzn1.sellerapps.app.": _APPLICATION_ID,
}


def check_refresh_token(text: str) -> None:
    """Raise ValueError for what can be no refresh token of Amazon's."""
    _refuse_other(text, _REFRESH_TOKEN, 'a refresh token begins with "Atzr|"')


def check_client_secret(text: str) -> None:
    """Raise ValueError for what can be no client secret of Amazon's, old ones included."""
    where = "the client secret stands beside the client id in the developer console"
    _refuse_other(text, _CLIENT_SECRET, where)


def _refuse_other(text: str, wanted: str, hint: str) -> None:
    for shape, what in _SHAPES.items():
        if what != wanted and text.startswith(shape):
            raise ValueError(f"this is {what}; {hint}")
