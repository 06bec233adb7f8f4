"""
`connwatch audit`, and the rows that commands leave.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import typer
from cryptography.fernet import Fernet

from monitor.cli import app
from monitor.clock import utc_now
from monitor.judge.audit import Action, AuditRow
from monitor.store.audit import add_audit
from monitor.store.engine import Database
from tests.bench import Bench, connection

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CANARY = "hunter2-canary"
ME = f"cli:{getpass.getuser()}"
SETTINGS = f"""
[web]
key = "{Fernet.generate_key().decode()}"

[[groups]]
name = "big"
"""
ROWS = "\n".join(
    json.dumps({"name": name, "provider": "http", "url": "https://8.8.8.8/", "token": CANARY})
    for name in ("made", "made-2")
)


@dataclass(frozen=True)
class Case:
    """
    A command that changes something, and the row that it leaves.

    Args:
        before: Commands before it.
    """

    command: tuple[str, ...]
    action: Action
    connection: str | None = "acme"
    keys: tuple[str, ...] = ()
    count: int = 1
    before: tuple[tuple[str, ...], ...] = ()


MUTE_ALL = ("silence", "--all", "--for", "1h")
IMPORT = ("import", "rows.jsonl")
CHANGES = [
    Case(("pause", "acme"), Action.PAUSE),
    Case(("resume", "acme"), Action.RESUME, before=(("pause", "acme"),)),
    Case(("resume", "acme"), Action.RESUME, before=(("delete", "acme", "--yes"),)),
    Case(("delete", "acme", "--yes"), Action.DELETE),
    Case(("delete", "made", "--yes"), Action.DELETE, "made", before=(IMPORT,)),
    Case(("renew", "acme", "--on", "2026-01-15"), Action.RENEW),
    Case(("silence", "acme", "--for", "1h", "--reason", CANARY), Action.MUTE),
    Case(("silence", "--group", "big", "--for", "1h"), Action.MUTE, None, ("group",)),
    Case(MUTE_ALL, Action.MUTE, None, ("all",)),
    Case(("silence", "end", "1"), Action.MUTE, None, ("all", "ended"), before=(MUTE_ALL,)),
    Case(IMPORT, Action.IMPORT, None, (), 2),
    Case(("keys", "rotate"), Action.ROTATE, None, ("web.key",), 2, before=(IMPORT,)),
    Case(("web", "token", "add", "ci"), Action.PUT, None, ("tokens.ci",)),
    Case(
        ("web", "token", "revoke", "ci"),
        Action.DELETE,
        None,
        ("tokens.ci",),
        before=(("web", "token", "add", "ci"),),
    ),
]

ELSEWHERE = {
    "ack": "tests/cli/test_silences.py",
    "validate": "tests/cli/test_validate.py",
    "alerts retry": "tests/cli/test_alerts.py",
    "sources accept": "tests/cli/test_sources.py",
    "run": "tests/engine/test_reload.py",
    "invite": "tests/web/test_invites.py",
    "proposed accept": "tests/web/test_invites.py",
    "proposed reject": "tests/web/test_invites.py",
}
"""Commands whose rows are tested where their subject is."""

NOTHING = {
    "alerts explain": "reads",
    "alerts list": "reads",
    "alerts test": "sends a message from here, and stores nothing",
    "audit": "reads",
    "check": "stores what services answer, as the daemon does",
    "config check": "reads",
    "config init": "writes a file of which the daemon then says what it changed",
    "config schema": "reads",
    "config show": "reads",
    "db backup": "reads",
    "db current": "reads",
    "db restore": "puts another database in the place of this one, its audit with it",
    "db upgrade": "changes the schema, and says nothing else",
    "demo": "works on a database of its own",
    "doctor": "reads",
    "export": "reads",
    "history": "reads",
    "proposed list": "reads",
    "quota": "reads",
    "searches list": "reads",
    "searches wait": "reads",
    "silence list": "reads",
    "simulate": "keeps nothing",
    "sources list": "reads",
    "sources refresh": "has the daemon read, of which the source's row says what it changed",
    "sources show": "reads",
    "sources test": "reads",
    "status": "reads",
    "web key": "prints a key",
    "web password": "prints a hash",
    "web token list": "reads",
}


@pytest.fixture
def installed(bench: Bench) -> Bench:
    bench.configure(connection("acme", group='"big"'), more=SETTINGS)
    (bench.folder / "rows.jsonl").write_text(ROWS)
    return bench


def run(bench: Bench, command: Sequence[str]) -> Any:
    here = {"rows.jsonl": str(bench.folder / "rows.jsonl")}
    return bench.run(*(here.get(word, word) for word in command))


def listed(bench: Bench, *arguments: str) -> list[dict[str, Any]]:
    ended = bench.run("audit", "--json", *arguments)
    assert ended.code == 0, ended.err
    rows: list[dict[str, Any]] = json.loads(ended.out)["audit"]
    return rows


def names_of(group: Any, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield f"{before}{name}"
        else:
            yield from names_of(command, f"{before}{name} ")


def test_each_command_that_changes_something_is_here():
    found = set(names_of(typer.main.get_command(app)))
    known = {*ELSEWHERE, *NOTHING}
    for case in CHANGES:
        known |= {" ".join(case.command[:n]) for n in (1, 2, 3)}
    assert found - known == set()
    assert {*ELSEWHERE, *NOTHING} - found - {"silence list"} == set()


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: " ".join(case.command))
def test_a_command_leaves_one_row(installed, case):
    for command in case.before:
        assert run(installed, command).code == 0
    n_before = len(listed(installed))

    ended = run(installed, case.command)

    assert CANARY not in ended.out or "--reason" in case.command
    after = listed(installed)
    assert len(after) == n_before + 1
    assert {key: value for key, value in after[0].items() if key != "at"} == {
        "who": ME,
        "action": case.action.value,
        "connection": case.connection,
        "keys": list(case.keys),
        "count": case.count,
    }
    assert CANARY not in json.dumps(after)


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param([("resume", "acme")], id="not paused"),
        pytest.param([("ack", "acme")], id="no problem"),
        pytest.param([("alerts", "retry")], id="nothing failed"),
        pytest.param([("silence", "end", "7")], id="no such silence"),
        pytest.param([("keys", "rotate")], id="nothing encrypted"),
        pytest.param([("import", "rows.jsonl", "--dry-run")], id="a dry run"),
        pytest.param([("web", "token", "revoke", "none")], id="no such token"),
        pytest.param([("status",)], id="reading"),
        pytest.param([("pause", "none")], id="no such connection"),
    ],
)
def test_what_changes_nothing_leaves_no_row(installed, commands):
    installed.run("pause", "acme")
    installed.run("resume", "acme")
    n_before = len(listed(installed))
    for command in commands:
        run(installed, command)
    assert len(listed(installed)) == n_before


def test_a_second_time_changes_nothing(installed):
    for command in (("pause", "acme"), IMPORT):
        run(installed, command)
        n = len(listed(installed))
        run(installed, command)
        assert len(listed(installed)) == n


def keep(bench: Bench, *rows: AuditRow) -> None:
    assert bench.run("db", "upgrade").code == 0
    database = Database(f"sqlite:///{bench.database}")
    with database.write() as tx:
        for row in rows:
            add_audit(tx, row)
    database.close()


def test_people_read_a_table_of_all_or_of_one(installed):
    keep(
        installed,
        AuditRow(utc_now(), "user:ana", Action.PUT, "acme", "big", ("tags", "token")),
        AuditRow(utc_now(), "file", Action.PUT, count=10_000),
        AuditRow(utc_now(), "link:12", Action.RENEW, "gone", count=0),
    )
    everything = installed.run("audit")
    assert everything.code == 0
    lines = everything.out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["rejected", "10,000", "token"]
    of_one = installed.run("audit", "acme")
    assert "user:ana" in of_one.out
    assert "link:12" not in of_one.out
    assert "link:12" in installed.run("audit", "gone").out


def test_a_name_that_was_never_there_is_an_error(installed):
    ended = installed.run("audit", "acmee")
    assert ended.code == 3
    assert "acme" in ended.err


def test_without_a_database_or_a_change_it_says_so(installed):
    assert installed.run("audit").out == "no changes yet\n"
    assert json.loads(installed.run("audit", "--json").out) == {"audit": [], "next": None}


def test_more_than_the_limit_is_said(installed):
    keep(installed, *(AuditRow(utc_now(), f"user:u{n}", Action.PAUSE, "acme") for n in range(3)))
    ended = installed.run("audit", "--limit", "2")
    assert len(ended.out.splitlines()) == 3
    assert "--limit" in ended.err
    body = json.loads(installed.run("audit", "--limit", "2", "--json").out)
    assert (len(body["audit"]), isinstance(body["next"], str)) == (2, True)
