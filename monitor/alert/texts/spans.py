"""
Say days, instants and lengths of time.

Which unit is used is decided in `words`.
"""

from __future__ import annotations

LESS_THAN_A_MINUTE = "less than a minute"
DAYS = ("day", "days")
HOURS = ("hour", "hours")
MINUTES = ("minute", "minutes")
DAY = "%Y-%m-%d"
IN_DAYS = "in {n} days"
ENDS = "ends on {day}, {left}"
ENDED = "ended on {day}, {when}"
DAYS_LEFT = "{n} days left"
DAY_LEFT = "1 day left"
NO_DAY_LEFT = "less than a day left"
TOMORROW = "tomorrow"
TODAY = "today"
YESTERDAY = "yesterday"
DAYS_AGO = "{n} days ago"
INSTANT = "%Y-%m-%d %H:%M UTC"
