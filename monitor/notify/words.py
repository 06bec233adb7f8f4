"""Say numbers and reasons in words, and make text from outside fit for a message.

Pure. Decides which characters may pass and what would ring a whole channel. Times are worded in
`times`. Escaping for the format of a service (HTML, Markdown) is left to `formats`.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from monitor.config.errors import as_argument
from monitor.judge.authorizations import says_old_token
from monitor.judge.connections import OWNER_DASHBOARD, OWNER_FILE
from monitor.judge.outcome import Reason
from monitor.notify import reasons, texts

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Values(dict[str, str]):
    """Values of a text; what is not among them yet stays a place in it."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


def say(text: str, **values: str) -> str:
    """Return *text* of the tables with *values* in its places; others stay for later.

    Every text that people read of an alert or a reason passes here: a catalogue of translations
    has to be looked up in no other place.
    """
    return text.format_map(_Values(values)) if values else text


def explain(
    reason: Reason | None,
    provider: str | None,
    detail: str = "",
    *,
    can_renew_here: bool = False,
    place: str = "",
) -> reasons.ReasonText:
    """Return what is said of *reason*, on whichever surface.

    Args:
        reason: None for one that is not known here.
        provider: None where it is unknown, or where there are several.
        detail: What the check said: a token from before a renewal has a remedy of its own.
        can_renew_here: The page of the connection leads to the consent page and back.
        place: Where its settings are changed, see `place_of`; empty for the file.
    """
    if reason is None:
        return _say_all(reasons.UNKNOWN_REASON, place)
    if reason in RENEWED and says_old_token(detail):
        return _say_all(reasons.OLD_TOKEN, place)
    text = reasons.OF_PROVIDER.get((provider or "", reason)) or reasons.REASONS[reason]
    if reason in RENEWED and can_renew_here:
        text = replace(text, remedy=reasons.AUTHORIZE_HERE, short=reasons.AUTHORIZE_SHORT)
    return _say_all(text, place)


RENEWED = frozenset({Reason.AUTHORIZATION_EXPIRED, Reason.AUTHORIZATION_REVOKED})
"""The reasons against which the owner of the account renews the authorization."""


def _say_all(text: reasons.ReasonText, place: str) -> reasons.ReasonText:
    return reasons.ReasonText(
        say(text.name),
        say(text.meaning),
        say_where(text.remedy, place),
        say_where(text.short, place),
    )


def place_of(owner: str | None) -> str:
    """Return where the settings of the connections of *owner* are changed; empty for the file.

    Args:
        owner: None where it is unknown, or where there are several.
    """
    if owner is None:
        return say(reasons.WHERE_CONFIGURED)
    if owner == OWNER_FILE:
        return ""
    if owner == OWNER_DASHBOARD:
        return say(reasons.ON_ITS_PAGE)
    return say(reasons.IN_SOURCE, source=owner)


def say_where(text: str, place: str) -> str:
    """Return *text* with where settings are changed in its places; see `place_of`."""
    if not place:
        return say(text, **reasons.OF_FILE)
    return say(text, **{name: say(words, place=place) for name, words in reasons.OF_OTHERS.items()})


def renewal_step(provider: str | None, *, can_renew_here: bool, place: str = "") -> tuple[str, str]:
    """Return how an authorization is renewed in time, and the same in a few words."""
    if can_renew_here:
        return say(reasons.AUTHORIZE_HERE), say(reasons.AUTHORIZE_SHORT)
    if provider == "amazon":
        return say_where(reasons.AUTHORIZE_OUTSIDE, place), say(reasons.AUTHORIZE_SHORT)
    return say(texts.EXPIRING_STEP), say(texts.EXPIRING_SHORT)


_COMMAND = re.compile(r"connwatch (\w+) NAME( --on DATE)?")


def name_command(text: str, name: str) -> str:
    """Return *text* with its commands made out for the connection *name*."""
    # Behind a dash nothing is an option any more.
    is_odd = name.startswith("-")

    def fill(match: re.Match[str]) -> str:
        command, options = match[1], (match[2] or "").strip()
        words = [options, as_argument(name)] if is_odd else [as_argument(name), options]
        return " ".join(["connwatch", command, *(word for word in words if word)])

    return _COMMAND.sub(fill, text)


_HOSTS = {
    "api.amazon.com": "Amazon sign-in",
    "sellingpartnerapi-na.amazon.com": "Amazon NA",
    "sellingpartnerapi-eu.amazon.com": "Amazon EU",
    "sellingpartnerapi-fe.amazon.com": "Amazon FE",
}
"""What people call hosts that have a name."""


def format_host(host: str) -> str:
    """Return what people call *host*, without the port that goes without saying."""
    host = host.removesuffix(":443")
    return _HOSTS.get(host, host)


def format_number(number: int) -> str:
    """Return *number* with its thousands set apart."""
    return f"{number:,}"


