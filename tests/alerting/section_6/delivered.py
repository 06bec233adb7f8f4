"""Rows of section 6: how a notification reaches its channel, or does not."""

from __future__ import annotations

from tests.alerting.section_6.scenes import FAIL, MAIL, ONE, OPS, SEND, TWO, fail, row
from tests.alerting.stage import (
    REFUSES_FOR_GOOD,
    accept,
    chance,
    channel,
    check,
    command,
    delay,
    listed,
    page,
    printed,
    refuse,
    restart,
    restart_after,
    restart_with,
    sent,
    settings,
    tried_at,
    wait,
)
from tests.builders import OK

FAILED_FIVE_TIMES = (
    *(refuse("ops"), *FAIL, SEND),
    *(wait("5s"), wait("10s"), wait("20s"), wait("40s")),
)
"""The error is tried again in 80 s; what else is born has less to wait."""

ROWS = [
    row(
        "delivered: apart",
        "a check that makes an alert due sends nothing by itself",
        (OPS, ONE),
        *(*FAIL, tried_at("ops"), listed("error one ops=due"), SEND, tried_at("ops", "12:00:40")),
        sent("ops: critical error one"),
    ),
    row(
        "delivered: apart",
        "results are taken in while a channel takes nothing",
        (OPS, ONE),
        *(refuse("ops"), *FAIL, SEND, check(one=OK), command("status one", exit_code=0)),
        *(printed("active"), accept("ops"), SEND),
        sent("ops: critical error one", "ops: info recovered one"),
    ),
    row(
        "delivered: retried",
        "later and later, up to every ten minutes",
        (OPS, ONE),
        *(refuse("ops"), *FAIL, SEND),
        *(
            step
            for seconds in (5, 10, 20, 40, 80, 160, 320, 600, 600)
            for step in (wait(f"{seconds - 1}s"), wait("1s"))
        ),
        tried_at(
            "ops",
            *("12:00:40", "12:00:45", "12:00:55", "12:01:15", "12:01:55", "12:03:15"),
            *("12:05:55", "12:11:15", "12:21:15", "12:31:15"),
        ),
    ),
    row(
        "delivered: retried",
        "until the channel takes it",
        (OPS, ONE),
        *(refuse("ops"), *FAIL, SEND, wait("5s"), wait("10s"), accept("ops"), wait("19s"), sent()),
        *(wait("1s"), sent("ops: critical error one"), wait("1h")),
        tried_at("ops", "12:00:40", "12:00:45", "12:00:55", "12:01:15"),
        listed("error one ops=sent"),
    ),
    row(
        "delivered: retried",
        "with jitter: up to half of the wait is left out",
        (OPS, ONE),
        *(chance(0.8), refuse("ops"), *FAIL, SEND, *(wait("1s"),) * 12),
        tried_at("ops", "12:00:40", "12:00:43", "12:00:49"),
    ),
    row(
        "delivered: retried",
        "after a restart as well",
        (OPS, ONE),
        *(refuse("ops"), *FAIL, SEND, restart_after("2d"), wait("1s"), listed("error one ops=due")),
        *(accept("ops"), wait("10m"), sent("ops: critical error one")),
    ),
    row(
        "delivered: dead",
        "after 24 hours",
        (OPS, ONE),
        *(refuse("ops"), *FAIL, SEND, wait("23h"), listed("error one ops=due")),
        *(wait("1h"), listed("error one ops=dead"), accept("ops"), wait("24h")),
    ),
    row(
        "delivered: dead",
        "after retry_for",
        (settings("alerts", retry_for="1m"), OPS, ONE),
        *(refuse("ops"), *FAIL, *(wait("1s"),) * 59, listed("error one ops=due")),
        *(wait("1s"), listed("error one ops=dead"), accept("ops"), wait("24h")),
    ),
    row(
        "delivered: dead",
        # differs from the contract: what would be refused again and again is not tried again.
        "at once, where the receiver says that it is no use",
        (OPS, ONE),
        *(refuse("ops", REFUSES_FOR_GOOD), *FAIL, SEND, listed("error one ops=dead")),
    ),
    row(
        "delivered: dead",
        "in `alerts list --dead`, which lists nothing else",
        (OPS, ONE, TWO),
        *(listed(words="--dead"), refuse("ops", REFUSES_FOR_GOOD), *FAIL, SEND),
        *(accept("ops"), *fail("two"), SEND, sent("ops: critical error two")),
        listed("error one ops=dead", words="--dead"),
        listed("error one ops=dead", "error two ops=sent"),
    ),
    row(
        "delivered: dead",
        "in metrics and on the dashboard",
        (OPS, ONE),
        *(refuse("ops", REFUSES_FOR_GOOD), *FAIL),
        *(
            page("/metrics", "connwatch_notifications_dead 0.0"),
            page("/alerts?dead=true", "No failed messages"),
        ),
        *(SEND, page("/metrics", "connwatch_notifications_dead 1.0")),
        page("/alerts?dead=true", "ops: failed", "there is no such receiver"),
    ),
    row(
        "delivered: retry",
        "what is dead is sent again",
        (OPS, ONE),
        *(refuse("ops", REFUSES_FOR_GOOD), *FAIL, SEND, accept("ops"), wait("1h"), sent()),
        *(command("alerts retry"), listed("error one ops=due"), SEND),
        sent("ops: critical error one"),
    ),
    row(
        "delivered: retry",
        "and what was sent is not",
        (OPS, ONE),
        *(*FAIL, SEND, sent("ops: critical error one"), command("alerts retry"), SEND),
    ),
    row(
        "delivered: retry",
        # differs from the contract: what the channel has been told the end of is not sent again.
        "what is old news goes away",
        (OPS, ONE),
        *(refuse("ops", REFUSES_FOR_GOOD), *FAIL, SEND, accept("ops"), check(one=OK), SEND),
        *(sent("ops: info recovered one"), command("alerts retry"), SEND),
        listed("error one", "recovered one ops=sent"),
    ),
    row(
        "delivered: no channel delays another",
        "one that refuses",
        (channel("bad"), OPS, ONE),
        *(refuse("bad"), *FAIL, SEND, sent("ops: critical error one")),
    ),
    row(
        "delivered: no channel delays another",
        "one that is slow",
        (channel("slow"), OPS, ONE),
        *(delay("slow", until_taken_by="ops"), *FAIL, SEND),
        sent("ops: critical error one", "slow: critical error one"),
    ),
    row(
        "delivered: in order",
        "the recovery waits for the error",
        (OPS, ONE),
        *(*FAILED_FIVE_TIMES, check(one=OK), accept("ops"), wait("79s"), sent()),
        *(wait("1s"), sent("ops: critical error one", "ops: info recovered one")),
    ),
    row(
        "delivered: in order",
        "over a restart",
        (OPS, ONE),
        *(*FAILED_FIVE_TIMES, check(one=OK), accept("ops"), restart, wait("79s"), sent()),
        *(wait("1s"), sent("ops: critical error one", "ops: info recovered one")),
    ),
    row(
        "delivered: in order",
        "another connection does not wait",
        (OPS, ONE, TWO),
        *(*FAILED_FIVE_TIMES, accept("ops"), *fail("two"), SEND),
        *(sent("ops: critical error two"), wait("40s"), sent("ops: critical error one")),
    ),
    row(
        "delivered: in order",
        "nor does another channel",
        (OPS, MAIL, ONE),
        *(refuse("ops"), *FAIL, SEND, check(one=OK), SEND),
        sent("mail: critical error one", "mail: info recovered one"),
    ),
    row(
        "delivered: channel_failed",
        "on every other channel, and not on itself",
        (channel("bad"), OPS, MAIL, ONE),
        *(refuse("bad", REFUSES_FOR_GOOD), *FAIL, SEND),
        sent("ops: critical error one", "mail: critical error one"),
        *(SEND, sent("ops: critical channel_failed", "mail: critical channel_failed")),
        listed("error one bad=dead ops=sent mail=sent", "channel_failed ops=sent mail=sent"),
    ),
    row(
        "delivered: channel_failed",
        "once, however much dies",
        (channel("bad"), OPS, ONE, TWO),
        *(refuse("bad", REFUSES_FOR_GOOD), *FAIL, SEND, SEND),
        sent("ops: critical error one", "ops: critical channel_failed"),
        *(*fail("two"), SEND, SEND, sent("ops: critical error two")),
        *(restart, check(one=OK), SEND, SEND, sent("ops: info recovered one")),
    ),
    row(
        "delivered: channel_failed",
        "not while there are tries left",
        (channel("bad"), OPS, ONE),
        *(refuse("bad"), *FAIL, SEND, sent("ops: critical error one"), wait("23h")),
    ),
    row(
        "delivered: channel_failed",
        "again after it had worked",
        (channel("bad"), channel("ops", kinds=["channel_failed"]), ONE, TWO),
        *(refuse("bad", REFUSES_FOR_GOOD), *FAIL, SEND, SEND, sent("ops: critical channel_failed")),
        *(accept("bad"), check(one=OK), SEND, sent("bad: info recovered one")),
        *(refuse("bad", REFUSES_FOR_GOOD), *fail("two"), SEND, SEND),
        sent("ops: critical channel_failed"),
    ),
    row(
        "delivered: channel_failed",
        "not of a channel that was taken out of the file",
        (channel("bad"), OPS, ONE),
        *(refuse("bad"), *FAIL, SEND, sent("ops: critical error one"), restart_with(OPS, ONE)),
        *(refuse("bad", REFUSES_FOR_GOOD), SEND, SEND, listed("error one bad=dead ops=sent")),
    ),
    row(
        "delivered: channel_failed",
        "nowhere, where there is no other channel",
        (channel("bad"), ONE),
        *(refuse("bad", REFUSES_FOR_GOOD), *FAIL, SEND, SEND, listed("error one bad=dead")),
    ),
]
