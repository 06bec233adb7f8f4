"""Check a credential of any HTTP API, as its settings or a preset say.

Decides how a credential is written into a request, which texts must never come back in a message,
which statuses are a success, what the body must hold, and what a service's own word for a failure
means. The rest is the table in `answers`; quotas are read in `quota_headers`.
"""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

from monitor.config.addresses import secrets_in, user_of
from monitor.config.examination import find_user_flaw
from monitor.config.http import Preset, load_preset
from monitor.config.secret import Secret
from monitor.judge.outcome import Outcome, Reason, name_day
from monitor.providers.answers import (
    ABSENT,
    BAD_REQUESTS,
    KnownService,
    describe,
    explain_rejection,
    find_account,
    follow,
    is_more_than_denied,
    name_status,
    outcome_of,
    parse_json,
    read_failure,
    read_suspension,
    read_throttling,
    says_rate_limited,
    server_message,
    words_of,
)
from monitor.providers.base import Prepared, Requester, UnreadableFields, UnsendableError
from monitor.providers.bodies import find_no, find_own_code, find_plain_no, is_page
from monitor.providers.ends import read_body_end, read_header_end, read_jwt_end
from monitor.providers.fetcher import MAX_BODY
from monitor.providers.headers import read_content_types, read_pause
from monitor.providers.masking import clean
from monitor.providers.quota_headers import QuotaReport, read_quota_headers
from monitor.providers.transport import REPEATABLE
from monitor.providers.vocabulary import find_meaning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from monitor.config.http import GoodAnswer, HttpConnection
    from monitor.providers.ends import TokenEnd
    from monitor.providers.fetcher import Answer
    from monitor.providers.masking import Secrets


# --- answers

MAX_VALUE = 60

DETAIL_OF_WORD = {
    Reason.AUTHORIZATION_EXPIRED: "The token has expired.",
    Reason.PERMISSION_DENIED: (
        "The token is known but may not do this: its permissions were probably changed."
    ),
    Reason.SERVER_ERROR: (
        "The API failed on its own side. There is nothing to do here unless it lasts."
    ),
}


@dataclass(frozen=True, slots=True)
class ExpectedAnswer:
    """What an answer is held against.

    Args:
        expect_json: What stands where in a good answer, by JSON pointer.
        has_body: An answer to this method has one.
        word_at: The JSON pointer to the word for what went wrong.
        words: What each of the service's words means.
        renewal: A sentence that says where to get a new token; may be empty.
        service: Who answers.
        also_good: Answers that are good although their status is not.
    """

    expect_status: frozenset[int] = frozenset({200})
    expect_json: Mapping[str, Any] = field(default_factory=dict)
    has_body: bool = True
    word_at: str | None = None
    words: Mapping[str, Reason] = field(default_factory=dict)
    renewal: str = ""
    service: KnownService = field(default_factory=KnownService)
    also_good: tuple[GoodAnswer, ...] = ()


def read_answer(
    answer: Answer, report: QuotaReport, terms: ExpectedAnswer, secrets: Secrets
) -> Outcome:
    """Return what *answer* says about the credential that was sent."""
    quota = report.tightest
    value = parse_json(answer.body)
    word = _find_word(answer, value, terms)
    if word is not None and not (
        # What else the answer says comes first: a closed account, no credit, a pause.
        terms.words[word] is Reason.PERMISSION_DENIED
        and answer.status == HTTPStatus.FORBIDDEN
        and is_more_than_denied(answer, (quota, *report.windows), terms.service)
    ):
        return _read_word(answer, word, report, terms, secrets)
    if _is_also_good(answer, value, terms):
        return replace(outcome_of(answer, Reason.OK), quota=quota)
    if answer.status not in terms.expect_status:
        return read_failure(
            answer, quota, secrets, terms.renewal, windows=report.windows, service=terms.service
        )
    surprise = _find_surprise(answer, value, terms, secrets)
    if surprise is None:
        account = find_account(value, secrets) if isinstance(value, dict) else None
        unseen = "" if terms.expect_json else _advise(answer, value, secrets)
        return replace(outcome_of(answer, Reason.OK), quota=quota, account=account, advice=unseen)
    if _is_of_errors(value) and says_rate_limited(answer.body):
        return read_throttling(answer, quota, report.windows, secret=secrets)
    return outcome_of(
        answer, Reason.UNEXPECTED_RESPONSE, surprise + server_message(answer, secrets)
    )


