"""
Hand messages to Apprise: the only module that knows it.

Decides how a channel's URL becomes targets, and what of a failure may be said.
How a message is fitted to a service is decided in `fitting`; when and how often
to send, in `delivery`.

A channel's URL may name several services. They are asked one after the other,
and the message counts as sent when all of them took it; those that did are
left out when it is tried again, as long as this process remembers. A service
with several targets of its own (two recipients of one e-mail URL) is one
target here: Apprise does not say which of them failed, so all get it again.

Apprise is slow to import and large, its 180 services more so: it is imported
with the first message, and of the usual services only those that are used.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any

from monitor.alert.cleaning import clean, mask_parts, shorten
from monitor.alert.errors import AlertError
from monitor.alert.fitting import fit
from monitor.alert.patience import install, listen
from monitor.alert.services import SERVICES, silence
from monitor.config.secret import SecretUnavailable
from monitor.judge.alerts import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import timedelta
    from pathlib import Path

    from apprise import Apprise, AppriseResult, NotifyBase

    from monitor.alert.fitting import Fitted
    from monitor.alert.message import Message
    from monitor.config.channel import Channel
    from monitor.config.secret import Secret

# long because: it alone may know Apprise

ERROR_LIMIT = 400

_REMEMBERED = 1000
"""Messages that some targets of a channel took and others did not."""

_NEXT_URL = re.compile(r"[\s,;]+(?=[a-z0-9]{1,32}://)", re.IGNORECASE)

_CAUSE = "Socket Exception"  # begins the only debugging lines of Apprise that tell a cause

_HOW_TO_WRITE = "compare it with the service's page in the documentation of Apprise"


@dataclass(frozen=True, slots=True)
class _Target:
    """
    One service of a channel's URL.
    """

    url: str
    apprise: Apprise
    service: NotifyBase


@dataclass(frozen=True, slots=True)
class _Failure:
    """
    Why a target did not take a message.
    """

    error: str
    retry_after: timedelta | None = None


class AppriseSender:
    """
    Send messages through Apprise, blocking.

    May be used from several threads. A URL is read when it is needed, so that
    a secret that changed is used with the next message.

    Args:
        urls: The secret URL of each channel, by the channel's name.
        templates: The files that word the messages of channels.
    """

    def __init__(
        self, urls: Mapping[str, Secret], templates: Mapping[str, Path] | None = None
    ) -> None:
        self._urls = urls
        self._templates = templates or {}
        self._lock = Lock()
        self._targets: dict[str, tuple[str, tuple[_Target, ...]]] = {}
        self._taken: OrderedDict[tuple[str, str], frozenset[str]] = OrderedDict()

    @classmethod
    def for_channels(cls, channels: Iterable[Channel]) -> AppriseSender:
        """
        Return a sender for *channels* of the configuration.
        """
        sender = cls({})
        sender.adopt(channels)
        return sender

    def adopt(self, channels: Iterable[Channel]) -> None:
        """
        Send to *channels* from now on; who took a message before is remembered.
        """
        channels = list(channels)
        self._urls = {channel.name: channel.url for channel in channels}
        self._templates = {
            channel.name: channel.template for channel in channels if channel.template
        }

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
        taken = self._taken.get((channel, key), frozenset()) if key else frozenset()
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

    def _open(self, channel: str) -> tuple[_Target, ...]:
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
        with self._lock:
            known, targets = self._targets.get(channel, ("", ()))
            if known != urls:
                targets = _open_urls(urls)
                self._targets[channel] = (urls, targets)
        return targets

    def _remember(self, channel: str, key: str, taken: frozenset[str]) -> None:
        with self._lock:
            self._taken.pop((channel, key), None)
            if key and taken:
                self._taken[channel, key] = taken
            if len(self._taken) > _REMEMBERED:
                self._taken.popitem(last=False)


def validate_url(secret: Secret) -> str | None:
    """
    Return why the URL of a channel is not usable, or None if it is.

    Sends nothing. The answer contains no part of the URL.
    """
    try:
        _open_urls(secret.reveal())
    except (AlertError, SecretUnavailable) as error:
        return str(error)
    return None


def _open_urls(urls: str) -> tuple[_Target, ...]:
    parts = [part for part in _NEXT_URL.split(urls.strip()) if part]
    if not parts:
        raise AlertError("the URL is empty", permanent=True)
    return tuple(_open_url(url) for url in parts)


def _open_url(url: str) -> _Target:
    silence()
    import apprise

    install()

    scheme, separator, _ = url.partition("://")
    if not separator:
        raise AlertError(f"no Apprise URL, it has no ://; {_HOW_TO_WRITE}", permanent=True)
    # Without a time limit of its own Apprise sends in the thread that asks;
    # with one, all channels would wait for a handful of threads.
    asset = apprise.AppriseAsset(
        app_id="connwatch",
        app_desc="connwatch alerts",
        app_url="",
        async_mode=False,
        http_redirects=False,
        secure_logging=True,
        service_timeout=0,
        storage_mode="memory",
    )
    service = _make_service(scheme.lower(), url, asset)
    if service is None:
        raise AlertError(
            f"Apprise cannot use this URL: the service is unknown, or a part of the URL is"
            f" missing or malformed; {_HOW_TO_WRITE}",
            permanent=True,
        )
    _keep_final(service)
    # By default Apprise leaves it to the service to refuse what is too long.
    # One message that ends early is better than none, and than several.
    if service.overflow_mode == apprise.OverflowMode.UPSTREAM:
        service.overflow_mode = apprise.OverflowMode.TRUNCATE
    target = apprise.Apprise(asset=asset)
    target.add(service)
    return _Target(url, target, service)


_is_final: ContextVar[bool] = ContextVar("is_final", default=False)


def _keep_final(service: NotifyBase) -> None:
    """
    Have *service* send what is written in its own dialect already as it is.

    Apprise converts texts of a known format, and in others brings back mentions.
    """
    convert = service.dialect_convert

    def keep(body: str, body_format: Any = None, *args: Any, **kwargs: Any) -> str:
        return body if _is_final.get() else convert(body, body_format, *args, **kwargs)

    vars(service)["dialect_convert"] = keep


def _make_service(scheme: str, url: str, asset: Any) -> NotifyBase | None:
    import apprise

    # What is wrong with a URL shows in whatever way its parser stumbles, and
    # the text of the exception may quote the URL.
    try:
        if scheme not in SERVICES:
            return apprise.Apprise.instantiate(url, asset=asset)
        module, name = SERVICES[scheme]
        plugin = getattr(import_module(f"apprise.plugins.{module}"), name)
        parts = plugin.parse_url(url.replace("/#", "/%23"))
        service: NotifyBase | None = plugin(**parts, asset=asset) if parts else None
    except (ValueError, TypeError, AttributeError, LookupError):
        return None
    return service


def _notify(target: _Target, fitted: Fitted, severity: Severity) -> _Failure | None:
    """
    Send a message to one target and return why that failed, or None.
    """
    import apprise

    kind = apprise.NotifyType("failure" if severity is Severity.CRITICAL else severity.value)
    token = _is_final.set(fitted.is_final)
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
        _is_final.reset(token)


def _explain(result: AppriseResult, url: str) -> str:
    names = ", ".join(sorted({service.name for service in result})) or "Apprise"
    said = " ".join(
        entry.message
        for entry in result.logs()
        if entry.level != "DEBUG" or entry.message.startswith(_CAUSE)
    )
    said = clean(mask_parts(said, url), ERROR_LIMIT) or "it gave no reason"
    return f"{names}: {said}"
