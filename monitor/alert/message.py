"""
Word the alerts: from facts to a title and a text.

Pure. Decides the form of a message: who is concerned, what happened, what to
do, where to read more. What each kind of alert says is decided in `drafts`,
the sentences stand in `texts`, who receives them is decided in
`monitor.judge.route`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.alert import texts
from monitor.alert.cleaning import clean, shorten
from monitor.alert.drafts import About, Draft, draft
from monitor.alert.words import say_instant, say_number, say_span
from monitor.judge.alerts import AlertKind, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

TITLE_LIMIT = 80
NAME_LIMIT = 100
LINK_LIMIT = 500
MOST_LISTED = 20

LATE_AFTER = timedelta(minutes=10)
"""A message that took longer than this says when it should have come."""


@dataclass(frozen=True, slots=True)
class Message:
    """
    What a channel is sent: plain text, safe for e-mail headers and chats.

    Args:
        severity: How urgent it is, for services that show it in colour.
    """

    title: str
    body: str
    severity: Severity = Severity.INFO


def compose(  # noqa: PLR0913, PLR0917 - the contract lists what an alert is made of
    kind: AlertKind,
    severity: Severity,
    facts: Mapping[str, Any],
    connections: Sequence[str],
    born_at: datetime,
    link: str | None,
    now: datetime,
    is_test: bool = False,
) -> Message:
    """
    Word an alert.

    Args:
        connections: Names, worst first; the first `MOST_LISTED` are listed.
        is_test: Say clearly that nothing of this has happened.
    """
    about = About(facts, born_at, now)
    said = draft(kind, about)
    is_test = is_test or kind is AlertKind.TEST
    happened = [line for line in (*said.happened, _late(about)) if line]
    if is_test and kind is not AlertKind.TEST:
        happened.insert(0, texts.TEST)
    paragraphs = [
        "\n".join(_who_first(happened, connections)),
        _list(connections) if len(connections) > 1 else "",
        texts.NEXT_STEP.format(remedy=said.remedy),
        texts.LINK.format(link=clean(link, LINK_LIMIT)) if link else "",
    ]
    body = "\n\n".join(paragraph for paragraph in paragraphs if paragraph)
    return Message(_title(said, connections, is_test=is_test), body, severity)


def _title(said: Draft, connections: Sequence[str], *, is_test: bool) -> str:
    icon = f"{said.icon} {texts.TEST_MARK}" if is_test else said.icon
    headline = said.headline
    if len(connections) > 1:
        headline = said.headline_of_many or headline
    fixed = f"{icon} {headline}"
    room = TITLE_LIMIT - len(fixed.format(who=""))
    return fixed.format(who=shorten(_who(connections), room))


def _who(connections: Sequence[str]) -> str:
    if len(connections) == 1:
        return clean(connections[0], NAME_LIMIT)
    return texts.MANY.format(n=say_number(len(connections)))


def _who_first(lines: Sequence[str], connections: Sequence[str]) -> list[str]:
    if not connections:
        return list(lines)
    return [f"{_who(connections)}: {lines[0]}", *lines[1:]]


def _list(connections: Sequence[str]) -> str:
    lines = [texts.LISTED]
    lines += [f"- {clean(name, NAME_LIMIT)}" for name in connections[:MOST_LISTED]]
    if len(connections) > MOST_LISTED:
        lines.append(texts.AND_MORE.format(n=say_number(len(connections) - MOST_LISTED)))
    return "\n".join(lines)


def _late(about: About) -> str:
    late = about.now - about.born_at
    if late < LATE_AFTER:
        return ""
    return texts.LATE.format(at=say_instant(about.born_at), span=say_span(late))
