"""
Decide under which names the dashboard answers.

A page elsewhere can point its own name at this machine's address and have a
browser ask us in its name (DNS rebinding): only the names that the file gives
us count. An address in figures cannot be pointed anywhere.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from monitor.config.settings import is_reachable_from_outside

if TYPE_CHECKING:
    from monitor.config.settings import WebSettings

_OWN_NAMES = {"localhost"}


class Hosts:
    """
    The names and addresses of `web.listen` and `web.public_url`.
    """

    def __init__(self, web: WebSettings) -> None:
        listen = urlsplit(f"//{web.listen}").hostname
        public = urlsplit(web.public_url).hostname
        self._names = _OWN_NAMES | {name.lower() for name in (listen, public) if name}
        self._is_public = is_reachable_from_outside(web.listen)
        if self._is_public:
            self._names |= {socket.gethostname().lower()}

    def has(self, host: str) -> bool:
        """
        Tell whether a `Host` header, with or without a port, names us.
        """
        try:
            name = (urlsplit(f"//{host}").hostname or "").removesuffix(".")
        except ValueError:
            return False
        if name in self._names:
            return True
        try:
            address = ip_address(name)
        except ValueError:
            return False
        return self._is_public or address.is_loopback