def format_counted(forms: tuple[str, str], n: int, **others: str) -> str:
    """Return the first of *forms* for one thing, the second for more or none."""
    return say(forms[n != 1], n=format_number(n), **others)


def format_unit(unit: str) -> str:
    """Return what a quota counts, in the plural."""
    return texts.UNITS.get(unit, unit)


# --- text from outside

_BREAKS = {"Cc", "Zl", "Zp"}
"""Categories that could forge a line; each becomes a space."""

_INVISIBLE = {"Cf", "Cs", "Co", "Cn"}
"""Categories that hide or turn text around, or that no mail server encodes."""

_ZERO_WIDTH_SPACE = "\u200b"

_MENTION = re.compile(r"(?<![\w.+-])@(?=[\w*])|<(?=[!@#]|\w[\w+.-]*:)|\](?=\()", re.IGNORECASE)
"""What chat services take for a call to somebody, or for a link under false colours."""

LONGEST_RUN = 120
"""Longer words are no words, and nobody reads them."""

_RUN = re.compile(rf"\S{{{LONGEST_RUN},}}")

_URL = re.compile(r"https?://[^\s<>\"'`|\\^{}]{1,1990}", re.IGNORECASE)

FACT_LIMIT = 300
MOST_FACTS = 50
"""How much of a text, a list or an object a template gets to see."""

_SEPARATORS = re.compile(r"[\s/:@?&=#,;+]+")

_SHORTEST_MASKED = 3
"""Masking still shorter parts of a URL would make holes in ordinary words."""


def clean(text: str, limit: int) -> str:
    """Return *text* as one harmless line of at most *limit* visible characters."""
    return defuse(shorten(_RUN.sub(_cut_run, _keep_visible(text)), limit))


_QUOTATION = re.compile(
    r'^(?P<own>.*?)(?P<said>[^.!?"]*\bsa(?:ys|id):? ")(?P<words>.*)"(?P<end>\.?)$'
)
"""What a check says: first what was concluded, at the end the service's own words."""


SHORTEST_WORDS = 16
"""A quotation that is cut to fewer letters says nothing: then it is left out."""


def clean_detail(text: str, limit: int) -> str:
    """Return *text* as one harmless line; where it is too long, its quotation is cut.

    Only what has no quotation, or is too long without it, is cut as a whole.
    """
    line = _RUN.sub(_cut_run, _keep_visible(text))
    match = _QUOTATION.match(line) if len(line) > limit else None
    if match is not None:
        room = limit - (len(line) - len(match["words"]))
        if room >= SHORTEST_WORDS:
            words = shorten(match["words"], room)
            line = f'{match["own"]}{match["said"]}{words}"{match["end"]}'
        else:
            line = match["own"].rstrip()
    return defuse(shorten(line, limit))


def measure_own(detail: str) -> int:
    """Return how long a detail is without its quotation: what was concluded is never cut."""
    match = _QUOTATION.match(detail)
    return len(detail if match is None else match["own"])


def clean_url(text: str) -> str:
    """Return an address that readers can follow as it is, or nothing."""
    return text if _URL.fullmatch(text) and text == _keep_visible(text) else ""


def clean_facts(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of *facts* in which every text is clean and nothing is large."""
    return {
        clean(str(name), FACT_LIMIT): _clean_fact(value)
        for name, value in list(facts.items())[:MOST_FACTS]
    }


def _clean_fact(value: Any) -> Any:
    match value:
        case str():
            return clean_url(value) or clean(value, FACT_LIMIT)
        case dict():
            return clean_facts(value)
        case list() | tuple():
            return [_clean_fact(item) for item in value[:MOST_FACTS]]
        case bool() | int() | float() | None:
            return value
    return ""


def _cut_run(match: re.Match[str]) -> str:
    return shorten(match.group(), LONGEST_RUN)


def _keep_visible(text: str) -> str:
    kept = []
    for character in text:
        category = unicodedata.category(character)
        if category in _BREAKS:
            kept.append(" ")
        elif category not in _INVISIBLE:
            kept.append(character)
    return " ".join("".join(kept).split())


def shorten(text: str, limit: int) -> str:
    """Cut *text* to *limit* characters, showing that something is missing."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def defuse(text: str) -> str:
    """Keep *text* from calling anybody, without changing how it looks."""
    return _MENTION.sub(lambda match: match.group() + _ZERO_WIDTH_SPACE, text)


def mask_parts(text: str, url: str) -> str:
    """Hide in *text* every part of *url*, whichever of them may be secret.

    Channels keep their tokens anywhere in their URL, the place of the host
    included. Only the scheme is not hidden.
    """
    _, _, secret = url.partition("://")
    parts = {part for whole in (secret, unquote(secret)) for part in _SEPARATORS.split(whole)}
    parts |= {unquote(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= _SHORTEST_MASKED:
            text = re.sub(re.escape(part), "…", text, flags=re.IGNORECASE)
    return text
