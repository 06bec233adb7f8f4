"""Have a process that a command started end with it, however the command ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def make_mortal() -> Callable[[], None] | None:
    """Return what has a child end with us, however we end; None where the system cannot do that.

    Nobody else would end it: whoever is killed ends nothing in good order.
    """
    if sys.platform != "linux":
        return None
    set_option = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def become_mortal() -> None:
        set_option(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)  # it ended before we could ask

    return become_mortal