def _find_word(answer: Answer, value: object, terms: ExpectedAnswer) -> str | None:
    """Return the service's word for what went wrong, if it is known and the status needs one."""
    is_open = answer.status in terms.expect_status or answer.status in BAD_REQUESTS
    if (
        terms.word_at is None
        or not is_open
        or answer.status in {HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.TOO_MANY_REQUESTS}
    ):
        return None
    word = follow(value, terms.word_at)
    return word if isinstance(word, str) and word in terms.words else None


def _is_also_good(answer: Answer, value: object, terms: ExpectedAnswer) -> bool:
    return any(
        answer.status == good.status and follow(value, good.at) in good.texts
        for good in terms.also_good
    )


def _advise(answer: Answer, value: object, secrets: Secrets) -> str:
    """Say that the body, or a code in it, is something which nothing looked at."""
    if answer.is_oversize:
        return (
            f"accepted by its status alone; the response is longer than {MAX_BODY // 1024} KiB and"
            " was not looked at: call an address that answers with less"
        )
    if (found := find_own_code(value)) is None:
        return ""
    name, code = found
    return (
        f'accepted by its status alone; the response carries a code of its own ("{name}" is'
        f" {_show(code, secrets)}). If the service reports errors there, set"
        f' expect_json = {{ "/{name}" = {_show(code, secrets)} }}'
    )


def _read_word(
    answer: Answer, word: str, report: QuotaReport, terms: ExpectedAnswer, secrets: Secrets
) -> Outcome:
    reason = terms.words[word]
    if reason is Reason.THROTTLED:
        return read_throttling(answer, report.tightest, report.windows, secret=secrets)
    if reason is Reason.ACCOUNT_SUSPENDED:
        return read_suspension(answer, secrets, terms.service)
    if reason is Reason.TOKEN_REJECTED:
        # A word may stand for several causes, and the sentence beside it names one.
        meaning = find_meaning(HTTPStatus.UNAUTHORIZED, words_of(answer), terms.service.preset)
        detail = explain_rejection("", meaning, terms.renewal)
    else:
        is_renewable = reason is Reason.AUTHORIZATION_EXPIRED and terms.renewal
        detail = DETAIL_OF_WORD[reason] + (f" {terms.renewal}" if is_renewable else "")
    said = f' The API says "{clean(word, secrets, MAX_VALUE)}".'
    sentence = server_message(answer, secrets)
    is_more = sentence and f'"{word}"' not in sentence
    return outcome_of(answer, reason, detail + (sentence if is_more else said))


def _find_surprise(
    answer: Answer, value: object, terms: ExpectedAnswer, secrets: Secrets
) -> str | None:
    """Say what keeps an answer with a good status from being a good answer."""
    if terms.expect_json:
        return _find_unmet(answer, value, terms.expect_json, secrets)
    if not terms.has_body or (isinstance(value, list | dict) and not value):
        return None
    status = name_status(answer)
    content_types = read_content_types(answer.headers)
    content_type = ",".join(content_types)
    # Of what is too long to be read, the beginning tells whether it is a page.
    if is_page(answer.body or answer.beginning, content_type, value):
        came = describe(answer.body or answer.beginning, content_type, secrets)
        return (
            f"The response ({status}) is a page for people, not an API's: {came}."
            " Check the address; a proxy or a maintenance page may stand in the way."
        )
    if no := find_no(value) or find_plain_no(answer.body, value):
        return (
            f"The response ({status}) reports an error inside: {no}. If it is a good response"
            " all the same, set in `expect_json` what such a response holds."
        )
    is_json = any(one == "application/json" or one.endswith("+json") for one in content_types)
    if is_json and value is None and answer.body.strip() not in {b"", b"null"}:
        return f"The response ({status}) claims to be JSON but is not. A proxy may have cut it."
    return None


def _is_of_errors(value: object) -> bool:
    """Tell whether the words in a body are about an error: an article may be about rate limits."""
    return not isinstance(value, dict | list) or bool(find_no(value) or find_own_code(value))


