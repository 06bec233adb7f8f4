"""
Say why a connection cannot be renewed by a handshake from here, and what would change that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from monitor.config.amazon import AmazonConnection
from monitor.stored_secrets import MAKE_KEY, Cipher, KeyUnusable

if TYPE_CHECKING:
    from monitor.config.application import Application
    from monitor.config.connection import Connection
    from monitor.config.model import Config


@dataclass(frozen=True, slots=True)
class Obstacle:
    """
    What stands in the way of a handshake.

    Args:
        why: A sentence.
        remedy: What to do about it.
        lines: What to type or to write into the file for that.
    """

    why: str
    remedy: str
    lines: tuple[str, ...] = ()


def find_obstacle(config: Config, connection: Connection) -> Obstacle | None:
    """
    Return what keeps *connection* from a handshake; None if nothing does.
    """
    if not isinstance(connection, AmazonConnection):
        return Obstacle(
            f"{connection.name} is no Amazon store: only those are authorized on Amazon's pages.",
            "Renew it at its service, then record that on its page, under “Renewed elsewhere”.",
        )
    application = config.application(connection.application)
    assert application is not None, "the configuration was checked for that"
    if not connection.valid_days:
        return Obstacle(
            "Its application is self-authorized (valid_days = 0): Amazon has no consent page for"
            " those.",
            "Authorize it in Seller Central under Develop Apps, then put the new refresh token"
            " where refresh_token points.",
        )
    return _find_setting(application, connection.region) or _find_key(config)


def _find_setting(application: Application, region: str) -> Obstacle | None:
    for key, value, example in (
        ("application_id", application.application_id, "amzn1.sp.solution.…"),
        ("redirect_url", application.redirect_url, "https://…/oauth/amazon/callback"),
    ):
        if value is None:
            return Obstacle(
                f"Application {application.name} has no {key}, so that nobody can be sent to the"
                f" consent page of the region {region.upper()}.",
                "Put it under its [[applications]], as the developer console shows it:",
                (f'{key} = "{example}"',),
            )
    return None


def _find_key(config: Config) -> Obstacle | None:
    try:
        Cipher(config.web.key)
    except KeyUnusable as error:
        return Obstacle(
            f"The new refresh token could not be kept safely: {error}.",
            "Make a key beside the configuration file, name it there, and reload connwatch:",
            (MAKE_KEY, "[web]", 'key = { file = "fernet-key" }'),
        )
    return None
