"""Cut what alerts say to the connections of some groups.

Names are cut where they are read; here it is decided what becomes of the counts and the words
beside them. Who is limited to which groups is decided in `access` and `routing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.judge.alerts import AlertKind

if TYPE_CHECKING:
    from collections.abc import Mapping

_COUNTS = {
    AlertKind.OUTAGE: "n_failing",
    AlertKind.OUTAGE_OVER: "n",
    AlertKind.SECRET_EXPIRING: "n_connections",
    AlertKind.ERROR: "n_connections",
    AlertKind.EXPIRED: "n_connections",
    AlertKind.RECOVERED: "n_connections",
}
"""The fact of each kind that counts connections."""

_OF_ONE = ("detail", "detail_before", "notes")
"""What was said of one of the connections, nobody knows which."""

TOTAL = "n_total"


def cut_facts(
    kind: AlertKind, facts: Mapping[str, Any], n_seen: int, total: int | None = None
) -> dict[str, Any]:
    """Return *facts* as they are told where only some of the connections are seen.

    Args:
        n_seen: How many those are.
        total: Of an outage, how many connections of its host are seen; None where that is
            not known.
    """
    cut = {key: value for key, value in facts.items() if key not in _OF_ONE and key != TOTAL}
    counted = _COUNTS.get(kind)
    if counted in cut:
        cut[counted] = n_seen
    if total is not None and TOTAL in facts:
        cut[TOTAL] = max(total, n_seen)
    return cut
