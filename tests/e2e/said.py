"""
What services answer, and what is to become of it: a table, by the contract's words.

Beside what is meant stands what only sounds like it: a limit of another kind, a field `error` that
belongs to a job, letters of other languages.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "sk-hunter2-0123456789abcdefABCDEF-zz"

DENIED = "permission_denied"
EXHAUSTED = "exhausted"
"""Active with nothing left: no reason of its own."""
OK = "ok"
REJECTED = "token_rejected"
SERVER = "server_error"
SUSPENDED = "account_suspended"
SURPRISE = "unexpected_response"
THROTTLED = "throttled"

LIMIT, LEFT = "X-RateLimit-Limit", "X-RateLimit-Remaining"
JSON, PAGE, TEXT, XML = "application/json", "text/html", "text/plain", "application/xml"
GZIP = ("Content-Encoding", "gzip")
NO_ANSWER = object()


@dataclass(frozen=True)
class Said:
    """
    One answer.

    Args:
        whose: `http`, a preset, `soldscope`, `amazon` (its API) or `lwa` (its token endpoint).
        verdict: The reason of the check; `exhausted` where it is `ok` with nothing left.
        quota: Limit and remaining, where they are looked at.
        shown: What is to stand in the JSON of the connection.
        hidden: What must not.
    """

    whose: str
    status: int
    body: Any
    verdict: str
    kind: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    setting: str = ""
    quota: Any = NO_ANSWER
    shown: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        if isinstance(self.body, str) and self.kind != JSON:
            return self.body.encode()
        return b"" if self.body is None else json.dumps(self.body).encode()


# --- a sentence with 403

NO_LIMITS = (
    "You do not have permission to change the rate limit of this project.",
    "Missing scope: rate_limits:read",
    "Our API limits access to registered IP addresses.",
    "This request is limited to administrators.",
    "Your role cannot view the quota of this organization.",
    "Storage quota exceeded for this mailbox.",
    "Disk quota exceeded",
    "Project limit reached. Upgrade your plan.",
    "You have reached the maximum number of users for this plan.",
    "File exceeds the size limit.",
    "Access to the billing API requires the role owner.",
    "Your account is not authorized for throttling policies.",
    "You are not authorized to view billing account 0123.",
    "The caller does not have permission to access billing accounts",
    "Payment methods can only be managed by owners.",
    "Quota administration is only allowed for admins.",
    "Trial period has ended.",
    "Feature not available on your plan.",
    "Credit cards cannot be read with this key.",
    "This key may not read credit limits.",
    "Only owners may see the credit balance.",
    "The billing contact must verify this account",
    "IP not whitelisted",
    "Accès refusé : quota",
    "Crédit insuffisant",
    "アクセスが拒否されました",
    "Доступ запрещён",
    "Zugriff verweigert. Kontingentverwaltung ist Administratoren vorbehalten.",
    "Account suspended",
    "Access to /v1/rate_limit is forbidden",
    "Missing permission: quota.read",
    "Missing permission: billing.read",
    "Invite limit reached",
    "Max upload limit exceeded",
    "Token not allowed: billing address required",
    "Your plan does not include API access. Upgrade to Pro.",
    "Your plan has expired",
    "User is not allowed to exceed limits",
)
LIMITS = (
    "You have reached your API limit.",
    "API limit reached",
    "Daily API call limit exceeded.",
    "Rate limited, try again later",
    "You are being rate limited.",
    "Request was throttled. Expected available in 42 seconds.",
    "Your request quota has been exceeded.",
    "User-rate limit exceeded.  Retry after 2026-12-01T00:00:00Z",
    "Quota exceeded for quota metric 'Queries' and limit 'Queries per day' of service",
    "Account has exceeded the number of API calls allowed per day",
    "You've exceeded the limit of 1000 requests per day",
    "Maximum monthly API calls reached",
    "The maximum number of API requests per hour was reached",
    "Usage limit has been reached",
    "Developer Over Qps",
    "Developer Over Rate",
    "Too many concurrent requests",
    "Excessive requests",
    "Requests are being made too quickly",
    "Daily request count exceeded",
    "You have used all requests in your plan for this month",
    "Please wait a few minutes before you try again",
    "API calls quota exceeded! maximum admitted 2 per Second.",
    "You have exceeded the MONTHLY quota for Requests on your current plan, BASIC.",
    "Account Over Queries Per Second Limit",
    "Too many attempts. Please slow down.",
    "Your account has been temporarily blocked due to too many requests",
    "Account suspended for exceeding the rate limit, try later",
    "You do not have permission to go on: rate limit exceeded.",
)


NO_MONEY = (
    "You are out of credits.",
    "Your balance is insufficient to run this request",
    "Your prepaid balance has been used up",
    "API usage is off because your balance is negative",
    "Please update your payment method",
    "Your trial credits have been used up",
    "Monthly spending limit reached",
    "Your organization has no remaining credits",
)


def sentences() -> Iterator[Said]:
    yield from (Said("http", 403, {"message": said}, EXHAUSTED) for said in NO_MONEY)
    yield from (Said("http", 403, {"message": said}, DENIED) for said in NO_LIMITS)
    yield from (Said("http", 403, {"message": said}, THROTTLED) for said in LIMITS)


# --- shapes, letters, types

LIMIT_REACHED = b'{"message": "API rate limit exceeded"}'
SHAPES = (
    Said("http", 403, b"", DENIED, ""),
    Said("http", 403, [], DENIED),
    Said("http", 403, b"null", DENIED),
    Said("http", 403, 5, DENIED),
    Said("http", 403, b'"rate limit exceeded"', THROTTLED),
    Said("http", 403, {"a": {"b": {"c": {"message": "rate limit exceeded"}}}}, DENIED),
    Said("http", 403, {"message": "Forbidden"}, DENIED, PAGE),
    Said("http", 403, "<html>Attention Required! | Cloudflare", SURPRISE, PAGE),
    Said("http", 403, b"", SURPRISE, PAGE),
    Said("http", 403, "<!DOCTYPE HTML><html><title>403 Forbidden</title>", SURPRISE, ""),
    Said("http", 403, b"\xef\xbb\xbf<!doctype html><title>403", SURPRISE, TEXT),
    Said("http", 403, gzip.compress(b"<html><h1>Forbidden</h1>", mtime=0), SURPRISE, PAGE, (GZIP,)),
    Said("http", 403, gzip.compress(LIMIT_REACHED, mtime=0), THROTTLED, JSON, (GZIP,)),
    Said("http", 403, b"\xef\xbb\xbf" + LIMIT_REACHED, THROTTLED),
    Said("http", 403, LIMIT_REACHED.decode().encode("utf-16"), THROTTLED),
    Said("http", 403, '{"message": "Clé: rate limit exceeded"}'.encode("latin-1"), THROTTLED),
    Said("http", 403, "<h1>Developer Over Qps</h1>", THROTTLED, "text/xml"),
    Said("http", 403, "<html><title>Account Suspended</title>", SURPRISE, PAGE),
    Said("github", 403, "<html><title>Account Suspended</title>", SURPRISE, PAGE),
    Said("http", 403, "<html>Your account is past due", SURPRISE, PAGE),
    Said("http", 403, "<html>Error 1015 You are being rate limited", THROTTLED, PAGE),
    Said("http", 403, "<html>Error 1020 Access denied", SURPRISE, PAGE),
    Said("http", 403, b"[" * 100_000, DENIED),
    Said("http", 403, bytes(range(256)) * 20, DENIED, "application/octet-stream"),
    Said("http", 200, '{"name": "Société"}'.encode("latin-1"), OK, shown=("Société",)),
    Said("http", 200, b'\xef\xbb\xbf{"name": "x"}', OK),
    Said("http", 200, "<html>login", SURPRISE, PAGE),
    Said("http", 200, b"<html>login", SURPRISE),
    Said("http", 200, "pong", OK, TEXT),
    Said("http", 200, b"", OK),
    Said("http", 200, [], OK),
    Said("http", 200, b'{"a":', SURPRISE),
    Said("http", 200, "<?xml version='1.0'?><user><name>x</name></user>", OK, XML),
    Said("http", 200, "<?xml version='1.0'?><Error><Code>InvalidKey</Code></Error>", SURPRISE, XML),
    Said("http", 200, '<rsp stat="fail"><err code="100" msg="Invalid"/></rsp>', SURPRISE, XML),
    Said("http", 200, '<rsp stat="ok"><user id="1"/></rsp>', OK, XML),
    Said("http", 200, "Error: invalid key", SURPRISE, TEXT),
    Said("http", 200, b'"Unauthorized"', SURPRISE),
    Said("http", 200, "errors: 0", OK, TEXT),
)


# --- 200 that says no, and 200 that only looks like it

GOOD: tuple[Any, ...] = (
    {"articles": [{"title": "How to handle rate limit errors", "body": "quota exceeded"}]},
    [{"title": "Rate limit explained", "error": None}],
    {"title": "rate limit exceeded", "id": 4},
    {"message": "rate limit exceeded is what we log", "id": 1},
    {"data": [{"text": "rate limit, quota exceeded"}] * 3000},
    {"error": None, "errors": []},
    {"error": "", "errors": {}},
    {"error": False, "errors": 0},
    {"error": {"code": "ok", "message": ""}},
    {"data": {"errors": ["row 3 could not be read"], "rows": 12, "name": "import"}},
    {"data": {"error": "last sync failed", "name": "acme", "id": 3}},
    {"data": {"success": 0, "failed": 2, "total": 2}},
    {"success": 0, "failed": 2},
    {"data": {"valid": False, "email": "x@y.example", "id": 2}},
    {"id": 2, "valid": False},
    {"id": 1, "status": "failed", "name": "nightly"},
    {"id": "o-1", "status": "error", "items": [1]},
    {"id": 7, "name": "nightly", "error_message": "disk full", "error_code": 28},
    {"id": 7, "result": "failed", "test": "unit"},
    {"device": "pump 3", "id": 3, "fault": "overheated"},
    {"success": {"total": 0}},
    {"ok": None},
    {"items": [{"error": "x"}, {"ok": False}]},
    {"response": [{"success": False}]},
    {"status": {"error": 0}},
    {"features": {"ok": False}},
    {"meta": {"code": 200}, "data": {}},
    {"code": 200, "message": "ok"},
    {"last_error": "x", "error_rate": 0.1},
)
BAD = (
    {"ok": False, "error": "invalid_auth"},
    {"success": False},
    {"error": "invalid key"},
    {"errors": [{"message": "x"}]},
    {"id": 1, "name": "a", "error": {"message": "No"}},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": -32001, "message": "Unauthorized"}},
    {"success": False, "errors": [{"code": 9109}], "messages": [], "result": None},
    {"errors": [{"message": "Not authenticated"}], "data": None},
    {"ok": False, "error_code": 401, "description": "Unauthorized"},
    {"status": "error", "message": "bad token"},
    {"status": "error", "message": "bad token", "trace": "x"},
    {"status": "fail", "data": {"token": "bad"}},
    {"response": {"ok": False}},
    {"result": {"error": "x"}},
    {"errcode": 40001, "errmsg": "invalid credential"},
    {"error": {"error_code": 5, "error_msg": "User authorization failed"}},
    {"Error Message": "the parameter apikey is invalid or missing"},
    {"error_message": "The provided API key is invalid.", "status": "REQUEST_DENIED"},
)
WANTED = 'expect_json = { "/status" = "ok" }'
EXPECTED = (
    Said("http", 200, {"status": "ok", "error": "x"}, OK, setting=WANTED),
    Said("http", 200, {"title": "Rate limit explained", "status": "x"}, SURPRISE, setting=WANTED),
    Said("http", 200, {"code": 42901, "message": "rate limit exceeded"}, THROTTLED, setting=WANTED),
)


def bodies() -> Iterator[Said]:
    yield from (Said("http", 200, body, OK) for body in GOOD)
    yield from (Said("http", 200, body, SURPRISE) for body in BAD)
    yield from EXPECTED


# --- codes that mean something where they come from, and nothing elsewhere


def error(code: object, **more: object) -> dict[str, Any]:
    return {"error": {"code": code, "message": "No."} | more}


NOT_THE_TOKEN = (
    "Your subscription has expired",
    "Trial expired",
    "Client certificate expired",
    "Your password has expired",
    "License expired",
    "You must be a member of an organization to use the API",
)
UNSURE = (
    "This key was never issued or has expired",
    "Tokens expire after 30 days. Token unknown.",
    "Token signature invalid; it is not expired",
    "Token abgelaufen",
)
GOOGLE = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "googleapis.com"}
AWS_XML = "<ErrorResponse><Error><Code>{}</Code></Error><RequestId>1</RequestId></ErrorResponse>"
CODES = (
    Said("http", 400, {"error": "expired_token"}, SURPRISE),
    Said("http", 400, {"error": {"type": "x", "code": "expired_token"}}, SURPRISE),
    Said("http", 400, {"error": "slow_down"}, SURPRISE),
    Said("http", 400, {"code": "AuthFailure", "type": "x"}, SURPRISE),
    Said("http", 400, {"code": "Throttling"}, SURPRISE),
    Said("http", 400, {"code": "API_KEY_INVALID"}, SURPRISE),
    Said("http", 400, error(4), SURPRISE),
    Said("http", 400, {"message": "Application request limit reached"}, SURPRISE),
    Said("http", 400, {"error": {"message": "This organization has been disabled."}}, SURPRISE),
    Said("http", 400, {"error": {"message": "Your credit balance is too low"}}, SURPRISE),
    Said("http", 401, {"message": "Maximum credits exceeded"}, REJECTED),
    Said("http", 401, error("account_deactivated"), REJECTED, shown=("is suspended or closed",)),
    Said("http", 401, {"message": "API key has been revoked"}, REJECTED, shown=("was revoked",)),
    Said("http", 401, {"message": "rate limit exceeded"}, REJECTED),
    Said("http", 401, {"message": "insufficient credits"}, REJECTED),
    *(
        Said("http", 401, {"message": said}, REJECTED, shown=("for another reason",))
        for said in NOT_THE_TOKEN
    ),
    *(
        Said("http", 401, {"message": said}, REJECTED, shown=("revoked or mistyped",))
        for said in UNSURE
    ),
    Said("openai", 401, error(None, message="Your IP is not authorized"), REJECTED),
    Said("http", 403, error("account_deactivated"), DENIED),
    Said("http", 423, {"message": "Account locked"}, SURPRISE),
    Said("http", 402, {"message": "Account suspended"}, EXHAUSTED),
    Said("http", 400, error(400, details=[GOOGLE | {"reason": "API_KEY_INVALID"}]), REJECTED),
    Said("http", 400, {"__type": "x#ThrottlingException"}, THROTTLED),
    Said("http", 400, AWS_XML.format("Throttling"), THROTTLED, XML),
    Said("http", 403, AWS_XML.format("ExpiredToken"), REJECTED, XML),
    Said("http", 400, {"__type": "ExpiredTokenException"}, REJECTED),
    Said(
        "http",
        401,
        {"errors": [{"message": "Maximum credits exceeded", "field": None}]},
        "exhausted",
    ),
    Said("http", 403, error("insufficient_funds"), EXHAUSTED),
    Said("http", 403, {"message": "Insufficient credits"}, EXHAUSTED),
    Said("http", 403, {"code": "insufficient_quota"}, EXHAUSTED),
    Said("http", 403, {"error": "insufficient_scope"}, DENIED),
    Said("http", 403, {"error": "forbidden", "reason": "credits"}, DENIED),
    Said("http", 403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED"}], THROTTLED),
    Said("http", 403, error(403, errors=[{"reason": "dailyLimitExceeded"}]), THROTTLED),
    Said("http", 403, error(403, errors=[{"reason": "insufficientPermissions"}]), DENIED),
    Said("http", 429, {"code": "insufficient_quota"}, EXHAUSTED),
    Said("http", 429, {"message": "Too many requests. Upgrade on the billing page."}, THROTTLED),
    Said("http", 429, {"message": "See https://x.example/billing"}, THROTTLED),
    Said("http", 429, {"message": "Rate limit reached. Add a credit card to raise it."}, THROTTLED),
    Said("http", 403, {"message": "No"}, THROTTLED, headers=((LIMIT, "60"), (LEFT, "0"))),
    Said("http", 403, {"message": "No"}, THROTTLED, headers=(("Retry-After", "30"),)),
    Said("http", 403, "<html>x", THROTTLED, PAGE, (("Retry-After", "30"),)),
)
STATUSES = {
    SURPRISE: (201, 202, 302, 307, 400, 404, 405, 408, 410, 418, 422, 423, 451),
    SERVER: (500, 502, 503, 504, 520, 529),
    REJECTED: (401,),
    EXHAUSTED: (402,),
    THROTTLED: (429,),
}


def statuses() -> Iterator[Said]:
    away = (("Location", "https://elsewhere.example/"),)
    for verdict, several in STATUSES.items():
        for status in several:
            headers = away if 300 <= status < 400 else ()
            yield Said("http", status, {"message": "nothing"}, verdict, headers=headers)


# --- the errors of gateways and services, in their own shapes


def errors() -> Iterator[Said]:
    table = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    for head, several in table.items():
        status, verdict = head.split()
        listed = several.values() if isinstance(several, dict) else several
        for one in listed:
            body = {"message": one} if isinstance(one, str) else one
            yield Said("http", int(status), body, verdict)
    yield Said("http", 400, {"errorCode": "HOURLY_APIINVOCATION_LIMIT_EXCEEDED"}, THROTTLED)


# --- presets

PRESETS = ("anthropic", "github", "gitlab", "openai", "shopify", "slack")
NOTHING_LEFT = ((LIMIT, "5"), (LEFT, "0"))
WAIT = (("Retry-After", "9"),)
OF_ANTHROPIC = {"type": "permission_error", "message": "This organization has been disabled."}
ENFORCED = {
    "type": "rate_limit_error",
    "message": "You have reached your API usage limits: the organization has crossed it",
    "details": {"error_code": "enforced_spend_limit_reached"},
}
OWN_LIMIT = (
    "You have reached your specified API usage limits. You will regain access on 2026-12-01."
)
OF_PRESETS = (
    Said("shopify", 402, {"errors": "Unavailable Shop"}, SUSPENDED, shown=("Unavailable Shop",)),
    Said("shopify", 423, {"errors": "This store is unavailable"}, SUSPENDED),
    Said("shopify", 403, {"errors": "Unavailable Shop"}, SUSPENDED),
    Said("shopify", 403, "<html>Your request looks fraudulent. Ray", SURPRISE, PAGE),
    Said("shopify", 403, {"errors": "[API] This action requires merchant approval"}, DENIED),
    Said("anthropic", 403, {"error": OF_ANTHROPIC}, SUSPENDED),
    Said("anthropic", 403, {"error": {"type": "permission_error", "message": "No"}}, DENIED),
    Said("anthropic", 403, {"error": {"type": "permission_error"}}, THROTTLED, headers=WAIT),
    Said("anthropic", 402, {"error": {"type": "billing_error"}}, EXHAUSTED),
    Said("anthropic", 529, {"error": {"type": "overloaded_error"}}, SERVER),
    Said("anthropic", 429, {"error": ENFORCED}, EXHAUSTED),
    Said("anthropic", 400, {"error": {"message": OWN_LIMIT}}, EXHAUSTED),
    Said("http", 400, {"error": {"message": OWN_LIMIT}}, SURPRISE),
    Said("http", 429, {"error": ENFORCED}, EXHAUSTED),
    Said("gitlab", 403, {"error": "insufficient_scope"}, DENIED),
    Said("gitlab", 403, {"error": "insufficient_scope"}, THROTTLED, headers=NOTHING_LEFT),
    Said("gitlab", 403, {"message": "403 Forbidden - Your account has been blocked."}, SUSPENDED),
    Said("gitlab", 200, {"active": False, "revoked": True}, SURPRISE),
    Said("gitlab", 429, "Retry later\n", THROTTLED, TEXT),
    Said("openai", 401, error("account_deactivated"), SUSPENDED),
    Said("openai", 403, error("unsupported_country_region_territory"), DENIED),
    Said("openai", 401, error("401"), REJECTED),
    Said(
        "openai", 429, error("429", message="exceeded call rate limit of your S0 tier"), THROTTLED
    ),
    Said("openai", 429, error("insufficient_quota"), EXHAUSTED),
    Said("openai", 429, error("organization_usage_limit_exceeded"), EXHAUSTED),
    Said("github", 404, {"message": "Rate limiting is not enabled."}, OK),
    Said("github", 403, {"message": "Sorry. Your account was suspended."}, SUSPENDED),
    Said("github", 403, {"message": "You have exceeded a secondary rate limit."}, THROTTLED),
    Said("github", 403, {"message": "Resource protected by organization SAML."}, DENIED),
    Said("github", 403, {"message": "the org has an IP allow list enabled"}, DENIED),
    Said("slack", 200, {"ok": False, "error": "token_revoked"}, REJECTED),
    Said("slack", 200, {"ok": False, "error": "token_expired"}, "authorization_expired"),
    Said("slack", 200, {"ok": False, "error": "something_new"}, SURPRISE),
    Said("slack", 200, {"ok": False, "error": "ratelimited"}, THROTTLED),
)


def presets() -> Iterator[Said]:
    yield from OF_PRESETS
    said = {"message": "No"}
    for preset in PRESETS:
        is_shop = preset == "shopify"
        yield Said(preset, 402, said, SUSPENDED if is_shop else EXHAUSTED)
        yield Said(preset, 423, said, SUSPENDED if is_shop else SURPRISE)
        yield Said(preset, 429, said, THROTTLED)
        yield Said(preset, 401, said, REJECTED)
        yield Said(preset, 403, said, DENIED)
        yield Said(preset, 403, said, THROTTLED, headers=NOTHING_LEFT)
        yield Said(preset, 403, said, THROTTLED, headers=WAIT)
        yield Said(preset, 403, "<html>no", SURPRISE, PAGE)
        yield Said(preset, 403, error("insufficient_quota"), EXHAUSTED)
        yield Said(preset, 200, "<html>no", SURPRISE, PAGE)


# --- SoldScope and Amazon

ACCOUNT = {"name": "Acme", "authenticated": True}
SOLDSCOPE = (
    Said("soldscope", 200, ACCOUNT, OK),
    Said("soldscope", 200, ACCOUNT | {"errors": []}, OK),
    Said("soldscope", 200, '{"name": "Société"}'.encode("latin-1"), OK),
    Said("soldscope", 200, [], SURPRISE),
    Said("soldscope", 200, {"authenticated": False}, SURPRISE),
    Said("soldscope", 200, "<html>", SURPRISE, PAGE),
    Said("soldscope", 402, {"message": "x"}, EXHAUSTED),
    Said("soldscope", 403, {"message": "Out of credits"}, EXHAUSTED),
    Said("soldscope", 403, {"message": "Account suspended"}, DENIED),
    Said("soldscope", 403, {"message": "Forbidden"}, DENIED),
    Said("soldscope", 403, "<html>", SURPRISE, PAGE),
    Said("soldscope", 403, {}, THROTTLED, headers=WAIT),
    Said("soldscope", 429, {"error": "insufficient_quota"}, EXHAUSTED),
    Said("soldscope", 423, {"message": "account locked"}, SURPRISE),
)


def refusal(message: str, details: str = "", code: str = "Unauthorized") -> dict[str, Any]:
    return {"errors": [{"code": code, "message": message, "details": details}]}


def sold(*countries: tuple[str, str, bool]) -> dict[str, Any]:
    return {
        "payload": [
            {
                "marketplace": {"id": number, "countryCode": country, "name": "x"},
                "participation": {"isParticipating": sells, "hasSuspendedListings": False},
                "storeName": "S",
            }
            for country, number, sells in countries
        ]
    }


GERMANY, FRANCE = ("DE", "A1PA6795UKMFR9"), ("FR", "A13V1IB3VIYZZH")
USUAL = "Access to requested resource is denied."
NO_ROLE = "The application lacks the role Selling Partner Insights."
FRENCH = '{"errors": [{"code": "Unauthorized", "message": "Accès refusé ici"}]}'
AMAZON = (
    Said("amazon", 200, sold((*GERMANY, True), (*FRANCE, False)), OK),
    Said("amazon", 200, sold((*GERMANY, False), (*FRANCE, False)), "marketplace_mismatch"),
    Said("amazon", 200, sold(), "marketplace_mismatch"),
    Said("amazon", 200, refusal(USUAL), SURPRISE),
    Said("amazon", 403, refusal(NO_ROLE), DENIED, shown=(NO_ROLE,)),
    Said("amazon", 403, refusal(USUAL), DENIED, hidden=(USUAL,)),
    Said("amazon", 403, FRENCH.encode("latin-1"), DENIED, shown=("Accès refusé ici",)),
    Said("amazon", 403, refusal("x", "The LWA secret has expired"), "client_secret_expired"),
    Said("amazon", 403, refusal("You exceeded it", code="QuotaExceeded"), THROTTLED),
    Said("amazon", 403, refusal(USUAL), THROTTLED, headers=WAIT),
    Said("amazon", 403, refusal(USUAL), THROTTLED, headers=NOTHING_LEFT),
    Said("amazon", 403, "<html>", SURPRISE, PAGE),
    Said("amazon", 500, refusal("x", code="InternalFailure"), SERVER),
    Said("lwa", 400, {"error": "invalid_grant"}, "authorization_revoked"),
    Said("lwa", 401, {"error": "invalid_client"}, "client_rejected"),
    Said("lwa", 400, {"error": "unauthorized_client"}, "client_rejected"),
    Said("lwa", 400, {"error": "invalid_scope"}, SURPRISE),
    Said("lwa", 403, {"error": "access_denied"}, DENIED),
    Said("lwa", 403, {"message": "rate limit exceeded"}, THROTTLED),
    Said("lwa", 403, "<html>", SURPRISE, PAGE),
    Said("lwa", 429, {"error": "slow_down"}, THROTTLED),
    Said("lwa", 503, b"", SERVER),
    Said("lwa", 200, "<html>", SURPRISE, PAGE),
)


# --- quotas

QUOTAS: tuple[tuple[tuple[tuple[str, str], ...], Any], ...] = (
    (((LIMIT, "1000"), (LEFT, "999"), (LEFT, "3")), (1000, 3)),
    (((LIMIT, "1000"), (LEFT, "999, 3")), (1000, 3)),
    (((LIMIT, "1000"), (LEFT, "999"), (LEFT, "x")), (1000, None)),
    (((LIMIT, "10,000"), (LEFT, "7,421")), None),
    (((LIMIT, "10.000"), (LEFT, "7.421")), None),
    (((LIMIT, "10.000"), (LEFT, "7.000")), None),
    (((LIMIT, "1000"), (LEFT, "599.0")), (1000, 599)),
    (((LIMIT, "1e3"), (LEFT, "5e2")), None),
    (((LIMIT, "unlimited"), (LEFT, "Infinity")), None),
    (((LIMIT, "-1"), (LEFT, "-1")), None),
    (((LEFT, "40/100"),), (100, 40)),
    (((LIMIT, "10k"), (LEFT, "2k")), (10_000, 2000)),
    (
        ((LIMIT, "100"), (LEFT, "90"), ("RateLimit-Limit", "100"), ("RateLimit-Remaining", "2")),
        (100, 2),
    ),
    (
        ((LIMIT, "1000"), (LEFT, "900"), ("RateLimit-Limit", "100"), ("RateLimit-Remaining", "2")),
        (100, 2),
    ),
    (((LIMIT, "100"), ("X-RateLimit-Used", "97"), (LEFT, "50")), (100, 3)),
    (
        (("X-Shopify-Shop-Api-Call-Limit", "1/40"), ("X-Shopify-Shop-Api-Call-Limit", "39/40")),
        (40, 1),
    ),
    (
        (("Sforce-Limit-Info", "api-usage=25/15000; per-app-api-usage=17/250(appName=x)"),),
        (15_000, 14_975),
    ),
    (((LIMIT, "9" * 30), (LEFT, "5")), (None, 5)),
)
OF_SOLDSCOPE: tuple[tuple[tuple[tuple[str, str], ...], Any], ...] = (
    (((LIMIT, "1000"), (LEFT, "999"), (LEFT, "3")), (1000, 3)),
    (((LIMIT, "10,000"), (LEFT, "7,421")), None),
    (((LIMIT, "10.000"), (LEFT, "7.000")), None),
    (((LIMIT, "100"), (LEFT, "-3")), (100, None)),
)


def quotas() -> Iterator[Said]:
    for headers, quota in QUOTAS:
        yield Said("http", 200, ACCOUNT, OK, headers=headers, quota=quota)
    for headers, quota in OF_SOLDSCOPE:
        own = tuple((name.replace("X-", "X-API-"), text) for name, text in headers)
        yield Said("soldscope", 200, ACCOUNT, OK, headers=own, quota=quota)


# --- what must not be repeated

ESCAPED = "".join(f"%{byte:02X}" for byte in TOKEN.encode())
REPEATED = (
    TOKEN,
    f"Bearer {TOKEN}",
    TOKEN[::-1],
    TOKEN.upper(),
    TOKEN[:25],
    TOKEN[10:],
    b64encode(TOKEN.encode()).decode(),
    b64encode(f"x{TOKEN}".encode()).decode(),
    b64encode(f"Bearer {TOKEN}".encode()).decode(),
    TOKEN.encode().hex(),
    ESCAPED,
    quote(ESCAPED),
    quote(quote(ESCAPED)),
    "".join(f"\\u{byte:04x}" for byte in TOKEN.encode()),
    "".join(f"&#{byte};" for byte in TOKEN.encode()),
)


def secrets() -> Iterator[Said]:
    for form in REPEATED:
        hidden = (form, form[4:28])
        said = {"message": f"bad token {form} given"}
        yield Said("http", 401, said, REJECTED, hidden=hidden, shown=("bad token ",))
    yield Said("http", 403, f"bad {TOKEN}", DENIED, TEXT, hidden=(TOKEN,))
    yield Said("http", 200, {"name": f"me {TOKEN}"}, OK, hidden=(TOKEN,))
    quoted = (("RateLimit", f'"{TOKEN}";r=5;t=30'),)
    yield Said("http", 200, ACCOUNT, OK, headers=quoted, hidden=(TOKEN,))
    yield Said("http", 401, {"message": "x" * 190 + TOKEN}, REJECTED, hidden=(TOKEN[:20],))
    long = {"message": "because " + "very " * 400 + "END"}
    yield Said("http", 403, long, DENIED, shown=("because",), hidden=("END",))
    odd = {"message": "one\ntwo\u202e\x1b[31mred"}
    yield Said("http", 403, odd, DENIED, shown=("one two",), hidden=("\u202e", "\x1b"))


def all_said() -> list[Said]:
    """
    Return the whole table.
    """
    parts = (sentences(), SHAPES, bodies(), CODES, statuses(), presets(), SOLDSCOPE, AMAZON)
    return [said for part in (*parts, errors(), quotas(), secrets()) for said in part]
