"""
Every command of the page on the API, against a daemon that runs.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.command_line import connwatch
from tests.daemon_process import run_daemon
from tests.loopback import free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = (Path(__file__).parents[2] / "docs/api.md").read_text("utf-8")
SHELL = [
    line for block in re.findall(r"(?ms)^```sh\n(.*?)^```$", PAGE) for line in block.splitlines()
]
JSON = [
    json.loads(line)
    for block in re.findall(r"(?ms)^```json\n(.*?)^```$", PAGE)
    for line in block.splitlines()
]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], httpx.Response]]:
    """
    Returns what does a command of curl as that would.
    """
    port = free_port()
    (tmp_path / "config.toml").write_text(f'[web]\nlisten = "127.0.0.1:{port}"\n')
    made = connwatch("web", "key", cwd=tmp_path)
    (tmp_path / "fernet-key").write_text(made.out)
    (tmp_path / "config.toml").write_text(
        f'[web]\nlisten = "127.0.0.1:{port}"\nkey = {{ file = "fernet-key" }}\n'
    )
    added = connwatch("web", "token", "add", "onboarding", cwd=tmp_path)
    token = re.search(r"cw_\S+", added.out)
    assert token is not None

    def ask(line: str) -> httpx.Response:
        words = shlex.split(line.replace("$TOKEN", token[0]))[1:]
        method, body, headers, url = "GET", None, {}, ""
        for word, value in zip(words, [*words[1:], ""], strict=True):
            match word:
                case "-X":
                    method = value
                case "-H":
                    name, _, text = value.partition(": ")
                    headers[name] = text
                case "-d":
                    body = value.encode()
                case "--data-binary":
                    method, body = "POST", (tmp_path / value.removeprefix("@")).read_bytes()
                case _ if word.startswith("http"):
                    url = word.replace(":8080", f":{port}")
        response: httpx.Response = httpx.request(method, url, content=body, headers=headers)
        return response

    with run_daemon(tmp_path) as daemon:
        daemon.wait_for("daemon.started")
        yield ask


def _curl(part: str) -> str:
    [line] = [str(line) for line in SHELL if line.startswith("curl") and part in line]
    return line


def test_every_command_does_what_the_page_says(run, tmp_path):
    created = run(_curl("-X PUT http"))
    assert (created.status_code, created.json()["owner"]) == (201, "dashboard")
    address = created.request.url
    by_token = {"Authorization": created.request.headers["Authorization"]}

    def is_checked() -> bool:
        return httpx.get(address, headers=by_token).json()["last_check"] is not None

    wait_until(is_checked)  # that nothing answers at that address is a result too

    _problem, entry, *lines = JSON
    assert run(_curl("/config")).json() == entry

    [made] = [line for line in SHELL if line.startswith("printf")]
    *texts, _, name = shlex.split(made)[2:]
    (tmp_path / name).write_text("".join(f"{text}\n" for text in texts))
    answered = [json.loads(line) for line in run(_curl(":batch")).text.splitlines()]
    assert [(one["line"], one["name"], one["status"]) for one in answered] == [
        (one["line"], one["name"], one["status"]) for one in lines
    ]
    assert answered[1]["errors"][0]["place"] == lines[1]["errors"][0]["place"]

    channel = run(_curl("/channels/ops"))
    assert (channel.status_code, channel.json()["url"]) == (201, {"set": True})
    assert run(_curl("-X DELETE")).status_code == 204
    assert httpx.get(address, headers=by_token).status_code == 404
