"""
Say what surrounds the news in a message, whatever its kind.

How its parts are put together is decided in `message` and `many`.
"""

from __future__ import annotations

SINCE = "Since {at} ({span})."
FROM_TO = "It was broken from {at} on, for {span}."
REMINDER_TITLE = "Reminder: "
REMINDER = "Still so, as was told before; this is {times}."
REMINDER_ONCE = "the first reminder"
REMINDER_TIMES = "reminder number {n}"
REMINDERS_END = "Whoever takes it on ends the reminders with `connwatch ack NAME`."
LATE = "This was noticed at {at}; the message comes {span} late."
DETAIL = "Detail: {detail}"
BEFORE = "Before: {before}."
BEFORE_WITH_DETAIL = "Before: {before} ({detail})"
NEXT_STEP = "What to do"
LINK = "More"

MANY = "{n} connections"
LISTED = "Concerned"
AND_MORE = "and {n} more"
AND_MORE_AT = "and {n} more: {link}"
CUT = "... and more"
TEST_MARK = "[TEST]"
