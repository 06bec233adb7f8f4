"""
Secrets that commands print: real programs, real files, real processes.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from monitor.config import commands
from monitor.config.commands import MOST_AT_ONCE, run_command, share_command
from monitor.config.secret import MalformedSecret, Secret, SecretUnavailable
from tests.waiting import PATIENCE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BAIT = "hunter2"


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str], str]:
    """
    Writes a program of the shell and returns its path.
    """

    def write(text: str, name: str = "program") -> str:
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        path.chmod(stat.S_IRWXU)
        return str(path)

    return write


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:  # noqa: PTH123 - the system's
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize(
    ("printed", "value"),
    [
        pytest.param("printf x", "x", id="without a line break"),
        pytest.param(r"printf 'x\n'", "x", id="one line break is cut"),
        pytest.param(r"printf 'x\r\n'", "x", id="that of another system too"),
        pytest.param("printf ' x y '", " x y ", id="spaces are kept"),
        pytest.param("printf 'ключ'", "ключ", id="UTF-8"),
        pytest.param(f"printf {BAIT}; echo noise >&2", BAIT, id="stderr is something else"),
        pytest.param("cat; printf x", "x", id="its input is at its end"),
        pytest.param("printf x; exec >&-; sleep 0.1", "x", id="output closed before the end"),
    ],
)
def test_what_a_command_prints_is_the_secret(program, tmp_path, printed, value):
    command = [program(printed)]
    assert Secret({"command": command}, tmp_path).reveal() == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param(f"echo {BAIT}; exit 1", "exit 1", id="exit 1"),
        pytest.param(f"echo {BAIT}; echo {BAIT} >&2; exit 77", "exit 77", id="exit 77"),
        pytest.param("exit 0", "printed nothing", id="nothing"),
        pytest.param("echo", "printed nothing", id="a line break"),
        pytest.param("printf '  '", "printed nothing", id="spaces"),
        pytest.param("kill -SEGV $$", "ended by SIGSEGV", id="a signal"),
        pytest.param(
            "head -c 65537 /dev/zero | tr '\\0' x", "printed more than 64 KiB", id="too much"
        ),
        pytest.param("yes", "printed more than 64 KiB", id="without end"),
    ],
)
def test_a_command_of_no_use_is_named_without_its_words(program, tmp_path, text, why):
    secret = Secret({"command": [program(text), BAIT]}, tmp_path)
    with pytest.raises(SecretUnavailable) as caught:
        secret.reveal()
    assert str(caught.value).startswith(f"command: {why}")
    assert BAIT not in str(caught.value) + repr(secret) + secret.source


def test_as_much_as_is_allowed_is_taken(program, tmp_path):
    command = program("head -c 65536 /dev/zero | tr '\\0' x")
    assert Secret({"command": [command]}, tmp_path).reveal() == "x" * 65536


@pytest.mark.parametrize(
    ("command", "why"),
    [
        pytest.param(["/nonexistent/op", "read"], "no such file or directory", id="absent"),
        pytest.param(["op read op://vault/item"], "no such file or directory", id="one word"),
        pytest.param(["/etc"], "permission denied", id="a folder"),
    ],
)
def test_a_command_that_cannot_be_started_says_why(tmp_path, command, why):
    with pytest.raises(SecretUnavailable, match=why) as caught:
        Secret({"command": command}, tmp_path).reveal()
    assert "no shell" in str(caught.value)


def test_no_shell_reads_the_words(tmp_path):
    words = ["printf", "%s", "$(id); `id` | $HOME > x"]
    assert Secret({"command": words}, tmp_path).reveal() == words[2]
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - the names


def test_a_relative_program_is_taken_from_the_folder_of_the_file(program, tmp_path):
    program("pwd", "where")
    assert Secret({"command": ["./where"]}, tmp_path).reveal() == str(tmp_path)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        pytest.param("op read x", "a list of its words", id="a text"),
        pytest.param([], "a list of its words", id="an empty list"),
        pytest.param(["op", 7], "a list of its words", id="a number"),
        pytest.param(["op", ["x"]], "a list of its words", id="a list within"),
        pytest.param(["op", "a\0b"], "a list of its words", id="a zero byte"),
        pytest.param(["", "x"], "the first word is the program", id="an empty program"),
        pytest.param(["  "], "the first word is the program", id="a blank program"),
        pytest.param(["o\np"], "the first word is the program", id="a line break"),
    ],
)
def test_what_is_no_command_is_refused(written, why):
    with pytest.raises(ValueError, match=why):
        Secret({"command": written})


def test_a_command_stands_alone():
    with pytest.raises(ValueError, match="exactly one source"):
        Secret({"command": ["op"], "env": "TOKEN"})


# --- bounds


def test_a_command_that_takes_too_long_is_ended_with_its_children(program, tmp_path):
    pids = tmp_path / "pids"
    text = f"sh -c 'echo $$ > {pids}; sleep 600' & echo {BAIT}; sleep 600"
    printed = run_command((program(text),), tmp_path, patience_s=0.5)
    assert (printed.value, printed.why) == (None, "no result within 0.5 s")
    wait_until(lambda: not is_alive(int(pids.read_text())))


def test_what_a_command_leaves_running_holds_up_nobody(program, tmp_path):
    pids = tmp_path / "pids"
    text = f"sleep 600 & echo $! > {pids}; echo {BAIT}"
    began = time.monotonic()
    printed = run_command((program(text),), tmp_path, patience_s=PATIENCE_S)
    assert printed.value == BAIT
    assert time.monotonic() - began < PATIENCE_S / 2
    wait_until(lambda: not is_alive(int(pids.read_text())))


def test_what_systemd_says_to_the_daemon_is_not_handed_on(program, tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/x")
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.setenv(name, "7")
    monkeypatch.setenv("VAULT_TOKEN", BAIT)
    command = program("env | grep -c '^NOTIFY_SOCKET\\|^WATCHDOG_\\|^LISTEN_'; echo $VAULT_TOKEN")
    assert run_command((command,), tmp_path).value == f"0\n{BAIT}"


def test_a_command_has_no_terminal_and_no_descriptor_of_ours(program, tmp_path):
    with (tmp_path / "file").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003 - the function's own
        look = "import os; print([fd for fd in range(3, 64) if os.path.exists(f'/dev/fd/{fd}')])"
        value = run_command((sys.executable, "-c", look), tmp_path).value
    assert value == "[]"
    assert run_command((program("echo < /dev/tty || echo none"),), tmp_path).value == "none"


def test_so_many_run_at_a_time_and_no_more(program, tmp_path):
    (tmp_path / "now").mkdir()
    text = f"mkdir {tmp_path}/now/$1; ls {tmp_path}/now | wc -l; sleep 0.1; rmdir {tmp_path}/now/$1"
    command = program(text)
    shared = [share_command((command, str(n)), tmp_path) for n in range(3 * MOST_AT_ONCE)]
    runs = [each.start() for each in shared]
    counts = [int(run.result(PATIENCE_S).value or 0) for run in runs]
    assert 1 < max(counts) <= MOST_AT_ONCE


def test_equal_commands_are_run_once(program, tmp_path):
    log = tmp_path / "log"
    command = program(f"echo x >> {log}; sleep 0.1; echo {BAIT}")
    secrets = [Secret({"command": [command]}, tmp_path) for _ in range(20)]
    threads = [threading.Thread(target=each.reveal) for each in secrets]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_S)
    assert {each.reveal() for each in secrets} == {BAIT}
    assert log.read_text() == "x\n"


def test_commands_are_equal_if_all_their_words_are(tmp_path):
    one = Secret({"command": ["op", "read", "a"]}, tmp_path)
    assert one == Secret({"command": ["op", "read", "a"]}, tmp_path)
    assert one != Secret({"command": ["op", "read", "b"]}, tmp_path)
    assert one != Secret({"env": "op"}, tmp_path)
    assert len({one, Secret({"command": ["op", "read", "a"]}, tmp_path)}) == 1


# --- again and again


def counting(program: Callable[[str], str], folder: Path, then: str) -> str:
    """
    Return a program that knows how often it was run, as `$n`.
    """
    return program(f"echo x >> {folder}/log; n=$(wc -l < {folder}/log); {then}")


def test_after_a_rejection_it_is_run_again(program, tmp_path):
    secret = Secret({"command": [counting(program, tmp_path, "echo value-$n")]}, tmp_path)
    assert secret.reveal() == "value-1"
    assert secret.reveal() == "value-1"
    assert secret.refresh()
    assert secret.reveal() == "value-2"


def test_a_run_of_no_use_keeps_the_last_value(program, tmp_path):
    text = "[ $n = 1 ] && echo first || exit 3"
    secret = Secret({"command": [counting(program, tmp_path, text)]}, tmp_path)
    assert secret.reveal() == "first"
    with pytest.raises(SecretUnavailable, match=r"^command: exit 3$"):
        secret.refresh()
    assert secret.reveal() == "first"


def test_a_flawed_value_does_not_replace_a_good_one(program, tmp_path):
    text = r"[ $n = 1 ] && echo first || printf 'two\nlines'"
    secret = Secret({"command": [counting(program, tmp_path, text)]}, tmp_path)
    assert secret.reveal() == "first"
    with pytest.raises(MalformedSecret, match="control character"):
        secret.refresh()
    assert secret.reveal() == "first"


def test_it_is_run_again_when_its_time_has_come(program, tmp_path):
    secret = Secret({"command": [counting(program, tmp_path, "echo value-$n")]}, tmp_path)
    secret.repeat_every(timedelta(seconds=0.1))
    assert secret.reveal() == "value-1"
    wait_until(lambda: secret.reveal() not in {"value-1", "value-2"})


def test_runs_are_spread(program, tmp_path):
    command = program("echo x")
    waits = set()
    for n in range(8):
        shared = share_command((command, str(n)), tmp_path)
        shared.refresh_every = timedelta(seconds=100)
        shared.start().result(PATIENCE_S)
        waits.add(round(shared._again_at - time.monotonic()))
    assert len(waits) > 1
    assert all(79 <= each <= 100 for each in waits)


def test_a_failed_command_is_not_run_for_each_that_wants_it(program, tmp_path):
    command = [counting(program, tmp_path, "exit 1")]
    for _ in range(20):
        with pytest.raises(SecretUnavailable, match=r"^command: exit 1$"):
            Secret({"command": command}, tmp_path).reveal()
        keep = Secret({"command": command}, tmp_path)
    assert keep is not None
    assert 1 <= len((tmp_path / "log").read_text().split()) < 20


def test_what_nobody_holds_is_forgotten(program, tmp_path):
    secret = Secret({"command": [counting(program, tmp_path, "echo $n")]}, tmp_path)
    assert secret.reveal() == "1"
    del secret
    assert (str(tmp_path / "program"),) not in {argv for argv, _ in commands._known}


# --- the event loop


@pytest.mark.anyio
async def test_the_loop_goes_on_while_a_command_runs(program, tmp_path):
    secret = Secret({"command": [program(f"sleep 0.3; echo {BAIT}")]}, tmp_path)
    with pytest.raises(SecretUnavailable, match="not finished yet"):
        secret.reveal()
    waiting = asyncio.create_task(secret.make_ready())
    n_turns = 0
    while not waiting.done():
        await asyncio.sleep(0.01)
        n_turns += 1
    assert secret.reveal() == BAIT
    assert n_turns > 5


@pytest.mark.anyio
async def test_one_that_gives_up_waiting_takes_nothing_from_others(program, tmp_path):
    command = {"command": [program(f"sleep 0.3; echo {BAIT}")]}
    first, second = Secret(command, tmp_path), Secret(command, tmp_path)
    waiting = asyncio.create_task(first.make_ready())
    other = asyncio.create_task(second.make_ready())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, other, return_exceptions=True)
    assert second.reveal() == BAIT


@pytest.mark.anyio
async def test_it_is_renewed_without_holding_up_the_loop(program, tmp_path):
    secret = Secret({"command": [counting(program, tmp_path, "echo value-$n")]}, tmp_path)
    await secret.make_ready()
    assert secret.reveal() == "value-1"
    assert not secret.refresh()  # only begun: a loop is not held up
    await secret.renew()
    wait_until(lambda: secret.reveal() != "value-1")


def test_the_end_of_the_program_ends_what_runs(program, tmp_path):
    pids = tmp_path / "pids"
    command = program(f"echo $$ > {pids}; sleep 600")
    script = (
        "import sys, time; from pathlib import Path;"
        " from monitor.config.commands import share_command;"
        f" c = share_command(({command!r},), Path('/')); c.start()\n"
        f"while not Path({str(pids)!r}).exists() or not Path({str(pids)!r}).read_text():"
        " time.sleep(0.01)"
    )
    import subprocess

    done = subprocess.run([sys.executable, "-c", script], timeout=PATIENCE_S, check=False)
    assert done.returncode == 0
    wait_until(lambda: not is_alive(int(pids.read_text())))
