"""Rows of section 6: what a message says, and how its text is kept safe."""

from __future__ import annotations

from monitor.judge.outcome import Outcome, Reason
from tests.alerting.section_6 import severity
from tests.alerting.section_6.scenes import (
    ENDS_TOMORROW,
    FAIL,
    MAIL,
    ONE,
    OPS,
    OUTAGE,
    SEND,
    THREE,
    TWO,
    fail,
    row,
)
from tests.alerting.stage import (
    application,
    channel,
    check,
    countdown,
    says,
    sent,
    shows,
    sleep,
    store,
    wait,
)
from tests.builders import OK, REVOKED, ok_with

FROM_OUTSIDE = "<script>x</script> *bold* _it_ [here](http://evil.example.com) & more"
WORDED_CHANNELS = (
    channel("plain"),
    channel("mail", url="mailto://a:b@example.com"),
    channel("telegram", url="tgram://123456789:abcdefg_hijklmnop/12315544/"),
    channel("slack", url="slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#room"),
    channel("discord", url="discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js"),
)
SERVICES = ("plain", "mail", "telegram", "slack", "discord")
NASTY = Outcome(Reason.TOKEN_REJECTED, FROM_OUTSIDE, latency_ms=40.0)
SUBJECT = "Subject: {{ kind }} of {{ connections | join(' ') }}\n"

EVERY_KIND = [
    row(
        "worded: what is said",
        f"of {each.case}: what to do, and where more is to be read",
        each.tables,
        *each.steps,
        says("ops", "Open in connwatch: https://watch.example.com/"),
    )
    for each in severity.ROWS
]

ROWS = [
    *EVERY_KIND,
    row(
        "worded: what is said",
        "of a token that is rejected",
        (OPS, ONE),
        *(*FAIL, SEND, sent("ops: critical error one")),
        says(
            "ops",
            *("one: token rejected", "rejects this token", "Since Nov 22, 12:00 UTC"),
            *("Every job that uses it fails", "What to do: Create a new token"),
            *("API Access", "https://watch.example.com/connections/one"),
        ),
    ),
    row(
        "worded: what is said",
        "of a store whose seller ended its authorization",
        (OPS, application(), store("one")),
        *(check(one=REVOKED), sleep("30s"), check(one=REVOKED), SEND),
        sent("ops: critical error one"),
        says(
            "ops",
            *("one: authorization revoked", "Since Nov 22, 12:00 UTC"),
            *("No new data for this store", "Ask the store owner to authorize"),
            *(
                "Renew at Amazon: https://sellercentral",
                "https://watch.example.com/connections/one",
            ),
        ),
    ),
    row(
        "worded: what is said",
        "of an end that comes near, with the page on which it is renewed",
        (
            OPS,
            countdown("one", authorized_on=ENDS_TOMORROW, renew_url="https://renew.example.com/a"),
        ),
        *(wait("1s"), SEND, sent("ops: critical expiring_soon one")),
        says(
            "ops",
            *("expires tomorrow", "Nov 23", "After that, all calls"),
            *("Ask the account owner", "https://renew.example.com/a"),
            "https://watch.example.com/connections/one",
        ),
    ),
    row(
        "worded: what is said",
        "of a quota that is used up",
        (OPS, ONE),
        *(check(one=ok_with(0)), SEND, sent("ops: critical quota_exhausted one")),
        says(
            "ops",
            *("one: quota used up", "10,000 requests", "Dec 1"),
            *("every program on this account", "account owner"),
            "https://watch.example.com/connections/one",
        ),
    ),
    row(
        "worded: what is said",
        "of a recovery: how long it was broken, and why",
        (OPS, ONE),
        *(*FAIL, SEND, wait("1h"), check(one=OK), SEND),
        sent("ops: critical error one", "ops: info recovered one"),
        says(
            "ops",
            *("one works again", "Nov 22, 12:00 UTC", "1 hour", "token rejected"),
            *("Re-run jobs that failed since", "https://watch.example.com/connections/one"),
        ),
    ),
    row(
        "worded: what is said",
        "of an outage: the host, and how many fail",
        (OPS, *THREE),
        *(*OUTAGE, SEND, sent("ops: critical outage one two three")),
        says(
            "ops",
            *("api.example.com is down: 3 of 3 connections failing", "Since Nov 22, 12:01 UTC"),
            *("not your credentials", "status page", "- one\n- two\n- three"),
            "https://watch.example.com/",
        ),
    ),
    row(
        "worded: escaped",
        "for each service what it would take for a mark",
        (*WORDED_CHANNELS, ONE),
        *(check(one=NASTY), sleep("30s"), check(one=NASTY), SEND),
        sent(*(f"{name}: critical error one" for name in SERVICES)),
        shows("plain", "<script>x</script> *bold* _it_ [here]", "& more"),
        shows("mail", "&lt;script&gt;x&lt;/script&gt;", "&amp; more", never=["<script"]),
        shows("telegram", "&lt;script&gt;x&lt;/script&gt;", "&amp; more", never=["<script"]),
        shows("slack", "&lt;script&gt;x&lt;/script&gt;", never=["<script", "*bold*", " _it_"]),
        shows(
            "discord",
            *(r"\<script\>x\</script\>", r"\*bold\*", r"\_it\_", r"\[here\]"),
            never=["[here]("],
        ),
    ),
    row(
        "worded: template",
        "for its channel, and for no other",
        (channel("ops", template="ops.j2"), MAIL, ONE),
        *(*FAIL, SEND, sent("ops: critical error one", "mail: critical error one")),
        shows("ops", "error of one", "Broken: token_rejected", never=["What to do"]),
        shows("mail", "one: token rejected", "What to do"),
        **{"ops.j2": SUBJECT + "Broken: {{ facts.reason }}"},
    ),
    row(
        "worded: template",
        "for several alerts at once",
        (channel("ops", template="ops.j2"), ONE, TWO),
        *(*fail("one", "two"), SEND, sent("ops: critical error one two")),
        shows("ops", "error of one two", "2 are broken"),
        **{"ops.j2": SUBJECT + "{{ n_connections }} are broken"},
    ),
    row(
        "worded: template",
        "escaped as the built-in text is",
        (channel("mail", url="mailto://a:b@example.com", template="mail.html.j2"), ONE),
        *(check(one=NASTY), sleep("30s"), check(one=NASTY), SEND),
        sent("mail: critical error one"),
        shows("mail", "<b>&lt;script&gt;x&lt;/script&gt;", never=["<script"]),
        **{"mail.html.j2": "<b>{{ facts.detail }}</b>"},
    ),
    row(
        "worded: template",
        "the built-in text, where the template fails",
        (channel("ops", template="ops.j2"), ONE),
        *(*FAIL, SEND, sent("ops: critical error one")),
        shows("ops", "one: token rejected", "What to do"),
        **{"ops.j2": "{{ facts.reason / 0 }}"},
    ),
]
