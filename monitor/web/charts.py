"""Draw what happened to a connection: states, answer times, and what was left of its quota.

Pure: rows come in, what an SVG needs goes out. First comes the geometry of any line over
time, then the picture of a quota, then what a connection's page shows. The axes are drawn
by the templates; nothing here knows colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.judge.outcome import OutcomeClass, State
from monitor.notify.times import read_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from monitor.judge.forecast import Forecast, QuotaSample
    from monitor.judge.outcome import Transition
    from monitor.report.status import ConnectionJson, QuotaJson
    from monitor.store.history import CheckRow, SumRow


WIDTH = 640
HEIGHT = 150
LEFT = 48
BOTTOM = 20
TOP = 8

NARROWEST = 4.0
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the strip of states.

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
    """Return the states between *start* and *end*, one after the other.

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
    """A line of the grid, and what it stands for."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class TimeMark:
    """An instant below a chart.

    Args:
        x: Where it stands.
        form: `day`, `time` or `second`: how much of it is written.
    """

    x: float
    at: datetime
    form: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line over time.

    Args:
        points: For a polyline; one piece where nothing is missing.
        area: The same, closed at the bottom.
        dots: Where something failed.
    """

    pieces: list[str]
    area: str
    rows: list[Tick]
    columns: list[TimeMark]
    dots: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A value at an instant; None where none was measured."""

    at: datetime
    value: float | None
    is_failure: bool = False


def draw_line(samples: Sequence[ChartPoint], start: datetime, end: datetime) -> Line | None:
    """Return the line through *samples*; None if there is nothing to draw."""
    values = [one.value for one in samples if one.value is not None]
    if not values:
        return None
    highest = round_up(max(values))
    pieces: list[list[str]] = [[]]
    dots = []
    for one in samples:
        x = place_at(one.at, start, end)
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


def _columns(start: datetime, end: datetime) -> list[TimeMark]:
    form = "day"
    if end - start <= timedelta(days=3):
        form = "second" if end - start <= timedelta(minutes=15) else "time"
    steps = [start + (end - start) * share / 4 for share in range(5)]
    return [TimeMark(place_at(at, start, end), at, form) for at in steps]


def place_at(at: datetime, start: datetime, end: datetime) -> float:
    """Return where an instant lies from left to right."""
    share = min(1.0, max(0.0, _share(at, start, end)))
    return round(LEFT + share * (WIDTH - LEFT - 30), 1)


def height_of(value: float, highest: float) -> float:
    """Return where a value lies from top to bottom."""
    share = value / highest if highest else 0
    return round(HEIGHT - BOTTOM - min(1.0, max(0.0, share)) * (HEIGHT - BOTTOM - TOP), 1)


def round_up(value: float) -> float:
    """Return the next number that is easily read on an axis."""
    if value <= 0:
        return 1
    power = 1.0
    while power * 10 <= value:
        power *= 10
    while power > value:
        power /= 10
    return next((power * step for step in (1, 2, 5) if power * step >= value), power * 10)


def short_number(value: float) -> str:
    """Return a number as it fits beside an axis: 500, 2.5k, 10k, 1M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def _share(at: datetime, start: datetime, end: datetime) -> float:
    return (at - start) / (end - start)


# --- a quota

if TYPE_CHECKING:
    Point = Callable[[datetime, float], str]
    Seen = list[tuple[datetime, int]]

HISTORY = timedelta(days=31)
"""One usual period: what was before it is over."""

MOST_POINTS = 400
REFILLED_BY = 0.1
"""A rise by more than this part of the limit is a new period, not noise."""


@dataclass(frozen=True, slots=True)
class QuotaChart:
    """A quota over time.

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
    samples: Sequence[QuotaSample],
    now: datetime,
    remaining: int,
    limit: int,
    resets_at: datetime | None,
    forecast: Forecast | None,
) -> QuotaChart | None:
    """Return the picture; None if there is neither a past nor a future to show.

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
        return f"{place_at(at, start, end)},{height_of(value, highest)}"

    seen = [(one.at, one.remaining) for one in past] + [(now, remaining)]
    return QuotaChart(
        starts_at=start,
        ends_at=end,
        now_x=place_at(now, start, end),
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
        reset_x=None if resets_at is None else place_at(resets_at, start, end),
    )


def _split(seen: Seen, limit: int) -> Iterator[Seen]:
    """Yield what was left in each period."""
    piece: Seen = []
    for at, value in seen:
        if piece and value - piece[-1][1] > REFILLED_BY * limit:
            yield piece
            piece = []
        piece.append((at, value))
    yield piece


def thin_out(piece: Seen) -> Seen:
    """Return at most so many points of *piece*, the first and the last among them."""
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
    """Return where the line from now to the empty quota leaves the picture."""
    if empty_at <= end:
        return point(empty_at, 0)
    return point(end, remaining * (1 - (end - now) / (empty_at - now)))


# --- a connection

DAY = timedelta(days=1)
DAYS_SHOWN = 90 * DAY
RAW_SHOWN = timedelta(hours=24)
ENOUGH_SUMS = 48
CHART_KINDS = ("active", "error", "expired", "paused", "pending", UNKNOWN)
"""What the strip can show, in the order of its legend."""


def draw_charts(known: Mapping[str, Any], each: ConnectionJson, now: datetime) -> dict[str, Any]:
    """Return the strip of states, the line of latencies, and the picture of the quota."""
    start = now - DAYS_SHOWN
    spans: list[Span] = lay_out_states(known["states"], each["state"], start, now)
    return {
        "spans": spans,
        "kinds": [kind for kind in CHART_KINDS if any(span.state == kind for span in spans)],
        "start": start,
        "latency": _draw_latency(known, now),
        "quota": _draw_quota(known, each["quota"], now),
    }


def _draw_latency(known: Mapping[str, Any], now: datetime) -> tuple[Line | None, str]:
    """Return the line, and what it covers: days where there are some, else the last checks."""
    sums: list[SumRow] = known["sums"]
    if are_enough(sums):
        samples = [
            ChartPoint(one.starts_at + one.length / 2, one.mean_ms, one.n_failed > 0)
            for one in sums
        ]
        how = "daily mean, of the last week hourly" if has_days(sums) else "hourly mean"
        return draw_line(samples, samples[0].at, now), how
    checks: list[CheckRow] = [one for one in known["checks"] if one.at >= now - RAW_SHOWN]
    samples = [
        ChartPoint(one.at, one.latency_ms, one.reason.outcome_class is not OutcomeClass.SUCCESS)
        for one in reversed(checks)
    ]
    if not samples or samples[0].at >= now:
        return None, ""
    return draw_line(samples, samples[0].at, now), "each check"


def are_enough(sums: Sequence[SumRow]) -> bool:
    """Tell whether sums make a picture; else it is drawn of single checks."""
    return len(sums) >= (2 if has_days(sums) else ENOUGH_SUMS)


def has_days(sums: Sequence[SumRow]) -> bool:
    """Tell whether the first of them, and so perhaps others, is of a day."""
    return bool(sums) and sums[0].length >= DAY


def _draw_quota(
    known: Mapping[str, Any], quota: QuotaJson | None, now: datetime
) -> QuotaChart | None:
    if quota is None or not quota["limit"] or quota["remaining"] is None:
        return None
    resets_at = read_instant(quota["resets_at"])
    return draw_quota(
        known["quotas"], now, quota["remaining"], quota["limit"], resets_at, known["outlook"]
    )
