"""
`connwatch simulate`: a service of one's own to try things on.
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
import tomllib
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import pytest

from monitor.config.load import load_config
from tests.command_line import COMMAND, clean_environment, connwatch
from tests.waiting import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def running(*arguments: str, cwd: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """
    Run `simulate`; yield the process, and what it says until it waits.
    """
    process = subprocess.Popen(
        [*COMMAND, "simulate", *arguments],
        cwd=cwd,
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(PATIENCE_S, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line.startswith("valid_days"):  # of the last store
                break
        yield process, said
    finally:
        watchdog.cancel()
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_it_serves_until_it_is_told_to_stop(tmp_path, number):
    with running("--port", "0", cwd=tmp_path) as (process, said):
        base_url = re.search(r"API +(\S+)", said)
        controls = re.search(r"Controls +(\S+)", said)
        token = re.search(r"production +(ss_live_\w+)", said)
        assert base_url
        assert controls
        assert token
        header = {"Authorization": f"Bearer {token[1]}"}
        with httpx.Client(trust_env=False, timeout=PATIENCE_S) as client:
            assert client.get(f"{base_url[1]}/auth/check", headers=header).status_code == 200
            assert "Acme Ltd" in client.get(controls[1]).text

        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, err) == (0, "")
    assert out.endswith("stopped\n")
    assert base_url[1].startswith("http://127.0.0.1:")


def test_what_it_says_can_be_pasted_and_works(tmp_path):
    with running("--port", "0", cwd=tmp_path) as (_, said):
        text = said[said.index("[checks]") :]
        (tmp_path / "config.toml").write_text(text)
        (tmp_path / "config.toml").chmod(0o600)

        ended = connwatch("check", cwd=tmp_path)

    assert [each["name"] for each in tomllib.loads(text)["connections"]] == [
        "acme-production",
        "acme-staging",
        "acme-north-america",
        "acme-europe",
        "globex-far-east",
        "initech-uk",
    ]
    assert len(load_config(tmp_path / "config.toml").connections) == 6
    # One of the stores is soon to be renewed.
    assert (ended.code, ended.out.count("active")) == (1, 7), ended.out + ended.err


def test_a_port_that_is_taken_is_a_sentence(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = connwatch("simulate", "--port", str(port), cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert ended.err == (
        f"connwatch: port {port} is taken: name another one, or take any free one with --port 0\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [("--port", "99999"), ("--port", "x"), ("--host", "192.0.2.1"), ("--host", "no.such.invalid")],
    ids=" ".join,
)
def test_an_address_that_cannot_be_had_is_a_sentence(tmp_path, arguments):
    ended = connwatch("simulate", *arguments, cwd=tmp_path)

    assert (ended.code, ended.out) == (3, "")
    assert "connwatch: " in ended.err
    assert "Traceback" not in ended.err


def test_whoever_opens_it_to_others_is_warned(tmp_path):
    with running("--port", "0", "--host", "0.0.0.0", cwd=tmp_path) as (process, said):
        process.terminate()
        _, err = process.communicate(timeout=PATIENCE_S)

    assert "http://127.0.0.1:" in said
    assert "anyone who can reach 0.0.0.0 can control" in err


def test_an_empty_host_does_not_open_the_simulator_to_everybody(tmp_path):
    ended = connwatch("simulate", "--host", "", "--port", "0", cwd=tmp_path)
    assert (ended.code, ended.out) == (3, "")
    assert "--host is empty" in ended.err