def _find_unmet(
    answer: Answer, value: object, expect_json: Mapping[str, Any], secrets: Secrets
) -> str | None:
    if value is None and answer.is_oversize:
        return (
            f"The response ({name_status(answer)}) is longer than {MAX_BODY // 1024} KiB, too long"
            " to look for what `expect_json` wants. Ask for a shorter one."
        )
    for pointer, wanted in expect_json.items():
        found = follow(value, pointer)
        if not _is_same(found, wanted):
            return (
                f"The response ({name_status(answer)}) is not what `expect_json` wants: expected"
                f" {_show(wanted, secrets)} at {_show(pointer, secrets)},"
                f" got {_show(found, secrets)}."
            )
    return None


def _is_same(found: object, wanted: object) -> bool:
    # True equals 1 to Python, and not to anybody who writes JSON.
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted
    if isinstance(found, dict) and isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(
            _is_same(found[key], wanted[key]) for key in wanted
        )
    if isinstance(found, list) and isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(_is_same, found, wanted))
    return found == wanted


def _show(value: object, secrets: Secrets) -> str:
    if value is ABSENT:
        return "nothing there"
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    if not isinstance(value, str):
        return clean(json.dumps(value), secrets, MAX_VALUE)
    # Masked before quotes and escapes are put around it, which would hide a secret.
    return f'"{clean(value, secrets, MAX_VALUE)}"'


# --- requests


def secrets_of(connection: HttpConnection) -> list[Secret]:
    """Return all secrets that a request for *connection* needs."""
    values = (connection.token, connection.password, *connection.headers.values())
    return [value for value in values if value is not None and not isinstance(value, str)]


def prepare_request(
    connection: HttpConnection, url: httpx.URL, client: httpx.AsyncClient
) -> Prepared:
    """Return the request for *connection*; raise SecretUnavailable or UnsendableError."""
    if connection.username is not None and (flaw := find_user_flaw(connection.username)):
        place = connection.password.place if connection.password else ""
        raise UnsendableError(
            f"The user's name cannot be used: {place.removesuffix('password')}username: {flaw}."
        )
    token = connection.token.reveal() if connection.token else ""
    password = connection.password.reveal() if connection.password else ""
    headers = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in connection.headers.items()
    }
    secrets = [secret.reveal() for secret in secrets_of(connection)]
    secrets += secrets_in(connection.url)
    if (user := user_of(connection.url)) and not (token or password):
        # As browsers do; `config check` says where it belongs.
        headers.setdefault("Authorization", _basic(*user, secrets))
    kind, _, name = connection.auth.partition(":")
    match kind:
        case "basic" if token or password:
            # A token alone stands for the user, with an empty password, as many APIs have it.
            headers["Authorization"] = _basic(connection.username or token, password, secrets)
        case "bearer" if token:
            _refuse_spaces(token)
            headers["Authorization"] = f"Bearer {token}"
        case "header" if token:
            _refuse_spaces(token)
            headers[name] = token
        case "query" if token:
            url = _add_parameter(url, name, token)
    for header, value in headers.items():
        if not value.isascii() or not value.isprintable():
            raise _unsendable(f"what {header} should carry holds letters outside ASCII")
    # A check is made again and again: once more does no harm.
    extensions = {REPEATABLE: True}
    request = client.build_request(connection.method, url, headers=headers, extensions=extensions)
    return Prepared(request, tuple(secrets), token)


def address_and_headers(
    connection: HttpConnection, client: httpx.AsyncClient
) -> tuple[str, dict[str, str]]:
    """Return what is called for *connection*, and what is sent with it beside the usual.

    Raises:
        SecretUnavailable: A secret cannot be read.
        UnsendableError: The request cannot be made.
    """
    request = prepare_request(connection, _url(connection), client).request
    kind, _, header = connection.auth.partition(":")
    own = {name.lower() for name in (*connection.headers, "authorization")}
    own |= {header.lower()} if kind == "header" else set()
    return str(request.url), {k: v for k, v in request.headers.items() if k in own}


def _basic(user: str, password: str, secrets: list[str]) -> str:
    """Return the header of a user, and add what it holds to *secrets*."""
    encoded = b64encode(f"{user}:{password}".encode()).decode("ascii")
    secrets.append(encoded)
    return f"Basic {encoded}"


def _add_parameter(url: httpx.URL, name: str, token: str) -> httpx.URL:
    try:
        return url.copy_set_param(name, token)
    except httpx.InvalidURL:
        problem = "the token is too long to stand in an address"
    raise _unsendable(problem)


def _refuse_spaces(token: str) -> None:
    if " " in token:
        raise _unsendable("the token holds spaces")


