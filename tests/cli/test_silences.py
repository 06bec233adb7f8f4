"""
`connwatch silence`, `ack` and `alerts explain`.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest

from monitor.clock import utc_now
from tests.bench import OK, REFUSED, TIMEOUT, Bench, connection
from tests.builders import CLIENT_REJECTED

CHANNELS = """
[[channels]]
name = "ops"
url = "json://localhost"

[[channels]]
name = "mail"
url = "json://localhost"
kinds = ["expired", "recovered"]
min_severity = "critical"

"""

APPLICATION = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.x"
client_secret = { env = "NOT_SET" }

"""

STORE = """name = "{}"
provider = "amazon"
application = "our-app"
region = "na"
refresh_token = {{ env = "NOT_SET" }}
"""


@pytest.fixture(autouse=True)
def _configured(bench):
    """The secret cannot be read: no command here needs it."""
    bench.configure(
        connection("acme", token='{ env = "NOT_SET" }', tags='["eu"]', group='"big"'),
        connection("globex"),
        more=CHANNELS + '[[groups]]\nname = "empty"\n',
    )


def listed(bench: Bench) -> list[dict[str, str]]:
    silences: list[dict[str, str]] = json.loads(bench.run("silence", "list", "--json").out)[
        "silences"
    ]
    return silences


def explained(bench: Bench, *arguments: str) -> dict[str, Any]:
    ended = bench.run("alerts", "explain", *arguments, "--json")
    assert (ended.code, ended.err) == (0, "")
    said: dict[str, Any] = json.loads(ended.out)
    return said


@pytest.mark.parametrize(
    ("arguments", "scope", "target"),
    [
        pytest.param(["acme"], "connection", "acme", id="by name"),
        pytest.param(["--tag", "eu"], "tag", "eu", id="by tag"),
        pytest.param(["--group", "big"], "group", "big", id="by group"),
        pytest.param(["--group", "empty"], "group", "empty", id="by a group of the file alone"),
        pytest.param(["--all"], "all", None, id="all"),
    ],
)
def test_a_silence_is_listed_with_its_end_and_reason(bench, arguments, scope, target):
    before = utc_now()
    ended = bench.run("silence", *arguments, "--for", "2h", "--reason", "moving house")
    assert (ended.code, ended.err) == (0, "")
    assert "muted until" in ended.out
    [one] = listed(bench)
    assert (one["scope"], one["target"], one["reason"]) == (scope, target, "moving house")
    assert one["starts_at"] >= f"{before:%Y-%m-%dT%H:%M}"
    assert "moving house" in bench.run("silence", "list").out


def test_what_was_not_sent_yet_is_held_and_shown_so(bench):
    bench.evaluate("acme", REFUSED, REFUSED)
    ended = bench.run("silence", "acme", "--for", "2h")
    assert "1 alert held back" in ended.out
    assert "ops: held by silence until" in bench.run("alerts", "list").out
    [alert] = json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    assert [one["state"] for one in alert["notifications"]] == ["held"]


