"""
Be connwatch on a machine that can look up no names but its own.
"""

from __future__ import annotations

import socket
from typing import Any

from tests.forking import run_command

_look_up = socket.getaddrinfo


def look_up_here(host: Any, *arguments: Any, **options: Any) -> Any:
    """
    Look up addresses and names of this machine, and no others.
    """
    name = host.decode() if isinstance(host, bytes) else host
    if name not in {None, "", "localhost", "::1"} and not name.startswith("127."):
        raise socket.gaierror(socket.EAI_NONAME, "no names are looked up while fuzzing")
    return _look_up(host, *arguments, **options)


def run_offline(*arguments: str) -> None:
    """
    Be `connwatch`, and look nothing up.
    """
    socket.getaddrinfo = look_up_here
    run_command(*arguments)
