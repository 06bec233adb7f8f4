from __future__ import annotations

import asyncio

import pytest

from monitor import uplinks as module
from monitor.judge.link import Uplink
from monitor.uplinks import Uplinks

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
    monkeypatch.setattr(module, "ASK_EVERY_S", 0.0)


@pytest.mark.parametrize(("is_up", "said"), [(True, Uplink.UP), (False, Uplink.DOWN)])
async def test_the_answer_is_what_the_pages_say(is_up, said):
    assert await Uplinks(Page(is_up=is_up)).ask() is said


async def test_without_pages_nothing_is_known():
    uplinks = Uplinks(None)
    assert await uplinks.ask() is Uplink.UNKNOWN
    assert not uplinks.has_any
    assert not uplinks.is_worth_asking


async def test_nobody_is_asked_more_often_than_every_few_seconds(monkeypatch):
    monkeypatch.setattr(module, "ASK_EVERY_S", 0.2)
    page = Page(is_up=True)
    uplinks = Uplinks(page)
    await asyncio.gather(*(uplinks.ask() for _ in range(3)))
    first, second, third = page.asked_at
    assert min(second - first, third - second) >= 0.19


async def test_pages_that_are_down_while_services_answer_are_not_believed():
    page = Page(is_up=False)
    uplinks = Uplinks(page)
    await uplinks.ask()
    uplinks.note_answer()
    assert await uplinks.ask() is Uplink.UNKNOWN
    assert uplinks.is_worth_asking
    page.is_up = True
    assert await uplinks.ask() is Uplink.UP
    page.is_up = False
    assert await uplinks.ask() is Uplink.DOWN, "who has answered is believed again"


async def test_an_answer_from_before_takes_no_belief_away():
    uplinks = Uplinks(Page(is_up=False))
    uplinks.note_answer()
    assert await uplinks.ask() is Uplink.DOWN


async def test_it_is_asked_again_only_while_it_is_down():
    page = Page(is_up=False)
    uplinks = Uplinks(page)
    seen = [uplinks.is_worth_asking]
    for page.is_up in (False, True):
        await uplinks.ask()
        seen.append(uplinks.is_worth_asking)
    assert seen == [False, True, False]
