"""Say what each reason means, and who can fix it how.

Which of it a message uses is decided in `words` and `drafts`.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.judge.outcome import Reason


@dataclass(frozen=True, slots=True)
class ReasonText:
    """How a reason is explained.

    Args:
        name: A few words, for titles and for "before".
        meaning: What happened and what it breaks.
        remedy: Who can mend it, and the next step.
        short: The next step in a text message.
    """

    name: str
    meaning: str
    remedy: str
    short: str


REASONS = {
    Reason.OK: ReasonText(
        "works",
        "The service accepts the credential.",
        "Nothing needs to be done.",
        "Nothing to do.",
    ),
    Reason.NOT_CHECKED: ReasonText(
        "not checked yet",
        "No check has come to a conclusion yet.",
        "Wait for the first check, or start one with `connwatch validate`.",
        "Wait for the first check.",
    ),
    Reason.THROTTLED: ReasonText(
        "throttled",
        "The service asks for fewer requests; the credential itself is alive.",
        "If this lasts, look for a program that asks too often with the same credential.",
        "Look for a program that asks too often.",
    ),
    Reason.AUTHORIZATION_EXPIRED: ReasonText(
        "authorization expired",
        "The authorization has run out and the service refuses it. Everything that uses this"
        " connection has stopped working.",
        "The owner of the account at the service must renew the authorization there; then put"
        " the new credential and its date into the configuration, or record the date with"
        " `connwatch renew`.",
        "The account's owner must renew it at the service.",
    ),
    Reason.TOKEN_REJECTED: ReasonText(
        "token rejected",
        "The service refuses the token: it was revoked, replaced or mistyped. Everything that"
        " uses this token is refused as well.",
        "Whoever manages the API tokens of this account should create a new one at the service"
        " and put it into the configuration and into the programs that use it.",
        "Create a new token at the service and configure it.",
    ),
    Reason.AUTHORIZATION_REVOKED: ReasonText(
        "authorization revoked",
        "Amazon refuses the store's authorization: the seller revoked it, or the refresh token"
        " belongs to another application or was mistyped. No data of this store arrives any more.",
        "The owner of the store must authorize the application again on Amazon's consent page;"
        " then put the new refresh token and its date into the configuration.",
        "The store's owner must authorize the application again.",
    ),
    Reason.CLIENT_REJECTED: ReasonText(
        "client id or secret rejected",
        "Amazon refuses the application's client id or secret. Every store of this application"
        " has stopped, whatever its own authorization.",
        "Whoever keeps the application at Amazon should compare client id and secret with the"
        " developer console; after a rotation the old secret dies within seven days. Sellers"
        " have nothing to do.",
        "Compare client id and secret with Amazon's developer console.",
    ),
    Reason.CLIENT_SECRET_EXPIRED: ReasonText(
        "client secret expired",
        "The application's client secret is older than 180 days, and Amazon refuses every call"
        " made with it. Every store of this application has stopped.",
        "Whoever keeps the application at Amazon must rotate its secret in the developer console"
        " and put the new one into the configuration. Sellers have nothing to do.",
        "Rotate the client secret in Amazon's developer console.",
    ),
    Reason.MARKETPLACE_MISMATCH: ReasonText(
        "marketplace mismatch",
        "The authorization works, but it does not cover a marketplace that it should. Data of"
        " that marketplace does not arrive.",
        "Compare `marketplaces` in the configuration with what the seller has in Seller Central;"
        " the seller may have to join the marketplace again.",
        "Compare `marketplaces` with Seller Central.",
    ),
    Reason.REGION_MISMATCH: ReasonText(
        "wrong region",
        "The authorization belongs to another region of Amazon than the configuration says, so"
        " that every call to the configured region is refused.",
        "Whoever keeps the configuration should correct `region`; if the region is right, the"
        " seller must authorize the application in a Seller Central of that region.",
        "Correct `region` in the configuration.",
    ),
    Reason.PERMISSION_DENIED: ReasonText(
        "permission denied",
        "The service knows the credential and does not let it in. Calls that need the missing"
        " permission fail.",
        "The owner of the account at the service should look at the permissions and the plan"
        " that belong to this credential, and at any list of allowed addresses.",
        "Check permissions and plan of this credential.",
    ),
    Reason.ACCOUNT_SUSPENDED: ReasonText(
        "account suspended",
        "The service has suspended, frozen or closed the account (or shop). All calls to it fail,"
        " whatever the token.",
        "The account owner must sign in to the service and settle it there: pay an open bill, or"
        " contact its support. A new token does not help.",
        "The account owner must settle it with the service.",
    ),
    Reason.SERVER_ERROR: ReasonText(
        "server error",
        "The service answers with an error of its own, several times in a row. Programs that"
        " call it probably get the same.",
        "Look at the status page of the service. If it reports nothing, ask its support.",
        "Look at the service's status page.",
    ),
    Reason.UNEXPECTED_RESPONSE: ReasonText(
        "unexpected response",
        "What answers is not the API: a redirect, a maintenance page, or an address that has"
        " changed. Programs that call it probably fail.",
        "Whoever keeps the configuration should compare the address there with the service's API"
        " reference and look for news of maintenance.",
        "Compare the address with the service's API reference.",
    ),
    Reason.DNS: ReasonText(
        "host name not found",
        "The host name of the service cannot be resolved, so that nothing on this machine can"
        " reach it.",
        "Whoever runs this machine should check its name servers, and the spelling of the host"
        " in the configuration.",
        "Check this machine's name servers and the host's spelling.",
    ),
    Reason.CONNECT: ReasonText(
        "cannot connect",
        "No connection to the service can be made. Programs on this machine cannot reach it"
        " either.",
        "Whoever runs this machine should check its network and firewall; then look at the"
        " status page of the service.",
        "Check this machine's network, then the service's status page.",
    ),
    Reason.TLS: ReasonText(
        "TLS failed",
        "The certificate of the service cannot be trusted, so nothing is sent to it.",
        "If there is a proxy of your own on the way, its CA belongs into the settings;"
        " otherwise the service must renew its certificate.",
        "Check the proxy's CA, or tell the service.",
    ),
    Reason.TIMEOUT: ReasonText(
        "no answer in time",
        "The service does not answer in time. Programs that call it probably wait in vain.",
        "Look at the status page of the service. If it is known to be slow, `checks.timeout`"
        " can be raised.",
        "Look at the service's status page.",
    ),
    Reason.PROTOCOL: ReasonText(
        "exchange failed",
        "Either what the service sends is not valid HTTP, or breaks off; or the credential could"
        " not be read or sent. The detail says which.",
        "If it is the credential, whoever keeps the configuration should put it right where it is"
        " kept; otherwise whoever runs the network should check proxies on the way, and then ask"
        " the support of the service.",
        "See the detail: mend the credential, or check proxies on the way.",
    ),
}

OF_PROVIDER = {
    ("amazon", Reason.PERMISSION_DENIED): ReasonText(
        "permission denied",
        "Amazon knows the authorization and does not let it in: the application lacks a role, or"
        " the account was deactivated. Data of this store does not arrive.",
        "Whoever keeps the application at Amazon should compare its roles in the developer"
        " console with what it calls. If a role was added, the owner of the store must authorize"
        " the application again; if none is missing, the owner should look whether the account"
        " is active.",
        "Check the application's roles; a new one needs the owner's authorization again.",
    ),
    ("countdown", Reason.AUTHORIZATION_EXPIRED): ReasonText(
        "authorization expired",
        "The authorization has run out by its date; nobody was asked. Everything that uses this"
        " connection has probably stopped working.",
        "The owner of the account at the service must renew the authorization there; then record"
        " the date with `connwatch renew`, or put it into the configuration.",
        "The account's owner must renew it at the service.",
    ),
}
"""What is said of a reason where it is known who was asked."""

UNKNOWN_REASON = ReasonText(
    "does not work",
    "The connection does not work.",
    "Look at its history with `connwatch history`.",
    "Look at its history: `connwatch history`.",
)

MAYBE_THEIRS = (
    "This may be their side or the way there: the credential was neither accepted nor refused."
)
