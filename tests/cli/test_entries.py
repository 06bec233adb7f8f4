"""
`connwatch import` and `export`: rows go in one by one, and come out without their secrets.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from monitor.judge.connections import OWNER_FILE
from monitor.store import entries
from monitor.store.engine import Database
from tests.bench import Bench, connection
from tests.cli.test_settings import put, row

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

KEY = Fernet.generate_key().decode()
TABLES = f"""
[web]
listen = ""
key = "{KEY}"

[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.1"
client_secret = "amzn1.oa2-cs.v1.hunter2"
"""
CANARY = "Atzr|canary"


def store(number: int, **more: Any) -> dict[str, Any]:
    return {
        "name": f"st-{number:02}",
        "provider": "amazon",
        "application": "our-app",
        "region": "eu",
        "refresh_token": f"{CANARY}-{number}",
        "authorized_on": "2026-01-15",
    } | more


def write_csv(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    rows = list(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    return path


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def owned_by_dashboard(bench: Bench) -> dict[str, Any]:
    database = Database(f"sqlite:///{bench.database}")
    with database.read() as tx:
        names = entries.list_names_beside(tx, OWNER_FILE)
        found = {
            name: one.content
            for name, one in entries.find_all_of_owner(tx, "dashboard", names).items()
        }
    database.close()
    return found


@pytest.fixture
def agency(bench: Bench) -> Bench:
    bench.configure(connection("acme"), more=TABLES)
    return bench


def test_an_agencys_stores_go_in_but_for_two_with_errors(agency):
    rows = [store(number) for number in range(40)]
    rows[17] |= {"region": "moon"}
    rows[23] |= {"authorized_on": "15.01.2026"}
    path = write_csv(agency.folder / "stores.csv", rows)

    ended = agency.run("import", str(path))

    assert ended.code == 3
    assert ended.out == "38 of 40 connections imported: 38 new; 2 refused\n"
    first, second = ended.err.splitlines()
    assert first.startswith('connwatch: stores.csv row 17 (st-17).region: one of "')
    assert second.startswith("connwatch: stores.csv row 23 (st-23).authorized_on: a date such as")
    shown = agency.shown()
    assert len(shown) == 39
    assert (shown["st-00"]["owner"], shown["st-00"]["state"]) == ("dashboard", "pending")
    assert CANARY not in ended.out + ended.err
    assert CANARY.encode() not in agency.database.read_bytes()


def test_the_same_again_changes_nothing_and_a_mended_one_goes_in(agency):
    rows = [store(number) for number in range(3)]
    path = write_csv(agency.folder / "stores.csv", [*rows, store(3, region="moon")])
    agency.run("import", str(path))
    write_csv(path, [rows[0] | {"region": "na"}, *rows[1:], store(3)])

    ended = agency.run("import", str(path))

    assert (ended.code, ended.err) == (0, "")
    assert ended.out == "4 of 4 connections imported: 1 new, 1 changed, 2 unchanged\n"
    assert "imported: 4 unchanged" in agency.run("import", str(path)).out


def test_a_dry_run_says_the_same_and_stores_nothing(agency):
    agency.run("import", str(write_lines(agency.folder / "one.jsonl", [store(1), store(2)])))
    before = owned_by_dashboard(agency)
    rows = [store(1, region="na"), store(2), store(3), store(4, region="moon"), row("acme")]
    path = write_lines(agency.folder / "stores.jsonl", rows)

    dry = agency.run("import", str(path), "--dry-run")

    assert dry.code == 3
    assert dry.out == (
        "3 of 5 connections would be imported: 1 new, 1 changed, 1 unchanged; 2 refused\n"
    )
    assert owned_by_dashboard(agency) == before
    real = agency.run("import", str(path))
    assert real.err == dry.err
    assert real.out == dry.out.replace("would be imported", "imported")


def test_a_dry_run_makes_no_database(agency):
    path = write_lines(agency.folder / "stores.jsonl", [store(1)])

    ended = agency.run("import", str(path), "--dry-run")

    assert ended.out == "1 of 1 connection would be imported: 1 new\n"
    assert not agency.database.exists()


FORMS = {
    "lines": (".jsonl", lambda rows: "".join(json.dumps(one) + "\n" for one in rows)),
    "ndjson": (".ndjson", lambda rows: "".join(json.dumps(one) + "\n" for one in rows)),
    "list": (".json", json.dumps),
}


@pytest.mark.parametrize(("ending", "write"), FORMS.values(), ids=FORMS)
def test_each_form_is_read_by_its_ending(agency, ending, write):
    path = agency.folder / f"stores{ending}"
    path.write_text(write([store(1), store(2, region="moon")]))

    ended = agency.run("import", str(path))

    assert ended.out == "1 of 2 connections imported: 1 new; 1 refused\n"
    assert f"stores{ending} row 1 (st-02).region: " in ended.err


def test_lines_come_from_standard_input(agency, monkeypatch):
    lines = "".join(json.dumps(one) + "\n" for one in (store(1), {"provider": "http"}))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines.encode())))

    ended = agency.run("import", "-")

    assert ended.out == "1 of 2 connections imported: 1 new; 1 refused\n"
    assert "connwatch: standard input row 1.name: " in ended.err


HTTP = {"provider": "http", "url": "https://93.184.216.34/", "token": "hunter2"}
REFUSED = {
    "no object": (["x"], "row 0: a row is a JSON object"),
    "no name": ({"provider": "countdown"}, "row 0.name: "),
    "no provider": ({"name": "x"}, "row 0 (x).provider: "),
    "an unknown provider": ({"name": "x", "provider": "nowhere"}, "row 0 (x).provider: "),
    "an unknown key": (row("x", colour="red"), "row 0 (x).colour: "),
    "an unknown application": (store(1, application="theirs"), "row 0 (st-01).application: "),
    "where a secret is kept": (store(1, refresh_token={"file": "/etc/passwd"}), ".refresh_token: "),
    "a secret that is not stored": (store(1, refresh_token={"set": True}), "no secret is stored"),
    "what only the file may say": (row("x") | HTTP | {"name": "x", "proxy": "http://p"}, "proxy"),
    "of the file": (row("acme"), "row 0 (acme).name: is owned by the file"),
    "of a source": (row("of-source"), 'row 0 (of-source).name: is owned by source "stores"'),
    "a loopback address": (
        {"name": "x", "provider": "http", "url": "http://127.0.0.1:9/", "token": "t"},
        'row 0 (x).url: "127.0.0.1" is not called: it has a loopback address',
    ),
    "a private address of SoldScope": (
        {"name": "x", "provider": "soldscope", "base_url": "https://10.0.0.1/", "token": "ss_t"},
        'row 0 (x).base_url: "10.0.0.1" is not called: it has a private address',
    ),
    "another's former name": (row("x", renamed_from="acme"), "renamed_from: "),
    "nobody's former name": (row("x", renamed_from="never"), '"never" is not there'),
}


@pytest.mark.parametrize(("bad", "said"), REFUSED.values(), ids=REFUSED)
def test_a_refused_row_is_named_and_the_others_go_in(agency, bad, said):
    put(agency, "stores", row("of-source"))
    path = write_lines(agency.folder / "some.jsonl", [bad, row("good")])

    dry = agency.run("import", str(path), "--dry-run")
    ended = agency.run("import", str(path))

    assert ended.code == 3
    assert ended.out == "1 of 2 connections imported: 1 new; 1 refused\n"
    assert said in ended.err
    assert ended.err.startswith("connwatch: some.jsonl row 0")
    assert (dry.code, dry.err) == (3, ended.err)
    assert list(owned_by_dashboard(agency)) == ["good"]
    assert "hunter2" not in ended.err


def test_of_one_name_in_two_rows_the_first_goes_in(agency):
    rows = [row("x", notes="first"), row("y"), row("x", notes="second")]
    path = write_lines(agency.folder / "some.jsonl", rows)

    ended = agency.run("import", str(path))

    assert "some.jsonl row 2 (x).name: another row before it has the same name" in ended.err
    assert owned_by_dashboard(agency)["x"]["notes"] == "first"


def test_an_allowed_host_goes_in(bench):
    tables = TABLES.replace("[web]", '[web]\nallowed_hosts = ["127.0.0.1"]')
    bench.configure(more=tables)
    rows = [{"name": "x", "provider": "http", "url": "http://127.0.0.1:9/", "token": "t"}]

    assert bench.run("import", str(write_lines(bench.folder / "some.jsonl", rows))).code == 0


def test_without_a_key_entries_with_secrets_are_refused_and_others_go_in(bench):
    bench.configure(more=TABLES.replace(f'key = "{KEY}"', ""))
    path = write_lines(bench.folder / "some.jsonl", [store(1), row("x"), store(2)])

    ended = bench.run("import", str(path))

    assert ended.out == "1 of 3 connections imported: 1 new; 2 refused\n"
    assert "some.jsonl row 0 (st-01): its secrets cannot be stored without `web.key`" in ended.err
    assert ended.err.count("connwatch web key") == 1


def test_a_former_name_of_the_dashboards_is_taken_over(agency):
    agency.run("import", str(write_lines(agency.folder / "some.jsonl", [row("old")])))
    path = write_lines(agency.folder / "some.jsonl", [row("new", renamed_from="old")])

    ended = agency.run("import", str(path))

    assert (ended.code, ended.err) == (0, "")
    assert list(owned_by_dashboard(agency)) == ["new"]


UNREADABLE = {
    "no such file": ("none.csv", None, "cannot be read"),
    "another ending": ("some.txt", "x", "its name has to end with one of"),
    "no JSON": ("some.jsonl", "{\n}\n", "no line of it is JSON"),
    "a list that is cut off": ("some.json", '[{"name": "x"', "is not JSON"),
    "no header": ("some.csv", "\n", "its first line is empty"),
}


@pytest.mark.parametrize(("name", "text", "said"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_cannot_be_read_is_said(agency, name, text, said):
    if text is not None:
        (agency.folder / name).write_text(text)

    ended = agency.run("import", str(agency.folder / name))

    assert ended.code == 3
    assert said in ended.err
    assert "Traceback" not in ended.err


def test_what_breaks_off_says_that_the_rows_before_are_stored(agency):
    path = agency.folder / "some.json"
    path.write_text(json.dumps([row("x")])[:-1] + ", {")

    ended = agency.run("import", str(path))

    assert ended.code == 3
    assert "1 of 1 connection imported: 1 new" in ended.out
    assert "the rows before it are stored" in ended.err


def test_an_empty_file_is_no_error(agency):
    (agency.folder / "some.jsonl").write_text("")

    ended = agency.run("import", str(agency.folder / "some.jsonl"))

    assert (ended.code, ended.out) == (0, "0 of 0 connections imported\n")


def test_many_rows_go_in_by_pieces(agency):
    path = write_lines(agency.folder / "many.jsonl", (row(f"c-{n:04}") for n in range(2500)))

    assert agency.run("import", str(path)).out == (
        "2,500 of 2,500 connections imported: 2,500 new\n"
    )
    with closing(sqlite3.connect(agency.database)) as database:
        [[n_quotas]] = database.execute("SELECT count(*) FROM quotas")
        [[n_due]] = database.execute("SELECT count(*) FROM connections WHERE next_check_at > 0")
    assert (n_quotas, n_due) == (2501, 2501)


def apart(bench: Bench, *arguments: str) -> subprocess.CompletedProcess[str]:
    """
    Run a command in a process that may have others, as people's shells do.
    """
    command = [sys.executable, "-m", "monitor", "--config", str(bench.config_path), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_so_many_rows_that_other_processes_check_them_go_in_as_few_do(agency):
    rows = [store(n, name=f"st-{n:05}") for n in range(7500)]
    rows[10] |= {"region": "moon"}
    rows[7001] |= {"region": "moon"}
    rows[7002] |= {"name": "st-00001"}
    path = write_lines(agency.folder / "many.jsonl", rows)

    ended, again = (apart(agency, "import", str(path)) for _ in range(2))

    assert ended.stdout == "7,497 of 7,500 connections imported: 7,497 new; 3 refused\n"
    assert [line.partition(":")[2].split(")")[0] for line in ended.stderr.splitlines()] == [
        " many.jsonl row 10 (st-00010",
        " many.jsonl row 7001 (st-07001",
        " many.jsonl row 7002 (st-00001",
    ]
    assert (again.returncode, again.stderr) == (3, ended.stderr)
    assert again.stdout == "7,497 of 7,500 connections imported: 7,497 unchanged; 3 refused\n"
    secrets = agency.run("export").out
    assert CANARY not in secrets
    assert secrets.count('"refresh_token": {"set": true}') == 7497


def exported(bench: Bench) -> list[dict[str, Any]]:
    ended = bench.run("export")
    assert (ended.code, ended.err) == (0, "")
    assert bench.run("export", "--json").out == ended.out
    return [json.loads(line) for line in ended.out.splitlines()]


def test_export_shows_all_owners_by_name_without_secrets(agency):
    agency.run("import", str(write_lines(agency.folder / "some.jsonl", [store(1), row("zeta")])))
    put(agency, "stores", row("of-source"))

    lines = exported(agency)

    assert [(one["name"], one["owner"]) for one in lines] == [
        ("acme", "file"),
        ("of-source", "stores"),
        ("st-01", "dashboard"),
        ("zeta", "dashboard"),
    ]
    assert lines[0]["token"] == {"set": True}
    assert lines[2]["refresh_token"] == {"set": True}
    assert lines[2]["authorized_on"] == "2026-01-15"
    assert "hunter2" not in json.dumps(lines)


def test_export_does_not_say_where_the_file_keeps_secrets(bench):
    bench.configure(connection("acme", token='{ env = "ACME_TOKEN" }'))

    assert [one["token"] for one in exported(bench)] == [{"set": True}]


def test_what_was_exported_can_be_imported_and_changes_nothing(agency):
    rows = [store(1), store(2, tags=["eu"]), row("x", notes="äöü"), HTTP | {"name": "h"}]
    agency.run("import", str(write_lines(agency.folder / "some.jsonl", rows)))
    before = owned_by_dashboard(agency)
    out = agency.run("export").out
    path = agency.folder / "all.jsonl"
    path.write_text(out)

    ended = agency.run("import", str(path))

    assert ended.out == "4 of 5 connections imported: 4 unchanged; 1 refused\n"
    assert "all.jsonl row 0 (acme).name: is owned by the file" in ended.err
    assert owned_by_dashboard(agency) == before
    assert agency.run("export").out == out


def test_export_leaves_out_what_was_deleted(agency):
    put(agency, "stores", row("of-source"), row("other"))
    agency.run("delete", "of-source", "--yes")

    assert [one["name"] for one in exported(agency)] == ["acme", "other"]


def test_standard_input_that_gives_no_bytes_is_said(agency, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ended = agency.run("import", "-")
    assert (ended.code, ended.out) == (3, "")
    assert "standard input is closed" in ended.err
    assert "Traceback" not in ended.err
