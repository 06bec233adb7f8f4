"""
Give commands an installation of their own, and a simulated service.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench import Bench, connection, run_simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from monitor.simulator.server import Simulator


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An installation that is not configured yet."""
    return Bench(tmp_path)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """A simulator with no fault and no account but its usual ones."""
    with run_simulator() as simulator:
        yield simulator


@pytest.fixture
def live(simulator: Simulator) -> str:
    """The table of a connection that works."""
    issued = simulator.create_token("acme", "production")
    return connection("acme", simulator.soldscope_url, token=f'"{issued.value}"')
