"""
Decide what of that which was held back is still worth telling.

Pure, for one channel at a time. The same for what was given up and is to be
sent after all. A trouble that came and went while nobody was
to hear of it goes away together with its end; the end of a trouble that was
told is never dropped. Whether something must be held is decided in `hold`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.judge.alerts import CLOSED_BY, KINDS, OPENED_BY, ends

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from monitor.judge.alerts import AlertKind, Key


@dataclass(frozen=True, slots=True)
class Told:
    """
    An alert as one channel has it.

    Args:
        id: The alert's; a later alert has a larger one.
        is_here: This channel receives it, or has received it.
        is_released: It was held back here, and may go now.
    """

    id: int
    kind: AlertKind
    keys: frozenset[Key]
    is_here: bool = True
    is_released: bool = False


def find_stale(story: Sequence[Told]) -> set[int]:
    """
    Return those of the released alerts that nobody needs to hear any more.

    Args:
        story: All that was due since the first of them, and before it what the
            ends among them may belong to; the oldest first.
    """
    by_key: dict[Key, list[Told]] = {}
    for one in story:
        for key in one.keys:
            by_key.setdefault(key, []).append(one)
    latest = {
        (key, each.kind, is_here): each.id
        for key, all_of in by_key.items()
        for each in all_of
        for is_here in ((False, True) if each.is_here else (False,))
    }
    released = [one for one in story if one.is_released]
    stale = {one.id for one in released if _is_over(one, latest)}
    for one in released:
        if one.kind in OPENED_BY and _is_needless_end(one, stale, by_key):
            stale.add(one.id)
    return stale


def find_old_news(story: Sequence[Told]) -> set[int]:
    """
    Return those of the released alerts after which this channel was told what makes them old.

    That is the end of a trouble, or the next one; after an end, a trouble that began since.
    What was told to others only makes nothing old here.

    Args:
        story: The released alerts and all that was told since the first of them.
    """
    latest: dict[tuple[Key, AlertKind], int] = {}
    for one in story:
        if one.is_here and not one.is_released:
            latest |= {
                (key, one.kind): max(one.id, latest.get((key, one.kind), 0)) for key in one.keys
            }
    return {
        one.id
        for one in story
        if one.is_released
        and one.keys
        and all(
            any(latest.get((key, kind), 0) > one.id for kind in _makes_old(one.kind))
            for key in one.keys
        )
    }


def _makes_old(kind: AlertKind) -> tuple[AlertKind, ...]:
    return (*ends(kind), *KINDS[kind].superseded_by, *OPENED_BY.get(kind, ()))


def _is_over(one: Told, latest: dict[tuple[Key, AlertKind, bool], int]) -> bool:
    """
    Tell whether all that *one* speaks of has ended since, or was told anew here.
    """

    def is_later(key: Key, kinds: Collection[AlertKind], *, is_here: bool) -> bool:
        return any(latest.get((key, kind, is_here), 0) > one.id for kind in kinds)

    return bool(one.keys) and all(
        is_later(key, ends(one.kind), is_here=False)
        or is_later(key, KINDS[one.kind].superseded_by, is_here=True)
        for key in one.keys
    )


def _is_needless_end(one: Told, stale: set[int], by_key: dict[Key, list[Told]]) -> bool:
    """
    Tell whether *one* ends what nobody heard of here, and nothing else.
    """
    openings, closings = OPENED_BY[one.kind], CLOSED_BY[one.kind]
    is_paired = False
    for key in one.keys:
        for each in reversed([each for each in by_key[key] if each.id < one.id and each.is_here]):
            if each.kind in closings and each.id not in stale:
                break
            if each.kind in openings:
                if each.id not in stale:
                    return False
                is_paired = True
    return is_paired
