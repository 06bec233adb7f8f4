"""
What shells propose.
"""

from __future__ import annotations

import pytest

from tests.bench import Bench, connection
from tests.command_line import connwatch

CHANNEL = '[[channels]]\nname = "ops-slack"\nurl = "json://127.0.0.1:9/"\n'

PROPOSED = {
    "names": ("connwatch status ac", ["acme", "acorn"]),
    "one of several": ("connwatch check globex ac", ["acme", "acorn"]),
    "history": ("connwatch history g", ["globex"]),
    "silence": ("connwatch silence gl", ["globex"]),
    "channels": ("connwatch alerts test o", ["ops-slack"]),
    "kinds": ("connwatch alerts explain acme quota_", ["quota_low", "quota_forecast"]),
    "commands": ("connwatch sta", ["status"]),
    "nothing fits": ("connwatch status zz", []),
}


def propose(bench: Bench, line: str) -> list[str]:
    words = line.split()
    env = {
        "_CONNWATCH_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    ended = connwatch(cwd=bench.folder, env=env)
    assert ended.err == ""
    return ended.out.split()


@pytest.mark.parametrize(("line", "wanted"), PROPOSED.values(), ids=PROPOSED)
def test_what_there_is_is_proposed(bench, line, wanted):
    bench.configure(connection("acme"), connection("acorn"), connection("globex"), more=CHANNEL)

    proposed = propose(bench, line)

    assert [word for word in wanted if word not in proposed] == []
    assert bool(proposed) is bool(wanted)


@pytest.mark.parametrize("text", [None, "[checks]\nevery = 5\n"], ids=["no file", "a bad file"])
def test_without_a_file_of_use_nothing_is_proposed_and_nothing_said(bench, text):
    if text is not None:
        bench.config_path.write_text(text)

    assert propose(bench, "connwatch status ac") == []
