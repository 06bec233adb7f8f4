"""
A daemon reads its sources: what comes, changes and goes, and what a bad reading leaves alone.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from monitor.judge.sources import SourceState
from tests.engine.sources_stage import HEAD, STORES, Stage
from tests.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


MANY = [f"st-{n:03}" for n in range(50)]


async def test_rows_become_connections_and_change_with_the_list(stage):
    stage.list_rows([{"name": "a"}, {"name": "b", "tags": ["x"]}])
    async with stage.running():
        memory = await stage.read()
        assert (memory.state, memory.rows, memory.bad) == (SourceState.OK, 2, 0)
        assert stage.names() == ["a", "b"]
        stage.list_rows(
            [{"name": "a", "notes": "new"}, {"name": "b", "tags": ["x"]}, {"name": "c"}]
        )
        await stage.read()
        assert stage.names() == ["a", "b", "c"]
        contents = stage.contents()
    assert contents["stores", "a"]["notes"] == "new"
    assert contents["stores", "b"] == {
        "name": "b",
        "provider": "countdown",
        "authorized_on": "2026-01-15",
        "tags": ["x"],
    }


async def test_a_missing_row_goes_after_a_second_good_reading_and_not_before(stage):
    stage.list_names("a", "b")
    async with stage.running():
        await stage.read()
        stage.list_names("a")
        memory = await stage.read()
        assert (memory.pending, stage.names()) == (1, ["a", "b"])
        await asyncio.sleep(1.1)  # the least that `remove_after` can be
        assert stage.names() == ["a", "b"]
        assert (await stage.read()).pending == 0
        assert stage.names() == ["a"]
        assert ("stores", "b") not in stage.contents()
        stage.list_names("a", "b")
        await stage.read()
        assert stage.names() == ["a", "b"]
        assert stage.count_connections() == 2, "it goes on with its history"


async def test_a_row_that_comes_back_in_time_was_never_gone(stage):
    stage.list_names("a", "b")
    async with stage.running():
        await stage.read()
        stage.list_names("a")
        assert (await stage.read()).pending == 1
        stage.list_names("a", "b")
        assert (await stage.read()).pending == 0
        stage.list_names("a")
        await asyncio.sleep(1.1)
        assert (await stage.read()).pending == 1, "it is missing anew"
        assert stage.names() == ["a", "b"]


@pytest.mark.parametrize("text", ["", "[]"])
async def test_an_empty_list_removes_nothing_also_over_a_restart(stage, text):
    stage.configure(STORES.replace("stores.jsonl", "stores.json"))
    path = stage.folder / "stores.json"
    path.write_text(json.dumps([{"name": name} for name in "abc"]))
    async with stage.running():
        await stage.read()
        path.write_text(text or "[]")
        memory = await stage.read()
        assert (memory.state, memory.error) == (
            SourceState.HELD,
            "the list is empty: 3 connections would be removed",
        )
        await asyncio.sleep(1.1)
        await stage.read()
        assert stage.names() == ["a", "b", "c"]
    async with stage.running():
        assert (await stage.read()).state is SourceState.HELD
        assert stage.names() == ["a", "b", "c"]
        assert stage.alerts() == ["source_held"]
        path.write_text(json.dumps([{"name": name} for name in "abcd"]))
        assert (await stage.read()).state is SourceState.OK
        assert stage.names() == ["a", "b", "c", "d"]
        assert stage.alerts() == ["source_held", "source_restored"]


async def test_too_many_that_vanish_are_held_while_others_come_and_change(stage):
    stage.list_names(*MANY)
    async with stage.running():
        await stage.read()
        stage.list_rows([{"name": MANY[0], "notes": "new"}, {"name": "another"}])
        memory = await stage.read()
        assert (memory.state, memory.pending) == (SourceState.HELD, 49)
        assert stage.names() == sorted([*MANY, "another"])
        assert stage.contents()["stores", MANY[0]]["notes"] == "new"
        assert stage.alerts() == ["source_held"]
        stage.accept()
        memory = await stage.read()
        assert (memory.state, memory.pending) == (SourceState.OK, 0)
        assert stage.names() == ["another", MANY[0]]
        assert stage.alerts() == ["source_held", "source_restored"]


async def test_what_was_accepted_is_not_anything_else(stage):
    stage.list_names(*MANY)
    async with stage.running():
        await stage.read()
        stage.list_names(*MANY[:20])
        await stage.read()
        stage.accept()
        stage.list_names(*MANY[:10])
        assert (await stage.read()).state is SourceState.HELD
        assert stage.names() == MANY


UNREADABLE = {
    "no file": None,
    "no JSON": "<html>\n",
    "half a list of JSON": "\x00\x01\n{",
    "mostly bad": "".join(json.dumps({"name": f"n{n}", "regon": "x"}) + "\n" for n in range(9)),
}


@pytest.mark.parametrize("case", UNREADABLE)
async def test_a_reading_that_fails_changes_nothing_and_three_are_reported(stage, case):
    stage.list_names("a", "b")
    text = UNREADABLE[case]
    path = stage.folder / "stores.jsonl"
    async with stage.running():
        await stage.read()
        path.unlink() if text is None else path.write_text(text)
        for n in range(1, 5):
            memory = await stage.read()
            assert (memory.state, memory.failures) == (SourceState.FAILED, n)
            assert stage.alerts() == ["source_failed"] * (n >= 3)
        assert stage.names() == ["a", "b"]
    async with stage.running():
        assert (await stage.read()).failures >= 5
        stage.list_names("a", "b")
        assert (await stage.read()).state is SourceState.OK
        assert stage.alerts() == ["source_failed", "source_restored"]
        assert stage.names() == ["a", "b"]


async def test_a_bad_row_keeps_its_former_version_and_is_named(stage):
    names = [f"n{n:02}" for n in range(25)]
    stage.list_names(*names)
    async with stage.running():
        await stage.read()
        rows = [{"name": name, "notes": "new"} for name in names]
        rows[17] = {"name": "n17", "evry": "5m"}
        stage.list_rows(rows)
        memory = await stage.read()
        assert (memory.state, memory.bad, memory.pending) == (SourceState.OK, 1, 0)
        assert stage.stored().problems == (
            'sources.stores row 17 (n17).evry: unknown key; did you mean "every"?',
        )
        contents = stage.contents()
        assert "notes" not in contents["stores", "n17"]
        assert contents["stores", "n16"]["notes"] == "new"


async def test_two_rows_of_one_name_are_both_bad(stage):
    names = [f"n{n:02}" for n in range(50)]
    stage.list_names(*names)
    async with stage.running():
        await stage.read()
        stage.list_rows(
            [
                {"name": "n00", "notes": "one"},
                {"name": "n00", "notes": "two"},
                *({"name": name} for name in names[1:]),
            ]
        )
        memory = await stage.read()
        assert (memory.bad, memory.rows) == (2, 51)
        assert "notes" not in stage.contents()["stores", "n00"]
        assert stage.stored().problems == (
            "sources.stores row 1 (n00).name: another row has this name",
        )


async def test_a_bad_row_without_a_name_may_be_any_that_is_missing(stage):
    names = [f"n{n:02}" for n in range(25)]
    stage.list_names(*names)
    async with stage.running():
        await stage.read()
        lines = [json.dumps({"name": name}) for name in names[:-1]]
        (stage.folder / "stores.jsonl").write_text("\n".join([*lines, "{cut off"]) + "\n")
        await stage.read()
        await asyncio.sleep(1.1)
        memory = await stage.read()
        assert (memory.state, memory.bad, memory.pending) == (SourceState.OK, 1, 1)
        assert stage.names() == names


async def test_the_prefix_and_the_place_of_each_secret_come_from_the_file(stage):
    stage.configure(
        STORES.replace(
            'provider = "countdown", authorized_on = 2026-01-15',
            'provider = "soldscope", base_url = "https://api.example.com"',
        )
        + 'prefix = "st-"\nsecret = { file = "secrets/{name}" }\n'
    )
    stage.list_rows([{"name": f"n{n}"} for n in range(30)] + [{"name": "../x"}])
    async with stage.running():
        memory = await stage.read()
        assert memory.bad == 1
        assert stage.contents()["stores", "st-n7"]["token"] == {"file": "secrets/n7"}
        assert stage.stored().problems[0].startswith("sources.stores row 30 (st-../x): its secret")


async def test_a_secret_in_a_row_is_encrypted_and_in_no_file(stage):
    from cryptography.fernet import Fernet

    soldscope = STORES.replace(
        'provider = "countdown", authorized_on = 2026-01-15',
        'provider = "soldscope", base_url = "https://api.example.com"',
    )
    text = HEAD.replace('listen = ""', f'listen = ""\nkey = "{Fernet.generate_key().decode()}"')
    stage.path.write_text(text + soldscope)
    stage.list_rows([{"name": "a", "token": "hunter2-canary"}])
    async with stage.running():
        assert (await stage.read()).state is SourceState.OK
        assert stage.contents()["stores", "a"]["token"] == {"set": True}
    kept = b"".join(each.read_bytes() for each in stage.folder.glob("connwatch.db*"))
    assert b"hunter2-canary" not in kept


async def test_without_a_key_rows_with_secrets_are_refused_with_the_remedy(stage):
    stage.list_rows(
        [
            {
                "name": "a",
                "provider": "soldscope",
                "token": "hunter2",
                "base_url": "https://x.example.com",
            }
        ]
    )
    async with stage.running():
        memory = await stage.read()
    assert memory.state is SourceState.FAILED
    assert "connwatch web key" in memory.error
    assert "hunter2" not in memory.error


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"ca_file": "/etc/shadow"}, "ca_file: only the configuration file may set this"),
        ({"proxy": "http://p:1"}, "proxy: only the configuration file may set this"),
        ({"url": "http://127.0.0.1:9/", "provider": "http"}, '.url: "127.0.0.1" is not called'),
        (
            {"url": "https://x.example.com/", "provider": "http", "token": {"env": "HOME"}},
            "token: only the configuration file may say where a secret is kept",
        ),
    ],
)
async def test_rows_may_not_say_what_only_the_file_may(stage, row, why):
    stage.configure(STORES.replace(", authorized_on = 2026-01-15", ""))
    stage.list_rows([{"name": f"n{n}", "authorized_on": "2026-01-15"} for n in range(30)])
    async with stage.running():
        await stage.read()
        stage.list_rows(
            [{"name": "bad", **row}]
            + [{"name": f"n{n}", "authorized_on": "2026-01-15"} for n in range(30)]
        )
        await stage.read()
        assert why in stage.stored().problems[0]
        assert "bad" not in stage.names()


async def test_the_file_wins_over_a_source_and_the_loser_takes_over(stage):
    own = '\n[[connections]]\nname = "a"\nprovider = "countdown"\nauthorized_on = 2026-02-02\n'
    stage.configure(STORES + own)
    stage.list_names("a", "b")
    async with stage.running():
        await stage.read()
        assert stage.names() == ["a", "b"]
        assert set(stage.contents()) == {("file", "a"), ("stores", "a"), ("stores", "b")}
        stage.configure(STORES)
        stage.reload.set()
        await until(lambda: ("file", "a") not in stage.contents())
        assert stage.names() == ["a", "b"]


async def test_after_a_reload_a_source_is_read_by_the_new_settings(stage):
    stage.list_names("a")
    async with stage.running():
        await stage.read()
        stage.configure(STORES + 'prefix = "st-"\n')
        stage.reload.set()
        await until(lambda: "st-a" in stage.names())


async def test_a_source_that_is_taken_out_lets_its_few_rows_go_at_once(stage):
    stage.list_names("a", "b")
    async with stage.running():
        await stage.read()
        stage.configure("")
        stage.reload.set()
        await until(lambda: stage.stored() is None)
        assert stage.names() == []


async def test_a_source_that_is_taken_out_keeps_its_many_rows_until_that_is_accepted(stage):
    stage.list_names(*MANY)
    async with stage.running():
        await stage.read()
        stage.configure("")
        stage.reload.set()
        await until(lambda: stage.memory().state is SourceState.HELD)
        assert stage.names() == MANY
        assert stage.alerts() == ["source_held"]
        stage.accept()
        await stage.read_gone()
        assert stage.names() == []


async def test_an_unchanged_reading_writes_no_row_of_a_connection(stage):
    stage.list_names(*MANY)
    async with stage.running():
        await stage.read()
        before = stage.contents(), stage.changes()
        memory = await stage.read()
        assert memory.rows == 50
        assert (stage.contents(), stage.changes()) == before


async def test_a_row_that_comes_back_stays_deleted_and_only_the_same_keeps_its_date(stage):
    stage.configure(STORES.replace(", authorized_on = 2026-01-15", ""))
    dated = {"authorized_on": "2026-01-15"}
    rows = [{"name": name, **dated} for name in "abcd"]
    stage.list_rows(rows)
    async with stage.running():
        await stage.read()
        stage.delete("a")
        assert stage.names() == ["b", "c", "d"]
        stage.list_rows(rows[3:])
        await stage.read()
        await asyncio.sleep(1.1)
        await stage.read()
        assert stage.names() == ["d"]
        assert stage.dates().keys() == {"b", "c", "d"}, "history stays"
        other = {"provider": "http", "url": "https://api.example.com/", "enabled": False}
        stage.list_rows([rows[0], {"name": "b", **other}, rows[2], rows[3]])
        await stage.read()
        assert stage.names() == ["b", "c", "d"], "what was deleted stays so"
        assert stage.dates().keys() == {"c", "d"}, "it is the date of another service"
