"""
Say what the alerts about a connection say.

Which of the sentences an alert uses is decided in `drafts`.
"""

from __future__ import annotations

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
