"""
Hold the documents against the tree.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import monitor
from monitor.judge.alerts import AlertKind

ROOT = Path(__file__).resolve().parent.parent
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

PATHS = sorted(set(re.findall(r"`((?:monitor|tests|migrations|deploy)/[\w./]*)`", CONTRIBUTING)))


@pytest.mark.parametrize("path", PATHS)
def test_every_path_that_contributors_are_sent_to_exists(path):
    assert (ROOT / path).exists()


def test_contributors_are_sent_somewhere():
    assert "monitor/cycle.py" in PATHS


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", CONTRIBUTING)))
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
