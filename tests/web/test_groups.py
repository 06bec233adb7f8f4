"""
Groups as programs are told of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import DAY
from tests.fakes import NOON
from tests.web.grouped import GroupedWeb, open_grouped
from tests.web_client import open_file

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from monitor.store.engine import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> AsyncIterator[GroupedWeb]:
    async with open_grouped(database, tmp_path) as opened:
        yield opened


async def test_groups_say_how_their_connections_are(world):
    answer = (await world.full.get("/api/v1/groups")).json()
    world.web.check_described("GroupList", answer)
    assert answer["next"] is None
    acme, other = answer["groups"]
    assert acme == {
        "name": "acme",
        "title": "Acme Ltd",
        "notes": "Call Ana.",
        "worst": "pending",
        "summary": {
            "active": 1,
            "error": 0,
            "expired": 0,
            "pending": 2,
            "paused": 0,
            "expiring_soon": 1,
            "needs_attention": 1 + 1,
        },
        "next_end": "2026-12-10T00:00:00Z",
    }
    assert (other["name"], other["worst"]) == ("canary-group", "error")


async def test_people_are_told_of_their_groups_alone(world):
    answer = (await world.limited.get("/api/v1/groups")).json()
    assert [one["name"] for one in answer["groups"]] == ["acme"]
    assert answer["groups"][0] == (await world.full.get("/api/v1/groups")).json()["groups"][0]


def countdown(name: str, group: str = "", more: str = "") -> str:
    text = f'[[connections]]\nname = "{name}"\nprovider = "countdown"\n'
    text += f"authorized_on = 2026-01-15\n{more}\n"
    return text + (f'group = "{group}"\n' if group else "")


WORST = [
    pytest.param("", [], id="no groups"),
    pytest.param('[[groups]]\nname = "empty"\n', [("empty", None, 0)], id="nothing has it"),
    pytest.param(countdown("a", "x"), [("x", "pending", 1)], id="without a table"),
    pytest.param(
        countdown("a", "x") + countdown("b", "x", "enabled = false"),
        [("x", "pending", 2)],
        id="paused counts least",
    ),
    pytest.param(countdown("b", "x", "enabled = false"), [("x", "paused", 1)], id="all paused"),
    pytest.param(countdown("a") + countdown("b", "x"), [("x", "pending", 1)], id="one without"),
    pytest.param(
        countdown("a", "b") + countdown("c", "a") + '[[groups]]\nname = "z"\n',
        [("z", None, 0), ("a", "pending", 1), ("b", "pending", 1)],
        id="those of the file first, then by name",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WORST)
async def test_the_worst_state_and_the_count_of_each(database, tmp_path, text, expected):
    def told(one: dict[str, Any]) -> tuple[str, str | None, int]:
        states = ("active", "error", "expired", "pending", "paused")
        return one["name"], one["worst"], sum(one["summary"][each] for each in states)

    async with open_file(database, tmp_path, text) as web:
        answer = (await web.get("/api/v1/groups")).json()
    assert [told(one) for one in answer["groups"]] == expected


@pytest.mark.parametrize(
    ("days_later", "next_end"),
    [(0, "2026-12-10T00:00:00Z"), (30, None)],
    ids=["to come", "all are over"],
)
async def test_the_next_end_is_one_to_come(database, tmp_path, days_later, next_end):
    text = countdown("a", "x", "valid_days = 329") + countdown("b", "x", "valid_days = 300")
    async with open_file(database, tmp_path, text) as web:
        web.now[0] = NOON + days_later * DAY
        [group] = (await web.get("/api/v1/groups")).json()["groups"]
    assert group["next_end"] == next_end
