"""Hold the sentences of the messages, and the words for days, instants and lengths of time.

Which of them an alert uses is decided in the files that `drafts` lists, how they are put together
in `message`, which unit of time is used in `words`.
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
DOWN_FOR = "Down for {span}, from {at}."
REMINDER_TITLE = "Reminder: {title}"
REMINDER = "Still failing. Reminder {n}."
REMINDERS_END = "To stop reminders: `connwatch ack NAME`."
LATE = "Detected {at}; delivery was delayed {span}."
DETAIL = "Details: {detail}"
BEFORE = "Before: {before}."
NEXT_STEP = "What to do"
NOTES = "Notes"
LINE_NOTES = "notes: {notes}"
LINK = "Open in connwatch"
RENEW_AT_AMAZON = "Renew at Amazon"
RENEW_PAGE = "Renewal page"
NO_ACTION = "No action needed."
NO_ACTION_NOW = "No action needed now."

MANY = "{n} connections"
LISTED = "Affected"
AND_MORE = "and {n} more"
AND_MORE_AT = "and {n} more: {link}"
CUT = "... and more"
TEST_MARK = "[TEST]"


# --- connections

PROBLEM_TITLE = "{who}: {name}"

RECOVERED_TITLE = "{who} works again"
RECOVERED_TITLE_OF_MANY = "{who} work again"
RECOVERED = "Down for {span} ({before})."
RECOVERED_WITHOUT_REASON = "Down for {span}."
RECOVERED_WITHOUT_DATE = "All checks succeed again."
RERUN = "Re-run jobs that failed since {at}."
RERUN_WITHOUT_DATE = "Re-run jobs that failed."

EXPIRING_TITLE = "{who} expires {day}"
EXPIRED_TITLE = "{who}: authorization expired"
EXPIRING_TITLE_WITHOUT_DATE = "{who} expires soon"
EXPIRING_TITLE_OF_MANY = "{who} expire soon"
EXPIRING = "The authorization expires {day}."
EXPIRED = "The authorization expired {day}."
EXPIRING_WITHOUT_DATE = "The authorization expires soon."
EXPIRING_BREAKS = "After that, all calls with this connection will fail."
EXPIRING_STEP = "Ask the account owner to renew it, then run `connwatch renew NAME`."
EXPIRING_SHORT = "Renew it, then run `connwatch renew NAME`."
OWN_END_EXPIRING_TITLE = "{who}: token expires {day}"
OWN_END_EXPIRED_TITLE = "{who}: token expired"
OWN_END_EXPIRING_TITLE_WITHOUT_DATE = "{who}: token expires soon"
OWN_END_EXPIRING = "The token expires {day}."
OWN_END_EXPIRED = "The token expired {day}."
OWN_END_EXPIRING_WITHOUT_DATE = "The token expires soon."
OWN_END_EXPIRING_STEP = (
    "Create a new token and update it {in_config} and in every program that uses it."
)
OWN_END_EXPIRING_SHORT = "Create a new token and update it everywhere."

UNRECORDED_TITLE = "{who}: renewal date missing"
UNRECORDED = "It still works, although its authorization should have expired on {date}."
UNRECORDED_WITHOUT_DATE = "It still works, although its authorization should have expired."
UNRECORDED_MEANS = (
    "It was renewed, but the date isn't recorded, so connwatch can't warn you before the next"
    " expiry."
)
RENEW_COMMAND = "connwatch renew NAME --on DATE"
UNRECORDED_STEP = f"Record the date with `{RENEW_COMMAND}`, or set `authorized_on`."
UNRECORDED_SHORT = f"Record the date with `{RENEW_COMMAND}`."

RENEWED_TITLE = "{who}: authorization renewed"
RENEWED = "Renewed on {date}."
RENEWED_WITHOUT_DATE = "It was renewed and works."
RENEWED_UNTIL = "Next renewal due {day}."
RENEWED_WITHOUT_END = "Its expiry is not known."

SIGN_IN = (
    "Sign in as the primary user of {store}. Using several accounts? Open this in a private window."
)
ON_SCHEDULE = "On schedule: renew by {day}"
ON_SCHEDULE_WITHOUT_DATE = "On schedule"
HEALTHY = "Healthy"
NEXT_EXPIRY = "{day} ({n} days after the day that you enter)"

APPLICATION_AFFECTED = (
    "Affects the {n} store that uses {application}.",
    "Affects all {n} stores that use {application}.",
)
APPLICATION_AFFECTED_UNCOUNTED = "Affects every store that uses {application}."
PERMISSIONS_CHANGED = (
    "Amazon accepts the app but rejects every store: its permissions were probably changed."
)
PERMISSIONS_STEP = (
    "Compare the app's roles in Developer Central with what it calls, and look there for messages"
    " (app developer). Sellers have nothing to do."
)
PERMISSIONS_SHORT = "Compare the app's roles in Developer Central."

FLAPPING_TITLE = "{who} is flapping"
FLAPPING_TITLE_OF_MANY = "{who} are flapping"
FLAPPING = "{n} changes in {span}."
FLAPPING_UNCOUNTED = "It fails and recovers again and again."
FLAPPING_HELD = "Alerts for it are paused until it has been stable for an hour."
FLAPPING_STEP = (
    "Look for the pattern with `connwatch history NAME`: often a network path, an overloaded"
    " service, or two programs that replace each other's token."
)
FLAPPING_SHORT = "Look at its history: `connwatch history NAME`."


# --- quotas

QUOTA_LEFT = "{remaining} of {limit} {unit} left ({percent}%)."
QUOTA_LEFT_UNTIL = "{remaining} of {limit} {unit} left ({percent}%), resets {end}."
QUOTA_LEFT_OF_UNKNOWN = "{remaining} {unit} left."
QUOTA_LEFT_OF_UNKNOWN_UNTIL = "{remaining} {unit} left, resets {end}."
QUOTA_UNKNOWN = "How much is left is unknown."
QUOTA_UNKNOWN_UNTIL = "How much is left is unknown; the quota resets {end}."
QUOTA_RESETS = "It resets {end}."
QUOTA_OVERDUE = "It should have reset {end}."
QUOTA_WINDOW = 'The API calls this quota "{window}".'
QUOTA_LOW_TITLE = "{who}: quota low"
QUOTA_LOW = "{step}% of the quota or less is left."
QUOTA_LOW_BREAKS = "Once it is used up, every program on this account is rejected."
QUOTA_LOW_STEP = "Postpone what can wait, or upgrade the plan (account owner)."
QUOTA_LOW_SHORT = "Postpone what can wait, or upgrade the plan."
QUOTA_EXHAUSTED_TITLE = "{who}: quota used up"
QUOTA_EXHAUSTED = "The quota is used up."
QUOTA_EXHAUSTED_OF = "The quota of {limit} {unit} is used up."
QUOTA_EXHAUSTED_BREAKS = (
    "Until it resets, every program on this account is rejected. The credential itself is fine."
)
QUOTA_EXHAUSTED_STEP = "Upgrade the plan (account owner), or stop the jobs until the quota resets."
QUOTA_EXHAUSTED_SHORT = "Upgrade the plan, or stop the jobs until the quota resets."
QUOTA_RESTORED_TITLE = "{who}: quota available again"
QUOTA_RESTORED = "The quota is available again."
QUOTA_RESTORED_STEP = "Restart the jobs that you postponed."
LIMIT_CHANGED_TITLE = "{who}: quota changed"
LIMIT_RAISED = "The quota was raised from {before} to {limit} {unit}."
LIMIT_LOWERED = "The quota was lowered from {before} to {limit} {unit}."
LIMIT_CHANGED = "The quota was changed."
LIMIT_LOWERED_STEP = "If you did not change the plan, contact the service (account owner)."
LIMIT_LOWERED_SHORT = "If you did not change the plan, contact the service."

FORECAST_TITLE = "{who}: quota runs out {day}"
FORECAST_TITLE_WITHOUT_DATE = "{who}: quota will run out"
FORECAST = "At the current rate, the quota runs out {day}."
FORECAST_WITHOUT_DATE = "At the current rate, the quota runs out before it resets."
FORECAST_BETWEEN = "Probably between {earliest} and {latest}."
FORECAST_STEP = "Slow the jobs down, or upgrade the plan before that day (account owner)."
FORECAST_SHORT = "Slow the jobs down, or upgrade the plan in time."

UNITS: dict[str, str] = {QuotaUnit.CONCURRENT: "requests at a time", QuotaUnit.OTHER: "units"}
"""What a quota counts, where that is not called what people call it."""


# --- time

DAYS = ("day", "days")
HOURS = ("hour", "hours")
MINUTES = ("minute", "minutes")
SECONDS = ("second", "seconds")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DATE = "{month} {day}"
DATE_WITH_YEAR = "{date}, {year}"
TIME = "{date}, {clock} {zone}"
TIME_TODAY = "{clock} {zone}"
DAY = "{when} ({date})"
IN_DAYS = "in {n} days"
TOMORROW = "tomorrow"
TODAY = "today"
YESTERDAY = "yesterday"
DAYS_AGO = "{n} days ago"
EXPIRES = "expires {day}"
EXPIRED_ON = "expired {day}"
LEFT_NONE = "expired"


# --- more than single connections, and connwatch itself

APPLICATION_WHO = "application {application}"
APPLICATION_WHO_UNKNOWN = "an application"
ROTATION_EXPIRING_TITLE = "{who}: client secret expires {when}"
ROTATION_EXPIRED_TITLE = "{who}: client secret expired"
ROTATION_EXPIRING_TITLE_WITHOUT_DATE = "{who}: client secret expires soon"
ROTATION_EXPIRING = "It expires {day}."
ROTATION_EXPIRED = "It expired {day}."
ROTATION_EXPIRING_WITHOUT_DATE = "Its date is not known."
ROTATION_BREAKS = (
    "After that, Amazon rejects every call: {n} store stops.",
    "After that, Amazon rejects every call: {n} stores stop.",
)
ROTATION_BREAKS_UNCOUNTED = "After that, Amazon rejects every call: all its stores stop."
ROTATION_STEP = (
    "Rotate it in Developer Central (app developer), put the new one where `client_secret` points"
    " within 7 days, and set `client_secret_created_on`. Sellers have nothing to do."
)
ROTATION_SHORT = "Rotate it in Developer Central and configure the new one."

OUTAGE_WHO_UNKNOWN = "A service"
OUTAGE_TITLE = "{who} is down"
OUTAGE_TITLE_COUNTED = "{who} is down: {n} of {total} connections failing"
OUTAGE_TITLE_OF_MANY = "{who} are down"
OUTAGE = "{n} of {total} connections to {host} fail: {reason}."
OUTAGE_UNCOUNTED = "Most connections to {host} fail."
OUTAGE_MEANS = (
    "This many failures at once means the service (or the network), not your credentials."
)
OUTAGE_STEP = (
    "Check the service's status page, then the network of this host. Account owners have nothing"
    " to do."
)
OUTAGE_SHORT = "Check the service's status page. Account owners: nothing to do."
OUTAGE_OVER_TITLE = "{who} is back"
OUTAGE_OVER_TITLE_OF_MANY = "{who} are back"
OUTAGE_OVER = "{host} responds again."
OUTAGE_AFFECTED = ("{n} connection was affected.", "{n} connections were affected.")

SHORT_TITLE = "connwatch cannot check: {what}"
SHORT = "connwatch itself cannot check: {what} on its machine."
SHORT_WAITING = ("{n} check is waiting.", "{n} checks are waiting.")
SHORT_MEANS = "Connection states are unchanged: no connection is to blame."
SHORT_OVER_TITLE = "connwatch checks again"
SHORT_OVER = "connwatch has enough resources again, and checks all connections."
SHORT_LASTED = "Checks were waiting from {at} to {until}, for {span}."
SHORT_OVER_STEP = "Nothing to do now. If it happens again, raise the limit for good."

OFFLINE_TITLE = "connwatch has lost its internet connection"
OFFLINE = "No host can be reached."
OFFLINE_COUNTED = ("The {n} host cannot be reached.", "All {n} hosts are unreachable.")
OFFLINE_MEANS = "Checks are suspended; connection states are unchanged."
OFFLINE_STEP = "Check the network of this host: cable, router, DNS, firewall."
OFFLINE_SHORT = "Check the network of the host that connwatch runs on."
ONLINE_TITLE = "connwatch is online again"
ONLINE = "Offline for {span}, from {at} to {until}."
ONLINE_WITHOUT_DATE = "The internet connection is back."
ONLINE_MISSED = ("{n} check was missed.", "{n} checks were missed.")
ONLINE_AFTER = "Problems found since are reported once confirmed."

CHANNEL_WHO = "channel {channel}"
CHANNEL_WHO_UNKNOWN = "a channel"
CHANNEL_FAILED_TITLE = "{who}: alerts are not delivered"
CHANNEL_FAILED = "Alerts to {channel} have failed for {span}, since {at}."
CHANNEL_FAILED_WITHOUT_DATE = "Alerts to {channel} have failed."
CHANNEL_FAILED_BREAKS = "People who read only that channel get no alerts."
CHANNEL_FAILED_STEP = (
    "Fix its URL, test it with `connwatch alerts test`, then resend with `connwatch alerts retry`."
)
CHANNEL_FAILED_SHORT = "Fix its URL, then resend with `connwatch alerts retry`."
CHANNEL_RESTORED_TITLE = "{who}: alerts are delivered again"
CHANNEL_RESTORED = "{channel} accepts alerts again."
CHANNEL_RESTORED_STEP = "Resend failed alerts with `connwatch alerts retry`."

SOURCE_WHO = "source {source}"
SOURCE_WHO_UNKNOWN = "a source"
SOURCE_FAILED_TITLE = "{who} cannot be read"
SOURCE_FAILED = "{source} has been unreadable for {span}, since {at}."
SOURCE_FAILED_WITHOUT_DATE = "{source} is unreadable."
SOURCE_FAILED_BREAKS = "Its connections are checked as before, but changes are not seen."
SOURCE_FAILED_STEP = "Fix the source, then run `connwatch sources refresh {source}`."
SOURCE_HELD_TITLE = "{who}: removals on hold"
SOURCE_HELD = "{source} no longer lists {missing} of its {known} connections."
SOURCE_HELD_EMPTY = "{source} is empty. It listed {known} connections before."
SOURCE_HELD_WITHOUT_COUNT = "{source} no longer lists many of its connections."
SOURCE_HELD_BREAKS = "Nothing was removed; all of them are checked as before."
SOURCE_HELD_STEP = (
    "Check the source. If this is right, remove them with `connwatch sources accept {source}`."
)
SOURCE_HELD_SHORT = "Check the source, or run `connwatch sources accept {source}`."
SOURCE_RESTORED_TITLE = "{who} works again"
SOURCE_RESTORED = "{source} is read again."

RESUMED_TITLE = "connwatch is back"
RESUMED = "connwatch was down for {span}, since {at}."
RESUMED_WITHOUT_DATE = "connwatch was down."
RESUMED_MISSED = ("{n} check was missed.", "{n} checks were missed.")
RESUMED_CHANGED = ("{n} connection changed", "{n} connections changed")
RESUMED_STEP = "Review what changed. Problems that last are reported once confirmed."
RESUMED_SHORT = "Review what changed: `connwatch status`."

DIGEST_TITLE_FINE = "connwatch: {n} healthy"
DIGEST_TITLE_FINE_NEXT = "connwatch: {n} healthy, 1 expires {day}"
DIGEST_TITLE_FINE_SOON = "connwatch: {n} healthy, {soon} expiring soon"
DIGEST_TITLE = (
    "connwatch: {n} of {total} connections needs attention",
    "connwatch: {n} of {total} connections need attention",
)
DIGEST_TITLE_OF_ONE = "connwatch: the connection needs attention"
DIGEST = "Status: {counts}."
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
DIGEST_NEXT_LINE = "{name}: {day}"
DIGEST_STEP_BROKEN = "Fix what is broken first: `connwatch status`."

TEST_TITLE = "connwatch test message"
TEST = "[TEST] Test message from connwatch. Nothing is wrong."
TEST_STEP = "If you can read this, the channel works. No action needed."
TEST_SHORT = "The channel works. No action needed."


# --- several alerts of one kind

SINCE_BRIEFLY = "since {at}"
DOWN_BRIEFLY = "down for {span}"
LEFT_BRIEFLY = "{remaining} of {limit} left"
HEADLINES_OF_MANY = {
    AlertKind.ERROR: "{who} are failing",
    AlertKind.EXPIRED: "{who} have expired",
    AlertKind.EXPIRING_SOON: EXPIRING_TITLE_OF_MANY,
    AlertKind.SECRET_EXPIRING: ROTATION_EXPIRING_TITLE_WITHOUT_DATE,
    AlertKind.QUOTA_FORECAST: FORECAST_TITLE_WITHOUT_DATE,
    AlertKind.OUTAGE: OUTAGE_TITLE_OF_MANY,
    AlertKind.OUTAGE_OVER: OUTAGE_OVER_TITLE_OF_MANY,
}
OTHERS_OF_MANY = {
    SubjectKind.APPLICATION: "{n} applications",
    SubjectKind.HOST: "{n} services",
    SubjectKind.CHANNEL: "{n} channels",
    SubjectKind.SOURCE: "{n} sources",
}

# --- what examples are made of, for `alerts test`, `config check` and the documents

TOKEN = "soldscope-production"  # noqa: S105 - the name of a connection
STORE = "acme-europe"
STORES = ("acme-europe", "acme-north-america", "globex-europe")
RENEW_URL = "https://sellercentral-europe.amazon.com/apps/manage"
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
_DETAIL = 'The token was rejected (401). The server says: "Token revoked."'
_OF_STORE = {"provider": "amazon", "renew_url": RENEW_URL, "can_renew_here": False}
_QUOTA = {"limit": 10_000, "remaining": 1_950, "resets_at": 9 * _DAYS}

SAMPLES: Mapping[AlertKind, AlertSample] = {
    AlertKind.ERROR: AlertSample(
        {
            "reason": "token_rejected",
            "detail": _DETAIL,
            "since": -5 * _MINUTES,
            "reason_before": None,
            "provider": "soldscope",
        }
    ),
    AlertKind.EXPIRED: AlertSample(
        {
            "reason": "authorization_expired",
            "detail": "Amazon rejected the refresh token (invalid_grant).",
            "since": -5 * _MINUTES,
            "reason_before": None,
            **_OF_STORE,
        },
        (STORE,),
    ),
    AlertKind.RECOVERED: AlertSample({"reason_before": "token_rejected", "since": -90 * _MINUTES}),
    AlertKind.EXPIRING_SOON: AlertSample(
        {"step": 14, "authorized_at": -351 * _DAYS, "ends_at": 14 * _DAYS, **_OF_STORE},
        (STORE,),
    ),
    AlertKind.SECRET_EXPIRING: AlertSample(
        {"step": 14, "ends_at": 14 * _DAYS, "application": "our-app", "n_connections": 3}, STORES
    ),
    AlertKind.RENEWAL_UNRECORDED: AlertSample(
        {"authorized_at": -366 * _DAYS, "ends_at": -1 * _DAYS, **_OF_STORE}, (STORE,)
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
    AlertKind.SOURCE_FAILED: AlertSample(
        {
            "source": "stores",
            "error": "stores.example.com answered 503",
            "since": -3 * _MINUTES,
        },
        (),
    ),
    AlertKind.SOURCE_HELD: AlertSample(
        {"source": "stores", "n_missing": 48_112, "n_known": 50_000, "since": -1 * _MINUTES}, ()
    ),
    AlertKind.SOURCE_RESTORED: AlertSample({"source": "stores", "since": -50 * _MINUTES}, ()),
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
