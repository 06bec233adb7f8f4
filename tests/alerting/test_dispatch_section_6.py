"""
Hold section 6 of the contract, "Alerts", sentence by sentence.

`SENTENCES` names each sentence, or each clause of one that can be broken by
itself, and says in our words what it asks for. The rows stand in `section_6`, a
file for each paragraph of the contract, and each names the sentence that it is
a case of. A sentence has rows for both directions, what is due and what is not;
`test_every_sentence_has_rows` fails where one has none.

Nothing here knows how alerts are made: see `stage`, which alone does. Where
today's code does something else than the contract says, the row holds what it
does and says so in a comment that begins with "differs from the contract".
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.alerting.section_6 import (
    born,
    delivered,
    grouped,
    rare,
    reminded,
    routed,
    severity,
    suppressed,
    worded,
)
from tests.alerting.stage import Stage, channel, command, configuration, make_empty_database, sent
from tests.loopback import Handler, serve

if TYPE_CHECKING:
    from pathlib import Path

    from tests.alerting.section_6.scenes import Row

SENTENCES = {
    "severity: critical": "what is broken, used up, out or cut off, and the last step to an end",
    "severity: warning": "earlier steps, what will break, and an error that proves nothing",
    "severity: info": "ends of problems, news, summaries and tests",
    "born: with its cause": "an alert is stored in the transaction of what makes it due",
    "born: a notification per channel": "and with it one notification for each channel",
    "born: survives a crash": "whenever the daemon dies, nothing is lost",
    "born: confirmed": "sent_at is set when the channel has confirmed, not before",
    "born: rather twice": "a crash between sending and confirming sends twice, never zero times",
    "routed: tags": "a channel with tags receives what is about connections with one of them",
    "routed: connections": "a channel with connections receives what is about these",
    "routed: channels": "a connection with channels is announced on these only",
    "routed: kinds": "a channel with kinds receives these kinds",
    "routed: min_severity": "a channel receives what is at least as severe as it asks for",
    "routed: all together": "all of these must let it pass",
    "routed: closing kinds": "a closing alert that kinds names needs no severity",
    "routed: only what was announced is closed": "without a notification of it nothing is closed",
    "routed: digest and resumed": "both go only where they are named",
    "rare: flapping": "six transitions within an hour are flapping",
    "rare: flapping suppresses": "errors and recoveries of that connection wait meanwhile",
    "rare: flapping ends": "after an hour without a transition what is still true is announced",
    "rare: resumed": "after a gap of three times the shortest interval, if anything changed",
    "rare: digest": "daily or on Mondays, at 09:00 in the zone of the quiet hours",
    "delivered: apart": "checks do not wait for channels",
    "delivered: retried": "a send that failed is tried again, later and later, with jitter",
    "delivered: dead": "after retry_for it is dead: in the list, in metrics, on the dashboard",
    "delivered: retry": "`alerts retry` sends dead ones again",
    "delivered: no channel delays another": "whether it is dead or slow",
    "delivered: in order": "a channel hears of a connection in the order in which it happened",
    "delivered: channel_failed": "a channel whose notification died is reported on all others",
    "grouped: one message": "what is born within group_wait of the first is one message a kind",
    "grouped: collected": "after six messages in five minutes: one per kind every five minutes",
    "grouped: at most 20": "a message lists 20 connections, worst first, then how many more",
    "reminded: every": "a critical state that lasts is repeated every remind_every",
    "reminded: acknowledged": "unless somebody acknowledged it",
    "suppressed: silence": "a silence holds notifications back",
    "suppressed: quiet hours": "quiet hours hold back what is not critical",
    "suppressed: recovery": "neither drops the recovery of something that was announced",
    "worded: what is said": "what happened, since when, what it breaks, who can fix it, what next",
    "worded: escaped": "text from outside is escaped for the channel's format",
    "worded: template": "a template replaces the text of its channel",
}

PARAGRAPHS = (
    severity,
    born,
    routed,
    rare,
    delivered,
    grouped,
    reminded,
    suppressed,
    worded,
)
ROWS: list[Row] = [row for paragraph in PARAGRAPHS for row in paragraph.ROWS]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("section 6") / "empty.db"
    make_empty_database(path)
    return path


@pytest.fixture
def stage(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(tmp_path, empty_database, monkeypatch)


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("row", ROWS, ids=str)
def test_section_6(row: Row, stage: Stage):
    for name, text in row.files.items():
        (stage.folder / name).write_text(text, "utf-8")
    stage.configure(configuration(*row.tables))
    # A loop of its own: a daemon that is killed loses all that runs in it.
    asyncio.run(stage.play([*row.steps, sent()]))


def test_a_test_message_is_information(stage: Stage):
    """Sentence "severity: info": it goes out at once, by the command, through Apprise itself."""
    posts: list[dict[str, Any]] = []

    class Hook(Handler):
        def do_POST(self) -> None:  # noqa: N802 - its name there
            posts.append(json.loads(self.read_body()))
            self.answer()

    with serve(Hook) as port:
        stage.configure(configuration(channel("ops", url=f"json://127.0.0.1:{port}")))
        asyncio.run(stage.play([command("alerts test ops --kind test")]))
    assert [post["type"] for post in posts] == ["info"]


@pytest.mark.parametrize("kind", ["source_held", "source_failed", "source_restored"])
def test_kinds_of_sources_are_kinds_that_a_channel_can_ask_for(kind: str, stage: Stage):
    stage.configure(configuration(channel("ops", kinds=[kind])))
    asyncio.run(stage.play([sent()]))
    assert [each.kinds for each in stage.config.channels] == [frozenset({kind})]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_every_sentence_has_rows(sentence: str):
    assert [row for row in ROWS if row.sentence == sentence]


def test_every_row_is_of_a_sentence_and_has_a_name_of_its_own():
    assert {row.sentence for row in ROWS} <= SENTENCES.keys()
    assert len(set(map(str, ROWS))) == len(ROWS)
