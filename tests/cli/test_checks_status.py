"""
`connwatch status` and `history`: what the database knows, without asking anybody.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from monitor.cli.output import fit_name, fit_names, format_counts
from monitor.clock import utc_now
from monitor.judge.outcome import Outcome, QuotaReading, Reason
from tests.bench import OK, REFUSED, TIMEOUT, connection
from tests.command_line import ROOT, clean_environment, converse
from tests.waiting import PATIENCE_S

RESETS_AT = datetime(2099, 12, 1, tzinfo=UTC)
LOW = replace(OK, quota=QuotaReading(100, 15, RESETS_AT))
EXHAUSTED = replace(OK, quota=QuotaReading(100, 0, RESETS_AT))


CHANNEL = """
[[channels]]
name = "ops"
url = "json://localhost"
"""


def days_ago(days: int) -> str:
    return (utc_now() - timedelta(days=days)).date().isoformat()


CODES: dict[str, tuple[list[Outcome], dict[str, str], int]] = {
    "active": ([OK], {}, 0),
    "error": ([REFUSED], {}, 2),
    "expired": ([REFUSED], {"authorized_on": days_ago(400)}, 2),
    "nothing left": ([EXHAUSTED], {}, 2),
    "never checked": ([], {}, 3),
    "inconclusive, and the state stands": ([OK, TIMEOUT], {}, 0),
    "quota low": ([LOW], {}, 1),
    "expiring soon": ([OK], {"authorized_on": days_ago(350)}, 1),
    "renewal unrecorded": ([OK], {"authorized_on": days_ago(400)}, 1),
    "switched off": ([REFUSED], {"enabled": "false"}, 0),
}


@pytest.mark.parametrize(("outcomes", "more", "expected"), CODES.values(), ids=CODES)
def test_the_exit_code_says_how_it_is(bench, outcomes, more, expected):
    bench.configure(connection("acme", **more | {"enabled": "true"}))
    bench.evaluate("acme", *outcomes)
    bench.configure(connection("acme", **more))
    assert bench.run("status").code == expected
    assert bench.run("status", "--json", "acme").code == expected


def test_json_is_one_object_with_a_summary(bench):
    bench.configure(connection("acme", tags='["eu"]'), connection("globex"))
    bench.evaluate("acme", OK)
    ended = bench.run("status", "--json")
    answer = json.loads(ended.out)
    assert list(answer) == ["checked_at", "summary", "connections"]
    assert answer["summary"]["active"] == answer["summary"]["pending"] == 1
    assert [each["name"] for each in answer["connections"]] == ["acme", "globex"]
    assert answer["connections"][0]["tags"] == ["eu"]
    assert answer["connections"][0]["account"] == "Acme Ltd"
    assert abs(datetime.fromisoformat(answer["checked_at"]) - utc_now()) < timedelta(seconds=60)
    assert (ended.code, ended.err) == (3, "")


def test_without_a_database_all_are_pending_and_none_is_made(bench):
    bench.configure(connection("acme"), connection("off", enabled="false"))
    ended = bench.run("status")
    assert (ended.code, ended.err) == (3, "")
    assert "pending" in ended.out
    assert "never" in ended.out
    assert list(bench.folder.iterdir()) == [bench.config_path]


def test_no_secret_is_needed(bench):
    bench.configure(connection("acme", token='{ env = "NOT_SET" }'))
    assert bench.run("status").err == ""


def test_only_the_named_ones_are_shown_and_count(bench):
    bench.configure(connection("acme"), connection("globex"))
    bench.evaluate("acme", OK)
    bench.evaluate("globex", REFUSED)
    assert list(bench.shown("acme", "acme")) == ["acme"]
    assert bench.run("status", "acme").code == 0
    assert bench.run("status").code == 2


def test_an_entry_that_the_database_has_not_heard_of_is_pending(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    bench.configure(connection("acme"), connection("new"))
    assert (bench.shown()["new"]["state"], bench.shown()["new"]["reason"]) == (
        "pending",
        "not_checked",
    )


def test_what_the_file_says_now_wins_over_what_the_daemon_last_read(bench):
    bench.configure(connection("acme"), connection("gone"))
    bench.evaluate("acme", OK)
    bench.configure(connection("acme", enabled="false"))
    assert {name: each["state"] for name, each in bench.shown().items()} == {"acme": "paused"}
    assert bench.run("status", "gone").code == 3


def test_a_renamed_connection_keeps_what_is_known_of_it(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    bench.configure(connection("acme-eu", renamed_from='"acme"'))
    assert bench.shown()["acme-eu"]["state"] == "active"
    history = json.loads(bench.run("history", "acme-eu", "--json").out)
    assert [each["to"] for each in history["transitions"]] == ["active"]


def test_an_entry_that_was_taken_out_and_put_in_again_continues(bench):
    bench.configure(connection("acme"), connection("globex"))
    bench.evaluate("acme", OK)
    bench.configure(connection("globex"))
    bench.evaluate("globex", OK)
    bench.configure(connection("acme"), connection("globex"))
    assert bench.shown()["acme"]["state"] == "active"


def test_a_deleted_one_is_left_out_with_a_word_on_stderr(bench):
    bench.configure(connection("acme"), connection("globex"))
    bench.evaluate("globex", OK)
    bench.run("delete", "acme")
    ended = bench.run("status")
    assert ended.code == 0
    assert "acme" not in ended.out
    assert ended.err.count('"acme" was deleted') == 1
    assert bench.run("status", "acme").code == 3


def test_the_worst_stands_first_and_says_why(bench):
    tables = (connection("fine"), connection("broken"), connection("new"))
    bench.configure(*tables, more=CHANNEL)
    bench.evaluate("fine", OK)
    bench.evaluate("broken", REFUSED)
    lines = bench.run("status").out.splitlines()
    rows = [line.split() for line in lines if line.startswith(("🔴", "⚪", "🟢"))]
    assert [row[2] for row in rows] == ["broken", "new", "fine"]
    assert "token rejected" in lines[2]
    assert "Create a new token" in lines[2]
    assert "The token was rejected (401)." in "\n".join(lines[2:7])
    assert lines[-1] == "3 connections: 1 active, 1 error, 1 pending, 1 needs attention"


def test_lines_fit_80_columns_and_long_names_are_whole_with_wide(bench):
    name = "a-name-that-is-" + "very-" * 14 + "long"
    tables = (connection(name), connection("soldscope-production", authorized_on=days_ago(9)))
    bench.configure(*tables, more=CHANNEL)
    bench.evaluate("soldscope-production", replace(REFUSED, detail="word " * 60))
    bench.evaluate("soldscope-production", EXHAUSTED)
    bench.evaluate("soldscope-production", replace(REFUSED, detail="word " * 60))
    assert name in bench.run("status", "--wide").out
    assert [each["name"] for each in json.loads(bench.run("status", "--json").out)["connections"]]
    plain = bench.run("status").out
    assert name not in plain
    assert max(map(len, plain.splitlines())) <= 80
    lines = bench.run("status", "soldscope-production").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "0 of 100" in lines[1]


EVIL = "[bold]x[/bold] \x1b[31mred\x1b[0m\r\n\x9b2J :smile: \u202eabc <b>"
HARMLESS = "[bold]x[/bold] [31mred [0m 2J :smile: abc <b>"


def test_text_from_outside_can_neither_move_the_cursor_nor_use_markup(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", replace(OK, account=EVIL), replace(REFUSED, detail=EVIL))
    for command in ("status", "history"):
        out = bench.run(command, "acme").out
        assert HARMLESS in " ".join(out.split())
        assert not {"\x1b", "\r", "\x9b", "\u202e"} & set(out)
    assert bench.shown()["acme"]["account"] == HARMLESS


def test_colours_are_for_terminals_that_want_them(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", REFUSED)
    assert "\x1b[" not in bench.spawn("status").out
    assert "\x1b[" not in bench.spawn("status", FORCE_COLOR="1").out
    terminal = {"TERM": "xterm-256color"}
    code, seen = converse("status", cwd=bench.folder, answers=[], env=terminal)
    assert (code, "\x1b[1;31m🔴 error" in seen) == (2, True)
    _, seen = converse("status", cwd=bench.folder, answers=[], env=terminal | {"NO_COLOR": "1"})
    assert "\x1b[1;31m" not in seen
    assert "🔴 error" in seen


def test_a_terminal_that_knows_no_symbols_gets_the_table_all_the_same(bench):
    bench.configure(connection("acme"))
    ended = bench.spawn("status", PYTHONIOENCODING="ascii")
    assert ended.code == 3
    assert "? pending  acme" in ended.out


def test_the_reader_may_go_away(bench):
    bench.configure(*[connection(f"connection-{number}") for number in range(2000)], more=CHANNEL)
    command = f"{sys.executable} -P -m monitor status | head -n 1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=bench.folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stdout.split() == ["STATE", "CONNECTION", "CHECKED"]
    assert (done.returncode, done.stderr) == (3, "")


HEAVY = (
    "aiohttp",
    "alembic",
    "apprise",
    "apscheduler",
    "httpx",
    "monitor.engine.app",
    "sqlalchemy.orm",
)


def test_status_loads_nothing_that_it_has_no_use_for(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", OK)
    script = (
        "import sys\nfrom monitor.cli import main\n"
        "sys.argv[1:] = ['status']\n"
        "try: main()\nexcept SystemExit as ending: code = ending.code\n"
        f"print(code, *[name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        cwd=bench.folder,
        env=clean_environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.stderr == "0\n"


def test_history_tells_changes_checks_and_alerts(bench):
    channel = '[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/"\n'
    bench.configure(connection("acme"), more=channel)
    bench.evaluate("acme", OK, REFUSED, REFUSED)
    past = json.loads(bench.run("history", "acme", "--json").out)
    assert [(each["from"], each["to"]) for each in past["transitions"]] == [
        ("active", "error"),
        ("pending", "active"),
    ]
    assert [each["reason"] for each in past["checks"]] == ["token_rejected"] * 2 + ["ok"]
    assert past["checks"][0]["conclusive"] is True
    assert past["checks"][2]["latency_ms"] == 41.2
    assert [(each["kind"], each["connections"]) for each in past["alerts"]] == [("error", ["acme"])]
    assert past["alerts"][0]["notifications"] == [
        {"channel": "ops", "state": "due", "attempts": 0, "sent_at": None, "error": None}
    ]

    ended = bench.run("history", "acme")
    assert (ended.code, ended.err) == (0, "")
    assert "active → error" in ended.out
    assert "ops: due" in ended.out
    assert ended.out.count("The token was rejected (401).") == 3  # state, change, first check
    assert max(map(len, ended.out.splitlines())) <= 80


def test_history_of_what_was_never_checked_is_empty(bench):
    bench.configure(connection("acme"))
    empty = {"name": "acme", "transitions": [], "checks": [], "alerts": []}
    ended = bench.run("history", "acme", "--json")
    assert (ended.code, json.loads(ended.out)) == (0, empty)
    assert "Checks: none" in bench.run("history", "acme").out


def test_history_shows_people_the_latest_and_programs_more(bench):
    bench.configure(connection("acme"))
    bench.evaluate("acme", *[OK] * 120)
    assert "Checks, the latest 15" in bench.run("history", "acme").out
    assert len(json.loads(bench.run("history", "acme", "--json").out)["checks"]) == 100


def test_history_of_a_name_that_is_not_in_the_file_any_more_is_hidden(bench):
    bench.configure(connection("acme"), connection("globex"))
    bench.evaluate("acme", OK)
    bench.configure(connection("globex"))
    ended = bench.run("history", "acme")
    assert (ended.code, ended.out) == (3, "")
    assert 'no connection is called "acme"' in ended.err


def test_a_reason_of_every_kind_has_words(bench):
    outcomes = [Outcome(reason) for reason in Reason if reason is not Reason.NOT_CHECKED]
    bench.configure(connection("acme"))
    bench.evaluate("acme", *outcomes)
    assert bench.run("history", "acme").code == 0


def test_client_secrets_that_end_soon_are_counted_behind_the_states():
    counts = {"active": 2, "error": 0, "expired": 0, "pending": 0, "paused": 0, "expiring_soon": 0}
    assert format_counts(counts) == "2 connections: 2 active"
    assert format_counts(counts, 1) == "2 connections: 2 active, 1 client secret expiring"
    assert format_counts(counts, 2) == "2 connections: 2 active, 2 client secrets expiring"


NAMES = {
    "short": ("acme", "acme"),
    "just fits": ("a" * 40, "a" * 40),
    "one too many": ("a" * 20 + "b" * 21, "a" * 20 + "…" + "b" * 19),
    "very long": ("customer:" + "x" * 80 + ":eu", "customer:" + "x" * 11 + "…" + "x" * 16 + ":eu"),
    "wide letters": ("日本" * 30, "日本" * 5 + "…" + "本" + "日本" * 4),
    "emoji": ("🏪" * 50, "🏪" * 10 + "…" + "🏪" * 9),
    "control characters": ("a\nb\x1b[2J", "a b [2J"),
}


@pytest.mark.parametrize(("name", "shown"), NAMES.values(), ids=NAMES)
def test_a_long_name_is_shortened_in_its_middle(name, shown):
    assert fit_name(name) == shown
    assert cell_len(shown) <= 40


def test_columns_stand_below_one_another_whatever_the_names_are_made_of(bench):
    names = ["acme", "日本の店", "🏪 shop", "e\u0301clair", "x" * 97]
    bench.configure(*[connection(name) for name in names], more=CHANNEL)
    for name in names:
        bench.evaluate(name, OK)
    lines = bench.run("status").out.splitlines()
    ends = {cell_len(line[: line.index("just now")]) for line in lines if "just now" in line}
    assert len(ends) == 1
    assert cell_len(lines[0][: lines[0].index("CHECKED")]) in ends


LISTED = {
    "one": (["acme"], 0, "acme"),
    "three": (["a", "b", "c"], 0, "a, b, c"),
    "more": (["a", "b", "c"], 7, "a, b, c and 7 more"),
    "no room for three": (["a" * 20, "b" * 20, "c"], 0, "a" * 20 + " and 2 more"),
    "no room for one": (["a" * 97], 4, "a" * 14 + "…" + "a" * 14 + " and 4 more"),
    "none": ([], 0, ""),
}


@pytest.mark.parametrize(("names", "n_more", "shown"), LISTED.values(), ids=LISTED)
def test_as_many_names_are_listed_as_there_is_room_for(names, n_more, shown):
    assert fit_names(names, n_more) == shown


@pytest.mark.parametrize("command", [["alerts", "list"], ["quota"]], ids=" ".join)
def test_other_tables_shorten_long_names_too(bench, command):
    name = "x" * 97
    bench.configure(connection(name), more=CHANNEL)
    bench.evaluate(name, LOW)
    assert (name in bench.run(*command).out, "xxx…xxx" in bench.run(*command).out) == (False, True)
    assert name in bench.run(*command, "--wide").out
    assert name in bench.run(*command, "--json").out


def test_rows_say_what_is_muted_and_acknowledged(bench):
    bench.configure(connection("acme"), connection("globex"), connection("fine"), more=CHANNEL)
    for name in ("acme", "globex"):
        bench.evaluate(name, REFUSED, REFUSED)
    bench.evaluate("fine", OK)
    bench.run("ack", "acme", "--note", "ticket 42")
    bench.run("silence", "globex", "--for", "2h")
    lines = [line.strip() for line in bench.run("status").out.splitlines()]
    rows = {
        name: next(i for i, line in enumerate(lines) if name in line)
        for name in ("acme", "globex", "fine")
    }
    marks = {i: line for i, line in enumerate(lines) if line.startswith(("acknowledged", "muted"))}
    [(of_ack, ack), (of_mute, mute)] = sorted(marks.items(), key=lambda one: one[1])
    assert ack == "acknowledged: ticket 42"
    assert re.fullmatch(r"muted until (\w+ \d+, )?\d\d:\d\d UTC", mute)
    assert rows["acme"] < of_ack < rows["globex"] < of_mute < rows["fine"]


def test_notes_are_shown_to_who_asks_for_a_connection(bench):
    bench.configure(connection("acme", notes='"Call Ana first"'), connection("b"), more=CHANNEL)
    bench.evaluate("acme", REFUSED, REFUSED)
    assert "notes: Call Ana first" in bench.run("status", "acme").out
    assert "Call Ana" not in bench.run("status").out
    assert "notes: Call Ana first" in bench.run("history", "acme").out
    assert "notes: Call Ana first" in bench.run("validate", "acme").out


APPLICATION = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
client_secret = "amzn1.oa2-cs.v1.0123456789abcdef"
application_id = "amzn1.sp.solution.1"
"""
STORE = """
name = "store"
provider = "amazon"
application = "our-app"
region = "eu"
refresh_token = "Atzr|0123456789"
"""
WAY_BACK = 'redirect_url = "https://watch.example.com/oauth/amazon/callback"\n'


@pytest.mark.parametrize(
    ("way_back", "said"),
    [
        ("", "then update `refresh_token` and run `connwatch renew store`."),
        (WAY_BACK, "click “Renew at Amazon” and confirm in Seller Central."),
    ],
    ids=["by hand", "in the dashboard"],
)
def test_a_revoked_store_is_advised_as_on_its_page(bench, tmp_path, way_back, said):
    key = tmp_path / "fernet-key"
    key.write_text("k" * 43 + "=")
    key.chmod(0o600)
    web = f'[web]\nlisten = ""\nkey = {{ file = "{key}" }}\n'
    bench.configure(STORE, more=APPLICATION + way_back + web)
    revoked = Outcome(Reason.AUTHORIZATION_REVOKED, "Amazon rejected the refresh token.")
    bench.evaluate("store", revoked)
    assert said in " ".join(bench.run("status").out.split())
