"""Imitate the services that connwatch watches, on a real port of this machine.

SoldScope follows its public help pages; Amazon follows what is known of Login with Amazon and the
Selling Partner API, and has no application at first: see `Amazon.add_application` and
`Amazon.add_sample_stores`. The books of a service (`soldscope`, `amazon`) and its answers
(`soldscope_api`, `amazon_api`) do no I/O; `world` joins them with the `faults` that are on and a
clock, `server` serves them. Nothing in here imports the rest of connwatch, apart from
`monitor.clock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.simulator.server import Simulator, start_simulator

__all__ = ["Simulator", "start_simulator"]

__getattr__ = lazily(
    {"Simulator": "monitor.simulator.server", "start_simulator": "monitor.simulator.server"}
)
