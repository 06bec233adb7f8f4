"""Decide what the alerts about a connection say: its problems, its expiry, its renewal.

Pure. An error that is its application's is worded here as well: it names the connections. What
concerns their quotas is worded in `quota`; the sentences stand in `texts` and `reasons`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from monitor.judge.alerts import AlertKind
from monitor.judge.authorizations import drop_old_token
from monitor.judge.outcome import OutcomeClass, Reason
from monitor.notify import reasons, texts
from monitor.notify.facts import About, Draft, name_application, say_rerun, say_since
from monitor.notify.times import format_date, format_span
from monitor.notify.words import (
    explain,
    format_counted,
    format_number,
    renewal_step,
    say,
    say_where,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


AMAZON = "amazon"
_LONGEST_WINDOW_S = 366 * 24 * 3600


def _write_problem(about: About, icon: str) -> Draft:
    reason, detail = about.reason("reason"), about.detail("detail")
    text = explain(
        reason,
        about.text("provider"),
        detail,
        can_renew_here=about.facts.get("can_renew_here") is True,
        place=about.place(),
    )
    is_open = reason is None or reason.outcome_class is OutcomeClass.INCONCLUSIVE
    # A credential that cannot be sent is ours to fix; the meaning names both causes.
    is_open = is_open and reason is not Reason.PROTOCOL
    before = _before(about)
    happened = (
        text.meaning,
        say_since(about),
        say(texts.BEFORE, before=before) if before else "",
        say(reasons.MAYBE_THEIRS) if is_open else "",
    )
    headline = say(texts.PROBLEM_TITLE, name=text.name)
    said = drop_old_token(detail)
    return Draft(icon, headline, happened, text.remedy, text.short, detail=said)


def _write_error(about: About) -> Draft:
    said = _write_problem(about, "🔴")
    application = about.text("application")
    if application:
        return _speak_for(application, said, about)
    return _with_page(said, about)


def _speak_for(application: str, said: Draft, about: About) -> Draft:
    """Say that an error is one application's, whichever connections it names."""
    n = about.number("n_connections")
    affected = (
        say(texts.APPLICATION_AFFECTED_UNCOUNTED, application=application)
        if n is None
        else format_counted(texts.APPLICATION_AFFECTED, n, application=application)
    )
    said = replace(said, who=name_application(application))
    meaning, *others = said.happened
    if about.facts.get("permissions_changed") is True:
        return replace(
            said,
            happened=(say(texts.PERMISSIONS_CHANGED), affected, *others),
            remedy=say(texts.PERMISSIONS_STEP),
            short=say(texts.PERMISSIONS_SHORT),
        )
    return replace(said, happened=(meaning, affected, *others))


def _write_expired(about: About) -> Draft:
    said, ends_at = _write_problem(about, "🟡"), about.instant("ends_at")
    if ends_at is not None:
        # Not since when it is known: that may be much later.
        ended = about.dated(texts.EXPIRED, ends_at)
        meaning, _, *others = said.happened
        said = replace(said, happened=(meaning, ended, *others))
    return _with_page(said, about)


def _with_page(said: Draft, about: About) -> Draft:
    """Add the page on which the renewal is made, where there is one beside the connection's own."""
    url, is_here = about.url("renew_url"), about.facts.get("can_renew_here") is True
    is_amazon = about.text("provider") == AMAZON
    label = say(texts.RENEW_AT_AMAZON if is_amazon else texts.RENEW_PAGE)
    if url:
        return replace(said, renewal=(label, url))
    return replace(said, link_label=label) if is_here else said


