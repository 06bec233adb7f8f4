"""
`monitor.notify.message`: the notes of a connection, in what is sent about it.
"""

from __future__ import annotations

import pytest

from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.outbox import Notification
from monitor.notify.formats import Form, write
from monitor.notify.message import compose, compose_many
from tests.fakes import NOON

NOTES = "Call <Ana> *first*, then [Bob](https://e.io)"
DETAIL = 'The token was rejected (401). The server says: "Token revoked."'
ROOM = 4000


def word(kind: AlertKind = AlertKind.ERROR, notes: object = NOTES):
    facts = {"reason": "token_rejected", "detail": DETAIL, "notes": notes, "provider": "http"}
    link = "https://watch.example/connections/acme"
    return compose(kind, Severity.CRITICAL, facts, ["acme"], NOON, link, NOON)


WRITTEN = {
    Form.PLAIN: "Notes: Call <Ana> *first*, then [Bob]\u200b(https://e.io)",
    Form.MAIL: "<b>Notes:</b> Call &lt;Ana&gt; *first*, then [Bob]\u200b(https://e.io)",
    Form.HTML: "<b>Notes:</b> Call &lt;Ana&gt; *first*, then [Bob]\u200b(https://e.io)",
    Form.TELEGRAM: "<b>Notes:</b> Call &lt;Ana&gt; *first*, then [Bob]\u200b(https://e.io)",
    Form.MARKDOWN: (
        "**Notes:** Call \\<Ana\\> \\*first\\*, then \\[Bob\\]\u200b\\(https://e.io\\)"
    ),
    Form.MRKDWN: "*Notes:* Call &lt;Ana&gt; \u2217first\u2217, then [Bob]\u200b(https://e.io)",
}


@pytest.mark.parametrize(("form", "expected"), WRITTEN.items(), ids=WRITTEN)
def test_notes_are_in_the_message_and_escaped_for_its_medium(form, expected):
    assert expected in write(word(), form, ROOM)


KINDS = [
    AlertKind.ERROR,
    AlertKind.EXPIRED,
    AlertKind.EXPIRING_SOON,
    AlertKind.RENEWAL_UNRECORDED,
    AlertKind.QUOTA_LOW,
    AlertKind.QUOTA_EXHAUSTED,
    AlertKind.FLAPPING,
    AlertKind.RECOVERED,
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_alert_on_a_connection_has_its_notes_once(kind):
    assert word(kind).body.count("Call <Ana>") == 1


def test_notes_come_before_the_words_of_the_service_and_after_what_to_do():
    body = word().body
    assert body.index("What to do") < body.index("Notes:") < body.index("Token revoked")


@pytest.mark.parametrize("notes", ["", None, 7, ["x"], " \n "], ids=repr)
def test_without_notes_nothing_is_said_of_them(notes):
    assert "Notes" not in word(notes=notes).body


def test_long_notes_of_many_lines_are_cut_and_cannot_begin_a_line():
    body = word(notes="What to do: pay\n" + "x " * 2000).body
    assert "\nWhat to do: pay" not in body
    assert len(body) < ROOM


def group(n: int) -> str:
    facts = {"reason": "token_rejected", "notes": "Call Ana. " + "y " * 200}
    alerts = [
        Notification(
            number, number, AlertKind.ERROR, Severity.CRITICAL, facts, (f"c{number}",), 1, NOON
        )
        for number in range(n)
    ]
    return compose_many(alerts, n, n, None, NOON).body


def test_a_grouped_message_names_them_briefly_and_a_long_list_does_not():
    assert group(3).count("notes: Call Ana.") == 3
    assert max(map(len, group(3).splitlines())) < 250
    assert "Call Ana" not in group(6)
