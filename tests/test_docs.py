"""
Hold the documents against the tree.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

import monitor.providers
from monitor.cli import app
from monitor.clock import utc_now
from monitor.config.describe import write_reference
from monitor.config.load import build_config
from monitor.config.model import Config
from monitor.config.registry import PROVIDERS
from monitor.config.values import Reading
from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import Reason

if TYPE_CHECKING:
    from _pytest.mark.structures import ParameterSet

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

PATHS = sorted(set(re.findall(r"`((?:monitor|tests|migrations|deploy)/[\w./]*)`", CONTRIBUTING)))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_that_contributors_are_sent_to_exists(path):
    assert (ROOT / path).exists()


def test_contributors_are_sent_somewhere():
    assert "monitor/engine/evaluate.py" in PATHS


def test_contributors_see_the_packages_as_they_are():
    packages = tomllib.loads((ROOT / "tests/packages.toml").read_text(encoding="utf-8"))
    rows = [
        f"| `monitor/{name}/` | {about['says']} | "
        f"{', '.join(f'`{each}`' for each in about['imports']) or 'the standard library'} |"
        for name, about in packages.items()
    ]
    assert (
        re.findall(r"^\| `monitor/\w+/` \| .* \| .* \|$", CONTRIBUTING, flags=re.MULTILINE) == rows
    )


NAMES = re.findall(r"`([\w/]+\.py)` \|[^\n]*?`(\w+)`", CONTRIBUTING)


@pytest.mark.parametrize(("path", "name"), NAMES)
def test_what_contributors_are_to_extend_is_there(path, name):
    assert re.search(rf"\b{name}\b", (ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?m)(?:^|`)make ([a-z-]+)", CONTRIBUTING)))
)
def test_every_command_that_contributors_are_told_exists(target):
    assert re.search(rf"^{target}:.*## ", MAKEFILE, flags=re.MULTILINE)


def test_the_changelog_begins_with_what_is_not_released_yet():
    headings = re.findall(r"^## (.*)", CHANGELOG, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"


@pytest.mark.parametrize("kind", AlertKind)
def test_the_changelog_names_every_kind_of_alert(kind):
    assert f"`{kind}`" in CHANGELOG


def test_the_package_and_its_metadata_have_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == monitor.__version__


# The pages


def blocks(language: str) -> list[ParameterSet]:
    """
    Return the code blocks of that language, each with its page and number.
    """
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return [
        pytest.param(found.group(1), id=f"{page.relative_to(ROOT)}-{number}")
        for page in pages
        for number, found in enumerate(
            re.finditer(rf"(?ms)^```{language}\n(.*?)^```$", page.read_text("utf-8")), 1
        )
    ]


APPLICATION = """
[[applications]]
name = "our-app"
client_id = "amzn1.application-oa2-client.0123456789abcdef0123456789abcdef"
client_secret = { env = "LWA" }
"""


ANY_API = {"name": "a", "provider": "http", "url": "https://api.example.com", "token": {"env": "T"}}


@pytest.mark.parametrize("text", blocks("toml"))
def test_every_piece_of_a_file_in_the_pages_can_be_used(text, tmp_path):
    data = tomllib.loads(text)
    if "project" in data:
        return  # of the worked example, which is built and installed elsewhere
    if not data.keys() & Config.model_fields.keys():
        data = {"connections": [{**ANY_API, **data}]}  # keys of a connection alone
    applications = {each["name"] for each in data.get("applications", ())}
    asked = {each.get("application") for each in data.get("connections", ())}
    if "our-app" in asked - applications:
        data |= tomllib.loads(APPLICATION)
    for channel in data.get("channels", ()):
        if "template" in channel:
            (tmp_path / channel["template"]).write_text("{{ title }}")
    if "connections" in data:
        # What a plug-in brings is tried with the plug-in.
        data["connections"] = [
            each for each in data["connections"] if each.get("provider", "http") in PROVIDERS
        ]
    build_config(data, Reading(tmp_path / "config.toml", utc_now(), {}))


def commands() -> list[ParameterSet]:
    """
    Return each command line of connwatch that a page shows in a block for shells.
    """
    found: dict[str, ParameterSet] = {}
    for block in blocks("(?:sh|console|bash)"):
        for line in str(block.values[0]).splitlines():
            for part in re.split(r"\s[|;>]\s|\s&&\s", line.removeprefix("$ ").partition("  #")[0]):
                words = part.strip()
                if re.match(r"(?:sudo (?:-u \w+ )?)?connwatch\b", words):
                    found.setdefault(words, pytest.param(words, id=f"{block.id}: {words}"))
    return list(found.values())


@pytest.mark.parametrize("line", commands())
def test_every_command_in_the_pages_is_one(line):
    words = shlex.split(re.sub(r"^sudo (-u \w+ )?", "", line))[1:]
    command: Any = typer.main.get_command(app)
    if words in (["--version"], ["--help"]):
        return  # they end everything at once
    context = command.make_context("connwatch", words)
    while hasattr(command, "commands"):
        left = [*context._protected_args, *context.args]
        if not left:
            break  # an option such as --version said all
        name, command, rest = command.resolve_command(context, left)
        context = command.make_context(name, rest, parent=context)


def headings(page: str) -> set[str]:
    text = (ROOT / "docs" / page).read_text("utf-8")
    return set(re.findall(r"(?m)^#+ `(\w+)`$", text))


def test_every_kind_of_alert_has_its_meaning_and_remedy():
    assert headings("alerts.md") == {kind.value for kind in AlertKind}


def test_every_reason_has_its_meaning():
    text = (ROOT / "docs" / "alerts.md").read_text("utf-8")
    assert set(re.findall(r"(?m)^\| `(\w+)` \| [^|]{5}", text)) == {one.value for one in Reason}


def test_every_test_that_shows_what_stops_a_threat_exists():
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "security.md").read_text("utf-8")))
    defined = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"(?m)^(?:async )?def (test_\w+)", path.read_text("utf-8"))
    }
    assert named
    assert named - defined == set()


def test_the_worked_example_of_a_plugin_imports_the_one_face_only():
    tree = ast.parse((ROOT / "tests/plugin_example/connwatch_acme.py").read_text(encoding="utf-8"))
    imports = [each for each in ast.walk(tree) if isinstance(each, ast.Import | ast.ImportFrom)]
    ours = [text for each in imports if "monitor" in (text := ast.unparse(each))]
    assert [text.split(" import ")[0] for text in ours] == ["from monitor.providers"]


def test_every_name_that_plugins_are_told_of_is_offered():
    text = (ROOT / "docs/plugins.md").read_text(encoding="utf-8")
    names = re.findall(r"`(?:monitor\.)?providers\.([\w.]+)`|`([A-Z][A-Za-z]+)`", text)
    told = {name or short for name, short in names}
    assert {"Connection", "Failure", "fetch"} <= told <= set(monitor.providers.__all__)
    assert set(re.findall(r"`monitor\.(\w+)", text)) == {"providers"}


def test_the_reference_of_settings_is_what_they_say():
    text = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert text == write_reference(), "make reference writes it anew"


def test_the_site_is_built_without_a_dead_link(tmp_path):
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"]
    built = subprocess.run(
        [*build, "--config-file", ROOT / ".ci" / "mkdocs.yml", "--site-dir", tmp_path],
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (built.returncode, built.stderr) == (0, "")
    assert (tmp_path / "quickstart.html").is_file()
