"""
Measure how soon the dashboard answers, and with how much.

`python -m tests.benchmarks dashboard [--connections N] [--times N]` prints one line a page: how
long the answer took, in the middle and at worst, without the network; what of that the processor
worked for it, which says the same on a busy machine; and the size before compression.

The list must arrive within 300 ms of work and 300 KB with 10,000 connections, also while they
change: before each answer a hundred of them are checked anew. Ends with 1 if it does not.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

from monitor.config.load import load_config
from monitor.config.plan import make_plan
from monitor.store import migrate
from monitor.store.engine import Database
from tests.builders import OK, REFUSED, Story, ok_with, watched_of
from tests.fakes import NOON
from tests.web_client import open_web

if TYPE_CHECKING:
    from collections.abc import Sequence

    from monitor.config.model import Config
    from monitor.judge.outcome import Outcome
    from tests.web_client import Web

WITHIN_MS = 300
WITHIN_KB = 300
CHANGED = 100
BATCH = 500

PAGES = {
    "the list": "/",
    "all pieces of it": "/?limit=150",
    "a search": "/?q=token-0123",
    "a filter": "/?state=error&tag=production",
    "one connection": "/connections/token-00042",
    "alerts": "/alerts",
    "calendar": "/calendar",
    "JSON, 100 of them": "/api/v1/connections",
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks dashboard")
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=20)
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        story, config = fill(Path(folder), chosen.connections)
        is_kept = asyncio.run(measure(story, config, chosen.times))
        story.database.close()
    if not is_kept:
        sys.exit(f"the list did not arrive within {WITHIN_MS} ms and {WITHIN_KB} KB")


def fill(folder: Path, n: int) -> tuple[Story, Config]:
    """
    Make a database with *n* connections that were checked, one in fifty of them refused.
    """
    lines = []
    for number in range(n):
        tag = "production" if number % 3 else "staging"
        lines += [
            "[[connections]]",
            f'name = "token-{number:05}"',
            'provider = "soldscope"',
            'base_url = "https://api.example.com"',
            f'token = "token-{number:05}"',
            f'tags = ["{tag}", "team-{number % 20}"]',
            f"authorized_on = {(NOON - timedelta(days=number % 364)).date()}",
        ]
    path = folder / "config.toml"
    path.touch(mode=0o600)
    path.write_text("\n".join(lines))
    config = load_config(path)
    database = Database(f"sqlite:///{folder / 'connwatch.db'}")
    migrate.upgrade(database)
    story = Story.begin(database, make_plan(config))
    check(story, range(n), 0)
    return story, config


def check(story: Story, numbers: Sequence[int], minute: int) -> None:
    at = NOON - timedelta(hours=1) + timedelta(minutes=minute)
    for start in range(0, len(numbers), BATCH):
        piece = numbers[start : start + BATCH]
        story.evaluate(at, **{f"token-{number:05}": answer_of(number) for number in piece})


def answer_of(number: int) -> Outcome:
    if number % 50 == 0:
        return REFUSED
    return OK if number % 2 else ok_with(number * 7919 % 10_000, account=f"Account {number}")


async def measure(story: Story, config: Config, times: int) -> bool:
    n = len(watched_of(story.plan))
    is_kept = True
    print(f"{n} connections, {times} times each, {CHANGED} checked before each")
    print(f"{'page':<20} {'middle':>9} {'worst':>9} {'worked':>9} {'size':>9}")
    async with open_web(story.database, story.plan, config) as web:
        # As the daemon does, before anybody looks.
        await web.parts.reader.read(web.parts.overview.refresh)
        for name, path in PAGES.items():
            took, worked, size = await _ask(web, story, path, times)
            print(
                f"{name:<20} {median(took):>6.0f} ms {max(took):>6.0f} ms"
                f" {median(worked):>6.0f} ms {size:>6.0f} KB",
                flush=True,
            )
            if path.startswith("/?") or path == "/":
                is_kept = is_kept and median(worked) < WITHIN_MS and size < WITHIN_KB
    return is_kept


async def _ask(
    web: Web, story: Story, path: str, times: int
) -> tuple[list[float], list[float], float]:
    took, worked, size, n = [], [], 0.0, len(watched_of(story.plan))
    for turn in range(times):
        first = turn * CHANGED % n
        await asyncio.to_thread(check, story, range(first, min(first + CHANGED, n)), turn + 1)
        began, used = perf_counter(), process_time()
        answer = await web.get(path, headers={"Accept": "text/html"})
        took.append((perf_counter() - began) * 1000)
        worked.append((process_time() - used) * 1000)
        assert answer.status_code == 200, (path, answer.text)
        size = len(answer.content) / 1000
    return took, worked, size
