"""Ask the machine how many files this process may have open, and take all that there are."""

from __future__ import annotations

import resource
from contextlib import suppress
from typing import TYPE_CHECKING

from monitor.judge.shortage import share_out

if TYPE_CHECKING:
    from monitor.config.model import Config
    from monitor.judge.shortage import DescriptorShares

_PLENTY = 1_048_576


def raise_file_limit() -> None:
    """Take all the descriptors there are to have: each check and each visitor needs one.

    The usual limit of 1024 is there for programs that could not count further.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def shares_of(config: Config, *, of_hard_limit: bool = False) -> DescriptorShares:
    """Return how many descriptors there are for what.

    Args:
        of_hard_limit: By what a daemon can take for itself, not by what this process has.
    """
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1 if of_hard_limit else 0]
    limit = _PLENTY if limit == resource.RLIM_INFINITY else limit
    return share_out(limit, config.checks.concurrency, has_web=bool(config.web.listen))
