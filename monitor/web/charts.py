"""
Turn numbers over time into what an SVG needs; pure geometry.

The axes are drawn by the templates; nothing here knows colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.judge.outcome import State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from monitor.judge.state import Transition

WIDTH = 640
HEIGHT = 150
LEFT = 48
BOTTOM = 20
TOP = 8

NARROWEST = 4.0
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Span:
    """
    A stretch of the strip of states.

    Args:
        x: Where it begins, and how wide it is, in thousandths of the strip.
    """

    x: float
    width: float
    state: str
    began_at: datetime


def lay_out_states(
    changes: Sequence[Transition], state: str, start: datetime, end: datetime
) -> list[Span]:
    """
    Return the states between *start* and *end*, one after the other.

    Args:
        changes: The oldest first; the first may lie before *start*.
        state: The present one, for a connection that never changed.
    """
    if not changes:
        return [Span(0, 1000, state, start)]
    spans = []
    marks: list[tuple[datetime, str]] = [(change.at, change.to_state.value) for change in changes]
    if marks[0][0] > start:
        # Before its first answer nobody knew how it was, or it was not watched.
        before = changes[0].from_state
        marks.insert(0, (start, UNKNOWN if before is State.PENDING else before.value))
    for position, (at, shown) in enumerate(marks):
        until = marks[position + 1][0] if position + 1 < len(marks) else end
        begin, finish = max(at, start), min(until, end)
        if finish > begin:
            x = _share(begin, start, end) * 1000
            # What has only just begun must be seen as well.
            width = max(_share(finish, start, end) * 1000 - x, NARROWEST)
            spans.append(Span(round(min(x, 1000 - width), 2), round(width, 2), shown, at))
    return spans


@dataclass(frozen=True, slots=True)
class Tick:
    """
    A line of the grid, and what it stands for.
    """

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """
    A line over time.

    Args:
        points: For a polyline; one piece where nothing is missing.
        area: The same, closed at the bottom.
        dots: Where something failed.
    """

    pieces: list[str]
    area: str
    rows: list[Tick]
    columns: list[Tick]
    dots: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Sample:
    """
    A value at an instant; None where none was measured.
    """

    at: datetime
    value: float | None
    is_failure: bool = False


def draw_line(samples: Sequence[Sample], start: datetime, end: datetime) -> Line | None:
    """
    Return the line through *samples*; None if there is nothing to draw.
    """
    values = [one.value for one in samples if one.value is not None]
    if not values:
        return None
    highest = round_up(max(values))
    pieces: list[list[str]] = [[]]
    dots = []
    for one in samples:
        x = place(one.at, start, end)
        if one.value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x},{height_of(one.value, highest)}")
        if one.is_failure:
            dots.append((x, TOP + 4.0))
    drawn = [piece for piece in pieces if piece]
    first, last = drawn[0][0].split(",")[0], drawn[-1][-1].split(",")[0]
    floor = HEIGHT - BOTTOM
    area = " ".join([f"{first},{floor}", *(point for piece in drawn for point in piece)])
    return Line(
        [" ".join(piece) for piece in drawn],
        f"{area} {last},{floor}",
        [
            Tick(height_of(share, highest), short_number(share))
            for share in (0, highest / 2, highest)
        ],
        _columns(start, end),
        dots,
    )


def _columns(start: datetime, end: datetime) -> list[Tick]:
    form = "%d %b"
    if end - start <= timedelta(days=3):
        form = "%H:%M:%S" if end - start <= timedelta(minutes=15) else "%H:%M"
    steps = [start + (end - start) * share / 4 for share in range(5)]
    return [Tick(place(at, start, end), at.strftime(form)) for at in steps]


def place(at: datetime, start: datetime, end: datetime) -> float:
    """
    Return where an instant lies from left to right.
    """
    share = min(1.0, max(0.0, _share(at, start, end)))
    return round(LEFT + share * (WIDTH - LEFT - 30), 1)


def height_of(value: float, highest: float) -> float:
    """
    Return where a value lies from top to bottom.
    """
    share = value / highest if highest else 0
    return round(HEIGHT - BOTTOM - min(1.0, max(0.0, share)) * (HEIGHT - BOTTOM - TOP), 1)


def round_up(value: float) -> float:
    """
    Return the next number that is easily read on an axis.
    """
    if value <= 0:
        return 1
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next((power * step for step in (1, 2, 5) if power * step >= value), power * 10)


def short_number(value: float) -> str:
    """
    Return a number as it fits beside an axis: 500, 2.5k, 10k, 1M.
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _share(at: datetime, start: datetime, end: datetime) -> float:
    return (at - start) / (end - start)
