"""Decide on which page a person renews an authorization, and what its address is.

An Amazon store is renewed on the page of its connection, where that leads to Amazon and back, else
on the page that the file names, else on Amazon's consent page, else under Manage Your Apps. Others
have the page that the file names, or none. Whether a key is usable is left to `monitor.web`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from monitor.config.connections import AmazonConnection, SoldscopeConnection
from monitor.config.http import HttpConnection
from monitor.config.marketplaces import by_country, seller_central_of

if TYPE_CHECKING:
    from monitor.config.connections import Application, Connection
    from monitor.config.model import Config
    from monitor.config.secret import Secret

CONSENT_PATH = "/apps/authorize/consent"
MANAGE_PATH = "/apps/manage"

STATE = "connwatch"
"""The state of a consent page whose answer does not come back here."""


@dataclass(frozen=True, slots=True)
class RenewalPage:
    """Where an authorization is renewed.

    Args:
        url: A page outside; None for none.
        is_here: It is the page of the connection, which leads to Amazon and back.
    """

    url: str | None = None
    is_here: bool = False


def credential_of(connection: Connection) -> Secret | None:
    """Return what lets *connection* in and can be given anew from outside; None for nothing."""
    if isinstance(connection, AmazonConnection):
        return connection.refresh_token
    if isinstance(connection, SoldscopeConnection | HttpConnection):
        return connection.token
    return None


def aim_of(connection: Connection) -> str:
    """Return where the credential of *connection* is sent, and how.

    One that was given from outside counts no longer where the owner points it elsewhere. A store's
    is bound to its application at Amazon.
    """
    if not isinstance(connection, SoldscopeConnection | HttpConnection):
        return ""
    parts = urlsplit(connection.called_url)
    return f"\0{connection.auth}\0{parts.scheme}\0{parts.netloc.lower()}"


def target_of(connection: Connection) -> str:
    """Return what a credential of *connection* is for: tried there, it is sent nowhere else."""
    if isinstance(connection, AmazonConnection):
        return f"{connection.provider}\0{connection.application}\0{connection.region}"
    return f"{connection.provider}{aim_of(connection)}"


def renewal_page_of(config: Config, connection: Connection) -> RenewalPage:
    """Return the page to which whoever owns the account is sent to renew *connection*."""
    if has_handshake(config, connection) and config.web.listen and config.web.public_url:
        return RenewalPage(is_here=True)
    return RenewalPage(outside_page_of(config, connection))


def has_handshake(config: Config, connection: Connection) -> bool:
    """Tell whether all is set that the way to Amazon and back needs."""
    if not isinstance(connection, AmazonConnection) or not connection.valid_days:
        return False
    application = config.application(connection.application)
    return (
        application is not None
        and application.application_id is not None
        and application.redirect_url is not None
        and config.web.key is not None
    )


def outside_page_of(config: Config, connection: Connection) -> str | None:
    """Return the page outside on which *connection* is renewed; None if no one is known."""
    if connection.renew_url is not None or not isinstance(connection, AmazonConnection):
        return connection.renew_url
    application = config.application(connection.application)
    if application is None or not has_consent_page(connection, application):
        return manage_page_of(connection)
    assert application.application_id is not None
    return consent_url(connection, application.application_id, application.redirect_url, STATE)


def has_consent_page(connection: AmazonConnection, application: Application) -> bool:
    """Tell whether Amazon asks the seller: self-authorized applications have no such page."""
    return application.application_id is not None and bool(connection.valid_days)


def seller_central_host(connection: AmazonConnection) -> str:
    """Return the host of the seller's pages: the first marketplace's, else the region's."""
    for country in connection.marketplaces or ():
        known = by_country(country)
        if known is not None:
            return known.seller_central
    return seller_central_of(connection.region)


def manage_page_of(connection: AmazonConnection) -> str:
    """Return the page on which a seller sees and authorizes applications."""
    return f"https://{seller_central_host(connection)}{MANAGE_PATH}"


def consent_url(
    connection: AmazonConnection, application_id: str, redirect_url: str | None, state: str
) -> str:
    """Return the page on which a seller authorizes an application.

    It is Amazon's own, whatever address is checked, unless the application has
    an `endpoint`: then it is the one there. Without *redirect_url* Amazon takes
    the first one that was registered.
    """
    fields = {"application_id": application_id, "state": state}
    if redirect_url is not None:
        fields["redirect_uri"] = redirect_url
    return f"{consent_page_of(connection)}?{urlencode(fields)}"


def consent_page_of(connection: AmazonConnection) -> str:
    """Return the address of that page, without what it is asked."""
    root = connection.own_consent_root or f"https://{seller_central_host(connection)}"
    return root + CONSENT_PATH
