"""
Build the image, and run containers of it as Docker would: with an OCI runtime.

There is no Docker engine here. buildah reads the Dockerfile; runc runs what the
image says, with a read-only root, no capability and no way to a privilege.
"""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.deploy.debian import TOOLS, run
from tests.deploy.program import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

IMAGE_TOOLS = TOOLS | {"buildah": "buildah", "runc": "runc"}
BASE = "localhost/base"
NAME = "localhost/connwatch"
ENDS_WITHIN_S = 30

NAMESPACES = ("pid", "ipc", "uts", "mount")
"""Not the network: the servers of tests are on this machine's loopback."""


@dataclass(frozen=True)
class Image:
    """
    The image, unpacked.

    Args:
        settings: What it says about how to run it, as Docker keeps that.
        root: Its file system.
    """

    settings: dict[str, Any]
    root: Path


def build_image(store: Path, debian: Path, wheels: Path) -> Image:
    """
    Build the Dockerfile on *debian*, from *wheels* alone.
    """
    buildah = ["buildah", "--root", store / "root", "--runroot", store / "run"]
    buildah += ["--storage-driver", "vfs"]
    scratch = run(*buildah, "from", "scratch").strip()
    run(*buildah, "copy", "--quiet", scratch, debian, "/")
    run(*buildah, "commit", "--quiet", "--rm", scratch, BASE)
    arguments = {"BASE_IMAGE": BASE, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    arguments |= {"VERSION": "1.2.3", "REVISION": "abc"}
    given = [f"--build-arg={name}={value}" for name, value in arguments.items()]
    run(
        *(*buildah, "build", "--isolation=chroot", "--pull-never", "--format=docker", *given),
        *(f"--volume={wheels}:/wheels:ro", "--file", ROOT / "deploy/docker/Dockerfile"),
        *("--tag", NAME, ROOT),
    )
    told = json.loads(run(*buildah, "inspect", "--type=image", NAME))
    container = run(*buildah, "from", "--pull-never", NAME).strip()
    # With this storage it is a plain folder: nothing has to be unmounted.
    root = run(*buildah, "mount", container).strip()
    return Image(told["Docker"]["config"], store / root)


class Container:
    """
    A container that runs.
    """

    def __init__(self, runc: Sequence[str], name: str, process: subprocess.Popen[str]) -> None:
        self._runc = runc
        self._name = name
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.lines.extend(self.process.stdout)

    def run(self, *command: str) -> tuple[int, str]:
        """
        Run a command beside the daemon, as `docker exec` does.
        """
        done = subprocess.run(
            [*self._runc, "exec", self._name, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN_S,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def stop(self) -> int:
        """
        End it as `docker stop` does; return its exit code.
        """
        run(*self._runc, "kill", self._name, "TERM")
        return self.end()

    def end(self) -> int:
        code = self.process.wait(ENDS_WITHIN_S)
        self._reader.join()
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # runc hands it on
            try:
                self.process.wait(ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                run(*self._runc, "delete", "--force", self._name)
        self.end()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def run_container(image: Image, folder: Path, mounts: Mapping[str, Path]) -> Iterator[Container]:
    """
    Run the image in *folder*, which becomes its bundle.

    Args:
        mounts: What of this machine is where in the container; only what the
            image declares as a volume can be written.
    """
    folder.mkdir(exist_ok=True)
    spec = json.dumps(_specify(image, mounts))
    (folder / "config.json").write_text(spec, encoding="utf-8")
    runc = ["runc", "--root", str(folder / "state")]
    process = subprocess.Popen(
        [*runc, "run", "--bundle", str(folder), folder.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    container = Container(runc, folder.name, process)
    try:
        yield container
    finally:
        container.close()


def _specify(image: Image, mounts: Mapping[str, Path]) -> dict[str, Any]:
    said = image.settings
    user, group = map(int, said["User"].split(":"))
    quiet = ["nosuid", "nodev", "noexec"]
    binds = [
        {
            "destination": target,
            "type": "bind",
            "source": str(source),
            "options": ["rbind", *quiet, "rw" if target in said["Volumes"] else "ro"],
        }
        for target, source in mounts.items()
    ]
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": {"uid": user, "gid": group},
            "args": [*said["Entrypoint"], *said["Cmd"]],
            "env": said["Env"],
            "cwd": said["WorkingDir"],
            "capabilities": {},
            "noNewPrivileges": True,
        },
        "root": {"path": str(image.root), "readonly": True},
        "hostname": "connwatch",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]},
            {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": quiet},
            *binds,
        ],
        "linux": {"namespaces": [{"type": kind} for kind in NAMESPACES]},
    }
