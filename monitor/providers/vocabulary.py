"""Know the words by which services say what is wrong: `vocabulary.toml`, and what fits an answer.

Decides which row of the table counts. Where words stand in a body is decided in `bodies`, what a
meaning makes of an answer in `answers` and `http_api`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

MAX_SEARCHED = 4000
"""Letters of all sentences together: whatever a service says is wrong, it says at the beginning."""
MOST_CODES = 40
MAX_CODE = 100

_FILE = Path(__file__).with_suffix(".toml")

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", re.ASCII)
_SIGNS = re.compile(r"[\W_]+")
_ADDRESS = re.compile(r"https?://\S*|(?<!\S)/[a-z]\S*", re.IGNORECASE)


class Meaning(StrEnum):
    """What a service's words mean, whatever the service."""

    RATE_LIMITED = "rate_limited"
    QUOTA_USED_UP = "quota_used_up"
    NO_CREDIT = "no_credit"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REJECTED = "rejected"
    SUSPENDED = "suspended"
    PERMISSION = "permission"
    """Something else than the token, than a limit and than money."""

    @property
    def is_limit(self) -> bool:
        """Tell whether it passes with time: the credential is alive."""
        return self in {Meaning.RATE_LIMITED, Meaning.QUOTA_USED_UP}

    @property
    def is_of_token(self) -> bool:
        """Tell whether the token itself is what is wrong."""
        return self in {Meaning.EXPIRED, Meaning.REVOKED, Meaning.REJECTED}


class Place(StrEnum):
    """Where a row's words are looked for."""

    CODE = "code"
    TEXT = "text"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class Words:
    """What a body says.

    Args:
        codes: What stands in its fields for codes, numbers included.
        texts: Its sentences, the most telling first.
        keys: The names of its fields.
        is_page: It is a page for people: not the API's own word.
    """

    codes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    keys: frozenset[str] = frozenset()
    is_page: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One way in which one service says one thing.

    Args:
        is_own: Counts for the preset of that service only.
        beside: Keys of which one stands in the body as well; empty where none need be.
        source: Where it was read.
    """

    service: str
    status: frozenset[int]
    place: Place
    words: tuple[str, ...]
    meaning: Meaning
    source: str
    is_own: bool = False
    beside: frozenset[str] = frozenset()

    def fits(self, status: int, said: _Folded, preset: str) -> bool:
        """Tell whether this is what was said."""
        if status not in self.status or (self.is_own and self.service.lower() != preset):
            return False
        if self.beside and not self.beside & said.keys:
            return False
        match self.place:
            case Place.STATUS:
                return True
            case Place.CODE:
                return any(word in said.codes for word in self.words)
            case Place.TEXT:
                return any(f" {word}" in said.text for word in self.words)


@dataclass(frozen=True, slots=True)
class _Folded:
    codes: frozenset[str]
    text: str
    keys: frozenset[str]


def fold(word: str) -> str:
    """Return *word* as words are compared: `rateLimit_exceeded` is "rate limit exceeded"."""
    return _SIGNS.sub(" ", _CAMEL.sub(" ", word)).strip().lower()


def fold_key(name: str) -> str:
    """Return the name of a field as such names are compared: `errorCode` is `error_code`.

    AWS marks its errors by `__type`, which is not anybody's `type`.
    """
    mark = "__" if name.startswith("__") else ""
    return mark + _SIGNS.sub("", name).lower()


@lru_cache(maxsize=1)
def vocabulary() -> tuple[Row, ...]:
    """Return the table, in its order."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["rows"]
    return tuple(
        Row(
            row["service"],
            frozenset(row["status"]),
            Place(row["at"]),
            tuple(map(fold, row.get("words", ()))),
            Meaning(row["meaning"]),
            row["source"],
            row.get("own", row["at"] == Place.STATUS),
            frozenset(map(fold_key, row.get("beside", ()))),
        )
        for row in rows
    )


def find_meaning(status: int, words: Words, preset: str = "") -> Meaning | None:
    """Return what *words* mean in an answer with *status*; None if they are not known.

    A page for people may say that there were too many requests, and nothing
    else: who wrote it is not known.

    Args:
        preset: The service that answers, if that is known for certain.
    """
    said = _fold_all(words)
    for row in vocabulary():
        if words.is_page and not (row.meaning.is_limit or row.is_own):
            continue
        if row.fits(status, said, preset):
            return row.meaning
    return None


def _fold_all(words: Words) -> _Folded:
    codes = {fold(code[:MAX_CODE]): None for code in words.codes[:MOST_CODES]}
    texts: dict[str, None] = {}
    n_left = MAX_SEARCHED
    for text in words.texts:
        # Addresses lead to pages about limits and bills, whatever the matter is.
        texts[fold(_ADDRESS.sub(" ", text[:n_left]))] = None
        n_left -= len(text[:n_left])
    # Codes that are not listed are sentences without spaces.
    texts |= {code: None for code in codes if not code.isdecimal()}
    searched = "".join(f" {text} |" for text in texts)
    return _Folded(frozenset(codes), searched[: 2 * MAX_SEARCHED], words.keys)
