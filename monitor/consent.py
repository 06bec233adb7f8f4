"""
Name the page on which a person can mend a connection.

Decides which trouble a page helps against, whose page that is and how its
address is made. Whether it is printed or opened is left to who asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from monitor.config.amazon import AmazonConnection
from monitor.config.marketplaces import by_country, seller_central_of
from monitor.judge.outcome import Reason

if TYPE_CHECKING:
    from monitor.config.application import Application
    from monitor.config.connection import Connection

CONSENT_PATH = "/apps/authorize/consent"


class Need(Enum):
    """
    What somebody has to do that happens on a page.
    """

    AUTHORIZE = auto()
    LOOK = auto()
    DEVELOP = auto()
    PAY = auto()


NEEDS = {
    Reason.AUTHORIZATION_EXPIRED: Need.AUTHORIZE,
    Reason.AUTHORIZATION_REVOKED: Need.AUTHORIZE,
    Reason.TOKEN_REJECTED: Need.AUTHORIZE,
    Reason.REGION_MISMATCH: Need.AUTHORIZE,
    Reason.PERMISSION_DENIED: Need.AUTHORIZE,
    Reason.MARKETPLACE_MISMATCH: Need.LOOK,
    Reason.CLIENT_REJECTED: Need.DEVELOP,
    Reason.CLIENT_SECRET_EXPIRED: Need.DEVELOP,
}
"""Against everything else, nobody can do anything on a page."""


_OWN = "The page for it"


@dataclass(frozen=True, slots=True)
class Page:
    """
    Where a person can do something.

    Args:
        words: What to do there.
        url: None where the address is not known for certain.
    """

    words: str
    url: str | None = None


def find_page(
    connection: Connection, application: Application | None, need: Need, state: str
) -> Page | None:
    """
    Return the page for *need*, if there is one.

    Args:
        application: That of an Amazon connection.
        state: A random word that the consent page hands back.
    """
    if isinstance(connection, AmazonConnection) and application is not None:
        return _find_amazon_page(connection, application, need, state)
    if connection.renew_url is None or need not in {Need.AUTHORIZE, Need.PAY}:
        return None
    return Page(_OWN, connection.renew_url)


def _find_amazon_page(
    connection: AmazonConnection, application: Application, need: Need, state: str
) -> Page:
    host = seller_central_host(connection)
    if need is Need.DEVELOP:
        return Page("Where: in the developer console, in which the application was registered")
    if need is Need.LOOK:
        return Page("The seller's pages", f"https://{host}/")
    # Self-authorized applications have no consent page.
    is_self_authorized = not connection.valid_days
    if application.application_id is not None and not is_self_authorized:
        url = consent_url(connection, application.application_id, application.redirect_url, state)
        return Page("The seller authorizes the application here", url)
    if connection.renew_url is not None:
        return Page(_OWN, connection.renew_url)
    place = "Develop Apps" if is_self_authorized else "Manage Your Apps"
    return Page(f"The seller authorizes it again under {place} here", f"https://{host}/")


def seller_central_host(connection: AmazonConnection) -> str:
    """
    Return the host of the seller's pages: the first marketplace's, else the region's.
    """
    for country in connection.marketplaces or ():
        known = by_country(country)
        if known is not None:
            return known.seller_central
    return seller_central_of(connection.region)


def consent_url(
    connection: AmazonConnection, application_id: str, redirect_url: str | None, state: str
) -> str:
    """
    Return the page on which a seller authorizes an application.

    It is Amazon's own, whatever address is checked. Without *redirect_url*
    Amazon takes the first one that was registered.
    """
    fields = {"application_id": application_id, "state": state}
    if redirect_url is not None:
        fields["redirect_uri"] = redirect_url
    return f"https://{seller_central_host(connection)}{CONSENT_PATH}?{urlencode(fields)}"
