"""
The steps of the button and of the command are the same, on whatever they are tried.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.cli.validate import LOOKS
from tests.stage import run_daemon, set_stage
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.stage import Stage

NAMES = ("store", "revoked", "token", "counted", "any-api")
MARKS = {mark for mark, _ in LOOKS.values()}
STEP = re.compile(
    r'<li class="(?:ok|warning|failed|skipped)">.*?: </span>(.*?)</span>'
    r'<span class="words">(.*?)</span>',
    re.DOTALL,
)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with set_stage(tmp_path_factory.mktemp("stage")) as stage:
        stage.open_store("store")
        revoked = stage.open_store("revoked")
        stage.simulator.amazon.revoke(revoked.id, stage.simulator.clock.now())
        stage.open_token("token")
        stage.add(
            '\n[[connections]]\nname = "counted"\nprovider = "countdown"\n'
            "authorized_on = 2026-01-15\n"
        )
        stage.add(
            '\n[[connections]]\nname = "any-api"\nprovider = "http"\n'
            f'url = "{stage.simulator.soldscope_url}/nowhere"\ntoken = "x"\n'
        )
        with run_daemon(stage):
            yield stage


@pytest.mark.parametrize("name", NAMES)
def test_page_api_and_command_take_the_same_steps(stage, name):
    with httpx.Client(base_url=stage.url, timeout=PATIENCE_S, trust_env=False) as browser:
        browser.get("/")
        word = {"X-CSRF-Token": browser.cookies["connwatch_csrf"]}
        steps = browser.post(f"/api/v1/connections/{name}/validate", headers=word).json()["steps"]
        page = browser.post(f"/connections/{name}/validate", headers=word).text
    command = subprocess.run(
        [sys.executable, "-m", "monitor", f"--config={stage.folder}/config.toml", "validate", name],
        env=os.environ | {"COLUMNS": "500", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    told = [(one["name"], one["words"]) for one in steps]
    assert len(told) > 0
    steps_there = STEP.findall(re.sub("</?code>", "`", page))
    assert [(unescape(a), unescape(b)) for a, b in steps_there] == told
    lines = [" ".join(line.split()) for line in command.stdout.splitlines()]
    marked = [line[2:] for line in lines if line[:1] in MARKS and line[1:2] == " "]
    assert len(marked) == len(told), command
    for line, (step, words) in zip(marked, told, strict=True):
        assert line.startswith(" ".join(f"{step} {words}".split())), line
