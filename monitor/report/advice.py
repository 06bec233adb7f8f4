"""Say what somebody should do about a connection, and on which page, or write it down for support.

Decides which troubles deserve advice, whose page helps against each and how its address
is made; the words are those of alerts. A ticket is plain text to be pasted: nothing in it
is a secret, and no address of a person. Whether a page is printed or opened is left to
who asked for it.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from monitor.config.connections import AmazonConnection
from monitor.config.marketplaces import by_country, seller_central_of
from monitor.judge.outcome import Reason, State
from monitor.judge.quota import Level
from monitor.notify import reasons, texts
from monitor.notify.words import explain, name_command
from monitor.report.status import CLIENT_SECRET, instant
from monitor.report.validation import CLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.config.connections import Application, Connection
    from monitor.config.model import Config
    from monitor.judge.outcome import Transition
    from monitor.report.status import ConnectionJson
    from monitor.report.validation import CheckedConnection, ValidationStep


# --- pages

CONSENT_PATH = "/apps/authorize/consent"


class Need(Enum):
    """What somebody has to do that happens on a page."""

    AUTHORIZE = auto()
    LOOK = auto()
    DEVELOP = auto()
    PAY = auto()


NEEDS = {
    Reason.AUTHORIZATION_EXPIRED: Need.AUTHORIZE,
    Reason.AUTHORIZATION_REVOKED: Need.AUTHORIZE,
    Reason.TOKEN_REJECTED: Need.AUTHORIZE,
    Reason.REGION_MISMATCH: Need.AUTHORIZE,
    Reason.PERMISSION_DENIED: Need.AUTHORIZE,
    Reason.ACCOUNT_SUSPENDED: Need.PAY,
    Reason.MARKETPLACE_MISMATCH: Need.LOOK,
    Reason.CLIENT_REJECTED: Need.DEVELOP,
    Reason.CLIENT_SECRET_EXPIRED: Need.DEVELOP,
}
"""Against everything else, nobody can do anything on a page."""


_OWN = "The page for it"


@dataclass(frozen=True, slots=True)
class RemedyPage:
    """Where a person can do something.

    Args:
        words: What to do there.
        url: None where the address is not known for certain.
    """

    words: str
    url: str | None = None


def find_page(
    connection: Connection, application: Application | None, need: Need, state: str
) -> RemedyPage | None:
    """Return the page for *need*, if there is one.

    Args:
        application: That of an Amazon connection.
        state: A random word that the consent page hands back.
    """
    if isinstance(connection, AmazonConnection) and application is not None:
        return _find_amazon_page(connection, application, need, state)
    if connection.renew_url is None or need not in {Need.AUTHORIZE, Need.PAY}:
        return None
    return RemedyPage(_OWN, connection.renew_url)


def _find_amazon_page(
    connection: AmazonConnection, application: Application, need: Need, state: str
) -> RemedyPage:
    host = seller_central_host(connection)
    if need is Need.DEVELOP:
        return RemedyPage(
            "Where: in the developer console, in which the application was registered"
        )
    if need is Need.LOOK:
        return RemedyPage("The seller's pages", f"https://{host}/")
    # Self-authorized applications have no consent page.
    is_self_authorized = not connection.valid_days
    if application.application_id is not None and not is_self_authorized:
        url = consent_url(connection, application.application_id, application.redirect_url, state)
        return RemedyPage("The seller authorizes the application here", url)
    if connection.renew_url is not None:
        return RemedyPage(_OWN, connection.renew_url)
    place = "Develop Apps" if is_self_authorized else "Manage Your Apps"
    return RemedyPage(f"The seller authorizes it again under {place} here", f"https://{host}/")


def seller_central_host(connection: AmazonConnection) -> str:
    """Return the host of the seller's pages: the first marketplace's, else the region's."""
    for country in connection.marketplaces or ():
        known = by_country(country)
        if known is not None:
            return known.seller_central
    return seller_central_of(connection.region)


def consent_url(
    connection: AmazonConnection, application_id: str, redirect_url: str | None, state: str
) -> str:
    """Return the page on which a seller authorizes an application.

    It is Amazon's own, whatever address is checked. Without *redirect_url*
    Amazon takes the first one that was registered.
    """
    fields = {"application_id": application_id, "state": state}
    if redirect_url is not None:
        fields["redirect_uri"] = redirect_url
    return f"{consent_page_of(connection)}?{urlencode(fields)}"


def consent_page_of(connection: AmazonConnection) -> str:
    """Return the address of that page, without what it is asked."""
    return f"https://{seller_central_host(connection)}{CONSENT_PATH}"


