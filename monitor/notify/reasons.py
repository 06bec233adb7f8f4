"""Say what each reason means, and who can fix it how: one table for every surface.

List, page, `status`, `validate`, `explain` and alerts read it through `words.explain`, by reason
and provider; where a setting is changed stands in its place by the owner of the
connection. Which of it a message uses is decided in `connections`.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.judge.outcome import Reason


@dataclass(frozen=True, slots=True)
class ReasonText:
    """How a reason is explained.

    Args:
        name: A few words, for titles and lists.
        meaning: What happened and what it breaks.
        remedy: The next step, and in brackets whose it is where that matters.
        short: The next step in a text message.
    """

    name: str
    meaning: str
    remedy: str
    short: str


WHERE_CONFIGURED = "where it is configured"
"""Said where the owner is unknown, or where connections of several owners are affected."""

ON_ITS_PAGE = "on the connection's page (Edit)"
IN_SOURCE = "in the source “{source}”"
IN_FORM = "in this form"

OF_FILE = {
    "in_config": "in connwatch's config",
    "at_token": "where `token` points",
    "at_refresh_token": "where `refresh_token` points",
    "refresh_token": "`refresh_token`",
    "token_and_date": "the token and `authorized_on`",
}
OF_OTHERS = {
    "in_config": "{place}",
    "at_token": "{place}",
    "at_refresh_token": "{place}",
    "refresh_token": "the refresh token {place}",
    "token_and_date": "the token and its date {place}",
}
"""What stands in the places of the texts below: where a setting is changed, by who owns it."""

NO_ACTION = "No action needed."

AUTHORIZE_OUTSIDE = (
    "Ask the store owner to authorize the app again in Seller Central, then update {refresh_token}"
    " and run `connwatch renew NAME`."
)
AUTHORIZE_HERE = (
    "Ask the store owner to click “Renew at Amazon” and confirm in Seller Central. connwatch"
    " switches to the new token automatically."
)
AUTHORIZE_SHORT = "Ask the store owner to renew it at Amazon."

REASONS = {
    Reason.OK: ReasonText("works", "The service accepts the credential.", NO_ACTION, NO_ACTION),
    Reason.NOT_CHECKED: ReasonText(
        "not checked yet",
        "No check has finished yet.",
        "Wait for the first check, or start one with `connwatch validate NAME`.",
        "Wait for the first check.",
    ),
    Reason.THROTTLED: ReasonText(
        "throttled",
        "The service asks for fewer requests. The credential is valid.",
        "If this lasts, find the program that calls too often with the same credential.",
        "Find the program that calls too often.",
    ),
    Reason.AUTHORIZATION_EXPIRED: ReasonText(
        "authorization expired",
        "The authorization has expired, and the service rejects it. All calls with this connection"
        " fail.",
        "Renew it with the provider, then update {token_and_date}.",
        "Renew it with the provider and update the token.",
    ),
    Reason.TOKEN_REJECTED: ReasonText(
        "token rejected",
        "The service rejects this token: it has expired, or was revoked, replaced or mistyped."
        " Every job that uses it fails.",
        "Create a new token at the service, then update it {in_config} and in every"
        " program that uses it.",
        "Create a new token at the service and configure it.",
    ),
    Reason.AUTHORIZATION_REVOKED: ReasonText(
        "authorization revoked",
        "The service rejects the authorization: its owner revoked access, or the credential belongs"
        " to another app. All calls with this connection fail.",
        "Ask the account owner to authorize the app again at the service, then update the"
        " credential and run `connwatch renew NAME`.",
        "Ask the account owner to authorize the app again.",
    ),
    Reason.CLIENT_REJECTED: ReasonText(
        "client id or secret rejected",
        "The service rejects the app's client ID or secret. Every connection of this app fails.",
        "Compare client ID and secret with those that the service shows (app developer). Account"
        " owners have nothing to do.",
        "Compare client ID and secret with the service's.",
    ),
    Reason.CLIENT_SECRET_EXPIRED: ReasonText(
        "client secret expired",
        "The app's client secret has expired, so the service rejects every call. Every connection"
        " of this app fails.",
        "Create a new client secret at the service (app developer) and put it where the old one"
        " is. Account owners have nothing to do.",
        "Create a new client secret at the service.",
    ),
    Reason.MARKETPLACE_MISMATCH: ReasonText(
        "marketplace mismatch",
        "The authorization works, but not for every marketplace it should cover. No data for the"
        " missing ones.",
        "Compare the configured marketplaces with those of the account.",
        "Compare the configured marketplaces with the account's.",
    ),
    Reason.REGION_MISMATCH: ReasonText(
        "wrong region",
        "The authorization belongs to another region than the configured one. All calls fail.",
        "Correct the region {in_config}. If it is right, ask the account owner to authorize the"
        " app in that region.",
        "Correct the region {in_config}.",
    ),
    Reason.PERMISSION_DENIED: ReasonText(
        "permission denied",
        "The credential is valid but lacks permission (403). Calls that need it fail.",
        "Check the permissions, the plan and the allowed IP addresses of this credential (account"
        " owner).",
        "Check permissions and plan of this credential.",
    ),
    Reason.ACCOUNT_SUSPENDED: ReasonText(
        "account suspended",
        "The service has suspended, frozen or closed the account (or shop). All calls to it fail,"
        " whatever the token.",
        "Ask the account owner to sign in to the service and pay what is due, or to contact its"
        " support. A new token does not help.",
        "Ask the account owner to contact the service.",
    ),
    Reason.SERVER_ERROR: ReasonText(
        "server error",
        "The service fails with server errors. Other programs calling it are probably failing too.",
        "Check the service's status page. If it reports nothing, contact its support.",
        "Check the service's status page.",
    ),
    Reason.UNEXPECTED_RESPONSE: ReasonText(
        "unexpected response",
        "The response is not the API's: a redirect, a firewall's or maintenance page, or an error"
        " in its body.",
        "If the details quote an error, act on that. Otherwise compare the address with the API"
        " reference, and check the status page.",
        "See the details, and compare the address with the API reference.",
    ),
    Reason.DNS: ReasonText(
        "host name not found",
        "The service's host name cannot be resolved on this host.",
        "Check DNS on this host, and the spelling of the host name {in_config}.",
        "Check DNS on this host and the host name's spelling.",
    ),
    Reason.CONNECT: ReasonText(
        "cannot connect",
        "This host cannot connect to the service.",
        "Check the network and firewall on this host, then the service's status page.",
        "Check this host's network, then the service's status page.",
    ),
    Reason.TLS: ReasonText(
        "TLS failed",
        "The service's certificate is not trusted, so nothing is sent to it.",
        "If a proxy of your own is on the way, add its CA as `ca_file`. Otherwise ask the service"
        " to renew its certificate.",
        "Check the proxy's CA, or notify the service.",
    ),
    Reason.TIMEOUT: ReasonText(
        "timed out",
        "The service does not respond in time. Other programs calling it are probably timing out"
        " too.",
        "Check the service's status page. If it is known to be slow, raise `timeout`.",
        "Check the service's status page.",
    ),
    Reason.PROTOCOL: ReasonText(
        "exchange failed",
        "The response is not valid HTTP, or the credential could not be read or sent. The details"
        " say which.",
        "If the details name the credential, fix it where it is stored. Otherwise check proxies on"
        " the way.",
        "See the details: fix the credential, or check proxies.",
    ),
}

OF_PROVIDER = {
    ("soldscope", Reason.TOKEN_REJECTED): ReasonText(
        "token rejected",
        "SoldScope rejects this token: it has expired, or was revoked, replaced or mistyped. Every"
        " job that uses it fails.",
        "Create a new token under API Access in SoldScope, then replace it {at_token} and"
        " in every program that uses it.",
        "Create a new token in SoldScope and configure it.",
    ),
    ("amazon", Reason.AUTHORIZATION_EXPIRED): ReasonText(
        "authorization expired",
        "The authorization has expired, and Amazon rejects it. No new data for this store.",
        AUTHORIZE_OUTSIDE,
        AUTHORIZE_SHORT,
    ),
    ("amazon", Reason.AUTHORIZATION_REVOKED): ReasonText(
        "authorization revoked",
        "Amazon rejects the refresh token: the seller revoked access, or the token belongs to"
        " another app. No new data for this store.",
        AUTHORIZE_OUTSIDE,
        AUTHORIZE_SHORT,
    ),
    ("amazon", Reason.CLIENT_REJECTED): ReasonText(
        "client id or secret rejected",
        "Amazon rejects the app's client ID or secret. All its stores have stopped.",
        "Compare client ID and secret with Developer Central (app developer). After rotation, the"
        " old secret stops working within 7 days. Sellers have nothing to do.",
        "Compare client ID and secret with Developer Central.",
    ),
    ("amazon", Reason.CLIENT_SECRET_EXPIRED): ReasonText(
        "client secret expired",
        "The app's client secret is past its 180 days, so Amazon rejects every call. All its"
        " stores have stopped.",
        "Rotate the client secret in Developer Central (app developer) and put the new one where"
        " `client_secret` points. Sellers have nothing to do.",
        "Rotate the client secret in Developer Central.",
    ),
    ("amazon", Reason.MARKETPLACE_MISMATCH): ReasonText(
        "marketplace mismatch",
        "The authorization works, but not for every marketplace it should cover. No data for the"
        " missing ones.",
        "Compare `marketplaces` with Seller Central. If they are right, ask the seller to join"
        " the marketplace again.",
        "Compare `marketplaces` with Seller Central.",
    ),
    ("amazon", Reason.REGION_MISMATCH): ReasonText(
        "wrong region",
        "The authorization belongs to another Amazon region than the configured one. All calls"
        " fail.",
        "Correct `region` {in_config}. If it is right, ask the store owner to authorize the app"
        " in a Seller Central of that region.",
        "Correct `region` {in_config}.",
    ),
    ("amazon", Reason.TOKEN_REJECTED): ReasonText(
        "token rejected",
        "Amazon rejects even a fresh access token. No new data for this store.",
        "If it lasts, ask the store owner to authorize the app again.",
        "If it lasts, the store owner must authorize the app again.",
    ),
    ("amazon", Reason.PERMISSION_DENIED): ReasonText(
        "permission denied",
        "Amazon accepts the authorization but denies access: a role is missing or the account is"
        " inactive. No data for this store.",
        "Compare the app's roles in Developer Central (app developer). After adding a role, ask the"
        " store owner to authorize the app again. If none is missing, check the account.",
        "Check the app's roles; a new one needs the owner's authorization again.",
    ),
    ("countdown", Reason.OK): ReasonText(
        "on schedule",
        "connwatch does not call this service; it counts from the date you gave.",
        NO_ACTION,
        NO_ACTION,
    ),
    ("countdown", Reason.AUTHORIZATION_EXPIRED): ReasonText(
        "authorization expired",
        "The authorization has expired by its date; connwatch does not call this service. Calls"
        " that use it probably fail.",
        "Ask the account owner to renew it, then run `connwatch renew NAME`.",
        "Renew it, then run `connwatch renew NAME`.",
    ),
}
"""What is said of a reason where the provider is known."""

OLD_TOKEN = ReasonText(
    "old refresh token still in use",
    "It was renewed, but connwatch still uses the refresh token from before. No new data for this"
    " store.",
    "Put the new refresh token {at_refresh_token}. The seller has nothing to do.",
    "Put the new refresh token {at_refresh_token}.",
)
"""What is said of a rejected authorization whose renewal brought a token that is not used."""

UNKNOWN_REASON = ReasonText(
    "failing",
    "The connection does not work.",
    "Look at its history with `connwatch history NAME`.",
    "Look at its history: `connwatch history NAME`.",
)

MAYBE_THEIRS = (
    "The service or the network is the likely cause; the credential has not been rejected."
)
