"""
Word the alerts: from facts to a message for any medium.

Pure. Decides the form of a message: who is concerned, what happened, what to
do, where to read more. What each kind of alert says is decided in `drafts`,
the sentences stand in `texts`, how a medium writes them is decided in
`formats`, who receives them in `monitor.judge.route`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.alert.about import About, Draft
from monitor.alert.cleaning import clean, clean_url, shorten
from monitor.alert.drafts import draft
from monitor.alert.texts import framing, of_one
from monitor.alert.words import say_instant, say_number, say_span
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.outbox import MOST_LISTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

TITLE_LIMIT = 80
NAME_LIMIT = 100
SHORT_LIMIT = 160

LATE_AFTER = timedelta(minutes=10)
"""A message that took longer than this says when it should have come."""


@dataclass(frozen=True, slots=True)
class Part:
    """
    A paragraph of a message.

    Args:
        lines: Plain text without line breaks; `code` stands between backticks.
        label: What the paragraph is called.
        is_list: Every line is an item.
        more: What is missing at the end.
    """

    lines: tuple[str, ...]
    label: str = ""
    is_list: bool = False
    more: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """
    What a template can use: nothing in it is escaped, all but *about* is clean.

    Args:
        title: The built-in title.
        connections: Names, worst first, at most `MOST_LISTED`.
        n_connections: How many there are.
    """

    kind: AlertKind
    title: str
    happened: tuple[str, ...]
    remedy: str
    link: str
    connections: tuple[str, ...]
    n_connections: int
    about: About


@dataclass(frozen=True, slots=True)
class Message:
    """
    What a channel is sent: plain text, and what other forms are made of.

    Args:
        title: One line, safe for the header of an e-mail.
        body: All of it as plain text, safe for chats.
        severity: How urgent it is, for services that show it in colour.
        short: All of it in one line of at most `SHORT_LIMIT` characters.
        parts: The paragraphs of *body*; none where there is only the text.
        urls: Addresses in *parts* that readers shall be able to follow.
        content: What a channel's template makes its own text of.
        is_test: Nothing of it has happened.
    """

    title: str
    body: str
    severity: Severity = Severity.INFO
    short: str = ""
    parts: tuple[Part, ...] = ()
    urls: tuple[str, ...] = ()
    content: Content | None = field(default=None, hash=False)
    is_test: bool = False


def compose(  # noqa: PLR0913, PLR0917 - the contract lists what an alert is made of
    kind: AlertKind,
    severity: Severity,
    facts: Mapping[str, Any],
    connections: Sequence[str],
    born_at: datetime,
    link: str | None,
    now: datetime,
    is_test: bool = False,
    n_connections: int | None = None,
) -> Message:
    """
    Word an alert.

    Args:
        connections: Names, worst first; the first `MOST_LISTED` are listed.
        is_test: Say clearly that nothing of this has happened.
        n_connections: How many are concerned, where *connections* does not
            name all of them.
    """
    about = About(facts, born_at, now)
    said = draft(kind, about)
    is_test = is_test or kind is AlertKind.TEST
    names = tuple(clean(name, NAME_LIMIT) for name in connections[:MOST_LISTED])
    n = max(len(connections), n_connections or 0)
    page = clean_url(link or "")
    mark = [of_one.TEST] if is_test and kind is not AlertKind.TEST else []
    happened = [line for line in (*said.happened, _late(about)) if line]
    parts = _parts(said, [*mark, *_who_first(happened, said, names, n)], names, n, page)
    title = _title(said, names, n, is_test=is_test)
    return Message(
        title,
        write_plain(parts),
        severity,
        _short(title, said, page),
        parts,
        (*said.urls, *([page] if page else [])),
        Content(kind, title, (*mark, *happened), said.remedy, page, names, n, about),
        is_test,
    )


def write_plain(parts: Sequence[Part]) -> str:
    """
    Return *parts* as plain text.
    """
    return "\n\n".join(_write_part(part) for part in parts)


def _write_part(part: Part) -> str:
    more = [part.more] if part.more else []
    if part.is_list:
        label = [f"{part.label}:"] if part.label else []
        return "\n".join([*label, *(f"- {line}" for line in part.lines), *more])
    text = f"{part.label}: " if part.label else ""
    return text + "\n".join([*part.lines, *more])


def _parts(
    said: Draft, happened: Sequence[str], names: Sequence[str], n: int, link: str
) -> tuple[Part, ...]:
    parts = [Part(tuple(happened))]
    if said.lines:
        parts.append(Part(said.lines, said.label, is_list=True, more=said.more))
    is_cut = False
    if _is_about_connections(said) and n > 1 and names:
        is_cut = n > len(names)
        more = _more(n - len(names), link)
        parts.append(Part(tuple(names), framing.LISTED, is_list=True, more=more))
    parts.append(Part((said.remedy,), framing.NEXT_STEP))
    if link and not is_cut:
        parts.append(Part((link,), framing.LINK))
    return tuple(parts)


def _who_first(happened: Sequence[str], said: Draft, names: Sequence[str], n: int) -> Sequence[str]:
    who = _subject(said, names, n)
    return [f"{who}: {happened[0]}", *happened[1:]] if who and happened else happened


def _more(n: int, link: str) -> str:
    if n <= 0:
        return ""
    said = framing.AND_MORE_AT if link else framing.AND_MORE
    return said.format(n=say_number(n), link=link)


def _title(said: Draft, names: Sequence[str], n: int, *, is_test: bool) -> str:
    icon = f"{said.icon} {framing.TEST_MARK}" if is_test else said.icon
    headline = said.headline
    if n > 1 and not said.who:
        headline = said.headline_of_many or headline
    fixed = f"{icon} {headline}"
    room = TITLE_LIMIT - len(fixed.format(who=""))
    who = _subject(said, names, n) or framing.MANY.format(n=say_number(n))
    return fixed.format(who=shorten(who, room))


def _is_about_connections(said: Draft) -> bool:
    """
    Tell whether the connections of the alert are what it speaks of.
    """
    return bool(said.who) or "{who}" in said.headline


def _subject(said: Draft, names: Sequence[str], n: int) -> str:
    if said.who or not _is_about_connections(said) or not n:
        return said.who
    return names[0] if n == 1 and names else framing.MANY.format(n=say_number(n))


def _short(title: str, said: Draft, link: str) -> str:
    # Backticks mark code for media that show it; here they are in the way.
    short = shorten(f"{title}. {said.short.replace('`', '')}", SHORT_LIMIT)
    with_link = f"{short} {link}"
    return with_link if link and len(with_link) <= SHORT_LIMIT else short


def _late(about: About) -> str:
    late = about.now - about.born_at
    if late < LATE_AFTER:
        return ""
    return framing.LATE.format(at=say_instant(about.born_at), span=say_span(late))
