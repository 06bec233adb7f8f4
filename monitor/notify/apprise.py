"""Hand messages to Apprise.

Decides how a channel's URL becomes targets, which form each service gets and where its title goes,
how long a service wants to be left alone, and what of a failure may be said. When and how often to
send is decided in `delivery`.

A URL may name several services: they are called one after the other, and the message counts as
sent when all of them took it. Those that did are left out when it is tried again, as long as this
process remembers. A service with several recipients of its own is one target: Apprise does not say
which of them failed, so all get it again. Apprise is slow to import and large, its 180 services
more so: it is imported with the first URL, and of the usual services only those that are used.
"""

from __future__ import annotations

import json
import logging
import math
import re
from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

import structlog

from monitor.clock import utc_now
from monitor.config.descriptors import find_machine_shortage, find_missing_descriptors
from monitor.config.hosts import HostRefused
from monitor.config.secret import SecretUnavailable
from monitor.judge.alerts import Severity
from monitor.judge.shortage import find_shortage
from monitor.notify.confinement import confine, current_confinement
from monitor.notify.delivery import AlertError
from monitor.notify.formats import Form, cut, join_title, write
from monitor.notify.template import TemplateError, render
from monitor.notify.words import clean, mask_parts, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from apprise import Apprise, AppriseResult, NotifyBase

    from monitor.config.hosts import AllowedHosts
    from monitor.config.model import Channel
    from monitor.config.secret import Secret
    from monitor.judge.shortage import Shortage
    from monitor.notify.message import Message


# --- what services ask for: Apprise keeps their answers to itself, `requests` has them

LONGEST = timedelta(days=1)
_BUSY = {429, 503}
_LONGEST_BODY = 64 * 1024
_NAME = "ListeningAdapter"


@dataclass(slots=True)
class RetryRequest:
    """What the answers of a service say beside their words.

    Args:
        retry_after: How long the service asked us to wait, if it did.
        shortage: What this machine had too little of to ask it at all.
    """

    retry_after: timedelta | None = None
    shortage: Shortage | None = None


_capturing: ContextVar[RetryRequest | None] = ContextVar("listening", default=None)


@contextmanager
def capture_retry_after() -> Iterator[RetryRequest]:
    """Notice what the answers to requests of this thread ask for."""
    asked = RetryRequest()
    token = _capturing.set(asked)
    try:
        yield asked
    finally:
        _capturing.reset(token)


def install_capture() -> None:
    """Have every session of `requests` look at its answers from now on.

    Harmless from several threads at once: what is wrapped twice reads the same
    wish twice. An answer counts for the thread that asked, and only while that
    one listens; whoever else uses `requests` notices nothing.
    """
    sessions: Any = import_module("requests.sessions")
    if sessions.HTTPAdapter.__name__ == _NAME:
        return

    base = sessions.HTTPAdapter

    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        asked = _capturing.get()
        _refuse_proxied(request, kwargs.get("proxies"))
        try:
            response = base.send(self, request, *args, **kwargs)
        except (OSError, MemoryError, RuntimeError) as error:
            if asked is not None:
                asked.shortage = find_machine_shortage(error)
            raise
        if asked is not None and response.status_code in _BUSY:
            asked.retry_after = _read_response(response)
        return response

    sessions.HTTPAdapter = type(_NAME, (base,), {"send": send})


def _refuse_proxied(request: Any, proxies: Any) -> None:
    """Raise HostRefused where a proxy would look up what may not be called unexamined."""
    confinement = current_confinement()
    if confinement is not None and proxies:
        utils: Any = import_module("requests.utils")
        if utils.select_proxy(request.url, proxies):
            confinement.refuse_proxied(urlsplit(request.url).hostname or "")


_LONGEST_WISH = 200
# The comma after a weekday belongs to its date.
_WISHES = re.compile(
    r"(?<!mon)(?<!tue)(?<!wed)(?<!thu)(?<!fri)(?<!sat)(?<!sun)(?<!day),", re.IGNORECASE
)


