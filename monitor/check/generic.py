"""
Check a credential of any HTTP API, as its settings or a preset say.

Decides when a request is built anew and what an outcome carries along: the
quota windows and the token's own end. What an answer means is decided in
`generic_answer`, what its headers say in `quota_headers` and `token_end`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx

from monitor.check.asking import UnreadableFields, ask_with_latest
from monitor.check.body import clean, parse_json
from monitor.check.generic_answer import Terms, read_answer
from monitor.check.generic_request import UnsendableError, prepare, secrets_of
from monitor.check.http import Answer, Failure, fetch
from monitor.check.quota_headers import QuotaNames, QuotaReport, read_quota_headers
from monitor.check.token_end import (
    is_header_unreadable,
    read_body_end,
    read_header_end,
    read_jwt_end,
)
from monitor.config.presets import Preset, load_preset
from monitor.config.secret import SecretUnavailable
from monitor.judge.outcome import Outcome, Reason

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from monitor.check.generic_request import Prepared
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
        self._client = client
        self._timeout = timeout
        self._preset = load_preset(connection.preset) if connection.preset else Preset()
        self._terms = _terms(connection, self._preset)
        self._names = _quota_names(connection)
        self._url = _url(connection)
        self._secrets = secrets_of(connection)
        self._revealed: tuple[str, ...] | None = None
        self._prepared: Prepared | None = None
        self._unreadable = UnreadableFields(connection.name)
        self._unreadable_end = UnreadableFields(connection.name, "token_end.unreadable")

    async def check(self) -> Outcome:
        """
        Ask whether the credential works.

        A refusal counts only if no newer secret is at hand.
        """
        return await ask_with_latest(self._ask, self._are_secrets_renewed)

    async def _ask(self) -> Outcome:
        try:
            prepared = self._prepare()
        except SecretUnavailable as error:
            return Outcome(Reason.PROTOCOL, f"The token cannot be read: {error}.")
        except UnsendableError as error:
            return Outcome(
                Reason.PROTOCOL,
                f"The request cannot be sent: {error}. Copy the token again from where it was"
                " created.",
            )
        match await fetch(self._client, prepared.request, self._timeout):
            case Failure(reason, detail):
                return Outcome(reason, detail)
            case answer:
                return self._read(answer, prepared)

    def _prepare(self) -> Prepared:
        # Connections may share a secret: another's refresh shows only here.
        revealed = tuple(secret.reveal() for secret in self._secrets)
        if self._prepared is None or revealed != self._revealed:
            self._prepared = prepare(self._connection, self._url, self._client)
            self._revealed = revealed
        return self._prepared

    def _are_secrets_renewed(self) -> bool:
        # All of them: the first that changed must not keep the others from being read.
        changed = [secret.refresh() for secret in self._secrets]
        revealed = tuple(secret.reveal() for secret in self._secrets)
        return any(changed) or revealed != self._revealed

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
        if outcome.reason is Reason.TOKEN_REJECTED and ends_at and ends_at <= answer.received_at:
            detail = f"The token ended on {ends_at:%Y-%m-%d}. {self._terms.renewal}".rstrip()
            outcome = replace(outcome, reason=Reason.AUTHORIZATION_EXPIRED, detail=detail)
        windows = report.windows if outcome.quota is not None else ()
        return replace(outcome, windows=windows, token_ends_at=ends_at)

    def _find_end(self, answer: Answer, prepared: Prepared) -> datetime | None:
        """
        Return the earliest end that anybody tells of.
        """
        header, pointer = self._connection.expires_header, self._preset.expires_at
        if header and is_header_unreadable(answer, header):
            self._unreadable_end.tell(answer, [header], prepared.secrets)
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
