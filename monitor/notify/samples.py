"""Make the message of a realistic alert of each kind, and try the templates of channels on them.

`alerts test` sends them, and so does who saves a channel; `config check` tries templates on them,
and the documents show them. A template is tried on a sample of each kind that its channel receives.
The form makes no difference to what can go wrong, and the URL that decides on it may not be
readable here.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from monitor.clock import utc_now
from monitor.config.connections import AmazonConnection
from monitor.config.model import link_to, renewal_address
from monitor.config.renewal import outside_page_of, renewal_page_of
from monitor.judge.alerts import KINDS, ONLY_IF_NAMED, AlertKind
from monitor.judge.invites import SAMPLE
from monitor.notify.delivery import AlertError, ThreadedSender
from monitor.notify.formats import Form
from monitor.notify.message import compose
from monitor.notify.template import TemplateError, try_out
from monitor.notify.texts import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, tzinfo

    from monitor.config.model import Channel, Config
    from monitor.notify.delivery import Sender
    from monitor.notify.message import Message

MOST_SECONDS = 1.0
"""Of processor time, for one sample of every kind."""

SEND_TIMEOUT = timedelta(seconds=30)
"""For one message that somebody waits for."""


def sample_message(
    kind: AlertKind,
    now: datetime,
    config: Config | None = None,
    zone: tzinfo = UTC,
    channel: str = "",
) -> Message:
    """Return a message of *kind*, marked as a test.

    Args:
        config: The settings whose links it shows, as messages about a store there have them; the
            page that a renewal link leads to says that it came with a test.
        zone: Whose clocks the times are named by.
        channel: Where it is sent.
    """
    sample, link = SAMPLES[kind], None
    facts = sample_facts(kind, now)
    store = (
        next((one for one in config.connections if isinstance(one, AmazonConnection)), None)
        if config
        else None
    )
    if config is not None and "renew_url" in facts:
        link = link_to(config, [store.name] if store else ())
        if store is not None:
            page = renewal_page_of(config, store)
            is_link = page.is_here and _wants_links(config, channel)
            outside = outside_page_of(config, store)
            url = renewal_address(config, SAMPLE) if is_link else outside
            facts |= {"renew_url": url, "can_renew_here": is_link}
    return compose(
        kind,
        KINDS[kind].severity,
        facts,
        sample.connections,
        now,
        link,
        now,
        is_test=True,
        n_connections=sample.n_connections,
        zone=zone,
    )


def _wants_links(config: Config, channel: str) -> bool:
    return all(one.renewal_links for one in config.channels if one.name == channel)


def sample_facts(kind: AlertKind, now: datetime) -> dict[str, Any]:
    """Return the facts of a sample, as they are stored."""
    facts: dict[str, Any] = _date(SAMPLES[kind].facts, now)
    return facts


def _date(value: Any, now: datetime) -> Any:
    match value:
        case timedelta():
            return (now + value).isoformat()
        case dict():
            return {name: _date(inner, now) for name, inner in value.items()}
        case list():
            return [_date(inner, now) for inner in value]
    return value


def kinds_of(channel: Channel) -> list[AlertKind]:
    """Return the kinds of alert that *channel* receives."""
    if channel.kinds is None:
        return [kind for kind in AlertKind if kind not in ONLY_IF_NAMED]
    return [kind for kind in AlertKind if kind.value in channel.kinds]


async def send_samples(
    sender: Sender,
    channel: str,
    kinds: Sequence[AlertKind],
    config: Config | None = None,
) -> tuple[int, str | None]:
    """Send samples up to the first failure; return how many went out, and why no more.

    Args:
        config: The settings whose links and times they show.
    """
    threads = ThreadedSender(SEND_TIMEOUT)
    zone = config.zone_of(channel) if config else UTC
    for n_sent, kind in enumerate(kinds):
        try:
            message = sample_message(kind, utc_now(), config, zone, channel)
            await threads.send(sender, channel, (n_sent,), message, kind.value)
        except AlertError as error:
            return n_sent, str(error)
    return len(kinds), None


def try_template(channel: Channel, now: datetime) -> str | None:
    """Return why the template of *channel* cannot be used, or None if it can."""
    if channel.template is None:
        return None
    spent_s = 0.0
    for kind in kinds_of(channel):
        try:
            _, cpu_s = try_out(channel.template, sample_message(kind, now), Form.PLAIN)
        except TemplateError as error:
            return f"{error} (tried with a sample of `{kind.value}`)"
        spent_s += cpu_s
        if spent_s > MOST_SECONDS:
            return (
                f"{channel.template.name}: it takes too long (over {MOST_SECONDS:g} s for samples)"
            )
    return None
