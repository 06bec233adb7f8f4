"""Rows of section 6: what travels in one message, and what it lists."""

from __future__ import annotations

from tests.alerting.section_6.scenes import ONE, OPS, SEND, THREE, TWO, all_of, fail, falter, row
from tests.alerting.stage import (
    channel,
    check,
    connection,
    says,
    sent,
    sent_at,
    settings,
    sleep,
    wait,
)
from tests.builders import REFUSED, ok_with

MANY = tuple(f"c{number:02}" for number in range(1, 26))
TWENTY_FIVE = tuple(connection(name) for name in MANY)
SIX_MESSAGES = tuple(step for name in MANY[:6] for step in (*fail(name), SEND))
SIX_LINES = tuple(f"ops: critical error {name}" for name in MANY[:6])

ROWS = [
    row(
        "grouped: one message",
        "what is born within ten seconds",
        (OPS, ONE, TWO),
        *(check(all_of(REFUSED, "one", "two")), sleep("30s"), check(one=REFUSED)),
        *(sleep("9s"), check(two=REFUSED), wait("0s"), sent(), wait("1s")),
        *(sent("ops: critical error one two"), sent_at("ops", "12:00:40")),
    ),
    row(
        "grouped: one message",
        "counted from the first: what is born later waits for itself",
        (OPS, *THREE),
        *(check(all_of(REFUSED)), sleep("30s"), check(one=REFUSED)),
        *(sleep("6s"), check(two=REFUSED), wait("4s"), check(three=REFUSED), wait("9s")),
        *(sent("ops: critical error one two"), wait("1s"), sent("ops: critical error three")),
        sent_at("ops", "12:00:40", "12:00:50"),
    ),
    row(
        "grouped: one message",
        "within group_wait",
        (settings("alerts", group_wait="1m"), OPS, ONE, TWO),
        *(*fail("one"), sleep("20s"), *fail("two"), wait("9s"), sent(), wait("1s")),
        sent("ops: critical error one two"),
    ),
    row(
        "grouped: one message",
        "not with another kind",
        (OPS, ONE, TWO),
        *(check(two=ok_with(10_000)), check(one=REFUSED), sleep("30s")),
        *(check(one=REFUSED, two=ok_with(0)), SEND),
        sent("ops: critical error one", "ops: critical quota_exhausted two"),
    ),
    row(
        "grouped: one message",
        "on each channel what it receives",
        (OPS, channel("mine", connections=["two"]), ONE, TWO),
        *(*fail("one", "two"), SEND),
        sent("ops: critical error one two", "mine: critical error two"),
    ),
    row(
        "grouped: collected",
        "five minutes of them, after six messages within five minutes",
        (OPS, *TWENTY_FIVE),
        *(*SIX_MESSAGES, sent(*SIX_LINES), *fail("c07"), SEND, *fail("c08"), SEND, sent()),
        *(wait("219s"), sent(), wait("1s"), sent("ops: critical error c07 c08")),
        *(*fail("c09"), SEND, wait("259s"), sent(), wait("1s"), sent("ops: critical error c09")),
    ),
    row(
        "grouped: collected",
        "one per kind",
        (OPS, *TWENTY_FIVE),
        *(*SIX_MESSAGES, sent(*SIX_LINES), check(c07=ok_with(0)), SEND),
        *(sent("ops: critical quota_exhausted c07"), *fail("c08"), SEND, sent(), wait("5m")),
        sent("ops: critical error c08"),
    ),
    row(
        "grouped: collected",
        "not after six messages in more than five minutes",
        (OPS, *TWENTY_FIVE),
        *(step for name in MANY[:6] for step in (*fail(name), wait("31s"))),
        *(sent(*SIX_LINES), *fail("c07"), SEND, sent("ops: critical error c07")),
    ),
    row(
        "grouped: collected",
        "not on a channel that had fewer",
        (OPS, channel("mine", connections=["c07"]), *TWENTY_FIVE),
        *(*SIX_MESSAGES, sent(*SIX_LINES), *fail("c07"), SEND, sent("mine: critical error c07")),
        *(wait("5m"), sent("ops: critical error c07")),
    ),
    row(
        "grouped: at most 20",
        "of many alerts, and how many more, with the link",
        (OPS, *TWENTY_FIVE),
        *(*fail(*MANY), SEND, sent(f"ops: critical error {' '.join(MANY[:20])}")),
        says("ops", "c20", "and 5 more: https://watch.example.com/", never=["c21"]),
    ),
    row(
        "grouped: at most 20",
        "of one alert, and how many more, with the link",
        (OPS, *TWENTY_FIVE),
        *(*falter(*MANY), SEND, sent(f"ops: critical outage {' '.join(MANY[:20])}")),
        says("ops", "c20", "and 5 more: https://watch.example.com/", never=["c21"]),
    ),
    row(
        "grouped: at most 20",
        "twenty are all",
        (OPS, *TWENTY_FIVE),
        *(*fail(*MANY[:20]), SEND, sent(f"ops: critical error {' '.join(MANY[:20])}")),
        says("ops", "c20", never=["more:"]),
    ),
    row(
        "grouped: at most 20",
        "worst first",
        (settings("alerts", group_wait="5m"), OPS, *TWENTY_FIVE),
        *(*falter("c01", "c02"), *fail(*MANY[2:]), wait("5m")),
        sent(f"ops: critical error {' '.join(MANY[2:22])}"),
        says("ops", "c22", "and 5 more", never=["c01", "c23"]),
    ),
]
