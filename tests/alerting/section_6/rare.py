"""Rows of section 6: flapping, news after a pause, and summaries."""

from __future__ import annotations

from tests.alerting.section_6.scenes import (
    DENIED,
    ENDS_TOMORROW,
    FAIL,
    IN_NEW_YORK,
    ONE,
    OPS,
    SEND,
    TWO,
    all_of,
    alternate,
    fail,
    row,
)
from tests.alerting.stage import (
    channel,
    check,
    connection,
    listed,
    restart_after,
    sent,
    sleep,
    wait,
    wait_until,
)
from tests.builders import OK, REFUSED, ok_with

FLAPPING = (*alternate(6), SEND, sent("ops: warning flapping one"))
"""It ends in an error that is not confirmed, at 12:30."""

FLAPPING_AFTER_AN_ERROR = (
    *(*alternate(4), check(one=DENIED), sleep("30s"), check(one=DENIED), SEND),
    *(sent("ops: critical error one"), check(one=OK), SEND, sent("ops: warning flapping one")),
)
"""It ends well, and the error was announced."""

ROWS = [
    row(
        "rare: flapping",
        "five transitions are none",
        (OPS, ONE),
        *(*alternate(5), SEND, listed()),
    ),
    row(
        "rare: flapping",
        "six within an hour and a bit are none",
        (OPS, ONE),
        *(*alternate(6, every="12m"), SEND, listed()),
    ),
    row(
        "rare: flapping",
        "six within less than an hour are",
        (OPS, ONE),
        *(*alternate(6, every="11m"), SEND, sent("ops: warning flapping one")),
    ),
    row(
        "rare: flapping",
        "a change of the reason is a transition",
        (OPS, ONE),
        *(check(one=OK), check(one=REFUSED), sleep("5m")),
        *(check(one=DENIED), sleep("5m"), check(one=REFUSED), sleep("5m")),
        *(check(one=OK), sleep("5m"), listed(), check(one=REFUSED)),
        *(SEND, sent("ops: warning flapping one")),
    ),
    row(
        "rare: flapping",
        "is reported once",
        (OPS, ONE),
        *(*FLAPPING, *alternate(6), SEND),
    ),
    row(
        "rare: flapping",
        "changes of others do not count",
        (OPS, ONE, TWO),
        *(*alternate(5), check(two=OK), sleep("1m"), check(two=REFUSED), SEND, listed()),
    ),
    row(
        "rare: flapping suppresses",
        "its errors",
        (OPS, ONE),
        *(*FLAPPING, check(one=REFUSED), SEND, check(one=REFUSED), SEND),
    ),
    row(
        "rare: flapping suppresses",
        "its recoveries",
        (OPS, ONE),
        *(*FLAPPING_AFTER_AN_ERROR, SEND, check(one=OK), SEND),
    ),
    row(
        "rare: flapping suppresses",
        "nothing of others",
        (OPS, ONE, TWO),
        *(*FLAPPING, *fail("two"), SEND, sent("ops: critical error two")),
    ),
    row(
        "rare: flapping suppresses",
        "nothing but errors and recoveries",
        (OPS, ONE),
        *(*FLAPPING, check(one=ok_with(0)), SEND, sent("ops: critical quota_exhausted one")),
    ),
    row(
        "rare: flapping ends",
        "with the error that is still true",
        (OPS, ONE),
        *(*FLAPPING, check(one=REFUSED), wait("59m"), sent(), wait("1m"), SEND),
        sent("ops: critical error one"),
    ),
    row(
        "rare: flapping ends",
        "later with each transition",
        (OPS, ONE),
        *(*FLAPPING, wait("50m"), *alternate(2), *FAIL, SEND, wait("59m"), sent()),
        *(wait("1m"), SEND, sent("ops: critical error one")),
    ),
    row(
        "rare: flapping ends",
        "with the recovery of an error that was announced before",
        (OPS, ONE),
        *(*FLAPPING_AFTER_AN_ERROR, wait("59m"), sent(), wait("1m"), SEND),
        sent("ops: info recovered one"),
    ),
    row(
        "rare: flapping ends",
        "silently, where all is well and nothing was announced",
        (OPS, ONE),
        *(*FLAPPING, check(one=OK), wait("1h"), SEND, wait("1h"), SEND),
    ),
    row(
        "rare: flapping ends",
        "and what comes after is reported as usual",
        (OPS, ONE),
        *(*FLAPPING, check(one=OK), wait("1h"), *FAIL, SEND, sent("ops: critical error one")),
    ),
    row(
        "rare: resumed",
        "after more than three times the shortest interval",
        (channel("news", kinds=["resumed"]), ONE, connection("two", every="1h")),
        *(check(all_of(OK, "one", "two")), restart_after("16m")),
        *(check(one=REFUSED, two=OK), wait("5s"), SEND, sent("news: info resumed one")),
    ),
    row(
        "rare: resumed",
        "not after three times the shortest interval",
        (channel("news", kinds=["resumed"]), ONE),
        *(check(one=OK), restart_after("15m"), check(one=REFUSED), wait("5s"), SEND),
    ),
    row(
        "rare: resumed",
        "not if nothing changed meanwhile",
        (channel("news", kinds=["resumed"]), ONE),
        *(check(one=OK), restart_after("1h"), check(one=OK), wait("5s"), SEND, wait("1h"), SEND),
    ),
    row(
        "rare: resumed",
        "a step that was passed meanwhile is a change",
        (
            channel("news", kinds=["resumed"]),
            connection("one", authorized_on=ENDS_TOMORROW),
            TWO,
        ),
        *(wait("1s"), check(all_of(OK, "one", "two")), restart_after("13h")),
        *(check(one=REFUSED, two=OK), wait("5s"), SEND, sent("news: info resumed one")),
    ),
    row(
        "rare: resumed",
        "once the first answers are there",
        (channel("news", kinds=["resumed"]), ONE, TWO),
        *(check(all_of(OK, "one", "two")), restart_after("1h"), check(one=REFUSED)),
        *(wait("5s"), SEND, sent(), check(two=OK), wait("5s"), SEND),
        sent("news: info resumed one"),
    ),
    row(
        "rare: digest",
        # `alerts.timezone` comes with section 12: until then it is UTC.
        "daily: at 09:00 UTC, where there are no quiet hours",
        (channel("news", digest="daily"), ONE),
        *(wait("1s"), wait_until("2026-11-23 08:59:59"), SEND, sent()),
        *(SEND, sent("news: info digest"), wait("1h"), SEND, sent()),
        *(wait_until("2026-11-24 08:59:59"), sent()),
        *(wait("1s"), SEND, sent("news: info digest")),
    ),
    row(
        "rare: digest",
        "weekly: on Mondays",
        (channel("news", digest="weekly"), ONE),
        *(wait("1s"), wait_until("2026-11-23 08:59:59"), sent(), wait("1s"), SEND),
        sent("news: info digest"),
        *(step for day in range(24, 30) for step in (wait_until(f"2026-11-{day} 09:00"), SEND)),
        *(sent(), wait_until("2026-11-30 09:00"), SEND, sent("news: info digest")),
    ),
    row(
        "rare: digest",
        "at 09:00 in the zone of the quiet hours of all",
        (IN_NEW_YORK, channel("news", digest="daily"), ONE),
        *(wait("1s"), wait_until("2026-11-22 13:59:59"), SEND, sent(), SEND),
        sent("news: info digest"),
    ),
    row(
        "rare: digest",
        "at 09:00 in the zone of the channel's own quiet hours",
        (
            IN_NEW_YORK,
            channel(
                "news",
                digest="daily",
                quiet_hours={"zone": "Asia/Tokyo", "from": "22:00", "to": "07:00"},
            ),
            ONE,
        ),
        *(
            wait("1s"),
            wait_until("2026-11-22 23:59:59"),
            SEND,
            sent(),
            SEND,
            sent("news: info digest"),
        ),
    ),
    row(
        "rare: digest",
        "on no other channel",
        (OPS, ONE),
        *(wait("1s"), wait_until("2026-11-23 09:00"), SEND, wait_until("2026-11-30 09:00"), SEND),
    ),
]
