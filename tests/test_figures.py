"""
The figures of the code are read and counted as they are meant; no test holds their totals.
"""

from __future__ import annotations

import sys
from types import FunctionType
from typing import TYPE_CHECKING, Any

import pytest

from tests.benchmarks import figures
from tests.benchmarks.climbs import Trip, make_trip

if TYPE_CHECKING:
    from collections.abc import Callable

FILES = {
    "monitor/__init__.py": '"""Say nothing."""\n',
    "monitor/clock.py": "LIMIT = 3\n'''Said of it,\nin two lines.'''\n",
    "monitor/judge/__init__.py": "",
    "monitor/judge/alerts.py": (
        "from typing import TYPE_CHECKING\n\n# why\nif TYPE_CHECKING:\n    from . import quota\n"
    ),
    "monitor/judge/quota.py": (
        "from monitor.judge import alerts\nfrom monitor.clock import LIMIT\n\n\n"
        'def left(n):\n    """Say."""\n    text = """a\n\n    b"""\n    return n, text\n'
    ),
    "monitor/store/alerts.py": "import monitor.judge.alerts\n\n\ndef one():\n    return 1\n",
}


@pytest.fixture
def tree(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_a_tree_is_described(tree):
    assert dict(figures.describe(tree)) == {
        "files": 6,
        "different basenames": 4,
        "loose modules": 2,
        "circles, file by file": "1; monitor.judge.alerts <-> monitor.judge.quota",
        "circles, package by package": "0",
        "floors of packages": 3,
        "total lines": "24",
        "code lines": "14",
        "functions, median / p90 / max": "4 / 6 / 6",
        "lines of a file, median / largest": "5 / 10",
    }


def test_a_circle_of_packages_is_one_floor():
    graph = {"cli": {"web"}, "web": {"engine"}, "engine": {"web", "store"}, "store": set()}
    assert figures.find_circles(graph) == [{"engine", "web"}]
    assert figures.count_floors(graph) == 3


def test_the_files_of_each_usual_change_are_counted():
    text = (
        "## Adding things\n\n**A provider** (a service):\n\n| file | what |\n|---|---|\n"
        "| `monitor/config/` | its keys, like `monitor/config/connections.py` |\n"
        "| `monitor/providers/base.py`, `monitor/providers/registry.py` | a line |\n"
        "| `tests/` | cases |\n\n**A test:** none\n"
    )
    assert figures.count_files_to_touch(text) == {"A provider": 3}


def of_module(module: str, function: Any) -> FunctionType:
    """
    The same function, as if it stood in *module*.
    """
    return FunctionType(function.__code__, {"__name__": module}, closure=function.__closure__)


def follow(function: Callable[[], object]) -> Trip:
    trip = Trip()
    before = sys.getprofile()
    sys.setprofile(trip.note)
    try:
        function()
    finally:
        sys.setprofile(before)
    return trip


def test_a_call_into_a_higher_package_is_a_climb_also_past_a_library():
    def notice():
        return 0

    def pass_on():
        notify()

    def save():
        library()
        library()

    def evaluate():
        store()

    notify = of_module("monitor.engine.evaluate", notice)
    library = of_module("library", pass_on)
    store = of_module("monitor.store.results", save)
    trip = follow(of_module("monitor.engine.evaluate", evaluate))

    assert {
        (a.rpartition(".")[2], b.rpartition(".")[2]): n for (a, b), n in trip.climbs.items()
    } == {("save", "notice"): 2}
    assert trip.stays == ["engine", "store"]


def test_to_ask_a_generator_for_more_is_no_climb():
    def numbers():
        yield 1
        yield 2

    def save():
        return list(values)

    values = of_module("monitor.engine.evaluate", numbers)()
    trip = follow(of_module("monitor.store.results", save))
    assert not trip.climbs


def test_to_go_on_above_is_a_return():
    def decide():
        return 0

    def save():
        return 0

    def evaluate():
        judge()
        store()
        judge()  # known by then

    judge = of_module("monitor.judge.verdict", decide)
    store = of_module("monitor.store.results", save)
    trip = follow(of_module("monitor.engine.evaluate", evaluate))
    assert (trip.stays, trip.n_returns) == (["engine", "judge", "store"], 1)


def test_the_batch_has_a_bit_of_everything():
    trip = make_trip()
    assert sorted(trip.alerts) == [
        "error",  # one connection,
        "error",  # another,
        "error",  # and the stores of an application
        "outage",
        "quota_low",
        "recovered",
    ]
    assert trip.stays[0] == "engine"
    assert {"engine", "alerting", "store", "judge"} <= set(trip.stays)


def test_the_command_prints_the_figures(tree, monkeypatch, capsys):
    monkeypatch.setattr(figures, "ROOT", tree)
    figures.main()
    printed = capsys.readouterr().out
    assert "files                                              6\n" in printed
    assert "batch of checks: climbs " in printed
