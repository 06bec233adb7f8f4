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

from monitor.config.connections import AmazonConnection
from monitor.config.model import link_to
from monitor.config.renewal import (
    consent_url,
    has_consent_page,
    has_handshake,
    manage_page_of,
    seller_central_host,
)
from monitor.judge.authorizations import says_old_token
from monitor.judge.outcome import OutcomeClass, Reason, State
from monitor.judge.quota import Level
from monitor.judge.text import one_line
from monitor.notify import texts
from monitor.notify.words import explain, name_command, place_of, renewal_step, say
from monitor.providers.exchanges import MAX_SHOWN
from monitor.report.status import CLIENT_SECRET, instant
from monitor.report.validation import CLOCKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from monitor.config.connections import Application, Connection
    from monitor.config.model import Config
    from monitor.judge.outcome import Transition
    from monitor.notify.reasons import ReasonText
    from monitor.report.status import ConnectionJson
    from monitor.report.validation import CheckedConnection, ValidationStep


# --- pages


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


_OWN = "Open the renewal page"


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
        return RemedyPage("Open Developer Central, where the app was registered (app developer)")
    if need is Need.LOOK:
        return RemedyPage("Open Seller Central", f"https://{host}/")
    if connection.renew_url is not None:
        return RemedyPage(_OWN, connection.renew_url)
    if application.application_id is not None and has_consent_page(connection, application):
        url = consent_url(connection, application.application_id, application.redirect_url, state)
        return RemedyPage("Open Amazon's consent page", url)
    place = "Manage Your Apps" if connection.valid_days else "Develop Apps"
    return RemedyPage(f"Open {place} in Seller Central", manage_page_of(connection))


# --- advice

_QUOTA_STEPS: dict[str | None, str] = {
    Level.LOW: texts.QUOTA_LOW_STEP,
    Level.EXHAUSTED: texts.QUOTA_EXHAUSTED_STEP,
}


@dataclass(frozen=True, slots=True)
class Advice:
    """What to do, and where.

    Args:
        need: What has to be done on a page; None for nothing.
    """

    remedy: str
    page: RemedyPage | None
    need: Need | None = None


def advise(answered: CheckedConnection, connection: Connection, config: Config) -> list[Advice]:
    """Return what to do, the most urgent first; nothing where all is well."""
    application = None
    if isinstance(connection, AmazonConnection):
        application = config.application(connection.application)
    state = secrets.token_urlsafe(16)
    advice = []
    needs: set[Need] = set()
    can_renew = has_handshake(config, connection)
    for remedy, need in _problems(answered, can_renew_here=can_renew):
        if need is not None and need in needs:
            continue
        needs |= {need} if need is not None else set()
        page = need and find_page(connection, application, need, state)
        if need is Need.AUTHORIZE and can_renew:
            # Amazon's answer finds its way back only where the way there began.
            page = RemedyPage("Renew at Amazon", link_to(config, [connection.name]))
        advice.append(Advice(name_command(remedy, connection.name), page, need))
    return advice


def _problems(
    answered: CheckedConnection, *, can_renew_here: bool
) -> Iterator[tuple[str, Need | None]]:
    each = answered.each
    reason, provider = problem_reason(each), each["provider"]
    if reason is not None:
        yield remedy_of(each, reason, can_renew_here=can_renew_here), need_of(each, reason)
    level = each["quota"] and each["quota"]["level"]
    if level in _QUOTA_STEPS:
        yield say(_QUOTA_STEPS[level]), Need.PAY
    if each["expiring_soon"]:
        yield step_of(each, can_renew_here=can_renew_here), Need.AUTHORIZE
    if each["renewal_unrecorded"]:
        yield say(texts.UNRECORDED_STEP), None
    ends = [one["days_left"] for one in each["clocks"] if one["kind"] == CLIENT_SECRET]
    if ends and min(ends) < answered.soon_days:
        yield explain(Reason.CLIENT_SECRET_EXPIRED, provider).remedy, Need.DEVELOP


def explain_state(
    each: ConnectionJson, reason: Reason, *, can_renew_here: bool = False
) -> ReasonText:
    """Return what every surface says of a connection whose state, or latest check, has *reason*."""
    return explain(
        reason,
        each["provider"],
        each["detail"],
        can_renew_here=can_renew_here,
        place=place_of(each["owner"]),
    )


def step_of(each: ConnectionJson, *, can_renew_here: bool) -> str:
    """Return how the authorization of a connection is renewed in time."""
    place = place_of(each["owner"])
    return renewal_step(each["provider"], can_renew_here=can_renew_here, place=place)[0]


def remedy_of(each: ConnectionJson, reason: Reason, *, can_renew_here: bool) -> str:
    """Return what to do about it."""
    return explain_state(each, reason, can_renew_here=can_renew_here).remedy


def need_of(each: ConnectionJson, reason: Reason) -> Need | None:
    """Return what has to be done on a page; a new token that is at hand only has to be put in."""
    return None if says_old_token(each["detail"]) else NEEDS.get(reason)


def current_reason(each: ConnectionJson) -> Reason:
    """Return why a connection is in its state, as far as the latest check shows.

    Where it could not be asked, its detail is that of the latest check: what is advised must be
    too, though the reason is still that of the first.
    """
    reason, last = Reason(each["reason"]), each["last_check"]
    if each["state"] != State.ERROR or reason.is_conclusive or last is None:
        return reason
    latest = Reason(last["reason"])
    return latest if latest.outcome_class is OutcomeClass.INCONCLUSIVE else reason


def problem_reason(each: ConnectionJson) -> Reason | None:
    """Return what is wrong with the connection, or with its latest check; None if nothing is."""
    if State(each["state"]) in {State.ERROR, State.EXPIRED}:
        return current_reason(each)
    last = each["last_check"]
    return None if last is None or last["conclusive"] else Reason(last["reason"])


# --- tickets

# It begins where a run of its letters does: else each letter of a long run would be tried.
_MAIL_ADDRESS = re.compile(r"(?<![^\s@\"'<>(),;:])[^\s@\"'<>(),;:]+@[^\s@\"'<>(),;:]+")
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
    calls: Sequence[str] = (),
) -> str:
    """Return the text of a ticket.

    Args:
        transitions: The latest changes, newest first.
        calls: The lines about what was sent and received, without secrets.
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
        f"Calls (times in UTC, secrets masked, bodies cut at {MAX_SHOWN // 1024} KiB)",
        *(calls or ["  none"]),
        "",
        "Changes, newest first",
        *(_change(one) for one in transitions),
    ]
    if not transitions:
        lines.append("  none")
    return _MAIL_ADDRESS.sub(_HIDDEN, "\n".join(lines))


def _table(facts: dict[str, str]) -> Iterator[str]:
    for name, value in facts.items():
        yield f"  {name:<13} {one_line(value)}"


def _step(step: ValidationStep) -> str:
    took = "" if step.took_ms is None else f" ({step.took_ms:,.0f} ms)"
    return f"  {step.state:<7} {step.name}, {step.target}: {one_line(step.words)}{took}"


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
    return f"  {change}: {one_line(one.detail)}" if one.detail else f"  {change}"
