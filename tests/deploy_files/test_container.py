"""
What surrounds the image: compose file, settings and Dockerfile fit one another.

`tests/deploy/` builds and runs the image. No Docker engine is needed here.
"""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from monitor.config.describe import walk
from monitor.config.load import load_config
from monitor.config.model import is_reachable_from_outside
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "deploy/docker"
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
DOCKERFILE = (DOCKER / "Dockerfile").read_text(encoding="utf-8")
SETTINGS = load_config(DOCKER / "config/config.toml")


@pytest.mark.parametrize("service", COMPOSE["services"].values(), ids=COMPOSE["services"].keys())
def test_every_service_is_kept_from_what_it_does_not_need(service: dict[str, Any]):
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service


def test_only_the_proxy_can_be_reached_from_outside():
    assert [name for name, one in COMPOSE["services"].items() if "ports" in one] == ["proxy"]
    assert COMPOSE["networks"]["inside"]["internal"] is True


def test_the_settings_name_the_secrets_that_the_compose_file_brings():
    secrets = {leaf.value.source for leaf in walk(SETTINGS) if hasattr(leaf.value, "source")}
    brought = COMPOSE["services"]["connwatch"]["secrets"]
    assert secrets == {f"file /run/secrets/{name}" for name in brought}
    assert set(brought) == COMPOSE["secrets"].keys()


def test_the_dashboard_listens_where_the_proxy_asks():
    assert is_reachable_from_outside(SETTINGS.web.listen)
    port = SETTINGS.web.listen.rpartition(":")[2]
    caddyfile = (DOCKER / "Caddyfile").read_text(encoding="utf-8")
    assert f"reverse_proxy connwatch:{port} " in caddyfile
    assert COMPOSE["services"]["connwatch"]["expose"] == [port]
    assert f"EXPOSE {port}" in DOCKERFILE


def test_the_volume_is_where_the_image_keeps_its_database():
    (volume,) = re.findall(r"^VOLUME (\S+)$", DOCKERFILE, flags=re.MULTILINE)
    assert f"STATE_DIRECTORY={volume}" in DOCKERFILE
    assert f"state:{volume}" in COMPOSE["services"]["connwatch"]["volumes"]


def test_the_image_runs_what_exists_and_needs_no_shell_for_it():
    health = json.loads(re.findall(r"CMD (\[.*probe.*\])", DOCKERFILE)[0])
    assert importlib.util.find_spec(health[-1]) is not None
    assert json.loads(re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, flags=re.MULTILINE)[0])
    last = DOCKERFILE.rpartition("FROM ${BASE_IMAGE}")[2]
    assert "RUN" not in last


def test_the_image_is_nobody_s_root_and_its_base_can_be_chosen():
    assert re.findall(r"^USER (.*)$", DOCKERFILE, flags=re.MULTILINE) == ["10001:10001"]
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, flags=re.MULTILINE)) == {"${BASE_IMAGE}"}


def test_every_package_in_the_image_comes_with_its_hash():
    installs = re.findall(r"pip install (.*?) \\\n", DOCKERFILE)
    assert installs
    assert all("--require-hashes" in one or "--no-index --no-deps" in one for one in installs)


def test_the_build_gets_all_that_it_copies():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignored[1] == "*"
    copied = {
        name
        for line in re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, flags=re.MULTILINE)
        for name in line.split()[:-1]
    }
    assert copied == {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert all((ROOT / name).exists() for name in copied)


def test_the_build_gets_all_that_the_wheel_takes_along():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    taken = {*wheel["only-include"], *wheel["force-include"], project["project"]["readme"]}
    copied = " ".join(re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, flags=re.MULTILINE))
    assert taken <= set(copied.split())


@pytest.mark.skipif(
    shutil.which("docker-compose") is None, reason="no docker-compose here: apt-get install it"
)
def test_compose_reads_its_file():
    subprocess.run(
        ["docker-compose", "--file", DOCKER / "compose.yaml", "config", "--quiet"],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "DASHBOARD_HOST": "watch.example.com"},
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
