"""Read what a body says: which words stand in it and where, and whether it says no.

Decides in which fields services put codes and sentences, whatever shape their errors have: objects
in objects and lists, `application/problem+json`, OAuth, GraphQL, XML. Bounded: so many fields are
looked at and no more. What the words mean is decided in `vocabulary`; nothing in here is fit to be
shown, since it may repeat a secret.
"""

from __future__ import annotations

import html
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from monitor.providers.vocabulary import Words, fold_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


MOST_PLACES = 40
MOST_FIELDS = 60
MOST_LISTED = 3
MOST_KEYS = 1000
MAX_SAID = 2000
MAX_READ = 4096
DEEPEST = 5

# Names of fields without case and signs: see `fold_key`.
ERROR_FIELDS = frozenset({"error", "errors"})
CONTAINERS = (
    *("error", "errors", "fault", "faults", "exception", "problem", "detail", "details", "cause"),
    *("innererror", "response", "result", "meta", "status", "data", "body", "extensions"),
)
SENTENCE_FIELDS = (
    *("message", "errormessage", "errordescription", "description", "detail", "details", "msg"),
    *("errmsg", "errorsummary", "faultstring", "usermessage", "error", "errors", "title", "reason"),
)
CODE_FIELDS = (
    *(
        "code",
        "errorcode",
        "error",
        "type",
        "__type",
        "reason",
        "status",
        "category",
        "errortype",
        "name",
    ),
    *("policyname", "subcode", "errorsubcode", "errorid", "errcode", "faultcode", "id", "tag"),
)
SHOWN_CODES = ("code", "errorcode", "category", "errortype", "status", "type", "__type")
"""Of those, what is quoted where there is no sentence."""