def test_ending_a_silence_tells_what_is_still_true(bench):
    bench.run("silence", "acme", "--for", "2h")
    bench.evaluate("acme", REFUSED, REFUSED)
    ended = bench.run("silence", "end", "1")
    assert (ended.code, ended.out) == (
        0,
        "silence 1 ended; sending 1 held alert\n",
    )
    assert "ops: due" in bench.run("alerts", "list").out
    assert listed(bench) == []
    assert bench.run("silence", "list").out == "nothing is muted\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["acme"], "say for how long: --for 2h", id="no length"),
        pytest.param(["acme", "--for", "soon"], "--for: ", id="no duration"),
        pytest.param(["acme", "--for", "0s"], "longer than 0", id="no time at all"),
        pytest.param(["--for", "2h"], "say what to mute", id="nothing named"),
        pytest.param(["acme", "--all", "--for", "2h"], "say what to mute", id="too much named"),
        pytest.param(["--group", "eu", "--for", "2h"], 'no group is called "eu"', id="no group"),
        pytest.param(["--group", "bug", "--for", "2h"], 'did you mean "big"', id="nearly a group"),
        pytest.param(["--group", "big", "--tag", "eu", "--for", "2h"], "say what", id="two kinds"),
        pytest.param(["--group", "big"], "say for how long: --for 2h", id="a group, no length"),
        pytest.param(["acem", "--for", "2h"], 'did you mean "acme"', id="unknown name"),
        pytest.param(["--tag", "ue", "--for", "2h"], "no connection has the tag", id="unknown tag"),
        pytest.param(["acme", "globex", "--for", "2h"], "one word too many", id="two names"),
        pytest.param(["end"], "which one?", id="an end of nothing"),
        pytest.param(["end", "one"], "which one?", id="an end of no number"),
        pytest.param(["end", "9" * 40], "which one?", id="an end of no id"),
        pytest.param(["end", "7"], "there is no silence 7 now", id="an end of what is over"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(bench, arguments, said):
    ended = bench.run("silence", *arguments)
    assert (ended.code, ended.out) == (3, "")
    assert said in ended.err
    assert listed(bench) == []


def test_a_connection_called_list_can_be_silenced(bench):
    bench.configure(connection("list"))
    assert bench.run("silence", "list", "--for", "1h").code == 0
    assert [one["target"] for one in listed(bench)] == ["list"]


def test_an_acknowledged_trouble_is_shown_in_its_history(bench):
    bench.evaluate("acme", REFUSED, REFUSED)
    day = utc_now() + timedelta(days=20)
    note = "renewal booked"
    ended = bench.run("ack", "acme", "--until", f"{day:%Y-%m-%d}", "--note", note)
    assert (ended.code, ended.err) == (0, "")
    assert "acknowledged, no reminders until" in ended.out
    shown = bench.run("history", "acme").out
    assert "acknowledged until" in shown
    assert note in shown
    [row] = json.loads(bench.run("audit", "--json").out)["audit"]
    assert (row["action"], row["connection"], row["keys"]) == ("ack", "acme", [])


def test_an_acknowledgement_is_shown_only_while_its_trouble_lasts(bench):
    bench.evaluate("acme", REFUSED, REFUSED)
    bench.run("ack", "acme")
    bench.evaluate("acme", OK)
    assert "acknowledged" not in bench.run("history", "acme").out


def test_there_is_nothing_to_acknowledge_where_nothing_is_wrong(bench):
    bench.evaluate("acme", OK)
    ended = bench.run("ack", "acme")
    assert (ended.code, ended.out) == (3, "")
    assert "has no problem to acknowledge" in ended.err


@pytest.mark.parametrize(
    ("until", "said"), [("tomorrow", "a date such as"), ("2026-01-15", "a future day")]
)
def test_an_acknowledgement_ends_on_a_day_to_come(bench, until, said):
    bench.evaluate("acme", REFUSED, REFUSED)
    ended = bench.run("ack", "acme", "--until", until)
    assert (ended.code, ended.out) == (3, "")
    assert said in ended.err


def test_explain_says_who_is_told_and_why_not(bench):
    said = explained(bench, "acme", "error")
    keys = ("channel", "severity", "told", "why")
    assert [tuple(one[key] for key in keys) for one in said["channels"]] == [
        ("ops", "critical", True, "wanted"),
        ("mail", "critical", False, "kind_not_named"),
    ]
    text = bench.run("alerts", "explain", "acme", "error").out
    assert "within 10s" in text
    assert "not in its `kinds`" in text


def test_explain_says_of_a_deleted_connection_that_it_is_ignored(bench):
    assert bench.run("delete", "acme").code == 0
    ended = bench.run("alerts", "explain", "acme", "error")
    assert (ended.code, ended.out) == (3, "")
    assert "was deleted and is ignored" in ended.err


def test_explain_tells_severities_apart_where_that_matters(bench):
    bench.configure(
        connection("acme"),
        more='[[channels]]\nname = "ops"\nurl = "json://x"\nmin_severity = "critical"\n\n',
    )
    said = explained(bench, "acme", "error")
    assert [(one["severity"], one["why"]) for one in said["channels"]] == [
        ("critical", "wanted"),
        ("warning", "not_severe_enough"),
    ]


def test_explain_knows_the_end_of_a_trouble(bench):
    said = explained(bench, "acme", "recovered")
    assert said["trouble_told"] is False
    assert said["channels"][1]["why"] == "wanted_as_end"
    assert "only after error or expired" in bench.run("alerts", "explain", "acme", "recovered").out
    bench.evaluate("acme", REFUSED, REFUSED)
    assert explained(bench, "acme", "recovered")["trouble_told"] is True


def test_explain_knows_what_holds_an_alert_back(bench):
    bench.run("silence", "acme", "--for", "2h")
    bench.evaluate("acme", TIMEOUT)
    first = explained(bench, "acme", "error")["channels"][0]
    assert (first["told"], first["held_by"], first["at"]) == (
        True,
        "silence",
        listed(bench)[0]["ends_at"],
    )
    assert "muted until" in bench.run("alerts", "explain", "acme", "error").out


def test_explain_knows_who_is_paused_and_what_is_taken_on(bench):
    bench.evaluate("acme", REFUSED, REFUSED)
    bench.run("ack", "acme")
    bench.run("pause", "acme")
    said = explained(bench, "acme", "error")
    assert (said["paused"], said["acknowledged"]) == (True, True)
    text = bench.run("alerts", "explain", "acme", "error").out
    assert "It is paused" in text
    assert "It is acknowledged" in text


def test_explain_knows_that_a_host_is_out(bench):
    bench.evaluate("acme", TIMEOUT)
    assert explained(bench, "acme", "error")["outage"] is None
    bench.configure(*map(connection, ("acme", "globex", "initech")), more=CHANNELS)
    for name in ("acme", "globex"):
        bench.evaluate(name, TIMEOUT)
    assert explained(bench, "initech", "error")["outage"] == "127.0.0.1:9"
    assert "127.0.0.1:9 has an outage" in bench.run("alerts", "explain", "initech", "recovered").out
    assert "has an outage" not in bench.run("alerts", "explain", "initech", "expired").out


def test_explain_knows_that_this_machine_has_no_link(bench):
    bench.configure(connection("acme"), connection("globex", "http://127.0.0.2:9"), more=CHANNELS)
    bench.evaluate("globex", TIMEOUT)
    assert explained(bench, "acme", "error")["offline"] is False
    bench.evaluate("acme", TIMEOUT)
    assert explained(bench, "acme", "error")["offline"] is True
    assert "is offline" in bench.run("alerts", "explain", "acme", "error").out


def test_explain_knows_that_an_application_is_refused(bench):
    bench.configure(*map(STORE.format, ("a", "b")), more=CHANNELS + APPLICATION)
    assert explained(bench, "b", "error")["application_refused"] is None
    bench.evaluate("a", CLIENT_REJECTED)
    assert explained(bench, "b", "error")["application_refused"] == "our-app"
    assert "one error covers" in bench.run("alerts", "explain", "b", "error").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["acem", "error"], 'did you mean "acme"'), (["acme", "eror"], 'did you mean "error"')],
)
def test_explain_names_what_it_does_not_know(bench, arguments, said):
    ended = bench.run("alerts", "explain", *arguments)
    assert (ended.code, ended.out) == (3, "")
    assert said in ended.err


