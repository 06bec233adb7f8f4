"""Put renewal links into messages while they are sent.

Where a store is renewed through Amazon and back, a message about its authorization carries a link
with which its owner does so without a login. The link is made for the message, kept hashed, and
never part of what is stored of an alert. Where there is none, or a channel wants none, the next
best page is named, as `monitor.config.renewal` decides.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from monitor.config.model import renewal_address
from monitor.config.renewal import outside_page_of, renewal_page_of
from monitor.judge.audit import Action, AuditRow
from monitor.judge.invites import USUALLY_VALID
from monitor.notify.delivery import OutboxUnavailable
from monitor.store import connections, invites
from monitor.store.audit import add_audit
from monitor.store.engine import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from monitor.config.model import Config
    from monitor.config.plan import Plan
    from monitor.judge.outbox import Notification, NotificationGroup
    from monitor.store.engine import StoreWorker, Transaction

MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Page:
    """Where a store is renewed: by a link of ours, or outside."""

    url: str | None = field(repr=False)
    is_link: bool = True

    @property
    def facts(self) -> dict[str, str | bool | None]:
        return {"renew_url": self.url, "can_renew_here": self.is_link}


@dataclass(slots=True)
class RenewalLinks:
    """Makes the links of messages, and remembers them for when one is tried again."""

    store: StoreWorker
    clock: Callable[[], datetime]
    _made: OrderedDict[tuple[str, int, str], str] = field(default_factory=OrderedDict)

    async def put_into(
        self, group: NotificationGroup, config: Config, plan: Plan
    ) -> NotificationGroup:
        """Return *group* with the page on which each of its stores is renewed.

        Raises:
            OutboxUnavailable: A link could not be kept.
        """
        wanted = [one for one in group.notifications if _wants_link(one)]
        if not wanted:
            return group

        def find(tx: Transaction) -> dict[int, _Page]:
            return {one.id: self._page_of(tx, group, one, config, plan) for one in wanted}

        try:
            pages = await self.store.write(find)
        except StoreError as error:
            raise OutboxUnavailable(str(error)) from error
        changed = tuple(
            _with_page(one, pages[one.id]) if one.id in pages else one
            for one in group.notifications
        )
        return replace(group, notifications=changed)

    def _page_of(
        self,
        tx: Transaction,
        group: NotificationGroup,
        one: Notification,
        config: Config,
        plan: Plan,
    ) -> _Page:
        [name] = one.connections
        connection, record = plan.connection(tx, name), connections.find_record(tx, name)
        if connection is None or record is None:
            return _Page(None, is_link=False)
        wants_none = any(
            each.name == group.channel and not each.renewal_links for each in config.channels
        )
        if wants_none or not renewal_page_of(config, connection).is_here:
            return _Page(outside_page_of(config, connection), is_link=False)
        key = group.channel, one.id, name
        if group.attempts and key in self._made:
            return _Page(self._made[key])
        now, who = self.clock(), f"channel:{group.channel}"
        _, token = invites.add_invite(tx, record.id, who, USUALLY_VALID, now)
        add_audit(tx, AuditRow(now, who, Action.INVITE, name))
        self._made[key] = renewal_address(config, token)
        while len(self._made) > MOST_REMEMBERED:
            self._made.popitem(last=False)
        return _Page(self._made[key])


def _wants_link(one: Notification) -> bool:
    """Tell whether it speaks of one store that is renewed through Amazon and back."""
    return one.facts.get("can_renew_here") is True and len(one.connections) == 1


def _with_page(one: Notification, page: _Page) -> Notification:
    return replace(one, facts={**one.facts, **page.facts})
