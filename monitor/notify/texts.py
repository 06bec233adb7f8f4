"""Hold the sentences of the messages, and the words for days, instants and lengths of time.

Which of them an alert uses is decided in `drafts`, how they are put together in `message`, which
unit of time is used in `words`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import AlertKind, SubjectKind
from monitor.judge.outcome import QuotaUnit

if TYPE_CHECKING:
    from collections.abc import Mapping

# --- around the news, whatever the kind

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
TEST_MARK = "[TEST]"


# --- connections

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

APPLICATION_CONCERNED = (
    "This concerns the {n} store of application {application}.",
    "This concerns all {n} stores of application {application}.",
)
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

TEST_TITLE = "connwatch test message"
TEST = "[TEST] This is a test message of connwatch. Nothing has happened, nothing is broken."
TEST_STEP = "If you can read this, the channel works. Nothing needs to be done."
TEST_SHORT = "The channel works. Nothing to do."


# --- quotas

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

UNITS: dict[str, str] = {QuotaUnit.CONCURRENT: "requests at a time", QuotaUnit.OTHER: "units"}
"""What a quota counts, where that is not called what people call it."""


# --- time

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


# --- more than single connections

ROTATION_WHO = "application {application}"
ROTATION_WHO_UNKNOWN = "an application"
ROTATION_EXPIRING_TITLE = "{{who}}: client secret ends {when}"
ROTATION_ENDED_TITLE = "{who}: client secret has ended"
ROTATION_EXPIRING_TITLE_WITHOUT_DATE = "{who}: client secret ends soon"
ROTATION_EXPIRING = "The client secret ends on {day}, {when}."
ROTATION_ENDED = "The client secret ended on {day}, {when}."
ROTATION_EXPIRING_WITHOUT_DATE = "The client secret ends soon."
ROTATION_BREAKS = "From then on Amazon refuses every call made with it: {stores}."
ROTATION_STORES = ("{n} connection stops", "{n} connections stop")
ROTATION_STORES_UNCOUNTED = "all its connections stop"
ROTATION_STEP = (
    "Whoever keeps the application at Amazon should rotate its secret in the developer console,"
    " put the new one into the configuration within seven days, and its date into"
    " `client_secret_created_on`. Sellers have nothing to do."
)
ROTATION_SHORT = "Rotate it in Amazon's developer console and configure the new one."

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
OUTAGE_CONCERNED = ("It concerned {n} connection.", "It concerned {n} connections.")
OUTAGE_OVER_STEP = "Jobs that failed meanwhile may have to be run again."
OUTAGE_OVER_SHORT = "Run again what failed meanwhile."

OFFLINE_TITLE = "connwatch is offline"
OFFLINE = "This machine reaches none of the services that it watches."
OFFLINE_COUNTED = (
    "This machine does not reach the {n} host that it watches.",
    "This machine reaches none of the {n} hosts that it watches.",
)
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
ONLINE_MISSED = (
    "{n} check was missed; each connection is asked again when its turn comes.",
    "{n} checks were missed; each connection is asked again when its turn comes.",
)
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
RESUMED_MISSED = ("{n} check was missed.", "{n} checks were missed.")
RESUMED_CHANGED = ("{n} connection changed meanwhile:", "{n} connections changed meanwhile:")
RESUMED_STEP = "Look at what changed; what is broken now is reported by itself."
RESUMED_SHORT = "Look at what changed: `connwatch status`."

DIGEST_TITLE_FINE = "connwatch: all fine, {n} active"
DIGEST_TITLE = (
    "connwatch: {n} of {total} connections needs attention",
    "connwatch: {n} of {total} connections need attention",
)
DIGEST_TITLE_OF_ONE = "connwatch: the connection needs attention"
DIGEST_FINE = "All fine: {counts}."
DIGEST_NOT_FINE = "How the connections stand: {counts}."
DIGEST_COUNTS = {
    "n_active": "{n} active",
    "n_error": "{n} in error",
    "n_expired": "{n} expired",
    "n_pending": "{n} not checked yet",
    "n_paused": "{n} paused",
    "n_exhausted": "{n} out of quota",
    "n_expiring_soon": "{n} expiring soon",
}
DIGEST_NEXT = "Next to expire"
DIGEST_NEXT_LINE = "{name}: {day}, {when}"
DIGEST_STEP = "Nothing needs to be done now."
DIGEST_STEP_BROKEN = "See which they are with `connwatch status`, and begin with what is broken."
DIGEST_SHORT = "Nothing to do."
DIGEST_SHORT_BROKEN = "See `connwatch status`."


# --- several alerts of one kind

MANY_DIFFER = "They are told together; what each of them reports stands below."
SINCE_BRIEFLY = "since {at}"
BROKEN_BRIEFLY = "broken from {at} on, for {span}"
LEFT_BRIEFLY = "{remaining} of {limit} left"
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
    SubjectKind.APPLICATION: "{n} applications",
    SubjectKind.HOST: "{n} services",
    SubjectKind.CHANNEL: "{n} channels",
}

# --- what examples are made of, for `alerts test`, `config check` and the documents

TOKEN = "soldscope-production"  # noqa: S105 - the name of a connection
STORE = "acme-europe"
STORES = ("acme-europe", "acme-north-america", "globex-europe")
RENEW_URL = (
    "https://sellercentral.amazon.com/apps/authorize/consent?application_id=amzn1.sp.example"
)
HOST = "sellingpartnerapi-eu.amazon.com:443"


@dataclass(frozen=True, slots=True)
class AlertSample:
    """What an alert could be made of.

    Args:
        facts: As `monitor.judge` leaves them, but with instants given as the
            time from now.
        n_connections: How many are concerned, if more than are named.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    connections: tuple[str, ...] = (TOKEN,)
    n_connections: int | None = None


