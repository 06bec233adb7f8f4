"""
Every command of the page on imports, as an agency with forty stores, beside a daemon that runs.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.command_line import connwatch
from tests.daemon_process import run_daemon
from tests.waiting import wait_until

if TYPE_CHECKING:
    from tests.command_line import Ended

PAGE = (Path(__file__).parents[2] / "docs/import.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)


SHELL = [line for block in blocks("sh") for line in block.splitlines()]
WRONG_DATE = 23


class Agency:
    """
    An installation, and the commands of the page in their order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._left = iter(SHELL)

    def run(self, expected: str) -> Ended:
        """
        Run the next command of the page, which is that one.
        """
        line = next(self._left)
        assert line == expected
        command, _, out = line.partition(" && ")[0].partition(" > ")
        ended = connwatch(*shlex.split(command)[1:], cwd=self.folder)
        if out:
            (self.folder / out).write_text(ended.out)
            (self.folder / out).chmod(0o600)
        return ended

    def states(self) -> dict[str, Any]:
        ended = connwatch("status", "--json", cwd=self.folder)
        return {one["name"]: one for one in json.loads(ended.out)["connections"]}

    def write(self, stores: list[str]) -> None:
        (self.folder / "stores.csv").write_text("\n".join(stores) + "\n")


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    (tmp_path / "client-secret").write_text("amzn1.oa2-cs.v1.hunter2")
    (tmp_path / "client-secret").chmod(0o600)
    (tmp_path / "config.toml").write_text("[checks]\n")
    return Agency(tmp_path)


def forty_stores() -> list[str]:
    """
    Return the file of the page, and so many more lines that there are forty stores.
    """
    [shown] = blocks("csv")
    lines = shown.splitlines()
    for number in range(len(lines) - 1, 40):
        day = "15.01.2026" if number == WRONG_DATE else "2026-03-01"
        lines.append(f"st-{number:02},amazon,our-app,eu,Atzr|IwEBIA-{number},{day},")
    return lines


def test_an_agency_imports_forty_stores_of_which_two_have_errors(agency):
    agency.run("connwatch web key > fernet-key && chmod 600 fernet-key")
    [settings] = blocks("toml")
    settings = settings.replace("[web]", '[web]\nlisten = ""')
    # Nothing outside is called: a port of this machine that nobody listens at stands for Amazon.
    settings += 'endpoint = "http://127.0.0.1:9"\ntoken_url = "http://127.0.0.1:9/token"\n'
    (agency.folder / "config.toml").write_text(settings)
    stores = forty_stores()
    agency.write(stores)

    with run_daemon(agency.folder) as daemon:
        daemon.wait_for("daemon.started")

        dry = agency.run("connwatch import stores.csv --dry-run")
        first, *_, last = blocks("text")[0].splitlines()
        assert dry.err.splitlines()[0] == first
        assert (dry.code, dry.out.strip()) == (3, last)
        assert len(dry.err.splitlines()) == 2
        assert (
            f"stores.csv row {WRONG_DATE} (st-{WRONG_DATE}).authorized_on: a date such as"
            in dry.err
        )

        imported = agency.run("connwatch import stores.csv")
        assert imported.code == 3
        assert imported.out == "38 of 40 connections imported: 38 new; 2 refused\n"
        assert imported.err == dry.err

        # The daemon finds them: that nothing answers is a result too.
        wait_until(lambda: agency.states()["st-acme"]["last_check"] is not None)

        agency.write(
            [line.replace("moon", "fe").replace("15.01.2026", "2026-01-15") for line in stores]
        )
        again = agency.run("connwatch import stores.csv")
        assert (again.code, again.err) == (0, "")
        assert again.out == "40 of 40 connections imported: 2 new, 38 unchanged\n"

        shown = json.loads(agency.run("connwatch status --json").out)["connections"]
        assert len(shown) == 40
        assert {one["owner"] for one in shown} == {"dashboard"}

        assert agency.run("connwatch delete st-globex --yes").code == 0
        assert "st-globex" not in agency.states()

        exported = agency.run("connwatch export > connections.jsonl")
        lines = [json.loads(line) for line in exported.out.splitlines()]
        assert len(lines) == 39
        assert {json.dumps(one["refresh_token"]) for one in lines} == {'{"set": true}'}

        back = agency.run("connwatch import connections.jsonl")
        assert (back.code, back.out) == (0, "39 of 39 connections imported: 39 unchanged\n")

    assert "IwEBIA" not in "".join(daemon.lines)
    assert not any(b"IwEBIA" in path.read_bytes() for path in agency.folder.glob("connwatch.db*"))
