"""
Fit a message to the service that shows it.

Decides which form a service gets, from what Apprise knows of it, where the
title goes, and that a channel's template which fails is replaced by the text
that is built in. How a form is written is decided in `formats`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from monitor.alert.cleaning import shorten
from monitor.alert.formats import Form, cut, join_title, write
from monitor.alert.template import TemplateError, render

if TYPE_CHECKING:
    from pathlib import Path

    from monitor.alert.message import Message

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
    """
    What Apprise knows of a service.
    """

    title_maxlen: int
    body_maxlen: int
    overflow_amalgamate_title: bool

    def resolve_format(self, body_format: Any = None) -> Any:
        """
        Return the format that is sent if *body_format* is offered.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fitted:
    """
    A message as a service gets it.

    Args:
        format: Apprise's word for what *body* is.
        is_final: Written exactly as the service shows it: not to be converted.
    """

    title: str
    body: str
    format: str
    is_final: bool


def fit(message: Message, service: Service, template: Path | None = None) -> Fitted:
    """
    Return *message* as *service* shows it best.

    Args:
        template: Words the message, if it can.
    """
    form, body_format = choose_form(service)
    if template is not None:
        try:
            return _fit_template(message, service, template)
        except TemplateError as error:
            _tell_once(template, str(error))
    limit = _limit(service, form, message.title)
    if form is Form.SHORT:
        return Fitted("", write(message, form, limit), body_format, is_final=False)
    has_title = _is_title_in_body(service)
    body = write(message, form, limit, has_title=has_title)
    title = "" if has_title else shorten(message.title, service.title_maxlen)
    return Fitted(title, body, body_format, form in {Form.MRKDWN, Form.TELEGRAM})


def choose_form(service: Service) -> tuple[Form, str]:
    """
    Return the form that *service* shows, and Apprise's word for it.
    """
    name = type(service).__name__
    body_format = _word(service.resolve_format(_WANTED.get(name)))
    if service.body_maxlen <= SHORT_SERVICE:
        return Form.SHORT, body_format
    return _OWN_FORMS.get((name, body_format), _FORMS[body_format]), body_format


def form_of_template(service: Service, template: Path) -> tuple[Form, str]:
    """
    Return the form in which a template for *service* is written.

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


def _word(body_format: Any) -> str:
    return str(getattr(body_format, "value", body_format))


_told: dict[Path, str] = {}


def _tell_once(template: Path, error: str) -> None:
    """
    Log what is wrong with a template, until it is something else.
    """
    if _told.get(template) != error:
        _told[template] = error
        log.warning(
            "template.failed",
            template=str(template),
            error=error,
            next="the built-in text is sent instead; see `connwatch config check`",
        )
