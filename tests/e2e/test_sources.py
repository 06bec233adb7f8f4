"""
The page on sources, command by command; and a vendor whose database goes away.
"""

from __future__ import annotations

import json
import re
import shlex
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from tests.command_line import ROOT, Ended, connwatch
from tests.daemon_process import run_daemon
from tests.loopback import Handler, serve
from tests.postgresql import run_postgresql
from tests.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

PAGE = (ROOT / "docs/sources.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE)


def commands() -> list[str]:
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith("connwatch ")]


class Crm(Handler):
    def do_GET(self) -> None:  # noqa: N802 - its name there
        rows = [{"name": "crm-1", "authorized_on": "2026-01-15"}]
        is_known = self.headers.get("Authorization") == "Bearer hunter2"
        body = json.dumps(rows).encode()
        self.answer(200 if is_known else 401, body, {"Content-Type": "application/json"})


def run(folder: Path, *arguments: str, env: dict[str, str]) -> Ended:
    return connwatch(*arguments, cwd=folder, env=env)


def test_every_command_of_the_page_does_what_it_says(tmp_path):
    with serve(Crm) as port:
        text = '[web]\nlisten = ""\n' + "".join(blocks("toml"))
        text = text.replace("https://crm.example.com", f"http://127.0.0.1:{port}")
        # Nobody at Amazon is to be asked for these.
        text = text.replace('tags = ["stores"] }', 'tags = ["stores"], enabled = false }')
        (tmp_path / "config.toml").write_text(text)
        csv = blocks("csv")[0]
        names = "".join(f"n{n},eu,2026-01-15,\n" for n in range(40))
        (tmp_path / "stores.csv").write_text(csv + names)
        with closing(sqlite3.connect(tmp_path / "vendor.db")) as vendor:
            vendor.execute("create table stores (slug, authorized_on, plan_days, is_active)")
            vendor.execute("insert into stores values ('v-1', '2026-01-15', 30, 1)")
            vendor.commit()
        env = {
            "CLIENT_SECRET": "amzn1.oa2-cs.v1.x",
            "CRM_TOKEN": "hunter2",
            "VENDOR_DATABASE_URL": "sqlite:///vendor.db",
        }
        with run_daemon(tmp_path, **env) as daemon:
            wait_until(lambda: len(daemon.named("source.read")) == 3)
            (tmp_path / "stores.csv").write_text(csv)
            said = {}
            for line in commands():
                if line.endswith("list"):
                    run(tmp_path, "sources", "refresh", "stores", env=env)
                ended = run(tmp_path, *shlex.split(line)[1:], env=env)
                assert ended.code == 0, (line, ended)
                said[line] = ended.out
            listed = json.loads(run(tmp_path, "sources", "list", "--json", env=env).out)
            shown = json.loads(run(tmp_path, "status", "--json", env=env).out)
    assert "2 rows, 0 bad" in said["connwatch sources test stores"]
    assert "held" in said["connwatch sources list"]
    assert "sources accept stores" in said["connwatch sources show stores"]
    assert said["connwatch sources accept stores"] == "stores: 40 connections removed\n"
    assert [one["state"] for one in listed["sources"]] == ["ok"] * 3
    assert {one["name"]: one["owner"] for one in shown["connections"]} == {
        "st-acme": "stores",
        "st-globex": "stores",
        "crm-1": "crm",
        "v-1": "vendor",
    }


VENDOR = """
[web]
listen = ""

[[channels]]
name = "ops"
url = "json://127.0.0.1:9"

[[sources]]
name = "vendor"
kind = "sql"
url = { env = "VENDOR" }
query = "select slug as name, granted as authorized_on from stores"
every = "1h"
remove_after = "1s"
defaults = { provider = "countdown" }
"""
N_STORES = 2000


def test_a_vendor_loses_its_database_for_long_and_nothing_else(tmp_path):
    with run_postgresql() as server:
        server.execute(
            "create table stores as select 'st-' || n as slug, date '2026-10-01' as granted"
            f" from generate_series(1, {N_STORES}) n"
        )
        (tmp_path / "config.toml").write_text(VENDOR)
        (tmp_path / "config.toml").chmod(0o600)
        env = {"VENDOR": server.url}

        def refresh() -> int:
            return run(tmp_path, "sources", "refresh", "vendor", env=env).code

        def states() -> dict[str, int]:
            shown = json.loads(run(tmp_path, "status", "--json", env=env).out)
            counted: dict[str, int] = {}
            for one in shown["connections"]:
                counted[one["state"]] = counted.get(one["state"], 0) + 1
            return counted

        def alerts() -> list[Any]:
            listed = json.loads(run(tmp_path, "alerts", "list", "--json", env=env).out)
            return sorted(one["kind"] for one in listed["alerts"])

        with run_daemon(tmp_path, **env) as daemon:
            daemon.wait_for("source.read")
            server.stop()
            assert [refresh() for _ in range(4)] == [3] * 4
            assert sum(states().values()) == N_STORES
            assert alerts() == ["source_failed"]
        with run_daemon(tmp_path, **env) as daemon:
            daemon.wait_for("source.unreadable")
            assert refresh() == 3
            assert set(states()) <= {"active", "pending"}
            assert sum(states().values()) == N_STORES
            assert alerts() == ["source_failed"]
            server.start()
            assert refresh() == 0
            assert sum(states().values()) == N_STORES
            assert alerts() == ["source_failed", "source_restored"]
            said = "".join(map(str, daemon.events))
        assert "tester" not in said, "the URL of the database is a secret"


@pytest.mark.parametrize("canary", ["hunter2-canary"])
def test_no_surface_shows_a_secret_of_a_source(canary, tmp_path):
    config = f"""
    [web]
    listen = ""
    key = "{"A" * 43}="

    [[sources]]
    name = "stores"
    kind = "file"
    path = "stores.jsonl"
    every = "1h"
    defaults = {{ provider = "http", url = "https://api.example.com/", enabled = false }}

    [[sources]]
    name = "db"
    kind = "sql"
    url = "postgresql://u:{canary}@127.0.0.1:9/x"
    query = "select 1 as name"

    [[sources]]
    name = "crm"
    kind = "http"
    url = "http://127.0.0.1:9/"
    token = "{canary}"
    """
    (tmp_path / "config.toml").write_text(config)
    (tmp_path / "config.toml").chmod(0o600)
    rows = [{"name": f"n{n}", "token": canary} for n in range(30)]
    rows[3] = {"name": "n3", "token": {"value": canary}}
    (tmp_path / "stores.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with run_daemon(tmp_path) as daemon:
        daemon.wait_for("source.read")
        wait_until(lambda: len(daemon.named("source.unreadable")) >= 2)
        said = []
        for line in (
            *(
                f"sources {word} {name}"
                for name in ("stores", "db", "crm")
                for word in ("show", "test", "refresh")
            ),
            *(
                "sources list",
                "sources list --json",
                "config check",
                "config show",
                "status --json",
            ),
            *("status n1 --json", "doctor", "alerts list --json", "config show --json"),
        ):
            ended = run(tmp_path, *line.split(), env={})
            said.append(ended.out + ended.err)
    assert canary not in "".join(said)
    assert canary not in "\n".join(map(str, daemon.lines))
    kept = b"".join(each.read_bytes() for each in tmp_path.glob("connwatch.db*"))
    assert canary.encode() not in kept
