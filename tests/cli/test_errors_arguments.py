"""
Arguments that are no text: every command refuses each of them before it does anything.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer

from monitor.cli import app
from monitor.cli.errors import LONGEST_ARGUMENT, find_unusable_argument
from tests.bench import connection
from tests.command_line import ROOT, clean_environment, connwatch

if TYPE_CHECKING:
    from collections.abc import Iterator

BAD = {
    "not UTF-8": ("hunter2\udcff\udcfe", "not UTF-8"),
    "NUL": ("hunter2\x00", "control character"),
    "escape": ("\x1b[31mhunter2", "control character"),
    "line break": ("hunter2\nx", "line break"),
    "line separator": ("hunter2\u2028x", "line break"),
    "too long": ("hunter2" * LONGEST_ARGUMENT, "longer than"),
}


def places(command, path: tuple[str, ...] = ()) -> Iterator[list[str]]:
    """
    Yield the words before each value that a command takes.
    """
    for name, inner in getattr(command, "commands", {}).items():
        yield from places(inner, (*path, name))
    for parameter in command.params:
        option = next((each for each in parameter.opts if each.startswith("--")), None)
        if option is None:
            yield [*path]
        elif not getattr(parameter, "is_flag", False):
            yield [*path, option]


PLACES = [each for each in places(typer.main.get_command(app)) if each]


def test_every_command_is_there():
    assert len(PLACES) > 40
    assert ["silence", "--reason"] in PLACES
    assert ["ack", "--note"] in PLACES


@pytest.mark.parametrize("words", PLACES, ids=" ".join)
def test_argument_that_is_no_text_is_refused_before_anything_is_done(bench, words):
    bench.configure(connection("x"))
    for value, why in BAD.values():
        for given in ([*words, value], [*words[:-1], f"{words[-1]}={value}"]):
            if not words[-1].startswith("--") and given[-1] != value:
                continue
            ended = bench.run(*given)
            assert (ended.code, ended.out) == (3, "")
            assert why in ended.err
            assert "hunter2" not in ended.err
            assert len(ended.err.splitlines()) == 1
    assert not bench.database.exists()


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["ack", "x", "--note", "\udcff"], "--note: "),
        (["ack", "x", "--note=\udcff"], "--note: "),
        (["ack", "\udcff"], "argument 2: "),
        (["-v", "x\0"], "-v: "),
        (["ack", "x", "--note\n"], "argument 3: "),
    ],
)
def test_place_is_named(arguments, place):
    said = find_unusable_argument(arguments)
    assert said is not None
    assert said.startswith(place)


@pytest.mark.parametrize("text", ["Ünïcödé ✓", "👩\u200d💻", "", "x" * LONGEST_ARGUMENT])
def test_other_text_passes(text):
    assert find_unusable_argument(["ack", "x", "--note", text]) is None


def test_bytes_that_are_no_text_are_refused_in_a_process_of_its_own(bench):
    bench.configure(connection("x"))
    ended = subprocess.run(
        [sys.executable.encode(), b"-P", b"-m", b"monitor", b"ack", b"x", b"--note", b"\xff\xfe"],
        cwd=bench.folder,
        env=clean_environment(),
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (3, b"")
    assert ended.stderr.decode().startswith("connwatch: --note: not UTF-8 text")


def test_variable_that_names_the_file_is_examined_as_well(bench):
    env = {"CONNWATCH_CONFIG": os.fsdecode(b"/tmp/\xff.toml")}
    ended = connwatch("status", cwd=ROOT, env=env)
    assert ended.code == 3
    assert "$CONNWATCH_CONFIG: not UTF-8 text" in ended.err


def test_a_value_that_is_no_choice_is_answered_with_the_choices_alone(bench):
    bench.configure(connection("x"))
    ended = bench.run("status", "--sort", "x")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.endswith(
        "connwatch: Invalid value for '--sort': 'x' is not one of 'urgency', 'expiry'.\n"
    )
