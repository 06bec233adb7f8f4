"""Rows of section 6: when an alert is stored, and what a crash leaves of it."""

from __future__ import annotations

from datetime import date

from tests.alerting.section_6.scenes import ENDS_TOMORROW, FAIL, MAIL, ONE, OPS, SEND, row
from tests.alerting.stage import (
    accept,
    channel,
    check,
    command,
    confirmed_at,
    connection,
    countdown,
    die_while_sending,
    dying_check,
    dying_sweep,
    listed,
    refuse,
    restart,
    sent,
    sleep,
    wait,
)
from tests.builders import OK, REFUSED

ROWS = [
    row(
        "born: with its cause",
        "the check that completes a confirmation",
        (OPS, ONE),
        *(
            check(one=REFUSED),
            listed(),
            sleep("30s"),
            check(one=REFUSED),
            listed("error one ops=due"),
        ),
    ),
    row(
        "born: with its cause",
        "a check that confirms nothing",
        (OPS, ONE),
        *(check(one=REFUSED), sleep("30s"), check(one=OK), SEND, listed()),
    ),
    row(
        "born: with its cause",
        "the sweep that passes a step",
        (OPS, countdown("one", authorized_on=ENDS_TOMORROW)),
        *(listed(), wait("1s"), listed("expiring_soon one ops=due")),
    ),
    row(
        "born: with its cause",
        "a sweep that passes no step",
        (OPS, countdown("one", authorized_on=date(2026, 6, 1))),
        *(wait("1s"), listed()),
    ),
    row(
        "born: with its cause",
        "the command that renews, without the daemon",
        (OPS, countdown("one", authorized_on=ENDS_TOMORROW)),
        *(wait("1s"), SEND, sent("ops: critical expiring_soon one"), command("renew one")),
        listed("expiring_soon one ops=sent", "renewed one ops=due"),
    ),
    row(
        "born: with its cause",
        "a renewal of what can be called, with the success that shows it",
        (OPS, connection("one", authorized_on=ENDS_TOMORROW)),
        *(wait("1s"), SEND, sent("ops: critical expiring_soon one"), command("renew one")),
        listed("expiring_soon one ops=sent"),
        check(one=OK),
        listed("expiring_soon one ops=sent", "renewed one ops=due"),
    ),
    row(
        "born: a notification per channel",
        "two channels",
        (OPS, MAIL, ONE),
        *(*FAIL, listed("error one ops=due mail=due"), SEND),
        sent("ops: critical error one", "mail: critical error one"),
        listed("error one ops=sent mail=sent"),
    ),
    row(
        "born: a notification per channel",
        "none for a channel that does not receive it",
        (OPS, channel("mail", kinds=["expired"]), ONE),
        *(*FAIL, listed("error one ops=due"), SEND, sent("ops: critical error one")),
    ),
    row(
        "born: survives a crash",
        "in the transaction of the check",
        (OPS, ONE),
        *(check(one=REFUSED), sleep("30s"), dying_check(one=REFUSED), listed()),
        *(check(one=REFUSED), listed("error one ops=due"), SEND, sent("ops: critical error one")),
    ),
    row(
        "born: survives a crash",
        "in the transaction of the sweep",
        (OPS, countdown("one", authorized_on=ENDS_TOMORROW)),
        *(dying_sweep, listed(), wait("1s"), SEND, sent("ops: critical expiring_soon one")),
    ),
    row(
        "born: survives a crash",
        "in the transaction of a check that ends a problem",
        (OPS, ONE),
        *(*FAIL, SEND, dying_check(one=OK), check(one=OK), SEND),
        sent("ops: critical error one", "ops: info recovered one"),
    ),
    row(
        "born: survives a crash",
        "between two refusals",
        (OPS, ONE),
        *(check(one=REFUSED), restart, sleep("30s"), check(one=REFUSED), SEND),
        sent("ops: critical error one"),
    ),
    row(
        "born: survives a crash",
        "after the check, before anything is sent",
        (OPS, MAIL, ONE),
        *(*FAIL, restart, SEND, sent("ops: critical error one", "mail: critical error one")),
    ),
    row(
        "born: survives a crash",
        "after the sweep, before anything is sent",
        (OPS, countdown("one", authorized_on=ENDS_TOMORROW)),
        *(wait("1s"), restart, SEND, sent("ops: critical expiring_soon one")),
    ),
    row(
        "born: survives a crash",
        "after the command, before anything is sent",
        (OPS, countdown("one", authorized_on=ENDS_TOMORROW)),
        *(wait("1s"), SEND, sent("ops: critical expiring_soon one")),
        *(command("renew one"), restart, SEND, sent("ops: info renewed one")),
    ),
    row(
        "born: survives a crash",
        "while a message is on its way",
        (OPS, ONE),
        *(*FAIL, sleep("10s"), die_while_sending("ops", is_taken=False), sent()),
        *(wait("1s"), sent("ops: critical error one"), wait("1h"), sent()),
    ),
    row(
        "born: survives a crash",
        "after one of two channels had it",
        (OPS, MAIL, ONE),
        *(refuse("mail"), *FAIL, SEND, sent("ops: critical error one")),
        *(restart, accept("mail"), SEND, sent("mail: critical error one")),
    ),
    row(
        "born: survives a crash",
        "after all was sent, without a second message",
        (OPS, ONE),
        *(*FAIL, SEND, sent("ops: critical error one"), restart, SEND, wait("1h"), sent()),
    ),
    row(
        "born: confirmed",
        "at the instant of the confirmation",
        (OPS, ONE),
        *(*FAIL, confirmed_at(None), SEND, sent("ops: critical error one")),
        confirmed_at("2026-11-22T12:00:40Z"),
    ),
    row(
        "born: confirmed",
        "not by a send that failed",
        (OPS, ONE),
        *(refuse("ops"), *FAIL, SEND, confirmed_at(None), accept("ops"), SEND),
        *(sent("ops: critical error one"), confirmed_at("2026-11-22T12:00:50Z")),
    ),
    row(
        "born: confirmed",
        "not by another channel",
        (OPS, MAIL, ONE),
        *(refuse("mail"), *FAIL, SEND, sent("ops: critical error one")),
        confirmed_at("2026-11-22T12:00:40Z", None),
    ),
    row(
        "born: rather twice",
        "the channel has it, the daemon does not know",
        (OPS, ONE),
        *(*FAIL, sleep("10s"), die_while_sending("ops", is_taken=True)),
        *(sent("ops: critical error one"), confirmed_at(None)),
        *(wait("1s"), sent("ops: critical error one"), confirmed_at("2026-11-22T12:00:41Z")),
    ),
]
