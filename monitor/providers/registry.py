"""Build the checker of a connection: one case a provider.

A `countdown` connection has nothing to call: its grant lives elsewhere, and the days that are left
are counted when its outcome is judged, since a renewal may be recorded at any moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.config.connections import (
    AmazonConnection,
    CountdownConnection,
    Probe,
    SoldscopeConnection,
)
from monitor.config.http import HttpConnection
from monitor.config.marketplaces import Region, by_country, endpoint_of
from monitor.config.registry import UnusableConnection, find_plugin
from monitor.config.renewal import aim_of, credential_of
from monitor.judge.outcome import Outcome, Reason
from monitor.providers.amazon import AmazonChecker, LastSuccess, Store
from monitor.providers.amazon_sellers import Expected
from monitor.providers.http_api import HttpChecker
from monitor.providers.plugin import PluginChecker, UnusableChecker
from monitor.providers.soldscope import SoldscopeChecker
from monitor.providers.tokens import LatestToken

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

    from monitor.config.connections import Application, Connection
    from monitor.config.hosts import AllowedHosts
    from monitor.config.model import Config
    from monitor.providers.base import Checker, GrantLocks, RefreshableSecret
    from monitor.providers.tokens import HandshakeTokens
    from monitor.providers.transport import HttpClients


class CountdownChecker:
    """Call nothing, and leave the answer to the clock."""

    async def check(self) -> Outcome:
        """Return at once, without any I/O."""
        return Outcome(Reason.OK, is_countdown=True)


def build_checker(  # noqa: PLR0913 - what a checker is made of
    connection: Connection,
    config: Config,
    clients: HttpClients,
    grants: GrantLocks,
    handshakes: HandshakeTokens | None = None,
    *,
    worked: Mapping[str, str | None] | None = None,
    allowed: AllowedHosts | None = None,
) -> Checker:
    """Return the checker for *connection*.

    Raises ValueError for settings that cannot work, as a `ca_file` without a certificate.

    Args:
        handshakes: The tokens that handshakes and links brought, and what tells tokens apart.
        worked: The Amazon stores that were let in before, each with the fingerprint
            of the refresh token that was used last.
        allowed: `web.reachable` for one outside the file; a store's addresses are its.
    """
    if isinstance(connection, CountdownConnection):
        return CountdownChecker()
    if isinstance(connection, UnusableConnection):
        return UnusableChecker(connection.provider, connection.problem)
    named = None if isinstance(connection, AmazonConnection) else allowed
    client = clients.get(connection.ca_file, config.proxy_of(connection), named)
    connection = with_newer_token(connection, handshakes)
    match connection:
        case SoldscopeConnection():
            return SoldscopeChecker(connection, client, config.timeout_of(connection))
        case AmazonConnection():
            return AmazonChecker(
                _read_store(connection, handshakes, worked or {}),
                _application_of(connection, config),
                client,
                grants,
                config.timeout_of(connection),
                handshakes.fingerprint if handshakes is not None else None,
            )
        case HttpConnection():
            return HttpChecker(connection, client, config.timeout_of(connection))
        case _:
            return _build_foreign(connection, config, client)


def _build_foreign(connection: Connection, config: Config, client: httpx.AsyncClient) -> Checker:
    """Return the checker of a provider that another package brings."""
    plugin = find_plugin(connection.provider)
    if plugin is None:
        raise ValueError(
            f"connection {connection.name}: no checker for provider {connection.provider}"
        )
    return PluginChecker(plugin, connection, client, config.timeout_of(connection))


def with_newer_token(connection: Connection, newer: HandshakeTokens | None) -> Connection:
    """Return *connection* with the token that a renewal link brought, if one did."""
    configured = credential_of(connection)
    if configured is None or newer is None or connection.name not in newer:
        return connection
    if isinstance(connection, AmazonConnection):
        return connection  # its store chooses
    token = LatestToken(connection.name, configured, newer, aim_of(connection))
    return connection.model_copy(update={"token": token})


def _read_store(
    connection: AmazonConnection,
    handshakes: HandshakeTokens | None,
    worked: Mapping[str, str | None],
) -> Store:
    token: RefreshableSecret = connection.refresh_token
    if handshakes is not None:
        token = LatestToken(connection.name, token, handshakes)
    is_known = connection.is_at_amazon
    others = [region for region in Region if is_known and region is not connection.region]
    return Store(
        connection.region,
        connection.called_url,
        token,
        _read_expected(connection) if connection.probe is Probe.SELLERS else None,
        {region: endpoint_of(region) for region in others},
        LastSuccess(worked[connection.name]) if connection.name in worked else None,
    )


def _read_expected(connection: AmazonConnection) -> Expected:
    if connection.marketplaces is None:
        return Expected(None)
    known = ((by_country(code), code) for code in connection.marketplaces)
    return Expected({one.id: code for one, code in known if one is not None})


def _application_of(connection: AmazonConnection, config: Config) -> Application:
    application = config.application(connection.application)
    if application is None:
        raise ValueError(
            f"connection {connection.name}: no application {connection.application};"
            " define it under [[applications]]"
        )
    return application
