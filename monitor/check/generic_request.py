"""
Build the request for any HTTP API, with its secrets where they belong.

Decides how a credential is written into a request, and which texts must never
come back in a message. What is asked for, and where, is said in the settings.
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

import httpx

from monitor.check.asking import Prepared, UnsendableError
from monitor.check.carry import REPEATABLE
from monitor.config.secret import Secret

if TYPE_CHECKING:
    from monitor.config.http import HttpConnection


def secrets_of(connection: HttpConnection) -> list[Secret]:
    """
    Return all secrets that a request for *connection* needs.
    """
    values = (connection.token, connection.password, *connection.headers.values())
    return [value for value in values if isinstance(value, Secret)]


def prepare(connection: HttpConnection, url: httpx.URL, client: httpx.AsyncClient) -> Prepared:
    """
    Return the request for *connection*.

    Raises:
        SecretUnavailable: A secret is not where it should be.
        UnsendableError: A secret cannot be written into a header or an address.
    """
    token = connection.token.reveal() if connection.token else ""
    password = connection.password.reveal() if connection.password else ""
    headers = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in connection.headers.items()
    }
    secrets = [secret.reveal() for secret in secrets_of(connection)]
    kind, _, name = connection.auth.partition(":")
    match kind:
        case "basic" if token or password:
            # A token alone stands for the user, with an empty password, as many APIs have it.
            pair = f"{connection.username or token}:{password}"
            encoded = b64encode(pair.encode()).decode("ascii")
            secrets.append(encoded)
            headers["Authorization"] = f"Basic {encoded}"
        case "bearer" if token:
            _refuse_spaces(token)
            headers["Authorization"] = f"Bearer {token}"
        case "header" if token:
            _refuse_spaces(token)
            headers[name] = token
        case "query" if token:
            url = _add_parameter(url, name, token)
    for header, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise _unsendable(f"what {header} should carry holds letters outside ASCII")
    # A check is made again and again: once more does no harm.
    extensions = {REPEATABLE: True}
    request = client.build_request(connection.method, url, headers=headers, extensions=extensions)
    return Prepared(request, tuple(secrets), token)


def _add_parameter(url: httpx.URL, name: str, token: str) -> httpx.URL:
    try:
        return url.copy_set_param(name, token)
    except httpx.InvalidURL:
        problem = "the token is too long to stand in an address"
    raise _unsendable(problem)


def _refuse_spaces(token: str) -> None:
    if " " in token:
        raise _unsendable("the token holds spaces")


def _unsendable(why: str) -> UnsendableError:
    again = "Copy the token again from where it was created."
    return UnsendableError(f"The request cannot be sent: {why}. {again}")