_XML_FIELD = re.compile(r"<([A-Za-z][\w.:-]{0,40})(?:\s[^<>]{0,200})?>([^<>]{1,500})</", re.ASCII)
_XML = re.compile(rb"\s*<(?!!doctype\s+html|html)[?a-z]", re.IGNORECASE)
_HTML_BEGINS = re.compile(
    rb"\s*(?:<!--.{0,400}?-->\s*)?<(?:!doctype\s+html|html)\b", re.IGNORECASE | re.DOTALL
)
_XHTML = re.compile(rb"\s*<\?xml[^<>]{0,200}\?>\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_HTML = ("text/html", "application/xhtml+xml")
_CLOUDFLARE = re.compile(rb"\s{0,9}error code: 1\d{3}\s{0,9}")
"""What Cloudflare's firewall sends in the place of its page to whoever wants no HTML."""


def _media_types(content_type: str) -> list[str]:
    """Return the types alone, in lower case; a field that was sent twice holds two."""
    listed = content_type[:MAX_SAID].split(",")
    return [one.partition(";")[0].strip().lower() for one in listed]


def is_page(body: bytes, content_type: str, value: object) -> bool:
    """Tell whether *body* is a page for people: a firewall's, a web server's, a login page.

    What it is counts more than what it is called: APIs written in PHP send
    their JSON as `text/html`, and firewalls their pages as anything.

    Args:
        value: What it is as JSON; None if it is none.
    """
    if isinstance(value, dict | list):
        return False
    head = body[:1024].removeprefix(b"\xef\xbb\xbf")
    if _HTML_BEGINS.match(head) or _XHTML.match(head) or _CLOUDFLARE.fullmatch(head):
        return True
    return any(one in _HTML for one in _media_types(content_type))


def read_words(body: bytes, content_type: str, value: object) -> Words:
    """Return what *body* says, and in which kind of field."""
    if isinstance(value, dict | list):
        return _read_json(value)
    if isinstance(value, str):
        return Words(texts=(value[:MAX_SAID],))
    if is_page(body, content_type, value):
        return Words(texts=(read_text(body)[:MAX_SAID],), is_page=True)
    if _XML.match(body[:64]):
        return _read_xml(body)
    text = read_text(body)[:MAX_SAID]
    return Words(texts=(text,) if text.strip() else ())


def read_sentences(value: object) -> Iterator[str]:
    """Return the sentences of a JSON value, the most telling first, and after them its codes."""
    if isinstance(value, str):
        yield value
        return
    places = list(_places(value))
    for names in (SENTENCE_FIELDS, SHOWN_CODES):
        for name in names:
            for place in places:
                yield from _texts_of(place.get(name))


_TAG = re.compile(
    r"<(?:script|style)\b.*?(?:</(?:script|style)>|$)|<[^<>]*>", re.IGNORECASE | re.DOTALL
)


def read_text(body: bytes) -> str:
    """Return the beginning of *body* as text, without tags."""
    text = body[:MAX_READ].decode("utf-8", "replace")
    return html.unescape(_TAG.sub(" ", text))


def _read_json(value: object) -> Words:
    codes: list[str] = []
    texts: list[str] = []
    keys: set[str] = set()
    for place in _places(value):
        keys |= place.keys()
        for name in CODE_FIELDS:
            codes += map(_code_of, _texts_of(place.get(name), with_numbers=True))
        for name in SENTENCE_FIELDS:
            texts += _texts_of(place.get(name))
    return Words(tuple(dict.fromkeys(codes)), tuple(dict.fromkeys(texts)), frozenset(keys))


def _read_xml(body: bytes) -> Words:
    text = body[:MAX_READ].decode("utf-8", "replace")
    codes, texts, keys = [], [], set()
    for match in islice(_XML_FIELD.finditer(text), MOST_FIELDS):
        name, said = fold_key(match[1].rpartition(":")[2]), html.unescape(match[2]).strip()
        keys.add(name)
        if name in CODE_FIELDS:
            codes.append(said)
        if name in SENTENCE_FIELDS:
            texts.append(said)
    if not codes and not texts and (said := read_text(body)[:MAX_SAID].strip()):
        # <h1>Developer Over Qps</h1>, as text/xml: Mashery's.
        texts.append(said)
    return Words(tuple(codes), tuple(texts), frozenset(keys))


def _places(value: object) -> Iterator[Mapping[str, Any]]:
    """Return the objects in which errors are described, the outermost first, keys folded."""
    # Salesforce leaves the object around its errors out.
    waiting: list[object] = value[:MOST_LISTED] if isinstance(value, list) else [value]
    if any(isinstance(each, str) for each in waiting):
        yield {"errors": waiting}
    n_left = MOST_PLACES
    for each in waiting:
        if not isinstance(each, dict) or not n_left:
            continue
        n_left -= 1
        place = {fold_key(name[:60]): found for name, found in islice(each.items(), MOST_FIELDS)}
        yield place
        for name in CONTAINERS:
            inner = place.get(name)
            if isinstance(inner, dict):
                waiting.append(inner)
                if name in ERROR_FIELDS:
                    # {"errors": {"base": ["Unavailable"]}}: called by what they are about.
                    waiting += [{"errors": each} for each in islice(inner.values(), MOST_LISTED)]
            elif isinstance(inner, list):
                waiting += [one for one in inner[:MOST_LISTED] if isinstance(one, dict)]


def _texts_of(found: object, *, with_numbers: bool = False) -> Iterator[str]:
    listed = found[:MOST_LISTED] if isinstance(found, list) else [found]
    for each in listed:
        if isinstance(each, str):
            yield each[:MAX_SAID]
        # True is an int to Python, and no code.
        elif with_numbers and isinstance(each, int) and not isinstance(each, bool):
            yield str(each) if abs(each) < 10**12 else ""


def _code_of(text: str) -> str:
    """Return the code in *text*: the end of an address (RFC 9457), or of a name of AWS's."""
    if text.startswith(("http://", "https://", "urn:")):
        return re.split(r"[/#:]", text.rstrip("/#"))[-1]
    return text.rpartition("#")[2] or text


# --- a body that says no

VERDICT_FIELDS = frozenset(
    {
        *("ok", "success", "successful", "succeeded", "issuccess", "issuccessful"),
        *("authenticated", "isauthenticated", "valid", "isvalid"),
    }
)
ERROR_FLAGS = frozenset({"iserror", "haserror", "haserrors"})
ERROR_TEXTS = frozenset({"errormessage", "errordescription", "faultstring", "fault"})
ERROR_NUMBERS = frozenset({"errcode", "errorcode", "errno"})
STATUS_FIELDS = frozenset({"status", "stat", "result"})
OF_ERRORS = frozenset(
    {
        *CONTAINERS,
        *SENTENCE_FIELDS,
        *CODE_FIELDS,
        *VERDICT_FIELDS,
        *ERROR_FLAGS,
        *ERROR_TEXTS,
        *ERROR_NUMBERS,
        *("stat", "statuscode", "messages", "requestid", "request", "traceid"),
        *("correlationid", "timestamp", "time", "date", "path", "instance", "version", "help"),
        *("documentationurl", "moreinfo", "links", "link", "retryafter"),
    }
) - {"id", "name", "body"}
"""The fields of an object that tells of an error and of nothing else."""
OF_THINGS = frozenset({"id", "name", "uuid"})
"""Where one of these stands beside, an account or a job is described, and not the call."""
OF_ANYTHING = frozenset({"valid", "isvalid"})
COUNTED = frozenset({"failed", "failure", "failures", "total", "pending", "skipped", "count"})
"""Beside one of these, `"success": 0` is a number of things."""
HTTP_FIELDS = frozenset({"code", "status", "statuscode"})
ENVELOPES = frozenset({"response", "result", "data", "meta", "header", "head", "body", "payload"})
BAD_STATUSES = frozenset(
    {
        *("error", "errors", "errored", "fail", "failed", "failure", "nok", "notok"),
        "unauthorized",
        *("requestdenied", "invalidrequest", "overquerylimit", "overdailylimit", "unknownerror"),
    }
)
_NOTHING = frozenset({"", "false", "0", "null", "none", "nil"})
_NO = frozenset({"false", "no", "n", "0", "fail", "failed"})
_FINE = _NOTHING | frozenset({"ok", "success", "noerror", "00", "000", "0000"})
_BAD_CODES = range(400, 600)


def find_no(value: object) -> str:
    """Return what in *value* says no by itself, as `"ok" is false`; empty if nothing does."""
    if isinstance(value, list):
        nos = [find_no(each) if isinstance(each, dict) else "" for each in value[:MOST_LISTED]]
        return nos[0] if nos and all(nos) else ""
    if not isinstance(value, dict):
        return ""
    place = {fold_key(name[:60]): found for name, found in islice(value.items(), MOST_KEYS)}
    place |= {name: value[name] for name in ("error", "errors", "ok", "success") if name in value}
    if no := _find_no(place) or _find_bad_status(place):
        return no
    for name in sorted(ENVELOPES & place.keys()):
        inner = place[name]
        # One with more fields than an error can have is none, and need not be looked through.
        if isinstance(inner, dict) and len(inner) <= MOST_FIELDS:
            inside = {fold_key(name[:60]): each for name, each in inner.items()}
            # An import that failed is what was asked for: {"data": {"name": …, "error": …}}.
            if inside.keys() <= OF_ERRORS and (no := _find_no(inside)):
                return no
    return ""


def _find_no(place: Mapping[str, Any]) -> str:
    for name in ("error", "errors"):
        if _is_something(place.get(name)):
            return f'"{name}" is not empty'
    for name, found in place.items():
        if name in VERDICT_FIELDS and _is_false(found) and not _is_described(name, found, place):
            return f'"{name}" is false'
        if name in ERROR_FLAGS and (found is True or str(found).strip().lower() == "true"):
            return f'"{name}" is true'
    return "" if OF_THINGS & place.keys() else _find_error_field(place)


def _is_described(name: str, found: object, place: Mapping[str, Any]) -> bool:
    """Tell whether "false" is a fact about what is described, or a number of things."""
    is_count = not isinstance(found, bool) and bool(COUNTED & place.keys())
    return is_count or (name in OF_ANYTHING and bool(OF_THINGS & place.keys()))


def _find_error_field(place: Mapping[str, Any]) -> str:
    for name, found in place.items():
        if name in ERROR_TEXTS and _is_something(found):
            return f'"{name}" is not empty'
        if name in ERROR_NUMBERS and isinstance(found, str | int):
            if fold_key(str(found)) not in _FINE:
                return f'"{name}" is not 0'
    return ""


def _find_bad_status(place: Mapping[str, Any]) -> str:
    names = ("message", "msg", "detail", *(("title",) if place.keys() <= OF_ERRORS else ()))
    has_sentence = any(isinstance(place.get(name), str) for name in names)
    # Of a job or an order the same word tells how that one went.
    filled = {name for name, found in place.items() if found not in (None, "", [], {})}
    is_of_a_thing = not filled <= OF_ERRORS | {"id"} and (
        not has_sentence or bool(OF_THINGS & filled)
    )
    for name in sorted(STATUS_FIELDS & place.keys()):
        found = place[name]
        if isinstance(found, str) and fold_key(found) in BAD_STATUSES and not is_of_a_thing:
            return f'"{name}" is "{fold_key(found)}"'
    for name in sorted(HTTP_FIELDS & place.keys()):
        found = place[name]
        number = int(found) if isinstance(found, str) and re.fullmatch(r"\d{3}", found) else found
        # A number of its own might be anything; with a sentence beside it, it is the status.
        if has_sentence and isinstance(number, int) and number in _BAD_CODES:
            return f'"{name}" is {number}'
    return ""


def _is_false(found: object) -> bool:
    if isinstance(found, str):
        return found.strip().lower() in _NO
    return isinstance(found, bool | int | float) and not found


def _is_something(found: object) -> bool:
    """Tell whether an error stands there; nulls, empty texts and zeros are none, wrapped or not."""
    waiting = [(found, 0)]
    n_left = MOST_KEYS
    # Level after level, and so many values in all: lists in lists grow faster than each of them.
    for each, depth in waiting:
        if isinstance(each, str):
            is_something = each.strip().lower() not in _NOTHING
        elif not isinstance(each, dict | list):
            is_something = bool(each)
        elif isinstance(each, dict) and _is_fine_code(each.get("code")):
            is_something = False
        else:
            is_something = depth > DEEPEST
            inner = list(islice(each.values() if isinstance(each, dict) else each, n_left))
            n_left -= len(inner)
            waiting += [(one, depth + 1) for one in inner]
        if is_something:
            return True
    return False


def _is_fine_code(code: object) -> bool:
    """Tell whether an error's own code says that there is none, as TikTok's "ok" does."""
    return isinstance(code, str | int) and code != "" and fold_key(str(code)) in _FINE


_ROOT = re.compile(
    r"\s*(?:<\?xml[^<>]{0,200}\?>)?(?:\s|<!--[^<>]{0,400}-->){0,20}<([A-Za-z][\w.:-]{0,60})"
    r"((?:\s[^<>]{0,400})?)>",
)
_STATED = re.compile(
    r"""\b(?:stat|status)\s{0,3}=\s{0,3}["'](?:fail|failed|error)["']""", re.IGNORECASE
)
_INSIDE = re.compile(
    r"<(?:[\w.-]{1,40}:)?(?:fault[\s>]|ack>\s{0,9}(?:failure|partialfailure)\s{0,9}<)",
    re.ASCII | re.IGNORECASE,
)
"""A SOAP fault (1.1 and 1.2 send one with 200 as well); eBay's and PayPal's acknowledgement."""
_ENVELOPE = re.compile(r"envelope|\w{0,60}response", re.ASCII | re.IGNORECASE)
_ERROR_ROOTS = frozenset({"error", "errors", "errorresponse", "fault", "exception"})
_ERROR_TEXT = re.compile(
    r"\W{0,3}(?:error|unauthori[sz]ed|forbidden|access denied|permission denied"
    r"|invalid (?:api |access )?(?:key|token)|authentication (?:failed|required))\b",
    re.IGNORECASE,
)


def find_plain_no(body: bytes, value: object) -> str:
    """Return what in a *body* that holds no object says no by itself: XML, or a few words.

    Args:
        value: What it is as JSON; None if it is none.
    """
    if isinstance(value, str):
        return "it begins with an error" if _ERROR_TEXT.match(value) else ""
    if value is not None:
        return ""
    text = body[:MAX_READ].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    if root := _ROOT.match(text):
        if fold_key(root[1].rpartition(":")[2]) in _ERROR_ROOTS:
            return f"it is an XML <{root[1]}>"
        if _ENVELOPE.fullmatch(root[1].rpartition(":")[2]) and _INSIDE.search(text, root.end()):
            return f"its XML <{root[1]}> holds a failure"
        return "its status is an error" if _STATED.search(root[2]) else ""
    return "it begins with an error" if _ERROR_TEXT.match(text) else ""


# --- codes that nobody looks at

OWN_CODES = ("code", "errcode", "error_code", "errorCode", "retCode", "ret", "result_code", "errno")


def find_own_code(value: object) -> tuple[str, str | int] | None:
    """Return the field in which a service tells of success or failure by a code, and what it says.

    A number there, or a word such as "0" or "OK": what it is when all is well,
    only `expect_json` can say.
    """
    if not isinstance(value, dict):
        return None
    for name in OWN_CODES:
        found = value.get(name)
        if isinstance(found, bool) or not isinstance(found, int | str):
            continue
        if isinstance(found, int) or re.fullmatch(r"\d{1,9}|ok|success", found.strip().lower()):
            return name, found
    status = value.get("status")
    if isinstance(status, int | str) and str(status).upper() in {"0", "1", "200", "OK"}:
        return None if isinstance(status, bool) else ("status", status)
    return None
