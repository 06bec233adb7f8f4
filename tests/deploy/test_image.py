"""
The image, built from the Dockerfile and run by an OCI runtime.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy import debian
from tests.deploy.cache import passing_folder
from tests.deploy.image import IMAGE_TOOLS, Container, Image, build_image, run_container
from tests.deploy.program import fetch_wheels
from tests.loopback import free_port
from tests.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from monitor.simulator.server import Simulator
    from tests.sinks import WebHook

USER = 10001


SETTINGS = """\
[web]
listen = "127.0.0.1:{port}"
password = {{ file = "/run/secrets/web-password" }}

[checks]
every = "10s"
recheck_after = "1s"

[alerts]
group_wait = "1s"

[[channels]]
name = "ops"
url = {{ file = "/run/secrets/ops" }}

[[connections]]
name = "acme"
provider = "soldscope"
base_url = "{base_url}"
token = {{ file = "/run/secrets/acme" }}
"""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    why = debian.obstacle(IMAGE_TOOLS)
    if why is not None:
        pytest.skip(why)
    root = debian.make_debian()
    with passing_folder("image") as store:
        yield build_image(store, root, fetch_wheels(root))


@dataclass
class Host:
    """
    A machine's folders for one container: settings, secrets, and the volume.
    """

    image: Image
    folder: Path
    simulator: Simulator
    hook: WebHook

    def prepare(self) -> None:
        for name in ("etc", "secrets", "volume"):
            (self.folder / name).mkdir()
        os.chown(self.folder / "volume", USER, USER)
        self.token = self.simulator.create_token("acme", "production")
        secrets = {"acme": self.token.value, "ops": self.hook.url(), "web-password": "hunter2"}
        for name, text in secrets.items():
            file = self.folder / "secrets" / name
            file.write_text(text, encoding="utf-8")
            file.chmod(0o400)
            os.chown(file, USER, USER)
        settings = SETTINGS.format(port=free_port(), base_url=self.simulator.soldscope_url)
        (self.folder / "etc/config.toml").write_text(settings, encoding="utf-8")

    def start(self, name: str) -> Any:
        mounts = {
            "/etc/connwatch": self.folder / "etc",
            "/run/secrets": self.folder / "secrets",
            "/var/lib/connwatch": self.folder / "volume",
        }
        return run_container(self.image, self.folder / name, mounts)


@pytest.fixture(scope="module")
def host(image, simulator, hook) -> Iterator[Host]:
    # Not in pytest's folders, which no other user may enter.
    with tempfile.TemporaryDirectory(prefix="connwatch-host-") as folder:
        Path(folder).chmod(0o755)
        host = Host(image, Path(folder), simulator, hook)
        host.prepare()
        yield host


@pytest.fixture(scope="module")
def container(host) -> Iterator[Container]:
    with host.start("first") as running:
        wait_until(lambda: has_ended(running) or is_healthy(host, running))
        assert not has_ended(running), "".join(running.lines)
        yield running


def has_ended(container: Container) -> bool:
    return container.process.poll() is not None


def is_healthy(host: Host, container: Container) -> bool:
    kind, *command = host.image.settings["Healthcheck"]["Test"]
    assert kind == "CMD"  # not CMD-SHELL, which takes a shell
    return container.run(*command) == (0, "ready\n")


def shown(container: Container) -> dict[str, Any]:
    code, text = container.run("/opt/connwatch/bin/connwatch", "status", "--json")
    assert code in range(4), text
    (one,) = json.loads(text)["connections"]
    return dict(one)


def test_the_image_says_what_it_is(image):
    labels = image.settings["Labels"]
    wanted = {"title": "connwatch", "licenses": "MIT", "version": "1.2.3", "revision": "abc"}
    assert {name: labels[f"org.opencontainers.image.{name}"] for name in wanted} == wanted


def test_the_image_has_neither_what_built_it_nor_a_way_to_install_more(image):
    found = {path.name for path in (image.root / "opt/connwatch/bin").iterdir()}
    assert "connwatch" in found
    assert [name for name in found if name.startswith("pip")] == []
    assert not (image.root / "opt/builder").exists()
    assert not (image.root / "src").exists()


def test_the_health_check_of_the_image_says_ready(host, container):
    assert is_healthy(host, container)


def test_the_daemon_is_not_root_and_can_write_to_its_volume_only(container):
    writes = "open('{}', 'w')"
    _, told = container.run("/opt/connwatch/bin/python", "-c", "import os; print(os.getresuid())")
    assert told.strip() == f"({USER}, {USER}, {USER})"
    for place in ("/opt/connwatch/x", "/etc/connwatch/config.toml", "/run/secrets/acme", "/x"):
        code, told = container.run("/opt/connwatch/bin/python", "-c", writes.format(place))
        assert (code, "Read-only file system" in told) == (1, True), told
    code, told = container.run(
        "/opt/connwatch/bin/python", "-c", writes.format("/var/lib/connwatch/x")
    )
    assert (code, told) == (0, "")


def test_a_connection_is_checked_and_its_refusal_told(host, container):
    wait_until(lambda: shown(container)["state"] == "active")
    host.simulator.soldscope.revoke_token(host.token.token.id, host.simulator.clock.now())
    wait_until(lambda: host.hook.posts)
    assert "acme" in host.hook.posts[0][1]["title"]
    assert shown(container)["state"] == "error"


def test_it_ends_in_good_order_and_its_volume_keeps_what_it_knew(host, container):
    known = shown(container)
    assert container.stop() == 0
    assert json.loads(container.lines[-1])["event"] == "daemon.stopped"
    assert host.token.value not in "".join(container.lines)
    with host.start("second") as successor:
        wait_until(lambda: has_ended(successor) or is_healthy(host, successor))
        assert shown(successor)["since"] == known["since"]
        assert len(host.hook.posts) == 1
