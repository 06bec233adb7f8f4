"""
Choose between the refresh token of the file and one that a handshake brought.

Decides that whichever changed last is used. Keeping tokens over a restart is
left to whoever fills `HeldTokens`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from monitor.config.secret import SecretUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping


class TokenSource(Protocol):
    """Where a checker takes a refresh token from; a `Secret` is one."""

    def reveal(self) -> str:
        """
        Return the token.

        Raises:
            SecretUnavailable: It is not where it should be.
        """

    def refresh(self) -> bool:
        """
        Read it again, and tell whether it changed.

        Raises:
            SecretUnavailable: It is no longer where it was.
        """


@dataclass(frozen=True, slots=True)
class HandshakeToken:
    """
    A refresh token that a handshake brought.

    Args:
        file_fingerprint: Which token the file had then; None if it had none.
        unreadable: Why the value cannot be known, if so. The file's token is
            older: to ask with that would only find out that it is an old one.
    """

    value: str = field(repr=False)
    file_fingerprint: str | None
    unreadable: str = ""


class HandshakeTokens:
    """
    The refresh tokens that handshakes brought, by connection name.

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

    def hold(self, name: str, value: str, configured: TokenSource) -> HandshakeToken:
        """Use *value* for a connection from now on, and return what must be kept of that."""
        held = HandshakeToken(value, self._mark(configured))
        self._tokens[name] = held
        return held

    def drop(self, name: str) -> None:
        """Use what the file says from now on."""
        self._tokens.pop(name, None)

    def take_over(self, stored: HandshakeTokens, names: Collection[str]) -> None:
        """
        Hold as well what was *stored*, and nothing of others than *names*.

        What is held already was at least as new: it is kept before it is stored.
        """
        known = stored._tokens | self._tokens
        self._tokens = {name: token for name, token in known.items() if name in names}

    def choose(self, name: str, configured: TokenSource) -> HandshakeToken | None:
        """
        Return the held token, unless the file has another one than when it came.

        A file that cannot be read says nothing new.
        """
        held = self._tokens.get(name)
        if held is None:
            return None
        mark = self._mark(configured)
        if mark is not None and mark != held.file_fingerprint:
            self.drop(name)
            return None
        return held

    def _mark(self, configured: TokenSource) -> str | None:
        try:
            return self.fingerprint(configured.reveal())
        except SecretUnavailable:
            return None


@dataclass(frozen=True, slots=True)
class LatestToken:
    """The refresh token of one connection: the file's, or a newer one."""

    name: str
    configured: TokenSource
    held: HandshakeTokens

    def reveal(self) -> str:
        """
        Return the token that changed last.

        Raises:
            SecretUnavailable: There is only the file's, and it is not where it
                should be; or the one that is held cannot be read.
        """
        held = self.held.choose(self.name, self.configured)
        if held is not None and held.unreadable:
            raise SecretUnavailable("the refresh token from the dashboard", held.unreadable)
        return self.configured.reveal() if held is None else held.value

    def refresh(self) -> bool:
        """
        Read the file's again, and tell whether another token is to be used now.

        Raises:
            SecretUnavailable: There is only the file's, and it is no longer where it was.
        """
        before = self.held.choose(self.name, self.configured)
        try:
            has_changed = self.configured.refresh()
        except SecretUnavailable:
            if before is None:
                raise
            return False
        after = self.held.choose(self.name, self.configured)
        return has_changed if before is None else before != after
