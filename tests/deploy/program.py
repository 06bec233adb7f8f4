"""
Install the program as a package would be: from a wheel, and the locked wheels it needs.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.deploy.cache import cached
from tests.deploy.debian import run

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "constraints.txt"
GLIBCS = (17, 28, 34)


def locked(*packages: str) -> str:
    """
    Return the part of the lock that *packages* need.
    """
    return run(sys.executable, ROOT / "deploy/lock_part.py", *packages)


def fetch_wheels(debian: Path) -> Path:
    """
    Return a folder with the wheels of all that it takes to build and run the program.

    pip fetches them, as this machine has it configured, for the Python of
    *debian*; the hashes of the lock decide which.
    """
    (python,) = (debian / "usr/lib").glob("python3.*")
    version = python.name.removeprefix("python")
    wanted = locked("connwatch", "hatchling")

    def fetch(folder: Path) -> None:
        (folder / "wanted.txt").write_text(wanted, encoding="utf-8")
        machine = platform.machine()
        tags = [f"manylinux_2_{minor}_{machine}" for minor in GLIBCS]
        tags.append(f"manylinux2014_{machine}")
        download = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        download += ["--require-hashes", "--only-binary=:all:", "--implementation=cp"]
        download += [f"--python-version={version}", *(f"--platform={tag}" for tag in tags)]
        run(*download, "--dest", folder, "--requirement", folder / "wanted.txt")

    return cached("wheels", (wanted, version, platform.machine()), fetch)


def build_wheel(folder: Path) -> Path:
    """
    Build the program's own wheel.
    """
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
    run(*build, ROOT)
    (wheel,) = folder.glob("connwatch-*.whl")
    return wheel


def install(debian: Path, wheels: Path, wheel: Path, target: Path) -> None:
    """
    Make *target* what /opt/connwatch is to be on a machine of *debian*.
    """
    wanted = locked("connwatch")

    def install_needed(folder: Path) -> None:
        (folder / "wanted.txt").write_text(wanted, encoding="utf-8")
        install = "/opt/connwatch/bin/pip install --quiet --no-index --find-links /wheels"
        script = (
            "python3 -m venv /opt/connwatch &&"
            f" {install} --require-hashes --requirement /opt/connwatch/wanted.txt"
        )
        _run_in(debian, script, [f"--bind={folder}:/opt/connwatch", f"--bind-ro={wheels}:/wheels"])

    needed = cached("needed", (wanted, wheels.name, debian.name), install_needed)
    shutil.copytree(needed, target, symlinks=True)
    script = f"/opt/connwatch/bin/pip install --quiet --no-index --no-deps /dist/{wheel.name}"
    _run_in(debian, script, [f"--bind={target}:/opt/connwatch", f"--bind-ro={wheel.parent}:/dist"])


def _run_in(debian: Path, script: str, binds: Iterable[str]) -> None:
    """
    Run a shell's *script* in *debian*, which stays as it was.
    """
    quiet = ["--quiet", "--register=no", "--keep-unit", "--pipe", "--volatile=overlay"]
    try:
        run("systemd-nspawn", *quiet, f"--directory={debian}", *binds, "/bin/sh", "-c", script)
    except subprocess.TimeoutExpired as error:
        raise AssertionError(f"{script}: {error}") from error
