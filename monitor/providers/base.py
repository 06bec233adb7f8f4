"""Say what a checker is, and do what every check of a secret does, whatever the service.

Decides when a request is built anew, when a refusal is believed, how often an unreadable header is
logged, and who waits for whom where several connections share a grant: a service may end a token
that another exchange has just brought. What is sent, and what an answer means, is left to the
provider.
"""

from __future__ import annotations

import asyncio
import hashlib
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from monitor.config.secret import MalformedSecret, Secret, SecretUnavailable
from monitor.judge.outcome import Outcome, OutcomeClass, Reason
from monitor.providers.fetcher import Answer, Failure, fetch
from monitor.providers.masking import clean
from monitor.providers.vocabulary import vocabulary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import timedelta

    import httpx

    from monitor.providers.masking import Secrets


class Checker(Protocol):
    """Check one connection once."""

    async def check(self) -> Outcome:
        """Call the service and return what was seen.

        Never raises for what the network or the provider does: that is an
        outcome. Cancellation passes through.
        """
        ...


@dataclass(slots=True)
class _Turns:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    n_wanted: int = 0


class GrantLocks:
    """The grants whose tokens are being exchanged, or wait for that; one for all checkers."""

    def __init__(self) -> None:
        self._turns: dict[bytes, _Turns] = {}

    @property
    def n_wanted(self) -> int:
        """How many grants are being exchanged, or are to be."""
        return len(self._turns)

    @asynccontextmanager
    async def turn(self, *parts: str) -> AsyncIterator[None]:
        """Wait until nobody else exchanges this grant, and keep others waiting meanwhile.

        Args:
            parts: What makes the grant: where, for whom, with which token. None
                of it is kept.
        """
        key = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
        turns = self._turns.setdefault(key, _Turns())
        turns.n_wanted += 1
        # Counted, since a weak reference outlives a cancelled wait with its traceback.
        try:
            async with turns.lock:
                yield
        finally:
            turns.n_wanted -= 1
            if not turns.n_wanted:
                del self._turns[key]


if TYPE_CHECKING:
    Prepare = Callable[[], "Prepared"]
    Read = Callable[[Answer, "Prepared"], Outcome]

MAX_LOGGED = 50
MAX_FIELDS_LOGGED = 20

log = structlog.get_logger()


def is_sendable(value: str) -> bool:
    """Tell whether *value* can travel in a header and a form as it is."""
    return bool(value) and value.isascii() and value.isprintable() and " " not in value


class UnsendableError(ValueError):
    """Raised for a secret that HTTP cannot carry; says so in a sentence, never what it is."""


class RefreshableSecret(Protocol):
    """A secret that may be replaced while we run, such as a `Secret`."""

    def reveal(self) -> str:
        """Return the secret itself, or raise SecretUnavailable."""
        ...

    def refresh(self) -> bool:
        """Read it again and tell whether it changed; keep it if that raises SecretUnavailable."""
        ...


class PreparedSecret(ABC):
    """A secret that may have to be waited for, which must not hold up the event loop."""

    __slots__ = ()

    @abstractmethod
    async def make_ready(self) -> None:
        """Have what prints it run, if that is due."""

    @abstractmethod
    async def renew(self) -> bool:
        """Do as `refresh` does, without holding up the event loop."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to be sent.

    Args:
        secrets: What it carries, in every form in which it is written there.
        token: The token alone; empty if there is none.
    """

    request: httpx.Request = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)
    token: str = field(repr=False)


_WAITED_FOR = Secret, PreparedSecret


async def make_ready(*secrets: object) -> None:
    """Have the commands run that print *secrets* and are due; others need nothing.

    Raises:
        OutOfResources: One could not be run for want of resources of our own.
    """
    for each in secrets:
        if isinstance(each, _WAITED_FOR):
            await each.make_ready()


async def renew(secret: RefreshableSecret) -> bool:
    """Read *secret* again, as its `refresh` does; no command is run on the event loop."""
    if isinstance(secret, _WAITED_FOR):
        return await secret.renew()
    return secret.refresh()


class Requester:
    """Request with the present secrets, and after a refusal once more if there are newer ones."""

    __slots__ = ("_client", "_prepared", "_revealed", "_secrets", "_timeout")  # one a connection

    def __init__(
        self, secrets: Sequence[RefreshableSecret], client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        self._secrets = secrets
        self._client = client
        self._timeout = timeout
        # Read now, so that the first answer that says no waits for no file.
        vocabulary()
        self._prepared: Prepared | None = None
        self._revealed: tuple[str, ...] = ()

    async def request(self, prepare: Prepare, read: Read) -> Outcome:
        """Send the request; a refusal counts only if no newer secret is at hand.

        Args:
            prepare: Builds the request anew, after a secret has changed; raises
                UnsendableError where that cannot be.
        """
        await make_ready(*self._secrets)
        outcome = await self._request_once(prepare, read)
        if outcome.reason.outcome_class is not OutcomeClass.REFUSAL:
            return outcome
        try:
            is_renewed = await self._are_renewed()
        except SecretUnavailable as error:
            detail = f"{outcome.detail} The token could not be read again: {error}."
            return replace(outcome, detail=detail)
        return await self._request_once(prepare, read) if is_renewed else outcome

    async def _request_once(self, prepare: Prepare, read: Read) -> Outcome:
        try:
            prepared = self._prepare(prepare)
        except MalformedSecret as error:
            return Outcome(Reason.PROTOCOL, f"The token cannot be used: {error.explain()}.")
        except SecretUnavailable as error:
            return Outcome(Reason.PROTOCOL, f"The token cannot be read: {error}.")
        except UnsendableError as error:
            return Outcome(Reason.PROTOCOL, str(error))
        match await fetch(self._client, prepared.request, self._timeout):
            case Failure(reason, detail):
                return Outcome(reason, detail)
            case answer:
                return read(answer, prepared)

    def _prepare(self, prepare: Prepare) -> Prepared:
        # Connections may share a secret: another's refresh shows only here.
        revealed = self._reveal()
        if self._prepared is None or revealed != self._revealed:
            self._prepared = prepare()
            self._revealed = revealed
        return self._prepared

    async def _are_renewed(self) -> bool:
        # All of them: the first that changed must not keep the others from being read.
        changed = [await renew(secret) for secret in self._secrets]
        return any(changed) or self._reveal() != self._revealed

    def _reveal(self) -> tuple[str, ...]:
        return tuple(secret.reveal() for secret in self._secrets)


class UnreadableFields:
    """Log unreadable header fields, each once for each connection."""

    def __init__(self, connection: str, event: str = "quota.unreadable") -> None:
        self._connection = connection
        self._event = event
        self._logged: frozenset[str] = frozenset()

    def log(self, answer: Answer, fields: Iterable[str], secret: Secrets) -> None:
        """Log the texts of *fields*, but for those that were logged before."""
        self.log_texts({field: answer.headers[field] for field in fields}, secret)

    def log_texts(self, texts: Mapping[str, str], secret: Secrets) -> None:
        """Log *texts* by the places where they stand, but for places that were logged before."""
        new = [place for place in texts if place not in self._logged]
        # The service chooses the names: one that invents them is logged so often and no more.
        if new and len(self._logged) < MAX_FIELDS_LOGGED:
            self._logged = self._logged | frozenset(new)
            shown = {place: clean(texts[place], secret, MAX_LOGGED) for place in new}
            log.warning(self._event, connection=self._connection, fields=shown)
