"""Choose between the refresh token of the file and one that a handshake brought.

Whichever changed last is used. Keeping tokens over a restart is left to whoever fills
`HandshakeTokens`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.config.secret import Secret, SecretUnavailable
from monitor.providers.base import PreparedSecret

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from monitor.providers.base import RefreshableSecret


@dataclass(frozen=True, slots=True)
class HandshakeToken:
    """A refresh token that a handshake brought.

    Args:
        file_fingerprint: Which token the file had then; None if it had none.
        unreadable: Why the value cannot be known, if so. The file's token is
            older: to ask with that would only find out that it is an old one.
    """

    value: str = field(repr=False)
    file_fingerprint: str | None
    unreadable: str = ""


class HandshakeTokens:
    """The refresh tokens that handshakes brought, by connection name.

    Args:
        fingerprint: Tells one refresh token from another without revealing either.
    """

    def __init__(
        self, fingerprint: Callable[[str], str], tokens: Mapping[str, HandshakeToken] | None = None
    ) -> None:
        self.fingerprint = fingerprint
        self._tokens = dict(tokens or {})

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._tokens))

    def put(self, name: str, value: str, configured: RefreshableSecret) -> HandshakeToken:
        """Use *value* for a connection from now on, and return what must be stored of that."""
        token = HandshakeToken(value, self._fingerprint_of(configured))
        self._tokens[name] = token
        return token

    def drop(self, name: str) -> None:
        """Use what the file says from now on."""
        self._tokens.pop(name, None)

    def rename(self, old: str, new: str) -> None:
        """Use for the connection called *new* what was used for it while it was called *old*."""
        token = self._tokens.pop(old, None)
        if token is not None:
            self._tokens[new] = token

    def take_over(self, stored: HandshakeTokens, names: Collection[str]) -> None:
        """Add what was *stored*, and drop what belongs to others than *names*.

        What is here already was at least as new: it is put here before it is stored.
        """
        known = stored._tokens | self._tokens
        self._tokens = {name: token for name, token in known.items() if name in names}

    def choose(self, name: str, configured: RefreshableSecret) -> HandshakeToken | None:
        """Return the token of the handshake, unless the file has another one than when it came.

        A file that cannot be read says nothing new.
        """
        token = self._tokens.get(name)
        if token is None:
            return None
        now = self._fingerprint_of(configured)
        if now is not None and now != token.file_fingerprint:
            self.drop(name)
            return None
        return token

    def _fingerprint_of(self, configured: RefreshableSecret) -> str | None:
        # Asked within transactions too, which wait for no command.
        if isinstance(configured, Secret) and not configured.is_at_hand:
            return None
        try:
            return self.fingerprint(configured.reveal())
        except SecretUnavailable:
            return None


@dataclass(frozen=True, slots=True)
class LatestToken(PreparedSecret):
    """The refresh token of one connection, a `RefreshableSecret`: the file's, or a newer one."""

    name: str
    configured: RefreshableSecret
    tokens: HandshakeTokens

    def reveal(self) -> str:
        """Return the token that changed last; raise SecretUnavailable if it cannot be read."""
        newer = self.tokens.choose(self.name, self.configured)
        if newer is not None and newer.unreadable:
            raise SecretUnavailable("the refresh token from the dashboard", newer.unreadable)
        return self.configured.reveal() if newer is None else newer.value

    def refresh(self) -> bool:
        """Read the file's again, and tell whether another token is to be used now.

        Raises SecretUnavailable if there is only the file's, and it is no longer where it was.
        """
        before = self.tokens.choose(self.name, self.configured)
        try:
            has_changed = self.configured.refresh()
        except SecretUnavailable:
            if before is None:
                raise
            return False
        return self._is_another(before, has_changed=has_changed)

    async def make_ready(self) -> None:
        """Have the command of the file's run, if that is due."""
        if isinstance(self.configured, Secret):
            await self.configured.make_ready()

    async def renew(self) -> bool:
        """Do as `refresh` does, without holding up the event loop."""
        before = self.tokens.choose(self.name, self.configured)
        if not isinstance(self.configured, Secret):
            return self.refresh()
        try:
            has_changed = await self.configured.renew()
        except SecretUnavailable:
            if before is None:
                raise
            return False
        return self._is_another(before, has_changed=has_changed)

    def _is_another(self, before: HandshakeToken | None, *, has_changed: bool) -> bool:
        after = self.tokens.choose(self.name, self.configured)
        return has_changed if before is None else before != after
