"""
Make a small Debian to boot and to build images from, as this machine's apt is configured.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.deploy.cache import cached

if TYPE_CHECKING:
    from pathlib import Path

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "procps",
    "python3",
    "python3-venv",
    "ca-certificates",
)
"""Those of a small server; the image needs the Pythons only."""

TOOLS = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "nsenter": "util-linux",
    "apt-get": "apt",
}
PATIENCE_S = 600
REACHED_WITHIN_S = 20


def obstacle(tools: dict[str, str]) -> str | None:
    """
    Say why none can be made and used here, if so.

    Args:
        tools: The commands needed, and the Debian package of each.
    """
    if os.geteuid() != 0:
        return "only root can boot a machine or mount an image"
    missing = sorted({package for tool, package in tools.items() if shutil.which(tool) is None})
    if missing:
        return f"missing here: apt-get install {' '.join(missing)}"
    if release() is None:
        return "this is no Debian, so its apt knows no mirror to make one from"
    return None


def release() -> str | None:
    """
    Return the name of this machine's Debian.
    """
    told = platform.freedesktop_os_release()
    return told.get("VERSION_CODENAME") if told["ID"] == "debian" else None


def run(*command: object, patience_s: float = PATIENCE_S, **env: str) -> str:
    """
    Run a command that must succeed; return what it prints.
    """
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}"
    return done.stdout


def make_debian() -> Path:
    """
    Return the root of a Debian like this machine's, made by debootstrap once.
    """
    name = release()
    assert name is not None

    def make(folder: Path) -> None:
        mirror = _mirror(name)
        _require_reachable(f"{mirror.rstrip('/')}/dists/{name}/Release")
        include = f"--include={','.join(PACKAGES)}"
        run("debootstrap", "--variant=minbase", include, name, folder, mirror)
        for archive in (folder / "var/cache/apt/archives").glob("*.deb"):
            archive.unlink()

    return cached("debian", (name, PACKAGES, platform.machine()), make)


def _require_reachable(url: str) -> None:
    """
    Skip the test where there is no way to the mirror, which is no fault of ours.
    """
    try:
        with urllib.request.urlopen(url, timeout=REACHED_WITHIN_S):
            pass
    except OSError as error:
        pytest.skip(f"the mirror of this machine's apt cannot be reached: {error}")


def _mirror(name: str) -> str:
    """
    Return where this machine gets the release *name* from.
    """
    form = "$(CODENAME) $(COMPONENT) $(REPO_URI)"
    told = run("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    found = re.search(rf"^{name} main (\S+)$", told, flags=re.MULTILINE)
    assert found, f"apt has no source for {name}: {told}"
    return found[1]
