"""Ask a running daemon whether it is at work: `python -m monitor.web.probe`.

For supervisors that want a command rather than an address, as a container's
health check does, where there is neither a shell nor curl. Decides where to ask;
what counts as being at work is decided in `monitor.web.health`.
"""

from __future__ import annotations

import http.client
import json
import sys
from http import HTTPStatus
from urllib.parse import urlsplit

from monitor.config.errors import ConfigError
from monitor.config.load import find_config, load_config

AT_WORK = "/readyz"
WITHIN_S = 5

_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - it is asked, not listened at


def probe_daemon(listen: str) -> str | None:
    """Return what keeps the daemon at the address *listen* from its work; None if nothing does."""
    where = urlsplit(f"//{listen}")
    host = where.hostname or ""
    connection = http.client.HTTPConnection(
        _EVERYWHERE.get(host, host), where.port, timeout=WITHIN_S
    )
    try:
        connection.request("GET", AT_WORK)
        answer = connection.getresponse()
        body = answer.read(4096)
    except (OSError, http.client.HTTPException) as error:
        return f"no answer from {listen}: {error or type(error).__name__}"
    finally:
        connection.close()
    if answer.status == HTTPStatus.OK:
        return None
    try:
        return f"not ready: {', '.join(json.loads(body)['failing'])}"
    except (ValueError, KeyError, TypeError):
        return f"{listen} answers {answer.status}: another program has its port"


def main() -> int:
    """Ask the daemon of the configuration file; return the exit code."""
    try:
        listen = load_config(find_config(None)).web.listen
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not listen:
        # The process is there, or nobody would ask in here: no more is known.
        sys.stdout.write("web.listen is switched off, so there is nothing to ask\n")
        return 0
    trouble = probe_daemon(listen)
    sys.stdout.write(f"{trouble or 'ready'}\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
