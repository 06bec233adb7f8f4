"""
Install the worked example, and broken ones beside it, and run the command line with them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench import Bench
from tests.command_line import ROOT, Ended
from tests.dialects import Asked, Reply, speaking
from tests.waiting import BUILD_PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dialects import Speaker

EXAMPLE = ROOT / "tests" / "plugin_example"

BROKEN = {
    "cannot_import": (
        "raise RuntimeError('out of order')",
        "cannot be loaded (RuntimeError: out of",
    ),
    "no_settings": ("name = 'no_settings'\nbuild = print", "no class made from Connection"),
    "wrong_name": ("name = 'other'", 'its name is not "wrong_name"'),
    "exits": ("import sys; sys.exit(3)", "cannot be loaded (SystemExit: 3)"),
    "raises": (
        """
from monitor.providers import Connection
name = "raises"
settings = Connection
def build(*_):
    raise KeyError("hunter2")
""",
        "failed: it raised KeyError",
    ),
}
TRIPWIRE = "import os; open(os.environ['TRIPWIRE'], 'w').close(); name = 'tripwire'"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A folder with the example, installed by pip, and with packages that are broken.
    """
    folder = tmp_path_factory.mktemp("packages")
    source = folder / "source"
    shutil.copytree(EXAMPLE, source, ignore=shutil.ignore_patterns("__pycache__"))
    target = folder / "installed"
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--quiet", "--no-cache-dir"]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", *offline, "--target", target, source],
        check=True,
        timeout=BUILD_PATIENCE_S,
    )
    codes = {name: code for name, (code, _) in BROKEN.items()}
    for name, code in (codes | {"tripwire": TRIPWIRE}).items():
        (target / f"bad_{name}.py").write_text(code)
        info = target / f"bad_{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: bad-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[connwatch.providers]\n{name} = bad_{name}\n")
    return target


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def acme(asked: Asked) -> Reply:
    if asked.path != "/v1/whoami":
        return Reply(404, {})
    if asked.headers.get("x-acme-key") != "good":
        return Reply(401, {})
    return Reply(200, {}, {"X-Acme-Left": "990"})


@pytest.fixture
def speaker() -> Iterator[Speaker]:
    with speaking("acme", acme) as speaker:
        yield speaker


def connection(name: str, provider: str, **keys: str) -> str:
    lines = [f'name = "{name}"', f'provider = "{provider}"']
    return "\n".join([*lines, *(f'{key} = "{text}"' for key, text in keys.items()), ""])


def run(bench: Bench, packages: Path, *arguments: str) -> Ended:
    env = {"PYTHONPATH": f"{ROOT}:{packages}", "TRIPWIRE": str(bench.folder / "loaded")}
    return bench.spawn(*arguments, **env)


def reported(ended: Ended) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(ended.out)["connections"]}


def test_the_example_installs_and_runs(bench, packages, speaker):
    bench.configure(
        connection("works", "acme", base_url=speaker.root, token="good"),
        connection("refused", "acme", base_url=speaker.root, token="hunter2"),
    )

    ended = run(bench, packages, "check", "--json")

    assert (ended.code, ended.err) == (2, "")
    each = reported(ended)
    assert (each["works"]["state"], each["works"]["quota"]["remaining"]) == ("active", 990)
    assert each["refused"]["reason"] == "token_rejected"
    assert "hunter2" not in ended.out


def test_validate_shows_what_a_plugins_checker_found(bench, packages, speaker):
    bench.configure(
        connection("works", "acme", base_url=speaker.root, token="good"),
        connection("refused", "acme", base_url=speaker.root, token="hunter2"),
    )

    works = run(bench, packages, "validate", "works")
    refused = run(bench, packages, "validate", "refused")

    assert works.code == 0
    assert "✓ token" in works.out
    assert "990 of 1,000 requests left" in works.out
    assert refused.code == 2
    assert "✗ token" in refused.out
    assert "hunter2" not in refused.out + refused.err


def test_keys_of_a_plugin_are_checked_like_all_others(bench, packages):
    bench.configure(
        connection("a", "acme", base_url="https://acme.example", tokn="x"),
        connection("b", "acme", base_url="http://acme.example", token="x", timeout="9m"),
    )

    ended = run(bench, packages, "config", "check")

    assert ended.code == 3
    assert "connections[0].token: required and missing: a connection to acme needs it" in ended.err
    assert 'connections[0].tokn: unknown key; did you mean "token"?' in ended.err
    assert "connections[1].base_url: plain http://" in ended.err
    assert "connections[1].timeout: at most `every` (5m), got 9m" in ended.err


def test_a_broken_plugin_is_named_and_all_others_go_on(bench, packages, speaker):
    bench.configure(
        connection("works", "acme", base_url=speaker.root, token="good"),
        *(connection(name, name, token="hunter2") for name in BROKEN if name != "raises"),
        connection("raises", "raises"),
    )

    ended = run(bench, packages, "check", "--json")

    assert ended.code == 3
    each = reported(ended)
    assert each["works"]["state"] == "active"
    for name in BROKEN:
        assert each[name]["last_check"]["reason"] == "unexpected_response"
    past = json.loads(run(bench, packages, "history", "wrong_name", "--json").out)
    assert BROKEN["wrong_name"][1] in past["checks"][0]["detail"]
    assert "hunter2" not in ended.out + ended.err


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "raises"])
def test_config_check_says_what_is_wrong_with_a_plugin(bench, packages, name):
    bench.configure(connection("a", name))

    ended = run(bench, packages, "config", "check")

    assert ended.code == 0
    assert "connections[0].provider" in ended.err + ended.out
    assert BROKEN[name][1] in ended.err + ended.out
    assert f"bad-{name}" in ended.err + ended.out


def test_a_provider_that_nobody_brings_is_unknown(bench, packages):
    bench.configure(connection("a", "fax"))

    ended = run(bench, packages, "config", "check")

    assert ended.code == 3
    assert 'connections[0].provider: unknown provider "fax"; known: "soldscope"' in ended.err


def test_a_plugin_is_loaded_only_if_the_file_names_it(bench, packages, speaker):
    works = connection("works", "acme", base_url=speaker.root, token="good")
    loaded = bench.folder / "loaded"

    bench.configure(works)
    assert run(bench, packages, "check").code == 0
    assert not loaded.exists()

    bench.configure(works, connection("a", "tripwire"))
    assert run(bench, packages, "config", "check").code == 0
    assert loaded.exists()
