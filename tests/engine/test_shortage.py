"""When people are alerted of a shortage of our own, and of its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from monitor.alerting.incidents import begin_shortage
from monitor.clock import utc_now
from monitor.engine.shortage import FORGET_AFTER_S, SPARE_FOR_S, TELL_AFTER_S, ShortageWatch
from monitor.judge.shortage import Shortage
from monitor.store.engine import StoreError, StoreWorker
from tests.builders import Story, entry, plan_of
from tests.shortage import full_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.notify.delivery import Delivery

pytestmark = pytest.mark.anyio


class Waker:
    """A delivery that counts how often it is woken."""

    def __init__(self) -> None:
        self.n_woken = 0

    def wake(self) -> None:
        self.n_woken += 1


class Watch:
    """A watch whose time stands still until it is moved."""

    def __init__(self, story: Story) -> None:
        self.story, self.now_s = story, 1000.0
        self.store = StoreWorker(story.database)
        self.delivery = Waker()
        self.restart()

    def restart(self) -> None:
        self.shortage = ShortageWatch(lambda: self.now_s)

    async def look(self, after_s: float = 0) -> list[str]:
        """Look at it once; return the kinds of all alerts so far."""
        self.now_s += after_s
        await self.shortage.look(self.store, self.story.plan, cast("Delivery", self.delivery))
        return [kind for kind, _ in self.story.kinds()]


@pytest.fixture
def watch(database) -> Iterator[Watch]:
    watch = Watch(Story.begin(database, plan_of(entry("one"))))
    yield watch
    watch.store.close()


async def test_a_shortage_that_passes_at_once_alerts_no_one(watch):
    watch.shortage.note_waiting(1, Shortage.DESCRIPTORS)
    assert watch.shortage.is_fresh
    assert await watch.look(TELL_AFTER_S - 1) == []
    watch.shortage.note_done(1)
    assert await watch.look(2) == []
    assert not watch.shortage.is_fresh
    assert watch.delivery.n_woken == 0


async def test_one_that_lasts_is_announced_once_and_its_end_too(watch):
    for _ in range(5):
        watch.shortage.note_waiting(1, Shortage.DESCRIPTORS)
        kinds = await watch.look(TELL_AFTER_S / 2)
    assert kinds == ["monitor_offline"]
    watch.story.send_all()
    watch.shortage.note_done(1)
    assert await watch.look(1) == ["monitor_offline", "monitor_online"]
    assert await watch.look(1) == ["monitor_offline", "monitor_online"]
    assert watch.delivery.n_woken == 2


async def test_what_waits_no_more_since_it_was_deleted_ends_it(watch):
    watch.shortage.note_waiting(1, Shortage.MEMORY)
    await watch.look(TELL_AFTER_S)
    watch.story.send_all()
    assert await watch.look(FORGET_AFTER_S) == ["monitor_offline", "monitor_online"]


async def test_only_few_checks_start_for_a_while_after_it(watch):
    watch.shortage.note_waiting(1, Shortage.THREADS)
    watch.now_s += SPARE_FOR_S - 0.1
    assert watch.shortage.is_fresh
    watch.now_s += 0.2
    assert not watch.shortage.is_fresh


@pytest.fixture
def announced(watch: Watch) -> Watch:
    """A daemon that starts after one that has announced a shortage."""
    at = utc_now()
    with watch.story.database.write() as tx:
        begin_shortage(tx, watch.story.plan, Shortage.DESCRIPTORS, at, 1, at)
    watch.story.send_all()
    watch.restart()
    return watch


async def test_after_a_start_no_end_is_announced_before_a_check_was_made(announced):
    assert await announced.look(1) == ["monitor_offline"]
    announced.shortage.note_waiting(1, Shortage.DESCRIPTORS)
    assert await announced.look(TELL_AFTER_S) == ["monitor_offline"]


@pytest.mark.parametrize("is_checked", [True, False], ids=["a check", "nothing to check"])
async def test_after_a_start_the_end_is_announced_once_that_is_known(announced, is_checked):
    if is_checked:
        announced.shortage.note_done(1)
    kinds = await announced.look(1 if is_checked else FORGET_AFTER_S)
    assert kinds == ["monitor_offline", "monitor_online"]
    assert await announced.look(1) == kinds


async def test_a_disk_that_was_full_for_long_is_announced_once_there_is_room(watch):
    with full_disk(), pytest.raises(StoreError, match="full"):
        await watch.store.write(
            lambda tx: tx.exec_driver_sql("CREATE TABLE large AS SELECT randomblob(4000000)")
        )
    assert await watch.look(1) == []
    await watch.store.write(lambda _: None)
    assert await watch.look(TELL_AFTER_S) == ["monitor_online"]
    assert await watch.look(1) == ["monitor_online"]
