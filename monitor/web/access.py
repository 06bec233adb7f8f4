"""Say which role each route needs; `monitor.web.security` asks before any route is.

What is not listed needs the least that is safe: reading a viewer, a change an administrator. A
new route is closed by that, until it is listed here.
"""

from __future__ import annotations

import re
from functools import lru_cache

from monitor.judge.access import Role, strictest

READING = frozenset({"GET", "HEAD", "OPTIONS"})

VIEWERS_CHANGE = ("POST /logout",)
"""What whoever is logged in may do."""

OPERATORS_READ = (
    "GET /api/v1/connections/{name}/config",
    "GET /oauth/amazon/start/{name}",
)

OPERATORS_CHANGE = (
    # validate
    "POST /api/v1/connections/{name}/validate",
    "POST /connections/{name}/validate",
    # pause
    "POST /api/v1/connections/{name}/pause",
    "POST /api/v1/connections/{name}/resume",
    "POST /connections/{name}/pause",
    "POST /connections/{name}/resume",
    # acknowledge
    "POST /api/v1/connections/{name}/ack",
    "DELETE /api/v1/connections/{name}/ack",
    "POST /connections/{name}/ack",
    "POST /connections/{name}/ack/end",
    # mute
    "POST /api/v1/silences",
    "DELETE /api/v1/silences/{number}",
    "POST /connections/{name}/silence",
    "POST /groups/{name}/silence",
    "POST /silences",
    "POST /silences/all/end",
    "POST /silences/{number}/end",
    # renew
    "POST /api/v1/connections/{name}/renew",
    "POST /connections/{name}/renew",
    "POST /oauth/amazon/start/{name}",
    # have others renew
    "POST /api/v1/connections/{name}/invites",
    "DELETE /api/v1/invites/{number}",
    "POST /connections/{name}/invites",
    "POST /invites/{number}/revoke",
    "POST /proposals/{number}/accept",
    "POST /proposals/{number}/reject",
)

ADMINS_READ = (
    "GET /new",
    "GET /new/store",
    "GET /new/{kind}",
    "GET /oauth/amazon/new/{application}/{region}",
    "GET /connections/{name}/edit",
    "GET /connections/{name}/delete",
    "GET /people",
    "GET /people/new",
    "GET /people/{name}/edit",
    "GET /people/{name}/delete",
    "GET /channels",
    "GET /channels/new",
    "GET /channels/new/{kind}",
    "GET /channels/{name}/edit",
    "GET /channels/{name}/delete",
    "GET /api/v1/channels",
    "GET /api/v1/channels/{name}",
)
"""The forms by which something is set up, and where alerts are sent."""

LISTED = {
    **dict.fromkeys(VIEWERS_CHANGE, Role.VIEWER),
    **dict.fromkeys((*OPERATORS_READ, *OPERATORS_CHANGE), Role.OPERATOR),
    **dict.fromkeys(ADMINS_READ, Role.ADMIN),
}

_PARAMETER = re.compile(r"\\\{[a-z_]+\\\}")


@lru_cache
def _patterns(method: str) -> tuple[tuple[re.Pattern[str], Role], ...]:
    return tuple(
        (re.compile(_PARAMETER.sub("[^/]+", re.escape(route.partition(" ")[2]))), role)
        for route, role in LISTED.items()
        if route.partition(" ")[0] == method
    )


def least_role(method: str, path: str) -> Role:
    """Return the least role that may ask for *path* by *method*."""
    asked = "GET" if method in READING else method
    # A path that two rows mean needs what the stricter one wants.
    found = [role for pattern, role in _patterns(asked) if pattern.fullmatch(path)]
    if found:
        return strictest(found)
    return Role.VIEWER if method in READING else Role.ADMIN