def _read_response(response: Any) -> timedelta | None:
    header = read_retry_after(response.headers.get("Retry-After", ""), utc_now())
    if header is not None:
        return header
    try:
        said = json.loads(response.content[:_LONGEST_BODY])
    except (ValueError, RecursionError):
        return None
    return read_retry_in_body(said)


def read_retry_in_body(said: Any) -> timedelta | None:
    """Read the field for it in an answer of Discord, or of Telegram."""
    if not isinstance(said, dict):
        return None
    inner = said.get("parameters")
    fields = (said, inner) if isinstance(inner, dict) else (said,)
    for holder in fields:
        seconds = holder.get("retry_after")
        if isinstance(seconds, int | float) and not isinstance(seconds, bool):
            return read_retry_after(str(seconds), utc_now())
    return None


def read_retry_after(value: str, now: datetime) -> timedelta | None:
    """Read `Retry-After`: seconds, or a date; None where it is neither, the longest of several."""
    if len(value) > _LONGEST_WISH:
        return None
    wishes = [_read_wish(one.strip(), now) for one in _WISHES.split(value)]
    return max((wish for wish in wishes if wish is not None), default=None)


def _read_wish(value: str, now: datetime) -> timedelta | None:
    try:
        seconds = float(value)
    except ValueError:
        return _until(value, now)
    return None if not math.isfinite(seconds) or seconds < 0 else _bounded(seconds)


def _until(value: str, now: datetime) -> timedelta | None:
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return _bounded((at - now).total_seconds())
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))


# --- targets

# Apprise and what it sends with write URLs, tokens included, into their logs.
_TALKATIVE = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")

SERVICES = {
    "discord": ("discord", "NotifyDiscord"),
    "form": ("custom_form", "NotifyForm"),
    "gchat": ("google_chat", "NotifyGoogleChat"),
    "json": ("custom_json", "NotifyJSON"),
    "mailto": ("email", "NotifyEmail"),
    "mmost": ("mattermost", "NotifyMattermost"),
    "ntfy": ("ntfy", "NotifyNtfy"),
    "opsgenie": ("opsgenie", "NotifyOpsgenie"),
    "pagerduty": ("pagerduty", "NotifyPagerDuty"),
    "pover": ("pushover", "NotifyPushover"),
    "rocket": ("rocketchat", "NotifyRocketChat"),
    "slack": ("slack", "NotifySlack"),
    "tgram": ("telegram", "NotifyTelegram"),
    "workflows": ("workflows", "NotifyWorkflows"),
    "xml": ("custom_xml", "NotifyXML"),
}
"""Where Apprise keeps the usual services; all others cost loading all of them."""
_OVER_TLS_TOO = ("form", "json", "mailto", "mmost", "ntfy", "rocket", "xml")
SERVICES |= {f"{scheme}s": SERVICES[scheme] for scheme in _OVER_TLS_TOO}


def mute_loggers() -> None:
    """Keep the libraries that send from writing URLs into our log."""
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    # What it logs goes nowhere, but `_explain` reads it.
    logging.getLogger("apprise").setLevel(logging.DEBUG)


_NEXT_URL = re.compile(r"[\s,;]+(?=[a-z0-9]{1,32}://)", re.IGNORECASE)

_HOW_TO_WRITE = "compare it with the service's page in the documentation of Apprise"

IS_FINAL: ContextVar[bool] = ContextVar("is_final", default=False)
"""Whether the text to be sent is written in the service's own dialect already."""


@dataclass(frozen=True, slots=True)
class Target:
    """One service of a channel's URL."""

    url: str
    apprise: Apprise
    service: NotifyBase


def open_urls(urls: str) -> tuple[Target, ...]:
    """Return the targets of a channel's URL, or raise AlertError, which does not quote it."""
    parts = [part for part in _NEXT_URL.split(urls.strip()) if part]
    if not parts:
        raise AlertError("the URL is empty", permanent=True)
    return tuple(_open_url(url) for url in parts)


def _open_url(url: str) -> Target:
    mute_loggers()
    import apprise

    install_capture()

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
    """Keep *service* from converting its own dialect, which would bring mentions back."""
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


