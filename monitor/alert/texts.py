"""
Hold every sentence that alerts are made of.

Decides the words; which of them are said is decided in `message`. A
translation replaces this module and nothing else.
"""

# long because: all that is said stands in one place

from __future__ import annotations

from dataclasses import dataclass

from monitor.judge.alerts import AlertKind
from monitor.judge.outcome import Reason


@dataclass(frozen=True, slots=True)
class ReasonText:
    """
    How a reason is explained.

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
        "Whoever keeps the configuration should compare `base_url` with the service's API"
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

SINCE = "Since {at} ({span})."
FROM_TO = "It was broken from {at} on, for {span}."
REMINDER_TITLE = "Reminder: "
REMINDER = "Still so, as was told before; this is {times}."
REMINDER_ONCE = "the first reminder"
REMINDER_TIMES = "reminder number {n}"
REMINDERS_END = "Whoever takes it on ends the reminders with `connwatch ack NAME`."
LATE = "This was noticed at {at}; the message comes {span} late."
DETAIL = "Detail: {detail}"
BEFORE = "Before: {before}."
BEFORE_WITH_DETAIL = "Before: {before} ({detail})"
NEXT_STEP = "What to do"
LINK = "More"

MANY = "{n} connections"
LISTED = "Concerned"
AND_MORE = "and {n} more"
AND_MORE_AT = "and {n} more: {link}"
CUT = "... and more"

MANY_DIFFER = "They are told together; what each of them reports stands below."
SINCE_BRIEFLY = "since {at}"
LEFT_BRIEFLY = "{remaining} of {limit} left"

TROUBLE_TITLE = "{{who}}: {name}"

RECOVERED_TITLE = "{who} works again"
RECOVERED_TITLE_OF_MANY = "{who} work again"
RECOVERED = "The service accepts the credential again."
RECOVERED_STEP = "Jobs that failed meanwhile may have to be run again."
RECOVERED_SHORT = "Run again what failed meanwhile."

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
EXPIRING_SHORT = "Renew it, then record it with `connwatch renew`."
TOKEN_INSTEAD = ("authorization", "token")
OWN_END_STEP = (
    "Whoever manages the tokens of this account should make a new one at the service, and put it"
    " into the configuration and into the programs that use it."
)
OWN_END_SHORT = "Make a new token and put it in the old one's place."
RENEW_PAGE = "{remedy} The page for it: {url}"

UNRECORDED_TITLE = "{who}: renewed, but nobody said when"
UNRECORDED = "It still works, although its authorization was known to end on {day}."
UNRECORDED_WITHOUT_DATE = "It still works, although its authorization was known to have ended."
UNRECORDED_MEANS = (
    "Somebody has renewed it. Until the date of that is known, nobody can warn of the next end."
)
RENEW_COMMAND = "connwatch renew NAME --on DATE"
UNRECORDED_STEP = (
    f"Whoever renewed it should record the date with `{RENEW_COMMAND}`, or put it into"
    " the configuration as `authorized_on`."
)
UNRECORDED_SHORT = f"Record the date with `{RENEW_COMMAND}`."

RENEWED_TITLE = "{who}: authorization renewed"
RENEWED = "The authorization was renewed on {day}, and works."
RENEWED_WITHOUT_DATE = "The authorization was renewed, and works."
RENEWED_UNTIL = "It ends on {day}, {when}."
RENEWED_WITHOUT_END = "No end of it is known."
RENEWED_STEP = "Jobs that failed meanwhile may have to be run again."
RENEWED_SHORT = "Run again what failed meanwhile."

QUOTA_LEFT = "Left in this period: {remaining} of {limit} {unit} ({percent} %)."
QUOTA_LEFT_OF_UNKNOWN = "Left in this period: {remaining} {unit}."
QUOTA_WINDOW = 'It is the quota that the API calls "{window}".'
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
QUOTA_LOW_SHORT = "Put off what can wait, or buy a larger quota."
QUOTA_EXHAUSTED_TITLE = "{who}: quota used up"
QUOTA_EXHAUSTED = "The quota of this period is used up."
QUOTA_EXHAUSTED_OF = "The quota of this period, {limit} {unit}, is used up."
QUOTA_EXHAUSTED_BREAKS = (
    "Every program that shares this account is refused until the period ends or a larger quota"
    " is bought. The credential itself is fine."
)
QUOTA_EXHAUSTED_STEP = (
    "The owner of the account can buy a larger quota at the service; otherwise stop the jobs"
    " until the period ends."
)
QUOTA_EXHAUSTED_SHORT = "Buy a larger quota, or stop the jobs until the period ends."
QUOTA_RESTORED_TITLE = "{who}: quota available again"
QUOTA_RESTORED = "The quota is available again."
QUOTA_RESTORED_STEP = "Jobs that were put off can run again."
QUOTA_RESTORED_SHORT = "Jobs that were put off can run again."
LIMIT_CHANGED_TITLE = "{who}: quota changed"
LIMIT_RAISED = "The quota was raised from {before} to {limit} {unit} per period."
LIMIT_LOWERED = "The quota was lowered from {before} to {limit} {unit} per period."
LIMIT_CHANGED = "The quota was changed."
LIMIT_RAISED_STEP = "Nothing needs to be done."
LIMIT_LOWERED_STEP = (
    "If nobody on your side changed the plan, the owner of the account should ask the service."
)
LIMIT_RAISED_SHORT = "Nothing to do."
LIMIT_LOWERED_SHORT = "Ask the service, if nobody changed the plan."

APPLICATION_CONCERNED = "This concerns all {n} stores of application {application}."
APPLICATION_CONCERNED_UNCOUNTED = "This concerns every store of application {application}."
PERMISSIONS_CHANGED = (
    "All of them are refused, although the application itself is let in: its permissions at"
    " Amazon were probably changed, or are being reviewed."
)
PERMISSIONS_STEP = (
    "Whoever keeps the application at Amazon should compare its roles in the developer console"
    " with what it calls, and look there for messages. Sellers have nothing to do."
)
PERMISSIONS_SHORT = "Compare the application's roles in Amazon's developer console."

ROTATION_WHO = "application {application}"
ROTATION_WHO_UNKNOWN = "an application"
ROTATION_EXPIRING_TITLE = "{{who}}: client secret ends {when}"
ROTATION_ENDED_TITLE = "{who}: client secret has ended"
ROTATION_EXPIRING_TITLE_WITHOUT_DATE = "{who}: client secret ends soon"
ROTATION_EXPIRING = "The client secret ends on {day}, {when}."
ROTATION_ENDED = "The client secret ended on {day}, {when}."
ROTATION_EXPIRING_WITHOUT_DATE = "The client secret ends soon."
ROTATION_BREAKS = "From then on Amazon refuses every call made with it: {stores} stop."
ROTATION_STORES = "{n} connections"
ROTATION_STORE = "1 connection"
ROTATION_STORES_UNCOUNTED = "all its connections"
ROTATION_STEP = (
    "Whoever keeps the application at Amazon should rotate its secret in the developer console,"
    " put the new one into the configuration within seven days, and its date into"
    " `client_secret_created_on`. Sellers have nothing to do."
)
ROTATION_SHORT = "Rotate it in Amazon's developer console and configure the new one."

FORECAST_TITLE = "{{who}}: quota runs out {when}"
FORECAST_TITLE_WITHOUT_DATE = "{who}: quota will not last"
FORECAST = "At the present rate the quota is used up on {day}, {when}; the period ends at {at}."
FORECAST_WITHOUT_END = "At the present rate the quota is used up on {day}, {when}."
FORECAST_WITHOUT_DATE = "At the present rate the quota will be used up before the period ends."
FORECAST_BETWEEN = "Probably between {earliest} and {latest}."
FORECAST_STEP = (
    "Whoever plans the jobs should slow them down or put off what can wait; the owner of the"
    " account can buy a larger quota before it is needed."
)
FORECAST_SHORT = "Slow the jobs down, or buy a larger quota in time."

FLAPPING_TITLE = "{who} keeps changing"
FLAPPING_TITLE_OF_MANY = "{who} keep changing"
FLAPPING = "It broke and recovered again and again: {n} changes within {span}."
FLAPPING_UNCOUNTED = "It broke and recovered again and again."
FLAPPING_HELD = (
    "Calls that use it succeed only now and then. Until it holds still for an hour, its single"
    " failures and recoveries are not reported."
)
FLAPPING_STEP = (
    "Look at its history with `connwatch history`: a cause that comes and goes is often a"
    " network path, an overloaded service, or two programs that replace each other's token."
)
FLAPPING_SHORT = "Look at its history: `connwatch history`."

OUTAGE_WHO_UNKNOWN = "a service"
OUTAGE_TITLE = "{who}: outage"
OUTAGE_TITLE_COUNTED = "{{who}}: outage, {n} of {total} connections fail"
OUTAGE = "{n} of {total} connections to this host fail at once: {reason}."
OUTAGE_UNCOUNTED = "Most connections to this host fail at once."
OUTAGE_MEANS = (
    "So many at once points at the service, or the way to it, and not at single credentials. No"
    " data of these connections arrives meanwhile; they are reported together, here, and once"
    " more when it is over."
)
OUTAGE_STEP = (
    "Look at the status page of the service. If it reports nothing, whoever runs this machine"
    " should check its network; owners of the accounts have nothing to do."
)
OUTAGE_SHORT = "Look at the service's status page. Owners of accounts: nothing to do."
OUTAGE_OVER_TITLE = "{who}: outage is over"
OUTAGE_OVER = "The host answers again."
OUTAGE_LASTED = "The outage lasted from {at} on, for {span}."
OUTAGE_CONCERNED = "It concerned {n} connections."
OUTAGE_OVER_STEP = "Jobs that failed meanwhile may have to be run again."
OUTAGE_OVER_SHORT = "Run again what failed meanwhile."

OFFLINE_TITLE = "connwatch is offline"
OFFLINE = "This machine reaches none of the services that it watches."
OFFLINE_COUNTED = "This machine reaches none of the {n} hosts that it watches."
OFFLINE_MEANS = (
    "That is taken for a fault of its own link, and no connection is blamed for it. Nothing is"
    " watched until it is back."
)
OFFLINE_STEP = (
    "Whoever runs this machine should check its network: cable, router, name servers, firewall."
)
OFFLINE_SHORT = "Check the network of the machine that connwatch runs on."
ONLINE_TITLE = "connwatch is online again"
ONLINE = "This machine reaches the services again."
ONLINE_BETWEEN = "It was offline from {at} to {until}, for {span}."
ONLINE_MISSED = "{n} checks were missed; all connections are checked again now."
ONLINE_STEP = "Nothing needs to be done. What broke meanwhile is reported when it is confirmed."
ONLINE_SHORT = "Nothing to do."

CHANNEL_WHO_UNKNOWN = "a channel"
CHANNEL_FAILED_TITLE = "{who}: alerts do not arrive"
CHANNEL_FAILED = "The channel did not take what had to be told, and it was given up."
CHANNEL_FAILED_BREAKS = "Whoever reads only that channel is not told of anything."
CHANNEL_FAILED_STEP = (
    "Whoever keeps the configuration should try it with `connwatch alerts test`, mend its URL,"
    " and send what was given up with `connwatch alerts retry`."
)
CHANNEL_FAILED_SHORT = "Mend it, then `connwatch alerts test` and `connwatch alerts retry`."
CHANNEL_RESTORED_TITLE = "{who}: alerts arrive again"
CHANNEL_RESTORED = "The channel takes alerts again."
CHANNEL_RESTORED_STEP = (
    "What was given up meanwhile can be sent with `connwatch alerts retry`; see it with"
    " `connwatch alerts list --dead`."
)
CHANNEL_RESTORED_SHORT = "Send what was given up: `connwatch alerts retry`."
CHANNEL_WHO = "channel {channel}"

RESUMED_TITLE = "connwatch runs again"
RESUMED = "connwatch runs again after a pause; nothing was watched meanwhile."
RESUMED_SINCE = "It had stopped at {at}; that is {span} ago."
RESUMED_CHANGED = "{n} connections changed meanwhile:"
RESUMED_STEP = "Look at what changed; what is broken now is reported by itself."
RESUMED_SHORT = "Look at what changed: `connwatch status`."

DIGEST_TITLE_FINE = "connwatch: all fine, {n} active"
DIGEST_TITLE = "connwatch: {n} of {total} connections need attention"
DIGEST_FINE = "All fine: {counts}."
DIGEST_NOT_FINE = "How the connections stand: {counts}."
DIGEST_COUNTS = {
    "n_active": "{n} active",
    "n_error": "{n} in error",
    "n_expired": "{n} expired",
    "n_pending": "{n} not checked yet",
    "n_paused": "{n} paused",
    "n_expiring_soon": "{n} expiring soon",
}
DIGEST_NEXT = "Next to expire"
DIGEST_NEXT_LINE = "{name}: {day}, {when}"
DIGEST_STEP = "Nothing needs to be done now."
DIGEST_STEP_BROKEN = "See which they are with `connwatch status`, and begin with what is broken."
DIGEST_SHORT = "Nothing to do."
DIGEST_SHORT_BROKEN = "See `connwatch status`."

TEST_TITLE = "connwatch test message"
TEST = "[TEST] This is a test message of connwatch. Nothing has happened, nothing is broken."
TEST_STEP = "If you can read this, the channel works. Nothing needs to be done."
TEST_SHORT = "The channel works. Nothing to do."
TEST_MARK = "[TEST]"

LESS_THAN_A_MINUTE = "less than a minute"
DAYS = ("day", "days")
HOURS = ("hour", "hours")
MINUTES = ("minute", "minutes")
DAY = "%Y-%m-%d"
IN_DAYS = "in {n} days"
ENDS = "ends on {day}, {left}"
ENDED = "ended on {day}, {when}"
DAYS_LEFT = "{n} days left"
DAY_LEFT = "1 day left"
NO_DAY_LEFT = "less than a day left"
TOMORROW = "tomorrow"
TODAY = "today"
YESTERDAY = "yesterday"
DAYS_AGO = "{n} days ago"
INSTANT = "%Y-%m-%d %H:%M UTC"


# Several alerts of one kind in one message.
HEADLINES_OF_MANY = {
    AlertKind.ERROR: "{who} have trouble",
    AlertKind.EXPIRED: "{who}: authorization expired",
    AlertKind.EXPIRING_SOON: EXPIRING_TITLE_WITHOUT_DATE,
    AlertKind.SECRET_EXPIRING: ROTATION_EXPIRING_TITLE_WITHOUT_DATE,
    AlertKind.QUOTA_FORECAST: FORECAST_TITLE_WITHOUT_DATE,
    AlertKind.OUTAGE: OUTAGE_TITLE,
    AlertKind.OUTAGE_OVER: "{who}: outages are over",
}
OTHERS_OF_MANY = {
    AlertKind.SECRET_EXPIRING: "{n} applications",
    AlertKind.OUTAGE: "{n} services",
    AlertKind.OUTAGE_OVER: "{n} services",
    AlertKind.CHANNEL_FAILED: "{n} channels",
    AlertKind.CHANNEL_RESTORED: "{n} channels",
}
