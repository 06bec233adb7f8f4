"""
Hand messages to Apprise.

Decides what of a failure may be said. How a channel's URL becomes targets is
decided in `targets`, which alone knows Apprise beside this module; how a message
is fitted to a service, in `fitting`; when and how often to send, in `delivery`.

A channel's URL may name several services. They are asked one after the other,
and the message counts as sent when all of them took it; those that did are
left out when it is tried again, as long as this process remembers. A service
with several targets of its own (two recipients of one e-mail URL) is one
target here: Apprise does not say which of them failed, so all get it again.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING

from monitor.alert.cleaning import clean, mask_parts, shorten
from monitor.alert.errors import AlertError
from monitor.alert.fitting import fit
from monitor.alert.patience import listen
from monitor.alert.targets import IS_FINAL, open_urls
from monitor.config.secret import SecretUnavailable
from monitor.judge.alerts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta
    from pathlib import Path

    from apprise import AppriseResult

    from monitor.alert.fitting import Fitted
    from monitor.alert.message import Message
    from monitor.alert.targets import Target
    from monitor.config.channel import Channel
    from monitor.config.secret import Secret

ERROR_LIMIT = 400

_REMEMBERED = 1000
"""Messages that some targets of a channel took and others did not."""

_CAUSE = "Socket Exception"  # begins the only debugging lines of Apprise that tell a cause


@dataclass(frozen=True, slots=True)
class _Failure:
    """
    Why a target did not take a message.
    """

    error: str
    retry_after: timedelta | None = None


@dataclass(slots=True)
class _Memory:
    """
    What senders that follow one another have in common.

    Args:
        targets: What was opened for each channel, and from which URLs.
        taken: By channel and key, the targets that took a message which others did not.
    """

    lock: Lock = field(default_factory=Lock)
    targets: dict[str, tuple[str, tuple[Target, ...]]] = field(default_factory=dict)
    taken: OrderedDict[tuple[str, str], frozenset[str]] = field(default_factory=OrderedDict)


class AppriseSender:
    """
    Send messages through Apprise, blocking.

    May be used from several threads. A URL is read when it is needed, so that
    a secret that changed is used with the next message.

    Args:
        urls: The secret URL of each channel, by the channel's name.
        templates: The files that word the messages of channels.
        memory: What a sender before this one has learned.
    """

    def __init__(
        self,
        urls: Mapping[str, Secret],
        templates: Mapping[str, Path] | None = None,
        memory: _Memory | None = None,
    ) -> None:
        self._urls = urls
        self._templates = templates or {}
        self._memory = memory or _Memory()

    @classmethod
    def for_channels(
        cls, channels: Iterable[Channel], memory: _Memory | None = None
    ) -> AppriseSender:
        """
        Return a sender for *channels* of the configuration.
        """
        channels = list(channels)
        return cls(
            {channel.name: channel.url for channel in channels},
            {channel.name: channel.template for channel in channels if channel.template},
            memory,
        )

    def successor(self, channels: Iterable[Channel]) -> AppriseSender:
        """
        Return a sender for *channels* that remembers who took a message before.
        """
        return AppriseSender.for_channels(channels, self._memory)

    def send(self, channel: str, message: Message, key: str = "") -> None:
        """
        Send *message* to every target of *channel*.

        Args:
            key: What stays the same when this message is tried again. Without
                it every try goes to every target.

        Raises:
            AlertError: At least one target did not take it.
        """
        targets = self._open(channel)
        taken = self._memory.taken.get((channel, key), frozenset()) if key else frozenset()
        failures = []
        for target in targets:
            if target.url in taken:
                continue
            failure = _notify(
                target, fit(message, target.service, self._templates.get(channel)), message.severity
            )
            if failure is None:
                taken |= {target.url}
            else:
                failures.append(failure)
        self._remember(channel, key, taken if failures else frozenset())
        if failures:
            error = shorten("; ".join(failure.error for failure in failures), ERROR_LIMIT)
            if len(targets) > 1:
                error = f"{len(failures)} of {len(targets)} targets failed: {error}"
            waits = [failure.retry_after for failure in failures if failure.retry_after]
            raise AlertError(error, retry_after=max(waits, default=None))

    def _open(self, channel: str) -> tuple[Target, ...]:
        if channel not in self._urls:
            raise AlertError(
                f"channel {channel} is not in the configuration any more: to have this sent, put it"
                " in again, then `connwatch alerts retry`",
                permanent=True,
            )
        try:
            urls = self._urls[channel].reveal()
        except SecretUnavailable as error:
            raise AlertError(f"the URL of channel {channel} cannot be read: {error}") from None
        memory = self._memory
        with memory.lock:
            known, targets = memory.targets.get(channel, ("", ()))
            if known != urls:
                targets = open_urls(urls)
                memory.targets[channel] = (urls, targets)
        return targets

    def _remember(self, channel: str, key: str, taken: frozenset[str]) -> None:
        memory = self._memory
        with memory.lock:
            memory.taken.pop((channel, key), None)
            if key and taken:
                memory.taken[channel, key] = taken
            if len(memory.taken) > _REMEMBERED:
                memory.taken.popitem(last=False)


def validate_url(secret: Secret) -> str | None:
    """
    Return why the URL of a channel is not usable, or None if it is.

    Sends nothing. The answer contains no part of the URL.
    """
    try:
        open_urls(secret.reveal())
    except (AlertError, SecretUnavailable) as error:
        return str(error)
    return None


def _notify(target: Target, fitted: Fitted, severity: Severity) -> _Failure | None:
    """
    Send a message to one target and return why that failed, or None.
    """
    import apprise

    kind = apprise.NotifyType("failure" if severity is Severity.CRITICAL else severity.value)
    token = IS_FINAL.set(fitted.is_final)
    try:
        with (
            listen() as asked,
            target.apprise.notify(
                body=fitted.body,
                title=fitted.title,
                notify_type=kind,
                body_format=apprise.NotifyFormat(fitted.format),
                log_level=logging.DEBUG,
            ) as result,
        ):
            return None if result else _Failure(_explain(result, target.url), asked.retry_after)
    finally:
        IS_FINAL.reset(token)


def _explain(result: AppriseResult, url: str) -> str:
    names = ", ".join(sorted({service.name for service in result})) or "Apprise"
    said = " ".join(
        entry.message
        for entry in result.logs()
        if entry.level != "DEBUG" or entry.message.startswith(_CAUSE)
    )
    said = clean(mask_parts(said, url), ERROR_LIMIT) or "it gave no reason"
    return f"{names}: {said}"
