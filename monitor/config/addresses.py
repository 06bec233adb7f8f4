"""Find secrets in addresses and headers, where none belong: pure rules over names.

Decides which names of parameters and headers stand for a secret, and how an address with one is
shown. What becomes of a connection that has one is decided by what reads the file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

MASK = "••••"

_WORDS = frozenset(
    ("key", "apikey", "authkey", "token", "secret", "sig", "signature", "password", "auth")
)
_OF_HEADERS = _WORDS | {
    "authorization",
    "authentication",
    "cookie",
    "cookies",
    "credential",
    "credentials",
    "jwt",
    "passwd",
}
_NO_SECRETS = frozenset(
    ("cache-key", "idempotency-key", "sec-websocket-key", "surrogate-key", "x-cache-key")
)
"""Headers that sound like a secret and are none."""

_PIECES = re.compile(r"[-_.\[\]:]+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def _words_of(name: str) -> set[str]:
    return {word.lower() for word in _PIECES.split(name)}


def names_secret(name: str) -> bool:
    """Tell whether a parameter called *name* holds a secret: `api_key` does, `monkey` does not."""
    return not _WORDS.isdisjoint(_words_of(name))


def is_secret_header(name: str) -> bool:
    """Tell whether a header called *name* holds a secret: `X-Api-Key` does, `Accept` does not."""
    return name.lower() not in _NO_SECRETS and not _OF_HEADERS.isdisjoint(_words_of(name))


def secret_parameters(url: str) -> list[tuple[str, str]]:
    """Return the parameters of *url* that hold secrets: each by its name and its value, decoded."""
    query = url.partition("#")[0].partition("?")[2]
    found = []
    for piece in re.split("[&;]", query):
        name, _, value = piece.partition("=")
        if value and names_secret(unquote_plus(name)):
            found.append((unquote_plus(name), unquote_plus(value)))
    return found


def user_of(url: str) -> tuple[str, str] | None:
    """Return the user and the password that stand in *url*; None if there are none."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    if not at:
        return None
    name, _, password = user.partition(":")
    return unquote(name), unquote(password)


def without_user(url: str) -> str:
    """Return *url* without the user and password that may stand in it."""
    if "@" not in url:
        return url
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def secrets_in(url: str) -> Iterator[str]:
    """Yield the values in *url* that nobody may see, as written and decoded."""
    for _, value in secret_parameters(url):
        yield value
    for piece in re.split("[&;]", url.partition("#")[0].partition("?")[2]):
        name, _, value = piece.partition("=")
        if value and names_secret(unquote_plus(name)):
            yield value
    user, password = user_of(url) or ("", "")
    # Without a password the user is the secret, as a token that stands for both.
    if password or user:
        yield password or user


# Up to the last @ before the path: a password may hold one. It begins where a run of such
# letters does: else each letter of a long run would be tried.
_USER = re.compile(r"(?P<scheme>(?<![A-Za-z0-9+.-])[A-Za-z][A-Za-z0-9+.-]*://)[^/?#\s\"<>]*@")
_PARAMETER = re.compile(r"[?&;](?P<name>[^=&;#\s?]{1,200})=")
_VALUE = re.compile(r"[^&;#\s\"'<>]+")


def mask_url(text: str) -> str:
    """Return *text*, an address or a sentence with one, without the secrets in its addresses."""
    if "@" not in text and "=" not in text:
        return text
    text = _USER.sub(rf"\g<scheme>{MASK}@", text)
    shown, at = [], 0
    for match in _PARAMETER.finditer(text):
        # An address may hold another one, and a secret whatever looks like a parameter.
        if match.start() < at or not names_secret(unquote_plus(match["name"])):
            continue
        if value := _VALUE.match(text, match.end()):
            shown += [text[at : match.end()], MASK]
            at = value.end()
    return "".join([*shown, text[at:]])


_LONGEST_NAME = 60


def find_parameter(url: str) -> str | None:
    """Return the name of a parameter of *url* that holds a secret, as it may be shown."""
    for name, _ in secret_parameters(url):
        return "".join(char for char in name[:_LONGEST_NAME] if char.isprintable())
    return None