def _write_expiring_soon(about: About) -> Draft:
    ends_at, is_token = about.instant("ends_at"), about.facts.get("is_of_token") is True
    of_what = 1 if is_token else 0
    titles = (
        (texts.EXPIRING_TITLE, texts.OWN_END_EXPIRING_TITLE),
        (texts.EXPIRED_TITLE, texts.OWN_END_EXPIRED_TITLE),
        (texts.EXPIRING_TITLE_WITHOUT_DATE, texts.OWN_END_EXPIRING_TITLE_WITHOUT_DATE),
    )
    sentences = (
        (texts.EXPIRING, texts.OWN_END_EXPIRING),
        (texts.EXPIRED, texts.OWN_END_EXPIRED),
        (texts.EXPIRING_WITHOUT_DATE, texts.OWN_END_EXPIRING_WITHOUT_DATE),
    )
    row = 2 if ends_at is None else 1 if ends_at <= about.now else 0
    headline, sentence = say(titles[row][of_what]), say(sentences[row][of_what])
    if ends_at is not None:
        headline = about.dated(headline, ends_at)
        sentence = about.dated(sentence, ends_at)
    happened = [sentence] if row == 1 else [sentence, say(texts.EXPIRING_BREAKS)]
    remedy, short = _renewal_step(about)
    if is_token:
        remedy = say_where(texts.OWN_END_EXPIRING_STEP, about.place())
        short = say(texts.OWN_END_EXPIRING_SHORT)
    many = say(texts.EXPIRING_TITLE_OF_MANY)
    return _with_page(Draft("🟠", headline, happened, remedy, short, many), about)


def _renewal_step(about: About) -> tuple[str, str]:
    """Return how to renew an authorization in time, and the same in a few words."""
    return renewal_step(
        about.text("provider"),
        can_renew_here=about.facts.get("can_renew_here") is True,
        place=about.place(),
    )


def _write_renewal_unrecorded(about: About) -> Draft:
    ends_at = about.instant("ends_at")
    happened = (
        say(texts.UNRECORDED, date=format_date(ends_at, about.now))
        if ends_at
        else say(texts.UNRECORDED_WITHOUT_DATE),
        say(texts.UNRECORDED_MEANS),
    )
    said = Draft(
        "🟠",
        say(texts.UNRECORDED_TITLE),
        happened,
        say(texts.UNRECORDED_STEP),
        say(texts.UNRECORDED_SHORT),
    )
    return _with_page(said, about)


def _write_renewed(about: About) -> Draft:
    authorized_at, ends_at = about.instant("authorized_at"), about.instant("ends_at")
    happened = (
        say(texts.RENEWED, date=format_date(authorized_at, about.now))
        if authorized_at
        else say(texts.RENEWED_WITHOUT_DATE),
        about.dated(texts.RENEWED_UNTIL, ends_at) if ends_at else say(texts.RENEWED_WITHOUT_END),
    )
    step = say(texts.NO_ACTION)
    return Draft("🟢", say(texts.RENEWED_TITLE), happened, step, step)


def _before(about: About) -> str:
    reason = about.reason("reason_before")
    return explain(reason, None).name if reason else about.text("reason_before")


def _write_recovered(about: About) -> Draft:
    before, since = _before(about), about.instant("since")
    text = texts.RECOVERED if before else texts.RECOVERED_WITHOUT_REASON
    lasted = about.span(say(text, before=before) if before else text, since, about.born_at)
    step = say_rerun(about)
    return Draft(
        "🟢",
        say(texts.RECOVERED_TITLE),
        (lasted or say(texts.RECOVERED_WITHOUT_DATE),),
        step,
        step,
        say(texts.RECOVERED_TITLE_OF_MANY),
    )


def _write_flapping(about: About) -> Draft:
    n, window = about.number("n"), about.number("window")
    is_counted = n is not None and window is not None and 0 < window <= _LONGEST_WINDOW_S
    changes = (
        say(
            texts.FLAPPING,
            n=format_number(n or 0),
            span=format_span(timedelta(seconds=window or 0)),
        )
        if is_counted
        else say(texts.FLAPPING_UNCOUNTED)
    )
    return Draft(
        "🟠",
        say(texts.FLAPPING_TITLE),
        (changes, say(texts.FLAPPING_HELD)),
        say(texts.FLAPPING_STEP),
        say(texts.FLAPPING_SHORT),
        say(texts.FLAPPING_TITLE_OF_MANY),
    )


WRITERS: Mapping[AlertKind, Callable[[About], Draft]] = {
    AlertKind.ERROR: _write_error,
    AlertKind.EXPIRED: _write_expired,
    AlertKind.RECOVERED: _write_recovered,
    AlertKind.EXPIRING_SOON: _write_expiring_soon,
    AlertKind.RENEWAL_UNRECORDED: _write_renewal_unrecorded,
    AlertKind.RENEWED: _write_renewed,
    AlertKind.FLAPPING: _write_flapping,
}
