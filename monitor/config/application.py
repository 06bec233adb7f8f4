# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare an Amazon application: an OAuth client and its secret, shared by stores.

How the days of the secret are counted is decided in `monitor.judge`.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.config.base import Settings
from monitor.config.fields import Name, PastDay
from monitor.config.marketplaces import LWA_TOKEN_URL
from monitor.config.secret import Secret
from monitor.config.secret_text import check_client_secret
from monitor.config.urls import BaseUrl, CalledUrl
from monitor.config.wording import got

_OF_APPLICATIONS = ("amzn1.sp.solution.", "amzn1.sellerapps.app.")
_OF_CLIENTS = "amzn1.application-oa2-client."
_OF_SECRETS = "amzn1.oa2-cs."


def _check_identifier(value: Any) -> str:
    # Never repeated: people paste the secret that stands beside it in the console.
    if not isinstance(value, str):
        raise ValueError(f"a text in quotes, {got(value)}")  # noqa: TRY004 - pydantic collects ValueErrors only
    if not value:
        raise ValueError("empty: copy it from the developer console")
    if any(char.isspace() or not char.isprintable() for char in value):
        raise ValueError("no spaces, line breaks or control characters")
    if value.startswith(_OF_SECRETS):
        raise ValueError("this is a client secret: write it as client_secret")
    return value


def _check_client_id(value: Any) -> str:
    identifier = _check_identifier(value)
    if identifier.startswith(_OF_APPLICATIONS):
        raise ValueError(
            "this is an application id: write it as application_id; the client id stands"
            f' beside the client secret in the developer console and begins with "{_OF_CLIENTS}"'
        )
    return identifier


def _check_application_id(value: Any) -> str:
    identifier = _check_identifier(value)
    if identifier.startswith(_OF_CLIENTS):
        raise ValueError(
            "this is a client id: write it as client_id; the application id begins with"
            f' "{_OF_APPLICATIONS[0]}"'
        )
    return identifier


def _require_client_secret(secret: Secret) -> Secret:
    return secret.require(check_client_secret)


_AS_TEXT = WithJsonSchema({"type": "string", "minLength": 1})


class Application(Settings):
    """
    An application registered with Amazon, on whose behalf its stores are checked.
    """

    name: Name = Field(description="How connections and alerts call it.")
    client_id: Annotated[str, BeforeValidator(_check_client_id), _AS_TEXT] = Field(
        description="The client id of Login with Amazon (LWA)."
    )
    client_secret: Annotated[Secret, AfterValidator(_require_client_secret)] = Field(
        description="The client secret of Login with Amazon."
    )
    client_secret_created_on: PastDay | None = Field(
        default=None,
        description="When the secret was made; it lasts 180 days. Default: unknown.",
    )
    application_id: Annotated[str, BeforeValidator(_check_application_id), _AS_TEXT] | None = Field(
        default=None, description="The id that the consent page asks for."
    )
    redirect_url: CalledUrl | None = Field(
        default=None, description="Where the consent page sends people back to, as registered."
    )
    token_url: BaseUrl | None = Field(
        default=None, description="Replaces Amazon's address for tokens, for a simulator."
    )

    @property
    def token_address(self) -> str:
        """
        Return the address at which refresh tokens are exchanged.
        """
        return self.token_url or LWA_TOKEN_URL

    @property
    def token_host(self) -> str:
        """
        Return the host and port of that address.
        """
        return urlsplit(self.token_address).netloc