def test_explain_needs_no_database(bench):
    assert explained(bench, "acme", "digest")["channels"][0]["why"] == "kind_not_named"
    assert not bench.database.exists()


MARKS = ("group", "owner", "maintenance", "acknowledged", "muted_until", "notes")


def marks(bench: Bench, *arguments: str) -> dict[str, dict[str, Any]]:
    """
    Return what the JSON of each connection says beside its state.
    """
    said = json.loads(bench.run(*arguments, "--json").out)["connections"]
    return {one["name"]: {key: one[key] for key in MARKS} for one in said}


def test_the_json_always_says_what_mutes_a_connection(bench):
    plain = dict.fromkeys(MARKS) | {"owner": "file", "notes": ""}
    assert marks(bench, "status") == {"acme": plain | {"group": "big"}, "globex": plain}


def test_the_json_says_which_connection_is_muted_and_until_when(bench):
    bench.run("silence", "acme", "--for", "1h")
    bench.run("silence", "acme", "--for", "2h")
    said = marks(bench, "status")
    assert said["acme"]["muted_until"] == max(one["ends_at"] for one in listed(bench))
    assert said["globex"]["muted_until"] is None
    bench.run("silence", "end", "2")
    assert marks(bench, "status")["acme"]["muted_until"] == listed(bench)[0]["ends_at"]


