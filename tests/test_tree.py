"""
Look at the files as a stranger gets them: what they name, what the lock covers, where tests stand.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent

# In pieces, so that this file does not name what it forbids.
FORBIDDEN = re.compile(
    "|".join(
        [
            r"pypi" + r"\.org",
            r"python" + r"hosted\.org",
            r"registry\.npm" + r"js",
            r"(deb|security|ftp|archive)\.(debian" + r"\.org|ubuntu" + r"\.com)",
            r"proxy\.golang" + r"\.org",
            r"(?<![\w.])/(work|root|home/\w+|Users/\w+|opt/py" + r"\w*)/",
        ]
    )
)


def find_names(text: str) -> list[str]:
    return [found.group() for found in FORBIDDEN.finditer(text)]


def test_no_file_names_a_registry_or_a_machine():
    # Files not yet added count, ignored ones do not. The folder may be another user's.
    git = ["git", "-c", "safe.directory=*"]
    list_files = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run([*git, *list_files], cwd=ROOT, capture_output=True, check=True)
    paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    assert ROOT / "pyproject.toml" in paths
    named = {
        str(path.relative_to(ROOT)): found
        for path in paths
        if path.is_file() and (found := find_names(path.read_text("utf-8", errors="replace")))
    }
    assert named == {}


@pytest.mark.parametrize(
    "text",
    [
        "--index-url https://pypi" + ".org/simple",
        "https://files.python" + "hosted.org/x.whl",
        "https://registry.npm" + "js.org/",
        "http://deb.debian" + ".org/debian",
        "cd /wo" + "rk/main",
        "file:///ro" + "ot/.cache/x",
        "database = '/ho" + "me/anna/connwatch.db'",
    ],
)
def test_a_forbidden_name_is_found(text):
    assert find_names(text) != []


@pytest.mark.parametrize(
    "text", ["pip install connwatch", "/var/lib/connwatch/", "a workplace", "the root/folder"]
)
def test_an_innocent_name_is_let_pass(text):
    assert find_names(text) == []


def read_lock() -> dict[str, str]:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^(\S+)==(\S+)(?: ;[^\\\n]*)? \\\n", text, flags=re.MULTILINE)
    return {canonicalize_name(name): version for name, version in entries}


def test_every_entry_of_the_lock_is_a_name_a_version_and_hashes():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if not line.startswith((" ", "#"))]
    hashes = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
    others = [line for line in lines if line.startswith(" ") and not line.strip().startswith("#")]
    assert len(read_lock()) == len(entries)
    assert [line for line in others if not hashes.fullmatch(line)] == []


def requirements() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return [
        Requirement(text)
        for text in [
            *project["build-system"]["requires"],
            *project["project"]["dependencies"],
            *project["dependency-groups"]["dev"],
        ]
    ]


@pytest.mark.parametrize("wanted", requirements(), ids=str)
def test_the_lock_has_what_the_project_asks_for(wanted):
    assert read_lock()[canonicalize_name(wanted.name)] in wanted.specifier


# Where tests stand

MODULES = {
    path.relative_to(ROOT).as_posix(): path
    for path in (ROOT / "monitor").rglob("*.py")
    if path.name != "__init__.py"
}
TESTED_IN: dict[str, list[str]] = tomllib.loads(
    (ROOT / "tests" / "tested_in.toml").read_text(encoding="utf-8")
)


def subject_of(module: Path) -> Path:
    """
    Return where the tests of *module* stand, without the aspect and the ending.
    """
    name = "test_" + module.stem.strip("_")
    return ROOT / "tests" / module.relative_to(ROOT / "monitor").with_name(name)


def has_tests_of_its_name(module: Path) -> bool:
    subject = subject_of(module)
    return subject.with_suffix(".py").exists() or any(subject.parent.glob(f"{subject.name}_*.py"))


def test_every_module_has_tests_of_its_name_or_is_listed_with_where_it_is_tested():
    without = {name for name, module in MODULES.items() if not has_tests_of_its_name(module)}
    assert without == TESTED_IN.keys()


@pytest.mark.parametrize("module", TESTED_IN)
def test_where_a_module_is_said_to_be_tested_there_are_tests(module):
    assert TESTED_IN[module]
    for path in TESTED_IN[module]:
        assert "\ndef test_" in (ROOT / path).read_text("utf-8").replace("\nasync ", "\n"), path


def test_the_tests_in_a_folder_of_a_package_have_their_subjects_there():
    subjects = {subject_of(module) for module in MODULES.values()}
    packages = {subject.parent for subject in subjects} - {ROOT / "tests"}
    astray = [
        path.relative_to(ROOT).as_posix()
        for package in packages
        for path in package.glob("test_*.py")
        if not any(
            f"{path.stem}_".startswith(f"{one.name}_") for one in subjects if one.parent == package
        )
    ]
    assert astray == []
