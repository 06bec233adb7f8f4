"""
Let people and programs into the dashboard, from the command line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from monitor.store import credentials
from monitor.store.engine import Database
from monitor.web.sessions import matches
from tests.command_line import COMMAND, clean_environment

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = """
[web]
listen = "{listen}"

[[connections]]
name = "acme"
provider = "countdown"
authorized_on = 2026-01-01
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG.format(listen=""))
    return tmp_path


def run(folder: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, "web", *arguments],
        cwd=folder,
        env=clean_environment(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_hash_of_a_password_opens_to_it(folder):
    result = run(folder, "password", text="correct horse\n")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("$argon2id$")
    assert matches("correct horse", result.stdout.strip())
    assert not matches("battery staple", result.stdout.strip())


def test_a_short_password_is_refused(folder):
    result = run(folder, "password", text="1234567\n")
    assert (result.returncode, result.stdout) == (3, "")
    assert "at least 8 characters" in result.stderr


def test_a_token_is_made_listed_and_revoked(folder):
    made = run(folder, "token", "add", "ci", "--read-only")
    assert (made.returncode, made.stdout.startswith("cw_")) == (0, True)
    database = Database(f"sqlite:///{folder}/connwatch.db")
    with database.read() as tx:
        known = credentials.find_api_token(tx, made.stdout.strip())
    database.close()
    assert known is not None
    assert (known.name, known.is_read_only) == ("ci", True)

    [listed] = json.loads(run(folder, "token", "list", "--json").stdout)["tokens"]
    assert (listed["name"], listed["read_only"], listed["last_used_at"]) == ("ci", True, None)
    table = run(folder, "token", "list").stdout
    assert "ci" in table
    assert made.stdout.strip() not in table

    again = run(folder, "token", "add", "ci")
    assert (again.returncode, "revoke ci" in again.stderr) == (3, True)

    assert run(folder, "token", "revoke", "ci").returncode == 0
    gone = run(folder, "token", "revoke", "ci")
    assert (gone.returncode, "no token is called" in gone.stderr) == (3, True)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-"])
def test_a_name_that_no_token_can_have_is_refused(folder, name):
    result = run(folder, "token", "add", "--", name)
    assert result.returncode == 3


def test_nothing_of_the_web_is_loaded_where_it_is_switched_off():
    script = (
        "import sys, monitor.engine.app, monitor.web.dashboard\n"
        "print(*[m for m in ('fastapi', 'uvicorn', 'prometheus_client', 'argon2',"
        " 'monitor.web.app') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


ROLES = {
    "no flag": ((), "admin", None),
    "read-only": (("--read-only",), "viewer", None),
    "a role": (("--role", "operator"), "operator", None),
    "admin by name": (("--role", "admin"), "admin", None),
    "the same twice": (("--role", "viewer", "--read-only"), "viewer", None),
    "a group": (("--group", "acme"), "operator", ["acme"]),
    "groups": (
        ("--role", "viewer", "--group", "globex", "--group", "acme", "--group", "acme"),
        "viewer",
        ["acme", "globex"],
    ),
    "a group, read-only": (("--read-only", "--group", "acme"), "viewer", ["acme"]),
}


@pytest.mark.parametrize(("options", "role", "groups"), ROLES.values(), ids=ROLES)
def test_a_token_has_the_role_and_groups_that_were_asked_for(folder, options, role, groups):
    made = run(folder, "token", "add", "ci", *options)
    assert made.returncode == 0
    [listed] = json.loads(run(folder, "token", "list", "--json").stdout)["tokens"]
    assert (listed["role"], listed["groups"]) == (role, groups)
    assert listed["read_only"] == (role == "viewer")
    table = run(folder, "token", "list").stdout
    assert role in table
    assert (", ".join(groups) if groups else "all") in table
    assert ("no connection has group" in made.stderr) == (groups is not None)


WRONG_ROLES = {
    "an unknown role": (("--role", "reader"), 'known: "viewer", "operator", "admin"'),
    "two roles": (("--role", "admin", "--read-only"), "give one of the two"),
    "an admin of a group": (("--role", "admin", "--group", "acme"), "not for admins"),
    "a group that is no name": (("--group", "a/b"), "--group: no slashes"),
    "no group": (("--group", ""), "--group: empty"),
}


@pytest.mark.parametrize(("options", "words"), WRONG_ROLES.values(), ids=WRONG_ROLES)
def test_a_token_that_cannot_be_is_not_made(folder, options, words):
    refused = run(folder, "token", "add", "ci", *options)
    assert (refused.returncode, refused.stdout) == (3, "")
    assert words in refused.stderr
    assert json.loads(run(folder, "token", "list", "--json").stdout)["tokens"] == []
