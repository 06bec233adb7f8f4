"""
Build the wheel, install it as a stranger would, and use it far from the checkout.

Asks pip for the locked dependencies, so it needs what `make install` needs:
pip as this machine has it configured.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import BUILD_PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent.parent

# One worker builds one wheel and one environment for all of them.
pytestmark = pytest.mark.long


def run(*command: object, cwd: Path) -> str:
    """
    Run a command that must succeed; return what it prints.
    """
    of_ours = ("CONNWATCH_", "PYTHON", "VIRTUAL_ENV")
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith(of_ours)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_PATIENCE_S,
        check=False,
    )
    assert result.returncode == 0, f"{command[0]}: {result.stdout}{result.stderr}"
    return result.stdout


def locked_versions() -> str:
    """
    The lock without its hashes: pip would ask for one of the wheel too, which has none yet.
    """
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return "\n".join(line.removesuffix(" \\") for line in lines if line[:1].isalnum())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    run(*build, ROOT, cwd=ROOT)
    (path,) = folder.glob("connwatch-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """
    The folder of commands of a virtual environment that holds the wheel and nothing unasked.
    """
    folder = tmp_path_factory.mktemp("stranger")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    commands = folder / "venv/bin"
    constraints = folder / "constraints.txt"
    constraints.write_text(locked_versions(), encoding="utf-8")
    install = [commands / "python", "-m", "pip", "install", "--quiet"]
    run(*install, "--constraint", constraints, wheel, cwd=folder)
    return commands


def test_the_installed_command_says_its_version(installed, tmp_path):
    assert "0.1.0" in run(installed / "connwatch", "--version", cwd=tmp_path)


def test_the_installed_command_lists_its_commands(installed, tmp_path):
    text = run(installed / "connwatch", "--help", cwd=tmp_path)
    for command in ("run", "check", "status", "demo"):
        assert command in text


def test_the_package_runs_as_a_module(installed, tmp_path):
    assert "0.1.0" in run(installed / "python", "-m", "monitor", "--version", cwd=tmp_path)


def test_the_dependencies_fit_together_and_bring_no_tools(installed, tmp_path):
    run(installed / "python", "-m", "pip", "check", cwd=tmp_path)
    packages = run(installed / "python", "-m", "pip", "list", cwd=tmp_path)
    assert "pytest" not in packages


def test_the_wheel_carries_the_migrations_and_the_example(installed, tmp_path):
    script = """if True:
        from importlib.resources import files
        from monitor.resources import migrations_path
        print(*sorted(path.name for path in migrations_path().glob("**/*.py")))
        print(migrations_path())
        example = files("monitor.config").joinpath("config.example.toml")
        print(example.read_text(encoding="utf-8"), end="")
    """
    names, place, example = run(installed / "python", "-c", script, cwd=tmp_path).split("\n", 2)
    assert names.split() == sorted(path.name for path in ROOT.glob("migrations/**/*.py"))
    assert Path(place).is_relative_to(installed.parent)
    assert example == (ROOT / "config.example.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("package", ["web", "simulator"])
def test_the_wheel_carries_the_templates_of_pages(installed, tmp_path, package):
    script = f"""if True:
        from importlib.resources import files
        print(*(each.name for each in files("monitor.{package}").joinpath("templates").iterdir()))
    """
    names = run(installed / "python", "-c", script, cwd=tmp_path).split()
    assert sorted(names) == sorted(
        path.name for path in (ROOT / "monitor" / package / "templates").iterdir()
    )


def test_importing_the_package_warns_of_nothing(installed, tmp_path):
    run(installed / "python", "-W", "error", "-c", "import monitor.cli", cwd=tmp_path)


def test_the_installed_demo_works_with_no_checkout_near(installed, tmp_path):
    """
    It starts the simulator, migrates a new database, checks, and tells the first alert.
    """
    text = run(installed / "connwatch", "demo", "--seconds", "15", cwd=tmp_path)
    assert "active" in text
    assert "quota low" in text
    assert list(tmp_path.iterdir()) == []
