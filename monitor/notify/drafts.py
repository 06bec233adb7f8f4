"""Decide what each kind of alert says.

Pure. The words are put together in the file of the subject: `connections`, `quota`, `system`; what
those read the facts by, and what they return, stands in `facts`.

The facts of each kind, as `monitor.judge` leaves them; they are JSON that others stored,
perhaps another version of this program, so all may be missing: then the message says less, and is
sent.

- `error`, `expired`: reason, detail, since, reason_before, provider (one of all
  affected), renew_url, can_renew_here (the page of connwatch is the renewal page); `expired`:
  ends_at (unless unknown); where one `error` speaks for an application: application, n_connections,
  permissions_changed
- `expiring_soon`: step, authorized_at, ends_at, provider, renew_url, can_renew_here
- `renewal_unrecorded`: authorized_at, ends_at, provider, renew_url, can_renew_here
- `renewed`: authorized_at, ends_at
- `recovered`: reason_before, since
- `quota_low`, `quota_exhausted`: limit, remaining, resets_at, step
- `quota_restored`: limit, remaining, resets_at; `limit_changed`: the same and limit_before
- `quota_forecast`: limit, remaining, resets_at, exhausts_at, earliest, latest
- all five, where a service has several windows: window, unit
- `secret_expiring`: step, ends_at, application, n_connections
- `flapping`: n (changes), window (seconds)
- `outage`: host, n_failing, n_total, reason, since
- `outage_over`: host, since, until, n (connections that were affected)
- `monitor_offline`: since, n_hosts; `monitor_online`: since, until, n_missed (checks)
- both for a shortage of our own: shortage, since; n_waiting (checks); until
- `channel_failed`: channel, error, since; `channel_restored`: channel, since
- `source_failed`: source, error, since; `source_restored`: source, since
- `source_held`: source, n_missing, n_known, is_empty, since
- `resumed`: since (when it had stopped), n_missed (checks), n_changed, lines (a text for each)
- `digest`: n_active, n_error, n_expired, n_pending, n_paused, n_exhausted,
  n_expiring_soon, next_to_end (a list of objects with name and ends_at)
- `error`, `expired`, `expiring_soon`, where not all affected are of the file: owner (None for
  several)
- of any kind that lasts: reminder (how often people were reminded, this time included)
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from monitor.judge.alerts import ABOUT_NO_CONNECTION, REMINDER_COUNT, AlertKind
from monitor.notify import connections, quota, system, texts
from monitor.notify.words import format_number, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.notify.facts import About, Draft


WRITERS: Mapping[AlertKind, Callable[[About], Draft]] = {
    **connections.WRITERS,
    **quota.WRITERS,
    **system.WRITERS,
}
"""What says each kind: a new kind has its line in the file of its subject."""


def draft(kind: AlertKind, about: About) -> Draft:
    """Return what an alert of *kind* says."""
    said = WRITERS[kind](about)
    n = about.number(REMINDER_COUNT)
    if not n:
        return said
    return _remind(said, n, "" if kind in ABOUT_NO_CONNECTION else say(texts.REMINDERS_END))


def _remind(said: Draft, n: int, how_to_end: str) -> Draft:
    """Say that people were notified before, and how to stop the reminders.

    What the service said they have read then.
    """
    of_many = said.headline_of_many
    return replace(
        said,
        headline=say(texts.REMINDER_TITLE, title=said.headline),
        headline_of_many=say(texts.REMINDER_TITLE, title=of_many) if of_many else "",
        happened=(say(texts.REMINDER, n=format_number(n)), *said.happened, how_to_end),
        detail="",
    )
