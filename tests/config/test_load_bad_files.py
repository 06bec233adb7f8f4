from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.config.errors import ConfigError, Problem
from monitor.config.load import load_config

BAD = sorted(Path(__file__).with_name("bad").rglob("*.toml"))
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def say(path: Path) -> str:
    return f"{path.parent.name}: {path.stem.replace('_', ' ')}"


@pytest.mark.parametrize("path", BAD, ids=say)
def test_mistake_is_named_with_its_place(path):
    expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
    with pytest.raises(ConfigError) as caught:
        load_config(path, NOON)
    assert str(caught.value) == expected.replace("FILE", str(path))


@pytest.mark.parametrize("path", BAD, ids=say)
def test_secret_in_a_wrong_place_is_not_repeated(path):
    with pytest.raises(ConfigError) as caught:
        load_config(path, NOON)
    assert "hunter2" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_bad_files_are_found():
    assert len(BAD) > 90


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(load, connection):
    text = "\n".join(
        [
            "[checks]\nevery = 5\nconcurency = 1",
            '[[channels]]\nname = "ops"\nkinds = ["eror"]',
            connection('evry = "5m"', 'base_url = "http://example.com"'),
            connection('every = "5s"'),
            '[[connections]]\nname = "c"\nprovidr = "soldscope"',
            "[chekcs]",
        ]
    )
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert [problem.place for problem in caught.value.problems] == [
        "checks.every",
        "checks.concurency",
        "channels[0].url",
        "channels[0].kinds[0]",
        "connections[0].base_url",
        "connections[0].evry",
        "connections[1].every",
        "connections[1].name",
        "connections[2].provider",
        "connections[2].providr",
        "chekcs",
    ]


def test_each_problem_is_one_line(load, connection):
    with pytest.raises(ConfigError) as caught:
        load(connection('"a\\nb" = 1', 'tags = ["x\\u2028y"]'))
    assert str(caught.value).splitlines() == [str(one) for one in caught.value.problems]
    assert len(caught.value.problems) == 2


def test_place_quotes_a_key_that_toml_would_quote(load, connection):
    with pytest.raises(ConfigError) as caught:
        load(connection('"a b" = 1'))
    assert caught.value.problems == (Problem('connections[0]."a b"', "unknown key"),)