_MINUTES, _DAYS = timedelta(minutes=1), timedelta(days=1)
_DETAIL = "401 Unauthorized from api.example.com"
_QUOTA = {"limit": 10_000, "remaining": 1_950, "resets_at": 9 * _DAYS}

SAMPLES: Mapping[AlertKind, AlertSample] = {
    AlertKind.ERROR: AlertSample(
        {
            "reason": "token_rejected",
            "detail": _DETAIL,
            "since": -5 * _MINUTES,
            "reason_before": None,
        }
    ),
    AlertKind.EXPIRED: AlertSample(
        {
            "reason": "authorization_expired",
            "detail": "invalid_grant",
            "since": -5 * _MINUTES,
            "reason_before": None,
            "renew_url": RENEW_URL,
        },
        (STORE,),
    ),
    AlertKind.RECOVERED: AlertSample(
        {"reason_before": "token_rejected", "detail_before": _DETAIL, "since": -90 * _MINUTES}
    ),
    AlertKind.EXPIRING_SOON: AlertSample(
        {"step": 14, "authorized_at": -351 * _DAYS, "ends_at": 14 * _DAYS, "renew_url": RENEW_URL},
        (STORE,),
    ),
    AlertKind.SECRET_EXPIRING: AlertSample(
        {"step": 14, "ends_at": 14 * _DAYS, "application": "our-app", "n_connections": 3}, STORES
    ),
    AlertKind.RENEWAL_UNRECORDED: AlertSample(
        {"authorized_at": -366 * _DAYS, "ends_at": -1 * _DAYS}, (STORE,)
    ),
    AlertKind.RENEWED: AlertSample({"authorized_at": 0 * _DAYS, "ends_at": 365 * _DAYS}, (STORE,)),
    AlertKind.QUOTA_LOW: AlertSample({**_QUOTA, "step": 20}),
    AlertKind.QUOTA_EXHAUSTED: AlertSample({**_QUOTA, "remaining": 0, "step": 0}),
    AlertKind.QUOTA_FORECAST: AlertSample(
        {**_QUOTA, "exhausts_at": 4 * _DAYS, "earliest": 3 * _DAYS, "latest": 6 * _DAYS}
    ),
    AlertKind.QUOTA_RESTORED: AlertSample({**_QUOTA, "remaining": 10_000, "resets_at": 30 * _DAYS}),
    AlertKind.LIMIT_CHANGED: AlertSample(
        {**_QUOTA, "limit": 50_000, "remaining": 41_950, "limit_before": 10_000}
    ),
    AlertKind.FLAPPING: AlertSample({"n": 6, "window": 3600}),
    AlertKind.OUTAGE: AlertSample(
        {"host": HOST, "n_failing": 41, "n_total": 60, "reason": "timeout", "since": -3 * _MINUTES},
        STORES,
        41,
    ),
    AlertKind.OUTAGE_OVER: AlertSample(
        {"host": HOST, "since": -50 * _MINUTES, "until": -1 * _MINUTES, "n": 41}, STORES, 41
    ),
    AlertKind.MONITOR_OFFLINE: AlertSample({"since": -3 * _MINUTES, "n_hosts": 4}, ()),
    AlertKind.MONITOR_ONLINE: AlertSample(
        {"since": -50 * _MINUTES, "until": -1 * _MINUTES, "n_missed": 120}, ()
    ),
    AlertKind.CHANNEL_FAILED: AlertSample(
        {"channel": "ops-slack", "error": "Slack: error=404.", "since": -1 * _DAYS}, ()
    ),
    AlertKind.CHANNEL_RESTORED: AlertSample({"channel": "ops-slack", "since": -1 * _DAYS}, ()),
    AlertKind.RESUMED: AlertSample(
        {
            "since": -2 * _DAYS,
            "n_missed": 1152,
            "n_changed": 2,
            "lines": [f"{TOKEN}: active -> error", f"{STORE}: active -> expired"],
        },
        (TOKEN, STORE),
    ),
    AlertKind.DIGEST: AlertSample(
        {
            "n_active": 40,
            "n_error": 0,
            "n_expired": 0,
            "n_pending": 0,
            "n_paused": 1,
            "n_exhausted": 0,
            "n_expiring_soon": 1,
            "next_to_end": [
                {"name": STORE, "ends_at": 14 * _DAYS},
                {"name": STORES[1], "ends_at": 90 * _DAYS},
            ],
        },
        (),
    ),
    AlertKind.TEST: AlertSample({}, ()),
}