def _unsendable(why: str) -> UnsendableError:
    again = "Copy the token again from where it was created."
    return UnsendableError(f"The request cannot be sent: {why}. {again}")


# --- checks

MAX_LABEL = 60
WITHOUT_BODY = frozenset({"HEAD"})


class HttpChecker:
    """Check one connection to any HTTP API; ValueError means an address that cannot be called."""

    def __init__(
        self, connection: HttpConnection, client: httpx.AsyncClient, timeout: timedelta
    ) -> None:
        self._connection = connection
        self._preset = load_preset(connection.preset) if connection.preset else Preset()
        self._terms = _terms(connection, self._preset)
        self._client = client
        self._url = _url(connection)
        self._requester = Requester(secrets_of(connection), client, timeout)
        self._unreadable = UnreadableFields(connection.name)
        self._unreadable_pause = UnreadableFields(connection.name, "pause.unreadable")
        self._unreadable_end = UnreadableFields(connection.name, "token_end.unreadable")

    async def check(self) -> Outcome:
        """Check whether the credential works; a refusal counts if no newer secret is at hand."""
        return await self._requester.request(self._prepare, self._read)

    def _prepare(self) -> Prepared:
        return prepare_request(self._connection, self._url, self._client)

    def _read(self, answer: Answer, prepared: Prepared) -> Outcome:
        report = read_quota_headers(answer.headers, answer.received_at, self._connection.quota)
        self._unreadable.log(answer, report.unreadable, prepared.secrets)
        _, unreadable = read_pause(answer.headers, answer.received_at)
        self._unreadable_pause.log(answer, unreadable, prepared.secrets)
        # The service chooses these names, and they are shown.
        report = QuotaReport(
            tuple(
                replace(window, name=clean(window.name, prepared.secrets, MAX_LABEL))
                for window in report.windows
            ),
            report.unreadable,
        )
        outcome = read_answer(answer, report, self._terms, prepared.secrets)
        ends = self._read_ends(answer, prepared)
        ends_at = min((end.at for end in ends if end.at is not None), default=None)
        unreadable_ends = {end: end.unreadable for end in ends if end.unreadable is not None}
        texts = {end.name: text for end, text in unreadable_ends.items()}
        self._unreadable_end.log_texts(texts, prepared.secrets)
        if outcome.reason is Reason.TOKEN_REJECTED and ends_at and ends_at <= answer.received_at:
            detail = f"The token expired on {name_day(ends_at)}. {self._terms.renewal}".rstrip()
            detail += server_message(answer, prepared.secrets)
            outcome = replace(outcome, reason=Reason.AUTHORIZATION_EXPIRED, detail=detail)
        windows = report.windows if outcome.quota is not None else ()
        return replace(
            outcome,
            windows=windows,
            token_ends_at=ends_at,
            is_token_end_unclear=bool(unreadable_ends) and ends_at is None,
            unreadable_ends=tuple(
                f"{end.place}: {clean(text, prepared.secrets, MAX_LABEL)}"
                for end, text in unreadable_ends.items()
            ),
            unreadable_quota=report.unreadable,
        )

    def _read_ends(self, answer: Answer, prepared: Prepared) -> list[TokenEnd]:
        """Return what is said of the token's end, wherever that may stand."""
        header, pointer = self._connection.expires_header, self._preset.expires_at
        ends = [read_jwt_end(prepared.token, answer.received_at)]
        if header:
            ends.append(read_header_end(answer, header))
        if pointer:
            ends.append(read_body_end(answer, parse_json(answer.body), pointer))
        return ends


def _url(connection: HttpConnection) -> httpx.URL:
    try:
        return httpx.URL(connection.called_url)
    except httpx.InvalidURL:
        problem = f"connection {connection.name}: its url cannot be called; check its host"
    # Raised out here: the other error repeats the address.
    raise ValueError(problem)


def _terms(connection: HttpConnection, preset: Preset) -> ExpectedAnswer:
    # Whoever says what a good answer holds means that, and nothing else.
    is_own = connection.expect_json != preset.settings.get("expect_json", {})
    return ExpectedAnswer(
        frozenset(connection.expect_status),
        connection.expect_json,
        connection.method not in WITHOUT_BODY,
        preset.word_at,
        preset.words,
        preset.renewal,
        KnownService(connection.preset or "", preset.suspended),
        () if is_own else preset.also_good,
    )
