"""
Hold every sentence that alerts are made of.

Decides the words; which of them are said is decided in `message`. A
translation replaces this module and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.judge.outcome import Reason


@dataclass(frozen=True, slots=True)
class ReasonText:
    """
    How a reason is explained.

    Args:
        name: A few words, for titles and for "before".
        meaning: What happened and what it breaks.
        remedy: Who can mend it, and the next step.
    """

    name: str
    meaning: str
    remedy: str


REASONS = {
    Reason.OK: ReasonText(
        "works",
        "The service accepts the credential.",
        "Nothing needs to be done.",
    ),
    Reason.NOT_CHECKED: ReasonText(
        "not checked yet",
        "No check has come to a conclusion yet.",
        "Wait for the first check, or start one with `connwatch validate`.",
    ),
    Reason.THROTTLED: ReasonText(
        "throttled",
        "The service asks for fewer requests; the credential itself is alive.",
        "If this lasts, look for a program that asks too often with the same credential.",
    ),
    Reason.AUTHORIZATION_EXPIRED: ReasonText(
        "authorization expired",
        "The authorization has run out and the service refuses it. Everything that uses this"
        " connection has stopped working.",
        "The owner of the account at the service must renew the authorization there; then put"
        " the new credential and its date into the configuration, or record the date with"
        " `connwatch renew`.",
    ),
    Reason.TOKEN_REJECTED: ReasonText(
        "token rejected",
        "The service refuses the token: it was revoked, replaced or mistyped. Everything that"
        " uses this token is refused as well.",
        "Whoever manages the API tokens of this account should create a new one at the service"
        " and put it into the configuration and into the programs that use it.",
    ),
    Reason.AUTHORIZATION_REVOKED: ReasonText(
        "authorization revoked",
        "Amazon refuses the store's authorization: the seller revoked it, or the refresh token"
        " belongs to another application or was mistyped. No data of this store arrives any more.",
        "The owner of the store must authorize the application again on Amazon's consent page;"
        " then put the new refresh token and its date into the configuration.",
    ),
    Reason.CLIENT_REJECTED: ReasonText(
        "client id or secret rejected",
        "Amazon refuses the application's client id or secret. Every store of this application"
        " has stopped, whatever its own authorization.",
        "Whoever keeps the application at Amazon should compare client id and secret with the"
        " developer console; after a rotation the old secret dies within seven days. Sellers"
        " have nothing to do.",
    ),
    Reason.CLIENT_SECRET_EXPIRED: ReasonText(
        "client secret expired",
        "The application's client secret is older than 180 days, and Amazon refuses every call"
        " made with it. Every store of this application has stopped.",
        "Whoever keeps the application at Amazon must rotate its secret in the developer console"
        " and put the new one into the configuration. Sellers have nothing to do.",
    ),
    Reason.MARKETPLACE_MISMATCH: ReasonText(
        "marketplace mismatch",
        "The authorization works, but it does not cover a marketplace that it should. Data of"
        " that marketplace does not arrive.",
        "Compare `marketplaces` in the configuration with what the seller has in Seller Central;"
        " the seller may have to join the marketplace again.",
    ),
    Reason.REGION_MISMATCH: ReasonText(
        "wrong region",
        "The authorization belongs to another region of Amazon than the configuration says, so"
        " that every call to the configured region is refused.",
        "Whoever keeps the configuration should correct `region`; if the region is right, the"
        " seller must authorize the application in a Seller Central of that region.",
    ),
    Reason.PERMISSION_DENIED: ReasonText(
        "permission denied",
        "The service knows the credential and does not let it in. Calls that need the missing"
        " permission fail.",
        "The owner of the account at the service should look at the permissions and the plan"
        " that belong to this credential, and at any list of allowed addresses.",
    ),
    Reason.SERVER_ERROR: ReasonText(
        "server error",
        "The service answers with an error of its own, several times in a row. Programs that"
        " call it probably get the same.",
        "Look at the status page of the service. If it reports nothing, ask its support.",
    ),
    Reason.UNEXPECTED_RESPONSE: ReasonText(
        "unexpected response",
        "What answers is not the API: a redirect, a maintenance page, or an address that has"
        " changed. Programs that call it probably fail.",
        "Whoever keeps the configuration should compare `base_url` with the service's API"
        " reference and look for news of maintenance.",
    ),
    Reason.DNS: ReasonText(
        "host name not found",
        "The host name of the service cannot be resolved, so that nothing on this machine can"
        " reach it.",
        "Whoever runs this machine should check its name servers, and the spelling of the host"
        " in the configuration.",
    ),
    Reason.CONNECT: ReasonText(
        "cannot connect",
        "No connection to the service can be made. Programs on this machine cannot reach it"
        " either.",
        "Whoever runs this machine should check its network and firewall; then look at the"
        " status page of the service.",
    ),
    Reason.TLS: ReasonText(
        "TLS failed",
        "The certificate of the service cannot be trusted, so nothing is sent to it.",
        "If there is a proxy of your own on the way, its CA belongs into the settings;"
        " otherwise the service must renew its certificate.",
    ),
    Reason.TIMEOUT: ReasonText(
        "no answer in time",
        "The service does not answer in time. Programs that call it probably wait in vain.",
        "Look at the status page of the service. If it is known to be slow, `checks.timeout`"
        " can be raised.",
    ),
    Reason.PROTOCOL: ReasonText(
        "garbled answer",
        "What the service sends is not valid HTTP, or breaks off. Programs that call it"
        " probably fail.",
        "Whoever runs the network should check proxies on the way; then ask the support of the"
        " service.",
    ),
}

UNKNOWN_REASON = ReasonText(
    "does not work",
    "The connection does not work.",
    "Look at its history with `connwatch history`.",
)

MAYBE_THEIRS = (
    "This may be their side or the way there: the credential was neither accepted nor refused."
)

SINCE = "Since {at} ({span})."
FROM_TO = "It was broken from {at} on, for {span}."
LATE = "This was noticed at {at}; the message comes {span} late."
DETAIL = "Detail: {detail}"
BEFORE = "Before: {before}."
BEFORE_WITH_DETAIL = "Before: {before} ({detail})"
NEXT_STEP = "What to do: {remedy}"
LINK = "More: {link}"

MANY = "{n} connections"
LISTED = "Concerned:"
AND_MORE = "and {n} more"

TROUBLE_TITLE = "{{who}}: {name}"

RECOVERED_TITLE = "{who} works again"
RECOVERED_TITLE_OF_MANY = "{who} work again"
RECOVERED = "The service accepts the credential again."
RECOVERED_STEP = "Jobs that failed meanwhile may have to be run again."

EXPIRING_TITLE = "{{who}}: authorization ends {when}"
EXPIRED_MEANWHILE_TITLE = "{who}: authorization has ended"
EXPIRING_TITLE_WITHOUT_DATE = "{who}: authorization ends soon"
EXPIRING = "The authorization ends on {day}, {when}."
EXPIRED_MEANWHILE = "The authorization ended on {day}, {when}."
EXPIRING_WITHOUT_DATE = "The authorization ends soon."
EXPIRING_BREAKS = "From then on everything that uses this connection is refused."
EXPIRING_STEP = (
    "The owner of the account should renew the authorization; then record it with"
    " `connwatch renew` or put the new date into the configuration."
)
RENEW_PAGE = "{remedy} The page for it: {url}"

UNRECORDED_TITLE = "{who}: renewed, but nobody said when"
UNRECORDED = "It still works, although its authorization was known to end on {day}."
UNRECORDED_WITHOUT_DATE = "It still works, although its authorization was known to have ended."
UNRECORDED_MEANS = (
    "Somebody has renewed it. Until the date of that is known, nobody can warn of the next end."
)
UNRECORDED_STEP = (
    "Whoever renewed it should record the date with `connwatch renew --on DATE`, or put it into"
    " the configuration as `authorized_on`."
)

RENEWED_TITLE = "{who}: authorization renewed"
RENEWED = "The authorization was renewed on {day}, and works."
RENEWED_WITHOUT_DATE = "The authorization was renewed, and works."
RENEWED_UNTIL = "It ends on {day}, {when}."
RENEWED_WITHOUT_END = "No end of it is known."
RENEWED_STEP = "Jobs that failed meanwhile may have to be run again."

QUOTA_LEFT = "Left in this period: {remaining} of {limit} requests ({percent} %)."
QUOTA_LEFT_OF_UNKNOWN = "Requests left in this period: {remaining}."
QUOTA_UNKNOWN = "How much is left is not known."
QUOTA_ENDS = "The period ends at {at} (in {span})."
QUOTA_ENDED = "The period should have ended at {at}."
QUOTA_LOW_TITLE = "{who}: quota low"
QUOTA_LOW = "The quota is running low: {step} % or less is left."
QUOTA_LOW_BREAKS = "When it is used up, every program that shares this account is refused."
QUOTA_LOW_STEP = (
    "Whoever plans the jobs should put off what can wait; the owner of the account can buy a"
    " larger quota."
)
QUOTA_FORECAST_TITLE = "{who}: quota will not last"
QUOTA_FORECAST = (
    "If it goes on being used like this, the quota runs out on {day}, {when}, before it is reset."
)
QUOTA_FORECAST_WITHOUT_DATE = (
    "If it goes on being used like this, the quota runs out before it is reset."
)
QUOTA_FORECAST_RANGE = "Most likely between {earliest} and {latest}."
QUOTA_EXHAUSTED_TITLE = "{who}: quota used up"
QUOTA_EXHAUSTED = "The quota of this period is used up."
QUOTA_EXHAUSTED_OF = "The quota of this period, {limit} requests, is used up."
QUOTA_EXHAUSTED_BREAKS = (
    "Every program that shares this account is refused until the period ends or a larger quota"
    " is bought. The credential itself is fine."
)
QUOTA_EXHAUSTED_STEP = (
    "The owner of the account can buy a larger quota at the service; otherwise stop the jobs"
    " until the period ends."
)
QUOTA_RESTORED_TITLE = "{who}: quota available again"
QUOTA_RESTORED = "The quota is available again."
QUOTA_RESTORED_STEP = "Jobs that were put off can run again."
LIMIT_CHANGED_TITLE = "{who}: quota changed"
LIMIT_RAISED = "The quota was raised from {before} to {limit} requests per period."
LIMIT_LOWERED = "The quota was lowered from {before} to {limit} requests per period."
LIMIT_CHANGED = "The quota was changed."
LIMIT_RAISED_STEP = "Nothing needs to be done."
LIMIT_LOWERED_STEP = (
    "If nobody on your side changed the plan, the owner of the account should ask the service."
)

TEST_TITLE = "connwatch test message"
TEST = "This is a test message of connwatch. Nothing has happened, nothing is broken."
TEST_STEP = "If you can read this, the channel works. Nothing needs to be done."
TEST_MARK = "[Test]"

LESS_THAN_A_MINUTE = "less than a minute"
DAYS = ("day", "days")
HOURS = ("hour", "hours")
MINUTES = ("minute", "minutes")
DAY = "%Y-%m-%d"
IN_DAYS = "in {n} days"
TOMORROW = "tomorrow"
TODAY = "today"
YESTERDAY = "yesterday"
DAYS_AGO = "{n} days ago"
INSTANT = "%Y-%m-%d %H:%M UTC"