# --- a message as a service shows it

log = structlog.get_logger()

TEXT, HTML, MARKDOWN = "text", "html", "markdown"

SHORT_SERVICE = 200
"""Services that take no more characters than this are for text messages."""

MARGIN = 16
"""What services add to a text of their own accord."""

# Slack cuts a block behind 3,000 characters, and shows no more of the rest either.
_OWN_LIMITS = {Form.MRKDWN: 3000}

_WANTED = {"NotifyDiscord": MARKDOWN}
"""Services whose best format is not their first."""

_OWN_FORMS = {
    ("NotifyEmail", HTML): Form.MAIL,
    ("NotifyMattermost", TEXT): Form.MARKDOWN,
    ("NotifySlack", MARKDOWN): Form.MRKDWN,
    ("NotifyTelegram", HTML): Form.TELEGRAM,
    ("NotifyZulip", TEXT): Form.MARKDOWN,
}
"""Services that show another form than the format they name, or need it exactly."""

_FORMS = {TEXT: Form.PLAIN, HTML: Form.HTML, MARKDOWN: Form.MARKDOWN}


class Service(Protocol):
    """What Apprise knows of a service."""

    title_maxlen: int
    body_maxlen: int
    overflow_amalgamate_title: bool

    def resolve_format(self, body_format: Any = None) -> Any:
        """Return the format that is sent if *body_format* is offered."""
        ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """A message as a service gets it.

    Args:
        format: Apprise's word for what *body* is.
        is_final: Written exactly as the service shows it: not to be converted.
    """

    title: str
    body: str
    format: str
    is_final: bool


def fit(message: Message, service: Service, template: Path | None = None) -> Fitted:
    """Return *message* as *service* shows it best, in the words of the *template* if it can."""
    form, body_format = choose_form(service)
    if template is not None:
        try:
            return _fit_template(message, service, template)
        except TemplateError as error:
            _log_once(template, str(error))
    limit = _limit(service, form, message.title)
    if form is Form.SHORT:
        return Fitted("", write(message, form, limit), body_format, is_final=False)
    has_title = _is_title_in_body(service)
    body = write(message, form, limit, has_title=has_title)
    title = "" if has_title else shorten(message.title, service.title_maxlen)
    return Fitted(title, body, body_format, form in {Form.MRKDWN, Form.TELEGRAM})


def choose_form(service: Service) -> tuple[Form, str]:
    """Return the form that *service* shows, and Apprise's word for it."""
    name = type(service).__name__
    wanted = service.resolve_format(_WANTED.get(name))
    body_format = str(getattr(wanted, "value", wanted))
    if service.body_maxlen <= SHORT_SERVICE:
        return Form.SHORT, body_format
    return _OWN_FORMS.get((name, body_format), _FORMS[body_format]), body_format


def form_of_template(service: Service, template: Path) -> tuple[Form, str]:
    """Return the form in which a template for *service* is written.

    For e-mail the name of the file decides: HTML if it says so, else text.
    """
    form, body_format = choose_form(service)
    if form is Form.MAIL and ".html" not in template.name:
        return Form.PLAIN, TEXT
    if form is Form.TELEGRAM:
        # People forget to close a tag: Apprise's own conversion mends that.
        return Form.HTML, body_format
    return (Form.PLAIN if form is Form.SHORT else form), body_format


def _fit_template(message: Message, service: Service, template: Path) -> Fitted:
    form, body_format = form_of_template(service, template)
    title, text = render(template, message, form)
    is_short = service.body_maxlen <= SHORT_SERVICE
    if form is Form.HTML:
        text = text.replace("\n", "<br>\n")
    if is_short or _is_title_in_body(service):
        text = text if is_short else join_title(title, text, form)
        title = ""
    limit = _limit(service, form, title)
    # Apprise keeps the tags of HTML whole when it cuts; the other forms need none.
    fitting = text if form in {Form.HTML, Form.MAIL} else cut(text, limit)
    if fitting is None:
        raise TemplateError(f"{template.name} gives lines longer than {limit:,} characters")
    return Fitted(shorten(title, service.title_maxlen), fitting, body_format, form is Form.MRKDWN)


