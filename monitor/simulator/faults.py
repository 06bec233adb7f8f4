"""Name what can go wrong with each service, and remember what is switched on, and where.

Decides which faults exist, which value each takes, and how one is switched, looked up and
described. A fault is on everywhere or in one place: for a token of SoldScope's, in a region (`na`)
or for a store (`store_1`) of Amazon's. How it looks on the wire is left to `misbehave` and
`amazon_server`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from monitor.simulator.base import SimulatorError, find_known, is_web_address
from monitor.simulator.soldscope_api import ResetForm

if TYPE_CHECKING:
    from collections.abc import Mapping


Value = float | str | None


@dataclass(frozen=True, slots=True)
class NoValue:
    """The fault is on or off."""

    default: Value = None
    hint: str = ""

    def parse(self, _: object) -> Value:
        """Refuse any value."""
        raise SimulatorError("value: this fault takes none")


@dataclass(frozen=True, slots=True)
class NumberValue:
    """The fault takes a number between two bounds."""

    default: float
    least: float
    most: float
    unit: str

    @property
    def hint(self) -> str:
        """What people are told about the value."""
        return f"{self.unit}, {self.least:g} to {self.most:g}, default {self.default:g}"

    def parse(self, raw: object) -> Value:
        """Read the number, which a form sends as text."""
        try:
            number = float(raw) if isinstance(raw, int | float | str) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        # Written this way round, the comparison refuses NaN as well.
        if isinstance(raw, bool) or not self.least <= number <= self.most:
            raise SimulatorError(f"value: {self.hint}")
        return number


@dataclass(frozen=True, slots=True)
class ChoiceValue:
    """The fault takes one of several words."""

    default: Value
    choices: tuple[str, ...]

    @property
    def hint(self) -> str:
        """What people are told about the value."""
        return f"one of {', '.join(self.choices)}, default {self.default}"

    def parse(self, raw: object) -> Value:
        """Accept one of the words; a number stands for its digits."""
        word = str(raw)
        if isinstance(raw, bool) or word not in self.choices:
            raise SimulatorError(f"value: {self.hint}")
        return word


@dataclass(frozen=True, slots=True)
class UrlValue:
    """The fault takes an address."""

    default: Value

    @property
    def hint(self) -> str:
        """What people are told about the value."""
        return f"an http or https address, default {self.default}"

    def parse(self, raw: object) -> Value:
        """Accept an address that can stand in a header."""
        if not isinstance(raw, str) or not is_web_address(raw):
            raise SimulatorError(f"value: {self.hint}")
        return raw


F = TypeVar("F", bound=StrEnum)

_NOTHING = NoValue()


@dataclass(frozen=True, slots=True)
class FaultKind:
    """What a fault does, in one line, and what value it takes."""

    description: str
    takes: NoValue | NumberValue | ChoiceValue | UrlValue = _NOTHING


@dataclass(frozen=True, slots=True)
class Switched(Generic[F]):
    """A fault that is on, in one place or (None) everywhere."""

    fault: F
    where: str | None
    value: Value


class Switches(Generic[F]):
    """The faults of one service that are on.

    Args:
        kinds: All faults there are, in the order in which they are listed.
        place: What the controls call the place where a fault is on.
    """

    def __init__(self, kinds: Mapping[F, FaultKind], place: str) -> None:
        self.place = place
        self._kinds = kinds
        self._faults = {fault.value: fault for fault in kinds}
        self._values: dict[str | None, dict[F, Value]] = {}

    def switch_on(
        self, name: str, *, where: str | None = None, value: object = None
    ) -> Switched[F]:
        """Switch a fault on, in one place or (None) everywhere.

        Switched on again, it takes the new value. No value means the default.
        """
        fault = find_known("fault", name, self._faults)
        takes = self._kinds[fault].takes
        accepted = takes.default if value is None else takes.parse(value)
        self._values.setdefault(where, {})[fault] = accepted
        return Switched(fault, where, accepted)

    def switch_off(self, name: str, *, where: str | None = None) -> int:
        """Switch a fault off, in one place or (None) wherever it is on.

        Returns how many entries that ended; one that is off already is no error.
        """
        fault = find_known("fault", name, self._faults)
        places = list(self._values) if where is None else [where]
        ended = [one for one in places if fault in self._values.get(one, {})]
        for one in ended:
            del self._values[one][fault]
            if not self._values[one]:
                del self._values[one]
        return len(ended)

    def clear(self) -> None:
        """Switch everything off."""
        self._values.clear()

    def active(self) -> list[Switched[F]]:
        """Return all that is on, in the order of the kinds."""
        return [
            Switched(fault, where, values[fault])
            for fault in self._kinds
            for where, values in self._values.items()
            if fault in values
        ]

    def of(self, *places: str | None) -> Mapping[F, Value]:
        """Return what holds in *places*; the value of a later one wins.

        What is on everywhere holds too. None stands for a place that is unknown.
        """
        if not self._values:
            return {}
        found = dict(self._values.get(None, {}))
        for place in places:
            if place is not None:
                found |= self._values.get(place, {})
        return found

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """Return, in plain values, what is on and all that can be switched on."""
        known = [
            {"name": fault.value, "description": kind.description, "value": kind.takes.hint or None}
            for fault, kind in self._kinds.items()
        ]
        return {"active": [self.describe_one(one) for one in self.active()], "known": known}

    def describe_one(self, switched: Switched[F]) -> dict[str, Any]:
        """Return, in plain values, a fault that is on."""
        return {"name": switched.fault.value, self.place: switched.where, "value": switched.value}


class Fault(StrEnum):
    """Everything that can be switched on.

    The first of those that take an answer's place wins over the later ones; the
    ones after `MARKUP_ACCOUNT` only change an answer and can be combined.
    """

    HANG = "hang"
    RESET = "reset"
    CLOSE_EARLY = "close_early"
    TRICKLE = "trickle"
    OVERSIZE = "oversize"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    THROTTLE = "throttle"
    THROTTLE_403 = "throttle_403"
    FORBIDDEN = "forbidden"
    FIREWALL = "firewall"
    NO_CREDIT = "no_credit"
    SUSPENDED = "suspended"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 - the name of a fault
    SAYS_NO = "says_no"
    NOT_FOUND = "not_found"
    REDIRECT = "redirect"
    HTML = "html"
    NOT_JSON = "not_json"
    EMPTY = "empty"
    MARKUP_ERROR = "markup_error"
    MARKUP_ACCOUNT = "markup_account"

    SLOW = "slow"
    LATENCY_MS = "latency_ms"
    NO_QUOTA_HEADERS = "no_quota_headers"
    BAD_QUOTA_HEADERS = "bad_quota_headers"
    RESET_FORM = "reset_form"
    CLOSE_EACH = "close_each"


_RETRY_AFTER = NumberValue(60.0, 0, 86_400, "seconds")

FAULT_KINDS: Mapping[Fault, FaultKind] = {
    Fault.HANG: FaultKind("takes the request and never answers"),
    Fault.RESET: FaultKind("resets the connection (RST) instead of answering"),
    Fault.CLOSE_EARLY: FaultKind("closes the connection before the first byte"),
    Fault.TRICKLE: FaultKind(
        "sends the body byte by byte and never ends",
        NumberValue(0.1, 0.001, 60, "seconds between two bytes"),
    ),
    Fault.OVERSIZE: FaultKind(
        "sends a valid answer inside a huge body", NumberValue(16.0, 1, 4096, "MiB")
    ),
    Fault.SERVER_ERROR: FaultKind(
        "answers 500, or another 5xx", NumberValue(500.0, 500, 599, "status")
    ),
    Fault.UNAVAILABLE: FaultKind("answers 503 with Retry-After", _RETRY_AFTER),
    Fault.THROTTLE: FaultKind("answers 429 with Retry-After", _RETRY_AFTER),
    Fault.THROTTLE_403: FaultKind("answers 403 with a rate-limit body and remaining 0"),
    Fault.FORBIDDEN: FaultKind("answers 403: the token lacks a permission"),
    Fault.FIREWALL: FaultKind("answers 403 with a firewall's page in HTML"),
    Fault.NO_CREDIT: FaultKind(
        "says that no credit is left, with 429 or 403", ChoiceValue("429", ("429", "403"))
    ),
    Fault.SUSPENDED: FaultKind("answers 403: the account is suspended"),
    Fault.TOKEN_EXPIRED: FaultKind("answers 401: the token has expired"),
    Fault.SAYS_NO: FaultKind('answers 200 with "ok": false and an error'),
    Fault.NOT_FOUND: FaultKind("answers 404 on every path"),
    Fault.REDIRECT: FaultKind(
        "answers 302 to another host", UrlValue("https://elsewhere.invalid/auth/check")
    ),
    Fault.HTML: FaultKind("answers 200 with a login page in HTML"),
    Fault.NOT_JSON: FaultKind("answers 200 with JSON that breaks off in the middle"),
    Fault.EMPTY: FaultKind("answers 200 with an empty body"),
    Fault.MARKUP_ERROR: FaultKind(
        "answers with an error full of HTML, script and chat markup",
        ChoiceValue("401", ("401", "500")),
    ),
    Fault.MARKUP_ACCOUNT: FaultKind("answers 200 with an account name full of markup"),
    Fault.SLOW: FaultKind("answers properly, but late", NumberValue(5.0, 0.001, 3600, "seconds")),
    Fault.LATENCY_MS: FaultKind(
        "adds latency to every answer", NumberValue(200.0, 0, 60_000, "milliseconds")
    ),
    Fault.NO_QUOTA_HEADERS: FaultKind("leaves the quota headers out"),
    Fault.BAD_QUOTA_HEADERS: FaultKind(
        "fills the quota headers with nonsense; `reset` spoils that one only",
        ChoiceValue("negative", ("negative", "words", "huge", "empty", "reset")),
    ),
    Fault.RESET_FORM: FaultKind(
        "writes the reset header in another form", ChoiceValue("rfc3339", tuple(ResetForm))
    ),
    Fault.CLOSE_EACH: FaultKind("closes the connection after each answer"),
}


class AmazonFault(StrEnum):
    """Everything that can be switched on.

    Those of one service that take an answer's place come first, and the first of
    them wins; the others only change an answer and can be combined.
    """

    LWA_HANG = "lwa_hang"
    LWA_RESET = "lwa_reset"
    LWA_500 = "lwa_500"
    LWA_503 = "lwa_503"
    LWA_HTML = "lwa_html"
    LWA_EMPTY = "lwa_empty"
    LWA_THROTTLE = "lwa_throttle"
    LWA_ACCESS_DENIED = "lwa_access_denied"
    LWA_UNAUTHORIZED_CLIENT = "lwa_unauthorized_client"

    LWA_SLOW = "lwa_slow"
    LWA_WORDING = "lwa_wording"

    SP_HANG = "sp_hang"
    SP_RESET = "sp_reset"
    SP_500 = "sp_500"
    SP_503 = "sp_503"
    SP_HTML = "sp_html"
    SP_EMPTY = "sp_empty"
    SP_THROTTLE = "sp_throttle"
    SP_401 = "sp_401"
    SP_404 = "sp_404"
    STORM_403 = "storm_403"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - the name of a fault

    SP_SLOW = "sp_slow"
    EARLY_TOKEN_DEATH = "early_token_death"  # noqa: S105 - likewise
    ACCOUNT_DEACTIVATED = "account_deactivated"
    DENIED_IN_MESSAGE = "denied_in_message"
    EMPTY_PAYLOAD = "empty_payload"
    IDLE_MARKETPLACES = "idle_marketplaces"
    EXTRA_MARKETPLACES = "extra_marketplaces"
    MISSING_STORE_NAME = "missing_store_name"
    MISSING_RATE_HEADER = "missing_rate_header"
    MISSING_DETAILS = "missing_details"
    SHUFFLED_KEYS = "shuffled_keys"

    CONSENT_ERROR = "consent_error"


class Wording(StrEnum):
    """The texts in which LWA was seen to refuse a refresh token."""

    USUAL = "usual"
    OLD = "old"
    VARIANT = "variant"


_HTML_STATUS = NumberValue(503.0, 200, 599, "status")
_LATE = NumberValue(5.0, 0.001, 3600, "seconds")

AMAZON_FAULT_KINDS: Mapping[AmazonFault, FaultKind] = {
    AmazonFault.LWA_HANG: FaultKind("LWA takes the request and never answers"),
    AmazonFault.LWA_RESET: FaultKind("LWA resets the connection (RST)"),
    AmazonFault.LWA_500: FaultKind("LWA answers 500 server_error"),
    AmazonFault.LWA_503: FaultKind("LWA answers 503 temporarily_unavailable"),
    AmazonFault.LWA_HTML: FaultKind("LWA answers with a page in HTML", _HTML_STATUS),
    AmazonFault.LWA_EMPTY: FaultKind("LWA answers 200 with an empty body"),
    AmazonFault.LWA_THROTTLE: FaultKind("LWA answers 429"),
    AmazonFault.LWA_ACCESS_DENIED: FaultKind("LWA answers 403 access_denied"),
    AmazonFault.LWA_UNAUTHORIZED_CLIENT: FaultKind(
        "LWA answers 400 unauthorized_client, though id and secret are right"
    ),
    AmazonFault.LWA_SLOW: FaultKind("LWA answers properly, but late", _LATE),
    AmazonFault.LWA_WORDING: FaultKind(
        "LWA refuses a refresh token in other words", ChoiceValue("old", tuple(Wording))
    ),
    AmazonFault.SP_HANG: FaultKind("the regional host takes the request and never answers"),
    AmazonFault.SP_RESET: FaultKind("the regional host resets the connection (RST)"),
    AmazonFault.SP_500: FaultKind("the regional host answers 500 InternalFailure"),
    AmazonFault.SP_503: FaultKind("the regional host answers 503 ServiceUnavailable"),
    AmazonFault.SP_HTML: FaultKind("the regional host answers with a page in HTML", _HTML_STATUS),
    AmazonFault.SP_EMPTY: FaultKind(
        "the regional host answers with an empty body", NumberValue(200.0, 200, 599, "status")
    ),
    AmazonFault.SP_THROTTLE: FaultKind("the regional host answers 429 QuotaExceeded"),
    AmazonFault.SP_401: FaultKind("the regional host answers 401, which its model does not know"),
    AmazonFault.SP_404: FaultKind("the regional host answers 404 NotFound"),
    AmazonFault.STORM_403: FaultKind("the regional host answers 403 without details to all"),
    AmazonFault.TOKEN_REFUSED: FaultKind(
        "every access token, fresh ones too, is “revoked, malformed or invalid”"
    ),
    AmazonFault.SP_SLOW: FaultKind("the regional host answers properly, but late", _LATE),
    AmazonFault.EARLY_TOKEN_DEATH: FaultKind(
        "access tokens expire before their hour is over", NumberValue(60.0, 0, 3600, "seconds")
    ),
    AmazonFault.ACCOUNT_DEACTIVATED: FaultKind("403 without details for a good token"),
    AmazonFault.DENIED_IN_MESSAGE: FaultKind("403 whose reason stands in `message` alone"),
    AmazonFault.EMPTY_PAYLOAD: FaultKind("200 with an empty list of marketplaces"),
    AmazonFault.IDLE_MARKETPLACES: FaultKind("200, and the account participates in none of them"),
    AmazonFault.EXTRA_MARKETPLACES: FaultKind("200 with marketplaces that are not Amazon's own"),
    AmazonFault.MISSING_STORE_NAME: FaultKind("200 without any storeName, as years ago"),
    AmazonFault.MISSING_RATE_HEADER: FaultKind("leaves x-amzn-RateLimit-Limit out"),
    AmazonFault.MISSING_DETAILS: FaultKind("leaves `details` out where it would be empty"),
    AmazonFault.SHUFFLED_KEYS: FaultKind("turns the order of the keys in every body round"),
    AmazonFault.CONSENT_ERROR: FaultKind(
        "the consent page shows an error",
        ChoiceValue(
            "SPDC8143",
            ("SPDC8143", "CONSENT_LIMIT_REACHED", "MD1000", "MD5101", "MD5110", "MD9100"),
        ),
    ),
}
