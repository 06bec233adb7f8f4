"""Try a connection before it is saved, and carry what may not be shown from one page to the next.

A trial is one check, made as the daemon makes it, with the guard on addresses. It shows the status
and words of ours: what a service sends back is its own, and whoever names an address is not to read
by it what lies there. What is sealed can be opened by the same browser alone, and for a while.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from monitor.config.connections import AmazonConnection
from monitor.engine.ciphers import Cipher, KeyUnusable
from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.notify.reasons import IN_FORM
from monitor.notify.words import explain, format_number, name_command
from monitor.providers.registry import build_checker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.config.connections import Connection
    from monitor.web.parts import Parts
    from monitor.web.sessions import Visitor

SEALED_FOR = timedelta(minutes=30)

# --- a trial


@dataclass(frozen=True, slots=True)
class Trial:
    """What trying a connection came to, in words.

    Args:
        facts: What was learned, a few words each.
    """

    outcome: Outcome
    title: str
    words: str
    remedy: str
    facts: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Tell whether the service took the credential."""
        return self.outcome.reason.outcome_class is OutcomeClass.SUCCESS


async def try_connection(here: Parts, connection: Connection) -> Trial:
    """Check *connection* once; nothing is stored."""
    config, calls = here.config, here.now.calls
    try:
        checker = build_checker(
            connection, config, calls.clients, calls.grants, allowed=config.web.reachable
        )
    except ValueError as error:
        outcome = Outcome(Reason.PROTOCOL, str(error))
    else:
        outcome = await checker.check()
    return describe_trial(connection, outcome)


def describe_trial(connection: Connection, outcome: Outcome, place: str = IN_FORM) -> Trial:
    """Return what *outcome* means for whoever wants to save *connection*.

    Args:
        place: Where its settings are changed.
    """
    text = explain(outcome.reason, connection.provider, place=place)
    if outcome.reason.outcome_class is OutcomeClass.SUCCESS:
        return Trial(outcome, "It works", text.meaning, "", tuple(_list_facts(outcome)))
    facts = [f"Status {outcome.http_status}"] if outcome.http_status else []
    # Without a status nothing was received that could be quoted.
    is_ours = outcome.http_status is None or isinstance(connection, AmazonConnection)
    words = outcome.detail if is_ours and outcome.detail else text.meaning.removesuffix(_IN_USE)
    remedy = _ENTER_AGAIN.get(outcome.reason) or name_command(text.remedy, connection.name)
    return Trial(outcome, f"{text.name[:1].upper()}{text.name[1:]}", words, remedy, tuple(facts))


_IN_USE = " Every job that uses it fails."
"""Said of what is in use; what was just typed is used by no one yet."""

_ENTER_AGAIN = {
    Reason.TOKEN_REJECTED: "Copy the whole token and enter it again, or create a new one at the"
    " service.",
    Reason.AUTHORIZATION_EXPIRED: "Create a new one at the service, and enter it below.",
    Reason.AUTHORIZATION_REVOKED: "Enter the latest refresh token of the store, or have its owner"
    " confirm again, by “Connect an Amazon store”.",
}
"""Against what may be wrong with what was just typed; elsewhere it is somewhere in the settings."""


def _list_facts(outcome: Outcome) -> list[str]:
    facts = [f"Account: {outcome.account}"] if outcome.account else []
    if outcome.quota is not None and outcome.quota.remaining is not None:
        facts.append(f"{format_number(outcome.quota.remaining)} {outcome.quota.unit.value} left")
    return facts


# --- what waits between two pages


def seal(here: Parts, who: Visitor, purpose: str, values: Mapping[str, Any]) -> str:
    """Return *values* so that a page may carry them; empty where there is nothing or no key.

    Args:
        purpose: What they are for: they can be opened for nothing else.
    """
    cipher = Cipher.find(here.config.web)
    if cipher is None or not values:
        return ""
    sealed = {
        "for": purpose,
        "by": _mark_of(who),
        "at": here.clock().timestamp(),
        "values": dict(values),
    }
    return cipher.encrypt(json.dumps(sealed)).decode()


def unseal(here: Parts, who: Visitor, purpose: str, sealed: str) -> dict[str, Any] | None:
    """Return what was sealed; None unless it was, here, for that, by them, and not long ago."""
    cipher = Cipher.find(here.config.web)
    if cipher is None or not sealed:
        return None
    try:
        found = json.loads(cipher.decrypt(sealed.encode()))
    except (KeyUnusable, ValueError):
        return None
    # Whatever else is encrypted with the key says nothing of that kind.
    if not isinstance(found, dict) or found.get("for") != purpose:
        return None
    if not hmac.compare_digest(str(found.get("by")), _mark_of(who)):
        return None
    age = here.clock() - datetime.fromtimestamp(found["at"], here.clock().tzinfo)
    values: dict[str, Any] = found["values"]
    return values if abs(age) <= SEALED_FOR else None


def _mark_of(who: Visitor) -> str:
    # Programs have no browser: their names tell them apart.
    mark = f"sealed\0{who.who}\0{who.browser}"
    return hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()