def test_the_json_says_what_is_acknowledged_while_the_problem_lasts(bench):
    bench.evaluate("acme", REFUSED, REFUSED)
    bench.run("ack", "acme", "--note", "ticket 42")
    given = marks(bench, "status")["acme"]["acknowledged"]
    assert given == {"at": given["at"], "by": None, "until": None, "note": "ticket 42"}
    bench.evaluate("acme", OK)
    assert marks(bench, "status")["acme"]["acknowledged"] is None


def test_notes_are_in_the_json(bench):
    bench.configure(connection("acme", notes='"Call Ana first"'), more=CHANNELS)
    assert marks(bench, "status")["acme"]["notes"] == "Call Ana first"


def first_line(bench: Bench) -> str:
    return bench.run("status").out.splitlines()[0]


def test_status_says_first_that_everything_is_muted(bench):
    bench.evaluate("acme", REFUSED, REFUSED)
    bench.run("silence", "--all", "--for", "10m", "--reason", "migration")
    assert re.fullmatch(
        r"! All alerts are muted until (\w+ \d+, )?\d\d:\d\d UTC \(migration\), 1 held back\.",
        first_line(bench),
    )
    found = json.loads(bench.run("doctor", "--offline", "--json").out)["findings"]
    [warned] = [one for one in found if "are muted" in one["words"]]
    assert (warned["area"], warned["state"], warned["remedy"]) == (
        "channels",
        "warning",
        "connwatch silence end 1",
    )
    bench.run("silence", "end", "1")
    assert first_line(bench).startswith("STATE")
    assert "are muted" not in bench.run("doctor", "--offline").out


def test_status_says_first_that_there_is_no_channel(bench):
    bench.configure(connection("acme"))
    assert first_line(bench) == "! No notification channel: connwatch cannot alert anyone."
    bench.evaluate("acme", OK)
    assert first_line(bench) == "! No notification channel: connwatch cannot alert anyone."


def test_a_mute_of_one_connection_is_no_mute_of_everything(bench):
    bench.evaluate("acme", OK)
    bench.run("silence", "acme", "--for", "10m")
    assert "All alerts" not in bench.run("status").out


def test_a_silence_of_a_group_holds_its_alerts_alone(bench):
    ended = bench.run("silence", "--group", "big", "--for", "2h")
    assert "group big: muted until" in ended.out
    assert "group big" in bench.run("silence", "list").out
    bench.evaluate("acme", REFUSED, REFUSED)
    bench.evaluate("globex", REFUSED, REFUSED)
    said = {
        one["connections"][0]: one["notifications"][0]["state"]
        for one in json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    }
    assert said == {"acme": "held", "globex": "due"}
    states = json.loads(bench.run("status", "--json").out)["connections"]
    assert {one["name"] for one in states if one["muted_until"]} == {"acme"}


def test_a_group_is_said_of_a_connection_that_is_asked_for(bench):
    assert "group: big" in bench.run("status", "acme").out
    assert "group" not in bench.run("status", "globex").out