def _is_title_in_body(service: Service) -> bool:
    return service.title_maxlen <= 0 or service.overflow_amalgamate_title


def _limit(service: Service, form: Form, title: str) -> int:
    limit = min(service.body_maxlen, _OWN_LIMITS.get(form, service.body_maxlen))
    if form is Form.SHORT:
        return limit
    return max(1, limit - MARGIN - (len(title) if service.overflow_amalgamate_title else 0))


_logged: dict[Path, str] = {}


def _log_once(template: Path, error: str) -> None:
    """Log what is wrong with a template, until it is something else."""
    if _logged.get(template) != error:
        _logged[template] = error
        log.warning(
            "template.failed",
            template=str(template),
            error=error,
            next="the built-in text is sent instead; see `connwatch config check`",
        )


# --- sending

ERROR_LIMIT = 400

_REMEMBERED = 1000
"""Messages that some targets of a channel took and others did not."""

_MOST_SAID = 64 * 1024
_CAUSE = "Socket Exception"  # begins the only debugging lines of Apprise that tell a cause
_SOCKET_ERROR = re.compile(rf"{_CAUSE}: \[Errno (?P<number>-?\d{{1,4}})\]")
"""Of the system; what a service says has no such beginning. Below 0, a name was not found."""


@dataclass(slots=True)
class _Memory:
    """What senders that follow one another have in common.

    Args:
        targets: What was opened for each channel, and from which URLs.
        taken: By channel and key, the targets that took a message which others did not.
    """

    lock: Lock = field(default_factory=Lock)
    targets: dict[str, tuple[str, tuple[Target, ...]]] = field(default_factory=dict)
    taken: OrderedDict[tuple[str, str], frozenset[str]] = field(default_factory=OrderedDict)


