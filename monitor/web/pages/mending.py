"""
Say what to do about a connection, and on which page: the first thing its page shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

from monitor.config.amazon import AmazonConnection
from monitor.consent import CONSENT_PATH, NEEDS, Need, find_page
from monitor.judge.outcome import Reason, State
from monitor.web import wording
from monitor.web.obstacles import find_obstacle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.advice import Advice
    from monitor.consent import Page
    from monitor.web.obstacles import Obstacle
    from monitor.web.parts import Parts
    from monitor.web.rows import Row


@dataclass(frozen=True, slots=True)
class Mending:
    """
    Where somebody can mend a connection.

    Args:
        start: The path on which a handshake begins; None where none is possible.
        obstacle: Why not, where one would help.
        page: A page outside.
    """

    start: str | None = None
    obstacle: Obstacle | None = None
    page: Page | None = None


@dataclass(frozen=True, slots=True)
class Remedy:
    """
    A piece of advice with the way to follow it.
    """

    words: str
    mending: Mending


def start_of(name: str) -> str:
    """
    Return the path on which a handshake begins.
    """
    return f"/oauth/amazon/start/{quote(name, safe='')}"


def find_mending(parts: Parts, row: Row) -> Mending:
    """
    Return where *row* can be mended.
    """
    each = row.each
    if State(each["state"]) in {State.ERROR, State.EXPIRED}:
        need = NEEDS.get(Reason(each["reason"]))
    else:
        need = Need.AUTHORIZE if each["expiring_soon"] or each["renewal_unrecorded"] else None
    return Mending() if need is None else _mend(parts, each["name"], need)


def _mend(parts: Parts, name: str, need: Need) -> Mending:
    connection = parts.config.connection(name)
    if connection is None:
        return Mending()
    application = None
    if isinstance(connection, AmazonConnection):
        application = parts.config.application(connection.application)
        if need is Need.AUTHORIZE:
            obstacle = find_obstacle(parts.config, connection)
            if obstacle is None:
                return Mending(start=start_of(name))
            page = find_page(connection, application, need, "")
            return Mending(obstacle=obstacle, page=_but_consent(page))
    return Mending(page=find_page(connection, application, need, ""))


def follow(parts: Parts, name: str, advice: Sequence[Advice]) -> list[Remedy]:
    """
    Return *advice* with links that lead back here where that is possible.
    """
    remedies = []
    for one in advice:
        mending = Mending(page=one.page)
        if one.page is not None and _is_consent(one.page):
            mending = _mend(parts, name, Need.AUTHORIZE)
        words = wording.HANDSHAKE_STEP if mending.start else one.remedy
        remedies.append(Remedy(words, mending))
    return remedies


def _is_consent(page: Page) -> bool:
    return page.url is not None and CONSENT_PATH in page.url


def _but_consent(page: Page | None) -> Page | None:
    """
    Leave out the consent page itself: its answer could not be taken.
    """
    return None if page is None or _is_consent(page) else page
