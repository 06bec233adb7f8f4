"""
Find the checker for a connection: one case a provider.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.check.countdown import CountdownChecker
from monitor.check.generic import HttpChecker
from monitor.check.plugin import PluginChecker, UnusableChecker
from monitor.check.soldscope import SoldscopeChecker
from monitor.config.countdown import CountdownConnection
from monitor.config.http import HttpConnection
from monitor.config.plugins import UnusableConnection, find_plugin
from monitor.config.soldscope import SoldscopeConnection

if TYPE_CHECKING:
    from datetime import timedelta

    from monitor.check.base import Checker
    from monitor.check.client import HttpClients
    from monitor.config.connection import Connection


def build_checker(connection: Connection, clients: HttpClients, timeout: timedelta) -> Checker:
    """
    Return the checker for *connection*.

    Raises ValueError for settings that cannot work, such as a `ca_file` that
    holds no certificate.
    """
    match connection:
        case SoldscopeConnection():
            return SoldscopeChecker(
                connection.name,
                connection.base_url,
                connection.token,
                connection.auth,
                clients.get(connection.ca_file),
                timeout,
            )
        case CountdownConnection():
            return CountdownChecker()
        case HttpConnection():
            return HttpChecker(connection, clients.get(connection.ca_file), timeout)
        case UnusableConnection():
            return UnusableChecker(connection.provider, connection.problem)
        case _ if plugin := find_plugin(connection.provider):
            return PluginChecker(plugin, connection, clients.get(connection.ca_file), timeout)
        case _:
            raise ValueError(
                f"connection {connection.name}: no checker for provider {connection.provider}"
            )
