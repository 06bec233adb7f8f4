"""Choose between the token of the file and one that a handshake or a renewal link brought.

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
    """A token that a handshake or a renewal link brought.

    Args:
        file_fingerprint: Which token the file had then; None if it had none.
        unreadable: Why the value cannot be known, if so. The file's token is
            older: to ask with that would only find out that it is an old one.
    """

    value: str = field(repr=False)
    file_fingerprint: str | None
    unreadable: str = ""


class HandshakeTokens:
    """The tokens that handshakes and renewal links brought, by connection name.

    Args:
        fingerprint: Tells one token from another without revealing either.
    """

    def __init__(
        self, fingerprint: Callable[[str], str], tokens: Mapping[str, HandshakeToken] | None = None
    ) -> None:
        self.fingerprint = fingerprint
        self._tokens = dict(tokens or {})

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._tokens))

    def __contains__(self, name: object) -> bool:
        return name in self._tokens

    def put(
        self, name: str, value: str, configured: RefreshableSecret, aim: str = ""
    ) -> HandshakeToken:
        """Use *value* for a connection from now on, and return what must be stored of that.

        Args:
            aim: Where it is sent; with another one, it is used no longer.
        """
        token = HandshakeToken(value, self._fingerprint_of(configured, aim))
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

    def take_in(self, name: str, token: HandshakeToken) -> None:
        """Use a token that somebody else has stored."""
        self._tokens[name] = token

    def choose(
        self, name: str, configured: RefreshableSecret, aim: str = ""
    ) -> HandshakeToken | None:
        """Return the newer token, unless the file has another one than when that came.

        A file that cannot be read says nothing new.
        """
        token = self._tokens.get(name)
        if token is None:
            return None
        now = self._fingerprint_of(configured, aim)
        if now is not None and now != token.file_fingerprint:
            self.drop(name)
            return None
        return token

    def _fingerprint_of(self, configured: RefreshableSecret, aim: str) -> str | None:
        # Asked within transactions too, which wait for no command.
        if isinstance(configured, Secret) and not configured.is_at_hand:
            return None
        try:
            return self.fingerprint(configured.reveal() + aim)
        except SecretUnavailable:
            return None


@dataclass(frozen=True, slots=True)
class LatestToken(PreparedSecret):
    """The token of one connection, a `RefreshableSecret`: the file's, or a newer one.

    Args:
        aim: Where it is sent.
    """

    name: str
    configured: RefreshableSecret
    tokens: HandshakeTokens
    aim: str = ""

    def _newer(self) -> HandshakeToken | None:
        return self.tokens.choose(self.name, self.configured, self.aim)

    def reveal(self) -> str:
        """Return the token that changed last; raise SecretUnavailable if it cannot be read."""
        newer = self._newer()
        if newer is not None and newer.unreadable:
            raise SecretUnavailable("the token from the dashboard", newer.unreadable)
        return self.configured.reveal() if newer is None else newer.value

    def refresh(self) -> bool:
        """Read the file's again, and tell whether another token is to be used now.

        Raises SecretUnavailable if there is only the file's, and it is no longer where it was.
        """
        before = self._newer()
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
        before = self._newer()
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
        after = self._newer()
        return has_changed if before is None else before != after
