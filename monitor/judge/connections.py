"""Describe one connection: in the file, between two checks, and as the rules see it.

The store returns a `ConnectionRecord`, the settings a `Watched`; the rules take both as values.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from monitor.judge.authorizations import AuthorizationClock, Declared
from monitor.judge.forecast import Outlook
from monitor.judge.outcome import State

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from monitor.judge.outcome import Marketplace, Rules, Standing
    from monitor.judge.quota import Quota
    from monitor.judge.routing import Subject


OWNER_FILE = "file"
"""The owner of what stands in the configuration file."""

OWNER_DASHBOARD = "dashboard"
"""The owner of what was made in the dashboard, by the API, or imported."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A connection of the configuration file, as the store needs it.

    Args:
        host: Host and port that checks go to; empty where nothing is called.
        renamed_from: The name whose history it carries on.
        steps: Days before the end of the authorization that are told.
        application: The OAuth client that it shares with others.
        token_host: Host and port that gives its access tokens.
        group: The customer or team that it belongs to.
    """

    name: str
    provider: str
    host: str
    every: timedelta
    is_enabled: bool = True
    renamed_from: str | None = None
    declared: Declared = field(default_factory=Declared)
    steps: tuple[int, ...] = ()
    application: str | None = None
    token_host: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class WrittenEntry:
    """A connection as its owner wrote it, without the secrets in it.

    Args:
        position: Where it stands among those of its owner, from 0.
        digest: Tells it from any other, secrets included, and nothing else.
        write: Returns its keys and values; `{"set": true}` stands for each secret. It is
            called only for what has changed.
        seal: Returns those secrets of it that are to be kept, encrypted; likewise.
    """

    name: str
    position: int
    digest: str
    write: Callable[[], dict[str, Any]]
    seal: Callable[[], bytes | None] = lambda: None


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """One connection as the database knows it.

    Args:
        is_configured: The file has it; entries taken out are hidden.
        is_enabled: The file does not switch it off.
        is_paused: `pause` switched it off.
        next_check_at: When it is due; None for never.
        standing: What the checks said, under any pause.
        account_key: What it shares with the connections of the same account.
        clock: Its authorization; an empty one where nobody has dated it.
        application: The OAuth client that it shares with others, by name.
        token_host: Host and port that gives its access tokens.
        failed_host: Host and port against which its latest check speaks.
        marketplaces: What its account sells in; only where records are listed to be shown.
        outlook: What is foreseen of the window of its quota that decides.
        has_other_windows: Its quota has others, which are kept apart.
        group_name: The customer or team that it belongs to.
    """

    id: int
    name: str
    provider: str
    host: str
    is_configured: bool
    is_enabled: bool
    is_paused: bool
    next_check_at: datetime | None
    standing: Standing
    account: str | None
    quota: Quota
    account_key: str | None
    clock: AuthorizationClock = field(default_factory=AuthorizationClock)
    application: str | None = None
    token_host: str | None = None
    failed_host: str | None = None
    is_unexplained: bool = False
    marketplaces: tuple[Marketplace, ...] | None = None
    outlook: Outlook = field(default_factory=Outlook)
    has_other_windows: bool = False
    group_name: str | None = None

    @property
    def is_switched_off(self) -> bool:
        """Tell whether it is neither checked nor announced."""
        return self.is_paused or not self.is_enabled

    @property
    def shown_state(self) -> State:
        """Return the state that people see."""
        return State.PAUSED if self.is_switched_off else self.standing.state


@dataclass(frozen=True, slots=True)
class Watched:
    """One connection as the rules see it.

    Args:
        renew_url: The page outside on which a person can renew its authorization.
        can_renew_here: Its own page leads to Amazon for that, and back.
        application: The OAuth client that it shares with others.
        secret: When that client's secret was made, as the file says.
        provider: How it is checked; None where that does not matter.
        notes: What the next person should know.
        owner: Where its settings are: the file, the dashboard, or a source.
    """

    subject: Subject
    rules: Rules
    renew_url: str | None = None
    application: str | None = None
    secret: Declared | None = None
    provider: str | None = None
    notes: str = ""
    can_renew_here: bool = False
    owner: str = OWNER_FILE
