"""
Check a credential of any HTTP API, as its settings or a preset say.

Decides what an outcome carries along: the quota windows and the token's own
end. How a request is built is decided in `generic_request`, what an answer
means in `generic_answer`, what its headers say in `quota_headers` and
`token_end`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from monitor.check.asking import Asker, UnreadableFields
from monitor.check.body import clean, parse_json
from monitor.check.generic_answer import Terms, read_answer
from monitor.check.generic_request import prepare, secrets_of
from monitor.check.quota_headers import QuotaNames, QuotaReport, read_quota_headers
from monitor.check.token_end import (
    is_header_unreadable,
    read_body_end,
    read_header_end,
    read_jwt_end,
)
from monitor.config.presets import Preset, load_preset
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from monitor.check.asking import Prepared
    from monitor.check.http import Answer
    from monitor.config.http import HttpConnection

MAX_LABEL = 60
WITHOUT_BODY = frozenset({"HEAD"})


class HttpChecker:
    """
    Check one connection to any HTTP API.

    Raises ValueError for an address that cannot be called.
    """

    def __init__(
        self, connection: HttpConnection, client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        self._connection = connection
        self._preset = load_preset(connection.preset) if connection.preset else Preset()
        self._terms = _terms(connection, self._preset)
        self._names = _quota_names(connection)
        self._client = client
        self._url = _url(connection)
        self._asker = Asker(secrets_of(connection), client, timeout)
        self._unreadable = UnreadableFields(connection.name)
        self._unreadable_end = UnreadableFields(connection.name, "token_end.unreadable")

    async def check(self) -> Outcome:
        """
        Ask whether the credential works.

        A refusal counts only if no newer secret is at hand.
        """
        return await self._asker.ask(self._prepare, self._read)

    def _prepare(self) -> Prepared:
        return prepare(self._connection, self._url, self._client)

    def _read(self, answer: Answer, prepared: Prepared) -> Outcome:
        report = read_quota_headers(answer.headers, answer.received_at, self._names)
        self._unreadable.tell(answer, report.unreadable, prepared.secrets)
        # The service chooses these names, and they are shown.
        report = QuotaReport(
            tuple(
                replace(window, name=clean(window.name, prepared.secrets, MAX_LABEL))
                for window in report.windows
            )
        )
        outcome = read_answer(answer, report, self._terms, prepared.secrets)
        ends_at = self._find_end(answer, prepared)
        header = self._connection.expires_header
        is_unclear = header is not None and is_header_unreadable(answer, header)
        if header and is_unclear:
            self._unreadable_end.tell(answer, [header], prepared.secrets)
        if outcome.reason is Reason.TOKEN_REJECTED and ends_at and ends_at <= answer.received_at:
            detail = f"The token ended on {ends_at:%Y-%m-%d}. {self._terms.renewal}".rstrip()
            outcome = replace(outcome, reason=Reason.AUTHORIZATION_EXPIRED, detail=detail)
        windows = report.windows if outcome.quota is not None else ()
        return replace(
            outcome,
            windows=windows,
            token_ends_at=ends_at,
            is_token_end_unclear=is_unclear and ends_at is None,
        )

    def _find_end(self, answer: Answer, prepared: Prepared) -> datetime | None:
        """
        Return the earliest end that anybody tells of.
        """
        header, pointer = self._connection.expires_header, self._preset.expires_at
        ends = [
            read_header_end(answer, header) if header else None,
            read_body_end(answer, parse_json(answer.body), pointer) if pointer else None,
            read_jwt_end(prepared.token, answer.received_at),
        ]
        return min((end for end in ends if end is not None), default=None)


def _url(connection: HttpConnection) -> httpx.URL:
    try:
        return httpx.URL(connection.url)
    except httpx.InvalidURL:
        problem = f"connection {connection.name}: its url cannot be called; check its host"
    # Raised out here: the other error repeats the address.
    raise ValueError(problem)


def _terms(connection: HttpConnection, preset: Preset) -> Terms:
    return Terms(
        frozenset(connection.expect_status),
        connection.expect_json,
        connection.method not in WITHOUT_BODY,
        preset.word_at,
        preset.words,
        preset.renewal,
    )


def _quota_names(connection: HttpConnection) -> QuotaNames | None:
    names = connection.quota
    if names is None:
        return None
    return QuotaNames(
        *(name and name.lower() for name in (names.limit, names.remaining, names.resets))
    )
