"""
Give the tests a small Debian and the program installed, made once and kept.

These tests start the service and the image for real; they need root, a few
packages of Debian and some minutes. `make test` leaves them out, `make
test-deploy` runs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench import run_simulator
from tests.deploy import debian, program
from tests.sinks import run_web_hook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.simulator.server import Simulator
    from tests.sinks import WebHook


@pytest.fixture(scope="session")
def debian_root() -> Path:
    why = debian.obstacle(debian.TOOLS)
    if why is not None:
        pytest.skip(why)
    return debian.make_debian()


@pytest.fixture(scope="session")
def wheels(debian_root: Path) -> Path:
    return program.fetch_wheels(debian_root)


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with run_simulator() as running:
        yield running


@pytest.fixture(scope="module")
def hook() -> Iterator[WebHook]:
    with run_web_hook() as running:
        yield running
