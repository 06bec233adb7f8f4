"""
What the configuration file and sources change is in the audit: a row a reading, never a value.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, closing
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from monitor.engine.audit import FEW
from monitor.store.audit import list_audit
from monitor.store.engine import Database
from tests.engine.sources_stage import Stage
from tests.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from monitor.judge.audit import AuditRow

pytestmark = pytest.mark.anyio

CANARY = "hunter2-canary"
OTHER = "hunter3-canary"
STORE = 'provider = "countdown"\nauthorized_on = 2026-01-15\n'
TOKEN = f'provider = "soldscope"\nbase_url = "http://127.0.0.1:9/v1"\ntoken = "{CANARY}"\n'


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def rows(stage: Stage) -> list[AuditRow]:
    """
    The audit, oldest first.
    """
    database = Database(f"sqlite:///{stage.folder / 'connwatch.db'}")
    with closing(database), database.read() as tx:
        return [row for _, row in reversed(list_audit(tx, most=1000))]


def said(stage: Stage) -> list[tuple[Any, ...]]:
    return [(r.who, str(r.action), r.connection, r.group, r.keys, r.count) for r in rows(stage)]


def entries(*names: str, text: str = STORE) -> str:
    return "".join(f'[[connections]]\nname = "{name}"\n{text}' for name in names)


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[None]:
    """
    A daemon that has started.
    """
    with capture_logs() as logs:
        async with stage.running():
            await until(lambda: any(each["event"] == "daemon.started" for each in logs))
            yield


async def reload(stage: Stage, text: str, n_rows: int) -> list[tuple[Any, ...]]:
    """
    Put the file into force, and return the rows that came by that.
    """
    before = len(rows(stage))
    stage.configure(text)
    stage.reload.set()
    await until(lambda: len(rows(stage)) >= before + n_rows)
    return said(stage)[before:]


async def start(stage: Stage, text: str) -> list[tuple[Any, ...]]:
    """
    Start a daemon by the file, stop it, and return the rows that came by that.
    """
    known = (stage.folder / "connwatch.db").exists()
    before = len(rows(stage)) if known else 0
    stage.configure(text)
    async with running(stage):
        pass
    return said(stage)[before:]


PUT, DELETE = ("file", "put"), ("file", "delete")
KEYS = ("authorized_on", "provider")
CASES: dict[str, tuple[str, str, list[tuple[Any, ...]]]] = {
    "a connection is added": ("", entries("a"), [(*PUT, "a", None, KEYS, 1)]),
    "several are added": ("", entries("a", "b"), [(*PUT, None, None, KEYS, 2)]),
    "one of a group is added": (
        "",
        entries("a", text=STORE + 'group = "acme"\n'),
        [(*PUT, "a", "acme", ("authorized_on", "group", "provider"), 1)],
    ),
    "one is changed": (
        entries("a", "b"),
        entries("a") + entries("b", text=STORE + 'tags = ["eu"]\n'),
        [(*PUT, "b", None, ("tags",), 1)],
    ),
    "one has another secret": (
        entries("a", text=TOKEN),
        entries("a", text=TOKEN.replace(CANARY, OTHER)),
        [(*PUT, "a", None, ("token",), 1)],
    ),
    "one is taken out": (entries("a", "b"), entries("a"), [(*DELETE, "b", None, (), 1)]),
    "one of a group is taken out": (
        entries("a", text=STORE + 'group = "acme"\n') + entries("b"),
        entries("b"),
        [(*DELETE, "a", "acme", (), 1)],
    ),
    "some come and some go": (
        entries("a", "b"),
        entries("c", "d"),
        [(*PUT, None, None, KEYS, 2), (*DELETE, None, None, (), 2)],
    ),
    "one is renamed": (
        entries("a", text=TOKEN),
        entries("b", text=TOKEN + 'renamed_from = "a"\n'),
        [(*PUT, "b", None, ("name", "renamed_from"), 1)],
    ),
    "many are added": (
        "",
        entries(*(f"s{n:02}" for n in range(FEW + 1))),
        [(*PUT, None, None, (), FEW + 1)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    "case", ["one is changed", "one has another secret", "some come and some go", "one is renamed"]
)
async def test_what_the_file_changed_is_a_row_at_the_next_start(case, stage):
    before, after, expected = CASES[case]
    await start(stage, before)
    assert await start(stage, after) == expected
    assert await start(stage, after) == [], "nothing has changed"


@pytest.mark.parametrize("case", CASES)
async def test_what_the_file_changes_is_a_row(case, stage):
    before, after, expected = CASES[case]
    stage.configure(before)
    async with running(stage):
        assert await reload(stage, after, len(expected)) == expected
    assert CANARY not in repr(rows(stage))
    assert OTHER not in repr(rows(stage))


async def test_a_reload_that_changes_other_tables_names_them(stage):
    stage.configure(entries("a"))
    async with running(stage):
        quiet = entries("a") + '\n[alerts]\ntimezone = "Europe/Berlin"\n'
        assert await reload(stage, quiet, 1) == [(*PUT, None, None, ("[alerts]",), 1)]
        both = entries("a", "b")
        assert await reload(stage, both, 1) == [(*PUT, "b", None, (*KEYS, "[alerts]"), 1)]


@pytest.mark.slow
async def test_a_reload_of_ten_thousand_changes_writes_one_row(stage):
    stage.configure("")
    many = entries(*(f"s{n:05}" for n in range(10_000)))
    async with running(stage):
        assert await reload(stage, many, 1) == [(*PUT, None, None, (), 10_000)]


READ = ("source:stores", "reading")


async def test_a_reading_is_one_row_with_what_it_changed(stage):
    stage.list_rows([{"name": "a", "group": "acme"}])
    async with stage.running():
        await stage.read()
        stage.list_rows(
            [{"name": "a", "notes": "new"}, *({"name": f"s{n:04}"} for n in range(2500))]
        )
        await stage.read()
        await stage.read()
        stage.list_names("a", *(f"s{n:04}" for n in range(2499)))
        await stage.read()
        await asyncio.sleep(1.1)  # the least that `remove_after` can be
        await stage.read()
    assert said(stage) == [
        (*READ, "a", "acme", ("added",), 1),
        (*READ, None, None, ("added", "changed"), 2501),
        (*READ, "a", None, ("changed",), 1),
        (*READ, "s2499", None, ("removed",), 1),
    ]


async def test_a_source_that_is_no_more_is_one_row(stage):
    stage.list_names("a", "b")
    async with stage.running():
        await stage.read()
        stage.configure("")
        stage.reload.set()
        await until(lambda: ("file", "put", None, None, ("[sources]",), 1) in said(stage))
        await stage.read_gone()
    assert said(stage)[-1] == (*READ, None, None, ("removed",), 2)


async def test_an_unchanged_reading_and_a_bad_one_write_no_row(stage):
    stage.list_names("a", "b")
    async with stage.running():
        await stage.read()
        before = said(stage)
        await stage.read()
        (stage.folder / "stores.jsonl").write_text("no JSON")
        await stage.read()
    assert said(stage) == before
