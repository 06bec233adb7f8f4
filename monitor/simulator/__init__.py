"""
Imitate the services that connwatch watches, on a real port of this machine.

Two services are here. SoldScope follows its public help pages: tokens that are
shown once, `GET /auth/check`, a monthly quota in response headers, 402 when it
is used up. Amazon follows what is known of Login with Amazon and the Selling
Partner API: refresh tokens that lapse after a year, client secrets that last 180
days, three regional hosts that refuse in several ways. Of Amazon nothing is set
up at first: see `Amazon.add_application` and `Amazon.add_sample_stores`.

Start with `server.start_simulator`. From the inside out:

- `billing`, `soldscope`: accounts, tokens, plans, quota. No I/O.
- `soldscope_api`: what the API answers to a request. No I/O.
- `amazon`, with `amazon_applications`, `amazon_stores`, `amazon_tokens`,
  `amazon_marketplaces`, `bucket`: Amazon's books. No I/O.
- `base`: what the books of both services need.
- `amazon_lwa`, `amazon_sp`, `amazon_sellers`, `amazon_rotation`,
  `amazon_consent`: what Amazon answers. No I/O.
- `faults`, `amazon_faults`: what can go wrong, by name; `switches` remembers
  it. `misbehave`, `amazon_misbehave`: how that looks on the wire.
- `clock`: a clock that can be moved forward. `world`: all of the above together.
- `server`, `serving`: the HTTP server. `amazon_server`, `amazon_hosts`,
  `amazon_consent_page`: Amazon's part of it, also on ports of its own.
- `control`, `page` and their Amazon parts: the controls, for programs and people.
- `inbox`: a web hook beside it, where alerts can be sent to.

Nothing in here imports the rest of connwatch, apart from `monitor.clock`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.simulator.server import Simulator, start_simulator

__all__ = [
    "Simulator",
    "start_simulator",
]

__getattr__ = lazily(
    {
        "Simulator": "monitor.simulator.server",
        "start_simulator": "monitor.simulator.server",
    }
)
