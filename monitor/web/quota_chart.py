"""
Turn the samples of a quota into a picture: what was left, where it goes, when it comes back.

Pure, like `charts`, whose geometry it uses.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.web.charts import height_of, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from monitor.judge.forecast import Forecast
    from monitor.judge.usage import Sample

    Point = Callable[[datetime, float], str]
    Seen = list[tuple[datetime, int]]

HISTORY = timedelta(days=31)
"""One usual period: what was before it is over."""

MOST_POINTS = 400
REFILLED_BY = 0.1
"""A rise by more than this part of the limit is a new period, not noise."""


@dataclass(frozen=True, slots=True)
class QuotaChart:
    """
    A quota over time.

    Args:
        pieces: What was left, a line for each period; for polylines.
        ahead: The line on which it goes on, where that can be foreseen.
        doubt: The wedge between the earliest and the latest end.
        empty_at: When it is used up, if that is before it comes back.
    """

    starts_at: datetime
    ends_at: datetime
    now_x: float
    now_y: float
    limit: int
    pieces: list[str]
    ahead: str | None
    doubt: str | None
    empty_at: datetime | None
    resets_at: datetime | None
    reset_x: float | None


def draw_quota(
    samples: Sequence[Sample],
    now: datetime,
    remaining: int,
    limit: int,
    resets_at: datetime | None,
    forecast: Forecast | None,
) -> QuotaChart | None:
    """
    Return the picture; None if there is neither a past nor a future to show.

    Args:
        samples: The oldest first.
        remaining: What is left now.
    """
    past = [one for one in samples if now - HISTORY <= one.at <= now]
    if resets_at is not None and resets_at <= now:
        resets_at = None
    exhausts_at = forecast.exhausts_at if forecast is not None else None
    start = past[0].at if past else now
    end = resets_at or exhausts_at or now
    if end <= start:
        return None
    highest = max([limit, *(one.limit for one in past)])

    def point(at: datetime, value: float) -> str:
        return f"{place(at, start, end)},{height_of(value, highest)}"

    seen = [(one.at, one.remaining) for one in past] + [(now, remaining)]
    return QuotaChart(
        starts_at=start,
        ends_at=end,
        now_x=place(now, start, end),
        now_y=height_of(remaining, highest),
        limit=highest,
        pieces=[
            " ".join(point(at, value) for at, value in thin_out(piece))
            for piece in _split(seen, highest)
            if len(piece) > 1
        ],
        ahead=_ahead(point, now, remaining, end, exhausts_at),
        doubt=_doubt(point, now, remaining, end, forecast),
        empty_at=exhausts_at if exhausts_at is not None and exhausts_at <= end else None,
        resets_at=resets_at,
        reset_x=None if resets_at is None else place(resets_at, start, end),
    )


def _split(seen: Seen, limit: int) -> Iterator[Seen]:
    """
    Yield what was left in each period.
    """
    piece: Seen = []
    for at, value in seen:
        if piece and value - piece[-1][1] > REFILLED_BY * limit:
            yield piece
            piece = []
        piece.append((at, value))
    yield piece


def thin_out(piece: Seen) -> Seen:
    """
    Return at most so many points of *piece*, the first and the last among them.
    """
    step = -(-len(piece) // MOST_POINTS)
    return [*piece[:-1:step], piece[-1]]


def _ahead(
    point: Point, now: datetime, remaining: int, end: datetime, exhausts_at: datetime | None
) -> str | None:
    if exhausts_at is None or exhausts_at <= now:
        return None
    return f"{point(now, remaining)} {_until(point, now, remaining, end, exhausts_at)}"


def _doubt(
    point: Point, now: datetime, remaining: int, end: datetime, forecast: Forecast | None
) -> str | None:
    if forecast is None or forecast.earliest is None or forecast.earliest <= now:
        return None
    early = _until(point, now, remaining, end, forecast.earliest)
    # It may be used up before the picture ends: the wedge runs along the floor then.
    if forecast.earliest < end:
        early += f" {point(_first(forecast.latest, end), 0)}"
    late = point(end, remaining)
    if forecast.latest is not None:
        late = _until(point, now, remaining, end, forecast.latest)
    return f"{point(now, remaining)} {early} {late}"


def _first(at: datetime | None, end: datetime) -> datetime:
    return end if at is None else min(at, end)


def _until(point: Point, now: datetime, remaining: int, end: datetime, empty_at: datetime) -> str:
    """
    Return where the line from now to the empty quota leaves the picture.
    """
    if empty_at <= end:
        return point(empty_at, 0)
    return point(end, remaining * (1 - (end - now) / (empty_at - now)))
