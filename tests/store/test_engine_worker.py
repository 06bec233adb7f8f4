from __future__ import annotations

import asyncio
import threading

import pytest
from sqlalchemy import func, insert, select

from monitor.store import engine
from monitor.store.engine import StoreError, StoreWorker
from monitor.store.schema import deletions
from tests.fakes import NOON
from tests.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio


def count(tx) -> int:
    counted: int = tx.execute(select(func.count()).select_from(deletions)).scalar_one()
    return counted


def add_name(tx) -> str:
    name = f"name-{count(tx)}"
    tx.execute(insert(deletions).values(name=name, at=NOON))
    return name


async def test_work_is_done_in_order_and_brings_its_result(worker):
    names = await asyncio.gather(*(worker.write(add_name) for _ in range(5)))
    assert names == [f"name-{number}" for number in range(5)]
    assert await worker.read(count) == 5


async def test_all_work_is_done_in_one_other_thread(worker):
    threads = {await worker.read(lambda _: threading.get_ident()) for _ in range(5)}
    assert len(threads) == 1
    assert threads != {threading.get_ident()}


async def test_the_event_loop_goes_on_meanwhile(worker):
    may_end = threading.Event()
    work = asyncio.create_task(worker.write(lambda _: may_end.wait(timeout=PATIENCE_S)))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not work.done()
    may_end.set()
    assert await work is True


async def test_work_that_fails_keeps_nothing_and_harms_nobody(worker):
    def fail(tx) -> None:
        add_name(tx)
        raise LookupError

    with pytest.raises(LookupError):
        await worker.write(fail)
    assert await worker.read(count) == 0


async def test_a_locked_database_is_told_and_works_later(worker, open_database, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_S", 0)
    with open_database().write():
        with pytest.raises(StoreError, match="locked"):
            await worker.write(add_name)
        assert await worker.read(count) == 0
    await worker.write(add_name)


async def test_whoever_stops_waiting_does_not_stop_the_work(worker):
    has_begun, may_end = threading.Event(), threading.Event()

    def add_slowly(tx) -> None:
        has_begun.set()
        may_end.wait(timeout=PATIENCE_S)
        add_name(tx)

    waiting = asyncio.create_task(worker.write(add_slowly))
    await asyncio.to_thread(has_begun.wait, 10)
    waiting.cancel()
    may_end.set()
    assert await worker.read(count) == 1
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_closing_waits_for_the_present_work(database):
    worker = StoreWorker(database)
    has_begun = threading.Event()

    def add_slowly(tx) -> None:
        has_begun.set()
        add_name(tx)

    work = asyncio.create_task(worker.write(add_slowly))
    await asyncio.to_thread(has_begun.wait, 10)
    worker.close()
    await work
    with database.read() as tx:
        assert count(tx) == 1