class AppriseSender:
    """Send messages through Apprise, blocking.

    May be used from several threads. A URL is read when it is needed, so that
    a secret that changed is used with the next message.

    Args:
        urls: The secret URL of each channel, by the channel's name.
        templates: The files that word the messages of channels.
        memory: What a sender before this one has learned.
        allowed: For channels that are not in the file, what they may reach beside
            public addresses (`web.reachable`). All others may reach everything.
    """

    def __init__(
        self,
        urls: Mapping[str, Secret],
        templates: Mapping[str, Path] | None = None,
        memory: _Memory | None = None,
        allowed: Mapping[str, AllowedHosts] | None = None,
    ) -> None:
        self._urls = urls
        self._allowed = allowed or {}
        self._templates = templates or {}
        self._memory = memory or _Memory()

    @classmethod
    def for_channels(
        cls,
        channels: Iterable[Channel],
        memory: _Memory | None = None,
        allowed: Mapping[str, AllowedHosts] | None = None,
    ) -> AppriseSender:
        """Return a sender for *channels* of the configuration."""
        channels = list(channels)
        return cls(
            {channel.name: channel.url for channel in channels},
            {channel.name: channel.template for channel in channels if channel.template},
            memory,
            allowed,
        )

    def successor(
        self, channels: Iterable[Channel], allowed: Mapping[str, AllowedHosts] | None = None
    ) -> AppriseSender:
        """Return a sender for *channels* that remembers who took a message before."""
        return AppriseSender.for_channels(channels, self._memory, allowed)

    def send(self, channel: str, message: Message, key: str = "") -> None:
        """Send *message* to every target of *channel*.

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
            fitted = fit(message, target.service, self._templates.get(channel))
            failure = _notify(target, fitted, message.severity, self._allowed.get(channel))
            if failure is None:
                taken |= {target.url}
            else:
                failures.append(failure)
        self._remember(channel, key, taken if failures else frozenset())
        if failures:
            self._ask_again(channel)
            short = failures[0].shortage
            if short is not None and all(one.shortage for one in failures):
                raise AlertError.short_of(short)
            error = shorten("; ".join(map(str, failures)), ERROR_LIMIT)
            if len(targets) > 1:
                error = f"{len(failures)} of {len(targets)} targets failed: {error}"
            waits = [failure.retry_after for failure in failures if failure.retry_after]
            raise AlertError(error, retry_after=max(waits, default=None))

    def _ask_again(self, channel: str) -> None:
        """Have the command that prints the URL run: the next try may need another one."""
        command = self._urls[channel].command
        if command is not None:
            command.start()

    def _open(self, channel: str) -> tuple[Target, ...]:
        if channel not in self._urls:
            raise AlertError(
                f"channel {channel} is not in the configuration any more: to have this sent, put it"
                " in again, then `connwatch alerts retry`",
                permanent=True,
            )
        try:
            urls = self._urls[channel].reveal_fresh()
        except SecretUnavailable as error:
            raise AlertError(f"the URL of channel {channel} cannot be read: {error}") from None
        memory = self._memory
        with memory.lock:
            known, targets = memory.targets.get(channel, ("", ()))
            if known != urls:
                with confine(self._allowed.get(channel)):
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
    """Return why the URL of a channel is not usable, without quoting it, or None if it is."""
    try:
        open_urls(secret.reveal())
    except (AlertError, SecretUnavailable) as error:
        return str(error)
    return None


_OWN_SERVERS = ("form", "json", "mailto", "mmost", "ntfy", "rocket", "xml")
"""Schemes whose host is the server that is called."""


def find_refusal(urls: str, allowed: AllowedHosts) -> str | None:
    """Return why a channel that is not in the file cannot use *urls*, or None if it may.

    As far as that shows without a message, and without looking a name up.
    """
    try:
        with confine(allowed):
            targets = open_urls(urls)
    except AlertError as error:
        return str(error)
    for target in targets:
        if target.url.partition("://")[0].lower().removesuffix("s") in _OWN_SERVERS:
            for key in ("host", "smtp_host"):
                host = getattr(target.service, key, None)
                why = allowed.refuse_host(host) if isinstance(host, str) and host else None
                if why is not None:
                    return HostRefused(str(host), why).words
    return None


def _notify(
    target: Target, fitted: Fitted, severity: Severity, allowed: AllowedHosts | None = None
) -> AlertError | None:
    """Send a message to one target and return why that failed, or None."""
    import apprise

    kind = apprise.NotifyType("failure" if severity is Severity.CRITICAL else severity.value)
    token = IS_FINAL.set(fitted.is_final)
    try:
        with (
            capture_retry_after() as asked,
            confine(allowed) as confinement,
            target.apprise.notify(
                body=fitted.body,
                title=fitted.title,
                notify_type=kind,
                body_format=apprise.NotifyFormat(fitted.format),
                log_level=logging.DEBUG,
            ) as result,
        ):
            if result:
                return None
            if confinement is not None and confinement.refusal is not None:
                return AlertError(confinement.refusal.words)
            short = asked.shortage or _find_shortage_of(result)
            if short is not None:
                return AlertError.short_of(short)
            error = _explain(result, target.url)
            return AlertError(error, retry_after=asked.retry_after)
    finally:
        IS_FINAL.reset(token)


def _find_shortage_of(result: AppriseResult) -> Shortage | None:
    """Return what was short where Apprise has kept the exception to itself, as for e-mail."""
    for entry in result.logs():
        found = _SOCKET_ERROR.match(entry.message)
        if found is not None:
            number = int(found["number"])
            short = find_shortage(OSError(number, "")) if number > 0 else find_missing_descriptors()
            if short is not None:
                return short
    return None


def _explain(result: AppriseResult, url: str) -> str:
    names = ", ".join(sorted({service.name for service in result})) or "Apprise"
    said = " ".join(
        entry.message
        for entry in result.logs()
        if entry.level != "DEBUG" or entry.message.startswith(_CAUSE)
    )
    # Some services repeat a page of many megabytes.
    said = clean(mask_parts(said[:_MOST_SAID], url), ERROR_LIMIT) or "it gave no reason"
    return f"{names}: {said}"
