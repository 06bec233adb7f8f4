"""
Decide when people are not to be woken: a span of each day in a zone of its own.

Pure. What may wake them all the same is decided in `hold`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

ONE_DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """
    From *start* to *end* on the walls of *zone*, over midnight where *end* is the earlier.
    """

    zone: tzinfo
    start: time
    end: time

    def until(self, now: datetime) -> datetime | None:
        """
        Return the instant at which the quiet that reigns *now* ends; None where there is none.
        """
        today = now.astimezone(self.zone).date()
        days = [today + n * ONE_DAY for n in (-1, 0, 1)]
        ends = [end for begin, end in map(self._span, days) if begin <= now < end]
        return max(ends, default=None)

    def _span(self, day: date) -> tuple[datetime, datetime]:
        """
        Return the span that begins on *day*.

        Where clocks are set back, a time comes twice: quiet begins at the first
        and ends at the second, so that one night has one span.
        """
        last_day = day if self.start < self.end else day + ONE_DAY
        return (
            instant_of(day, self.start, self.zone),
            instant_of(last_day, self.end, self.zone, is_last=True),
        )


def instant_of(day: date, at: time, zone: tzinfo, *, is_last: bool = False) -> datetime:
    """
    Return the instant, in UTC, at which the clocks of *zone* show or first pass *at* on *day*.

    Args:
        is_last: The second one of a time that comes twice.
    """
    on_the_wall = datetime.combine(day, at)
    fold = int(is_last)
    instant = on_the_wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == on_the_wall:
        return instant
    # Clocks are set forward over it: it is passed at that very instant.
    before = on_the_wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    after = on_the_wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    shifted = after.astimezone(zone).utcoffset()
    while after - before > SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == shifted:
            after = middle
        else:
            before = middle
    return after.replace(microsecond=0)
