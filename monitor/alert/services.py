"""
Hold what is known of Apprise without asking it.

Decides nothing: `sender` uses it to load no more of Apprise than is needed, and
to keep its log to itself.
"""

from __future__ import annotations

import logging

# Apprise and what it sends with write URLs, tokens included, into their logs.
_TALKATIVE = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")

SERVICES = {
    "discord": ("discord", "NotifyDiscord"),
    "form": ("custom_form", "NotifyForm"),
    "forms": ("custom_form", "NotifyForm"),
    "gchat": ("google_chat", "NotifyGoogleChat"),
    "json": ("custom_json", "NotifyJSON"),
    "jsons": ("custom_json", "NotifyJSON"),
    "mailto": ("email", "NotifyEmail"),
    "mailtos": ("email", "NotifyEmail"),
    "mmost": ("mattermost", "NotifyMattermost"),
    "mmosts": ("mattermost", "NotifyMattermost"),
    "ntfy": ("ntfy", "NotifyNtfy"),
    "ntfys": ("ntfy", "NotifyNtfy"),
    "opsgenie": ("opsgenie", "NotifyOpsgenie"),
    "pagerduty": ("pagerduty", "NotifyPagerDuty"),
    "pover": ("pushover", "NotifyPushover"),
    "rocket": ("rocketchat", "NotifyRocketChat"),
    "rockets": ("rocketchat", "NotifyRocketChat"),
    "slack": ("slack", "NotifySlack"),
    "tgram": ("telegram", "NotifyTelegram"),
    "workflows": ("workflows", "NotifyWorkflows"),
    "xml": ("custom_xml", "NotifyXML"),
    "xmls": ("custom_xml", "NotifyXML"),
}
"""Where Apprise keeps the usual services; all others cost loading all of them."""


def silence() -> None:
    """
    Keep the libraries that send from writing URLs into our log.
    """
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    # What it logs goes nowhere, but `_explain` reads it.
    logging.getLogger("apprise").setLevel(logging.DEBUG)
