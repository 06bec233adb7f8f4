"""
Every command, and what it has to do with groups: taken from the running program, so that a new
command without a row here fails.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import pytest
import typer

from monitor.cli import app
from tests.bench import REFUSED, connection

if TYPE_CHECKING:
    from collections.abc import Iterator


class Touch(Enum):
    """
    What a command has to do with groups.
    """

    NONE = "it prints nothing of single connections"
    ALL = "whoever runs it may read the file and the database, and sees all groups"
    SAYS = "likewise, and its JSON says of each connection which group it is of"
    TAKES = "likewise, and one group can be chosen or named"


NONE, ALL, SAYS, TAKES = Touch

TABLE = {
    "ack": ALL,
    "alerts explain": ALL,
    "alerts list": ALL,
    "alerts retry": ALL,
    "alerts test": NONE,
    "audit": ALL,
    "check": SAYS,
    "config check": ALL,
    "config init": NONE,
    "config schema": NONE,
    "config show": ALL,
    "db backup": NONE,
    "db current": NONE,
    "db restore": NONE,
    "db upgrade": NONE,
    "delete": ALL,
    "demo": NONE,
    "doctor": ALL,
    "export": SAYS,
    "history": ALL,
    "import": ALL,
    "invite": ALL,
    "keys rotate": NONE,
    "pause": ALL,
    "proposed accept": ALL,
    "proposed list": ALL,
    "proposed reject": ALL,
    "quota": ALL,
    "renew": ALL,
    "resume": ALL,
    "run": ALL,
    "searches list": ALL,
    "searches wait": ALL,
    "silence": TAKES,
    "simulate": NONE,
    "sources accept": ALL,
    "sources list": ALL,
    "sources refresh": ALL,
    "sources show": ALL,
    "sources test": ALL,
    "status": SAYS,
    "validate": ALL,
    "web key": NONE,
    "web password": NONE,
    "web token add": TAKES,
    "web token list": ALL,
    "web token revoke": ALL,
}


def list_commands() -> Iterator[tuple[str, Any]]:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
        inner = getattr(command, "commands", None)
        if not inner:
            yield " ".join(path), command
        for name, each in (inner or {}).items():
            yield from walk(each, (*path, name))

    yield from walk(typer.main.get_command(app), ())


def test_every_command_has_a_row_and_every_row_a_command():
    assert sorted(name for name, _ in list_commands()) == sorted(TABLE)


def test_a_group_can_be_chosen_where_the_row_says_so():
    takes = {
        name
        for name, command in list_commands()
        if any("--group" in option.opts for option in command.params)
    }
    assert takes <= {name for name, touch in TABLE.items() if touch is TAKES}
    assert "silence" in takes


@pytest.mark.parametrize("command", ["status", "check"])
def test_the_json_says_the_group_of_each_connection(bench, command):
    bench.configure(
        'name = "own"\nprovider = "countdown"\nauthorized_on = 2026-01-15\ngroup = "acme"\n',
        'name = "free"\nprovider = "countdown"\nauthorized_on = 2026-01-15\n',
    )
    said = json.loads(bench.run(command, "--json").out)["connections"]
    assert {one["name"]: one["group"] for one in said} == {"own": "acme", "free": None}


def test_what_is_exported_has_its_group_and_comes_back_with_it(bench, tmp_path):
    bench.configure(connection("of-the-file"))
    rows = tmp_path / "rows.csv"
    rows.write_text(
        "name,provider,authorized_on,group\n"
        "own,countdown,2026-01-15,acme\nfree,countdown,2026-01-15,\n",
        encoding="utf-8",
    )
    assert bench.run("import", str(rows)).code == 0
    lines = [json.loads(line) for line in bench.run("export", "--json").out.splitlines()]
    exported = {one["name"]: one.get("group") for one in lines}
    assert (exported["own"], exported["free"]) == ("acme", None)
    said = json.loads(bench.run("status", "--json").out)["connections"]
    assert {one["name"]: one["group"] for one in said} == {
        "of-the-file": None,
        "own": "acme",
        "free": None,
    }
    assert bench.run("silence", "--group", "acme", "--for", "1h").code == 0


@pytest.mark.parametrize(
    ("table", "noted"),
    [
        pytest.param('[[groups]]\nname = "acme"\n', False, id="of the file"),
        pytest.param('[[groups]]\nname = "globex"\n', False, id="imported"),
        pytest.param('[[groups]]\nname = "nobody"\n', True, id="of nobody"),
    ],
)
def test_the_check_of_the_file_notes_groups_that_nothing_has(bench, tmp_path, table, noted):
    own = 'name = "own"\nprovider = "countdown"\nauthorized_on = 2026-01-15\ngroup = "acme"\n'
    bench.configure(own)
    rows = tmp_path / "rows.csv"
    rows.write_text("name,provider,authorized_on,group\nb,countdown,2026-01-15,globex\n")
    assert bench.run("import", str(rows)).code == 0
    bench.configure(own, more=table)
    ended = bench.run("config", "check")
    assert ended.code == 0
    assert ("no connection has group" in ended.err) is noted


def test_why_a_channel_of_groups_is_told_or_not(bench):
    channel = '[[channels]]\nname = "{}"\nurl = "json://localhost"\ngroups = ["{}"]\n'
    bench.configure(
        connection("own", group='"acme"'),
        more=channel.format("mine", "acme") + channel.format("theirs", "globex"),
    )
    bench.evaluate("own", REFUSED)

    def why(kind: str) -> dict[str, str]:
        said = json.loads(bench.run("alerts", "explain", "own", kind, "--json").out)
        return {one["channel"]: one["why"] for one in said["channels"]}

    assert why("error") == {"mine": "wanted", "theirs": "other_groups"}
    assert why("monitor_offline") == {"mine": "not_for_groups", "theirs": "not_for_groups"}
    assert "only for other groups" in bench.run("alerts", "explain", "own", "error").out
