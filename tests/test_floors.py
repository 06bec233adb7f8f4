"""
The floors of `pyproject.toml` against the lock, and against advisories that are known.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
FLOORS = {
    each.name: each for each in map(Requirement, tomllib.loads(TEXT)["project"]["dependencies"])
}
LOCK = dict(
    re.findall(
        r"(?m)^([a-z0-9_.-]+)==([^ ;\\]+)",
        (ROOT / "constraints.txt").read_text(encoding="utf-8"),
    )
)

# The last release with a known hole.
UNSOUND = {
    "aiohttp": "3.14.2",
    "certifi": "2024.6.2",
    "cryptography": "49.0.0",
    "h11": "0.15.0",
    "idna": "3.14",
    "jinja2": "3.1.5",
    "mako": "1.3.11",
    "markdown": "3.8",
    "requests": "2.32.5",
    "starlette": "1.3.0",
    "urllib3": "2.6.3",
}


@pytest.mark.parametrize("name", FLOORS)
def test_lock_satisfies_the_floor(name):
    assert FLOORS[name].specifier.contains(Version(LOCK[name]))


@pytest.mark.parametrize(("name", "version"), UNSOUND.items())
def test_floor_lies_above_what_has_a_hole_and_names_the_advisory(name, version):
    assert not FLOORS[name].specifier.contains(Version(version), prereleases=True)
    assert re.search(rf'(?m)^    "{name}[<>=].*# (CVE|GHSA)-\d', TEXT)


def test_each_dependency_has_a_floor():
    assert [name for name, each in FLOORS.items() if ">=" not in str(each.specifier)] == []
