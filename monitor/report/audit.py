"""Say who changed what, for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from typing_extensions import TypedDict

from monitor.report.status import Instant, instant

if TYPE_CHECKING:
    from monitor.judge.audit import AuditRow

REJECTED = "rejected"
"""Stands in the place of how many were changed, where somebody tried and nothing was."""


class AuditRowJson(TypedDict):
    """One change."""

    at: Instant
    who: Annotated[
        str,
        Field(
            description="`user:`, `token:`, `cli:`, `channel:`, `link:` or `source:` with a name,"
            " or `file`."
        ),
    ]
    action: str
    connection: Annotated[
        str | None, Field(description="Its name then; null for several, or for something else.")
    ]
    keys: Annotated[list[str], Field(description="The names of what was changed, never a value.")]
    count: Annotated[
        int, Field(description="How many were changed; 0 where somebody tried and was rejected.")
    ]


def audit_json(row: AuditRow) -> AuditRowJson:
    """Return one change, for programs."""
    return AuditRowJson(
        at=instant(row.at),
        who=row.who,
        action=str(row.action),
        connection=row.connection,
        keys=list(row.keys),
        count=row.count,
    )


def describe_count(row: AuditRow) -> str:
    """Return how many were changed, where that is not plain."""
    if row.count == 0:
        return REJECTED
    return "" if row.count == 1 else f"{row.count:,}"
