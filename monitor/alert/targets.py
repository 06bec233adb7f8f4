"""
Make targets of a channel's URL: services of Apprise, set up as they are used here.

Apprise is slow to import and large, its 180 services more so: it is imported
with the first URL, and of the usual services only those that are used.
"""

from __future__ import annotations

import re
from contextvars import ContextVar
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitor.alert.errors import AlertError
from monitor.alert.patience import install
from monitor.alert.services import SERVICES, silence

if TYPE_CHECKING:
    from apprise import Apprise, NotifyBase

_NEXT_URL = re.compile(r"[\s,;]+(?=[a-z0-9]{1,32}://)", re.IGNORECASE)

_HOW_TO_WRITE = "compare it with the service's page in the documentation of Apprise"

IS_FINAL: ContextVar[bool] = ContextVar("is_final", default=False)
"""Whether the text to be sent is written in the service's own dialect already."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    One service of a channel's URL.
    """

    url: str
    apprise: Apprise
    service: NotifyBase


def open_urls(urls: str) -> tuple[Target, ...]:
    """
    Return the targets of a channel's URL, which may name several services.

    Raises:
        AlertError: It is of no use; says why without quoting it.
    """
    parts = [part for part in _NEXT_URL.split(urls.strip()) if part]
    if not parts:
        raise AlertError("the URL is empty", permanent=True)
    return tuple(_open_url(url) for url in parts)


def _open_url(url: str) -> Target:
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
    return Target(url, target, service)


def _keep_final(service: NotifyBase) -> None:
    """
    Have *service* send what is written in its own dialect already as it is.

    Apprise converts texts of a known format, and in others brings back mentions.
    """
    convert = service.dialect_convert

    def keep(body: str, body_format: Any = None, *args: Any, **kwargs: Any) -> str:
        return body if IS_FINAL.get() else convert(body, body_format, *args, **kwargs)

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
