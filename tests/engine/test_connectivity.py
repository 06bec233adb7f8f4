from __future__ import annotations

import asyncio

import pytest

from monitor.engine import connectivity as module
from monitor.engine.connectivity import ConnectivityCheck
from monitor.judge.incidents import Connectivity
from monitor.judge.shortage import OutOfResources, Shortage

pytestmark = pytest.mark.anyio


class Page:
    """
    A page of `checks.uplink`.
    """

    def __init__(self, *, is_up: bool) -> None:
        self.is_up = is_up
        self.asked_at: list[float] = []

    async def __call__(self) -> bool:
        self.asked_at.append(asyncio.get_running_loop().time())
        return self.is_up


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    monkeypatch.setattr(module, "CHECK_EVERY_S", 0.0)


@pytest.mark.parametrize(("is_up", "said"), [(True, Connectivity.UP), (False, Connectivity.DOWN)])
async def test_the_answer_is_what_the_pages_say(is_up, said):
    assert await ConnectivityCheck(Page(is_up=is_up)).check() is said


async def test_who_could_not_ask_knows_nothing_and_believes_as_before():
    page = Page(is_up=True)
    is_short = True

    async def ask() -> bool:
        if is_short:
            raise OutOfResources(Shortage.DESCRIPTORS)
        return await page()

    uplinks = ConnectivityCheck(ask)
    assert await uplinks.check() is Connectivity.UNKNOWN
    assert not uplinks.is_check_wanted
    is_short = False
    assert await uplinks.check() is Connectivity.UP


async def test_without_pages_nothing_is_known():
    uplinks = ConnectivityCheck(None)
    assert await uplinks.check() is Connectivity.UNKNOWN
    assert not uplinks.has_any
    assert not uplinks.is_check_wanted


async def test_nobody_is_asked_more_often_than_every_few_seconds(monkeypatch):
    monkeypatch.setattr(module, "CHECK_EVERY_S", 0.2)
    page = Page(is_up=True)
    uplinks = ConnectivityCheck(page)
    await asyncio.gather(*(uplinks.check() for _ in range(3)))
    first, second, third = page.asked_at
    assert min(second - first, third - second) >= 0.19


async def test_pages_that_are_down_while_services_answer_are_not_believed():
    page = Page(is_up=False)
    uplinks = ConnectivityCheck(page)
    await uplinks.check()
    uplinks.note_answer()
    assert await uplinks.check() is Connectivity.UNKNOWN
    assert uplinks.is_check_wanted
    page.is_up = True
    assert await uplinks.check() is Connectivity.UP
    page.is_up = False
    assert await uplinks.check() is Connectivity.DOWN, "who has answered is believed again"


async def test_an_answer_from_before_takes_no_belief_away():
    uplinks = ConnectivityCheck(Page(is_up=False))
    uplinks.note_answer()
    assert await uplinks.check() is Connectivity.DOWN


async def test_it_is_asked_again_only_while_it_is_down():
    page = Page(is_up=False)
    uplinks = ConnectivityCheck(page)
    seen = [uplinks.is_check_wanted]
    for page.is_up in (False, True):
        await uplinks.check()
        seen.append(uplinks.is_check_wanted)
    assert seen == [False, True, False]
