from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from monitor import app
from monitor.config.load import load_config
from monitor.simulator.server import start_simulator

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

CONFIG = """
[[connections]]
name = "one"
provider = "soldscope"
base_url = "{url}"
token = "any"
"""


async def test_a_daemon_that_can_store_nothing_any_more_ends_with_the_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: object) -> None:
        raise RuntimeError("nobody expected this")

    simulator = await start_simulator()
    try:
        config = tmp_path / "config.toml"
        config.write_text(CONFIG.format(url=simulator.soldscope_url))
        config.chmod(0o600)
        monkeypatch.setattr(app, "_announce", fail)

        with pytest.raises(RuntimeError, match="nobody expected this"):
            async with asyncio.timeout(20):
                await app.App(load_config(config)).run(asyncio.Event())
    finally:
        await simulator.stop()
