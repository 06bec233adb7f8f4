"""Turn the TOML file into frozen settings and a plan, or say all that is wrong with it.

Start with `load.load_config`; what a key means is declared in `model` and the modules that it
names. What changes while the daemon runs lives in `monitor.store`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor import lazily

if TYPE_CHECKING:
    from monitor.config.errors import ConfigError
    from monitor.config.load import load_config
    from monitor.config.model import Config
    from monitor.config.plan import Plan, make_plan

__all__ = ["Config", "ConfigError", "Plan", "load_config", "make_plan"]

__getattr__ = lazily(
    {
        "Config": "monitor.config.model",
        "ConfigError": "monitor.config.errors",
        "Plan": "monitor.config.plan",
        "load_config": "monitor.config.load",
        "make_plan": "monitor.config.plan",
    }
)
