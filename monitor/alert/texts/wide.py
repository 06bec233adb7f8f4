"""
Say what the alerts say that speak of more than single connections.

Which of the sentences an alert uses is decided in `wide_drafts`.
"""

from __future__ import annotations

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
