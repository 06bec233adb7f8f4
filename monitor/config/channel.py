# ruff: noqa: TC001 - pydantic reads the annotations when the program runs
"""
Declare a channel: who is told, and of what.

Which channels receive an alert is decided in `monitor.judge.route`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.config.base import Settings
from monitor.config.fields import Name, RelativePath, SomeNames, word_of
from monitor.config.quiet_hours import QuietHours
from monitor.config.secret import Secret
from monitor.config.wording import did_you_mean, quoted
from monitor.judge.alerts import AlertKind, Severity
from monitor.judge.digest import Digest

_KINDS = tuple(kind.value for kind in AlertKind)


def _check_kind(kind: str) -> str:
    if kind not in _KINDS:
        hint = did_you_mean(kind, _KINDS)
        known = "" if hint else f"; known: {', '.join(_KINDS)}"
        raise ValueError(f"unknown kind {quoted(kind)}{hint}{known}")
    return kind


Kind = Annotated[
    str,
    AfterValidator(_check_kind),
    WithJsonSchema({"type": "string", "enum": list(_KINDS)}),
]


class Channel(Settings):
    """
    A place where alerts are delivered.
    """

    name: Name = Field(description="How the channel is called everywhere.")
    url: Secret = Field(description="An Apprise URL: e-mail, Slack, Telegram, a webhook, …")
    kinds: Annotated[frozenset[Kind], Field(min_length=1)] | None = Field(
        default=None,
        description="The kinds of alert it receives; default: all but digest, resumed.",
    )
    min_severity: Annotated[Severity, BeforeValidator(word_of(Severity))] = Field(
        default=Severity.INFO, description="The least severity it receives."
    )
    tags: SomeNames = Field(
        default=(), description="Only connections with one of these tags; default: all."
    )
    connections: SomeNames = Field(
        default=(), description="Only these connections, by name; default: all."
    )
    template: RelativePath | None = Field(
        default=None, description="A Jinja2 file that words its messages; default: built in."
    )
    quiet_hours: QuietHours | None = Field(
        default=None, description="When only critical alerts are delivered here."
    )
    digest: Annotated[Digest, BeforeValidator(word_of(Digest))] | None = Field(
        default=None, description="How often a summary is sent here; default: never."
    )