# --- advice

_QUOTA_STEPS: dict[str | None, str] = {
    Level.LOW: texts.QUOTA_LOW_STEP,
    Level.EXHAUSTED: texts.QUOTA_EXHAUSTED_STEP,
}


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, by whom, and where."""

    remedy: str
    page: RemedyPage | None


def advise(answered: CheckedConnection, connection: Connection, config: Config) -> list[Advice]:
    """Return what to do, the most urgent first; nothing where all is well."""
    application = None
    if isinstance(connection, AmazonConnection):
        application = config.application(connection.application)
    state = secrets.token_urlsafe(16)
    advice = []
    needs: set[Need] = set()
    for remedy, need in _problems(answered):
        if need is not None and need in needs:
            continue
        needs |= {need} if need is not None else set()
        page = need and find_page(connection, application, need, state)
        advice.append(Advice(remedy, page))
    return advice


def _problems(answered: CheckedConnection) -> Iterator[tuple[str, Need | None]]:
    each = answered.each
    reason = problem_reason(each)
    if reason is not None:
        yield explain(reason, each["provider"]).remedy, NEEDS.get(reason)
    level = each["quota"] and each["quota"]["level"]
    if level in _QUOTA_STEPS:
        yield _QUOTA_STEPS[level], Need.PAY
    if each["expiring_soon"]:
        yield texts.EXPIRING_STEP, Need.AUTHORIZE
    if each["renewal_unrecorded"]:
        yield name_command(texts.UNRECORDED_STEP, each["name"]), None
    ends = [one["days_left"] for one in each["clocks"] if one["kind"] == CLIENT_SECRET]
    if ends and min(ends) < answered.soon_days:
        yield reasons.REASONS[Reason.CLIENT_SECRET_EXPIRED].remedy, Need.DEVELOP


def problem_reason(each: ConnectionJson) -> Reason | None:
    """Return what is wrong with the connection, or with its latest check; None if nothing is."""
    if State(each["state"]) in {State.ERROR, State.EXPIRED}:
        return Reason(each["reason"])
    last = each["last_check"]
    return None if last is None or last["conclusive"] else Reason(last["reason"])


# --- tickets

_MAIL_ADDRESS = re.compile(r"[^\s@\"'<>(),;:]+@[^\s@\"'<>(),;:]+")
_HIDDEN = "(address hidden)"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the check was made with.

    Args:
        software: This program, Python and the operating system, each with its version.
        facts: What the connection's settings say, by name; no secret.
    """

    software: str
    facts: dict[str, str]


def write_ticket(
    around: Surroundings,
    steps: Sequence[ValidationStep],
    answered: CheckedConnection,
    transitions: Sequence[Transition],
) -> str:
    """Return the text of a ticket.

    Args:
        transitions: The latest changes, newest first.
    """
    hosts = dict.fromkeys(step.target for step in steps if step.target != CLOCKS)
    facts = {
        "time": instant(answered.now) or "",
        "software": around.software,
        **around.facts,
        "hosts": ", ".join(hosts) or "none: nothing is called",
    }
    lines = [
        "connwatch report",
        *_table(facts),
        "",
        "Steps",
        *(_step(step) for step in steps),
        "",
        "Check",
        *_table(_check(answered)),
        "",
        "Changes, newest first",
        *(_change(one) for one in transitions),
    ]
    if not transitions:
        lines.append("  none")
    return _MAIL_ADDRESS.sub(_HIDDEN, "\n".join(lines))


def _table(facts: dict[str, str]) -> Iterator[str]:
    for name, value in facts.items():
        yield f"  {name:<13} {_one_line(value)}"


def _step(step: ValidationStep) -> str:
    took = "" if step.took_ms is None else f" ({step.took_ms:,.0f} ms)"
    return f"  {step.state:<7} {step.name}, {step.target}: {_one_line(step.words)}{took}"


def _check(answered: CheckedConnection) -> dict[str, str]:
    outcome, each = answered.outcome, answered.each
    return {
        "reason": outcome.reason.value,
        "HTTP status": "none" if outcome.http_status is None else str(outcome.http_status),
        "request id": outcome.request_id or "none",
        "detail": outcome.detail or "none",
        "state": f"{each['state']} ({each['reason']}) since {each['since']}",
    }


def _change(one: Transition) -> str:
    change = f"{instant(one.at)} {one.from_state} -> {one.to_state} ({one.reason})"
    return f"  {change}: {_one_line(one.detail)}" if one.detail else f"  {change}"


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
