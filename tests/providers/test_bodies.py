"""
Bodies of every shape: where their words stand, which are pages, and which say no.
"""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.providers.answers import is_answer, parse_json
from monitor.providers.bodies import (
    find_no,
    find_own_code,
    find_plain_no,
    is_page,
    read_sentences,
    read_words,
)
from monitor.providers.vocabulary import find_meaning, vocabulary

DEEP = {"data": {"x": [{"y": {"error": "not looked at"}}]}}
GOOD = {
    "a page of a book": {"title": "Four hundred", "status": 404, "pages": 12},
    "nothing wrong": {"id": 1, "error": None, "errors": []},
    "false": {"error": False, "errors": False},
    "zero": {"error": 0, "errors": 0, "errorCode": 0},
    "empty": {"error": "", "errors": {}, "error_message": "  "},
    "false as text": {"error": "false", "errors": "0"},
    "empty inside": {"errors": [None, "", {}], "error": {"code": 0, "message": ""}},
    "an error that is none": {"error": {"code": "ok", "message": "fine", "log_id": "7"}},
    "wechat": {"errcode": 0, "errmsg": "ok"},
    "ok": {"ok": True, "success": 1},
    "ok is a word": {"ok": "yes", "success": "true"},
    "null": {"ok": None, "success": None},
    "a state": {"status": "active", "state": "failed"},
    "a number": {"code": 200, "message": "ok"},
    "a number of its own": {"code": 404, "name": "Area"},
    "a job that failed": {"data": {"status": "failed", "id": 1}},
    "a list": [{"id": 1}],
    "a list, one bad": [{"id": 1}, {"error": "x"}],
    "far inside": DEEP,
    "words": {"message": "error"},
}
BAD = {
    "ok": ({"ok": False}, '"ok" is false'),
    "success": ({"success": False, "id": 1}, '"success" is false'),
    "success as text": ({"success": "False"}, '"success" is false'),
    "success as number": ({"success": 0}, '"success" is false'),
    "no": ({"ok": "no"}, '"ok" is false'),
    "capitals": ({"Success": False}, '"success" is false'),
    "is success": ({"isSuccess": False}, '"issuccess" is false'),
    "is error": ({"isError": True}, '"iserror" is true'),
    "has errors": ({"hasErrors": True}, '"haserrors" is true'),
    "error": ({"id": 1, "error": "x"}, '"error" is not empty'),
    "error is true": ({"error": True}, '"error" is not empty'),
    "error is a number": ({"error": 3}, '"error" is not empty'),
    "error as object": ({"error": {"code": 7}}, '"error" is not empty'),
    "errors": ({"errors": [{"message": "x"}], "data": None}, '"errors" is not empty'),
    "errors by field": ({"errors": {"base": ["x"]}}, '"errors" is not empty'),
    "maps": ({"status": "REQUEST_DENIED", "results": []}, '"status" is "requestdenied"'),
    "maps, words": ({"error_message": "bad key", "results": []}, '"errormessage" is not empty'),
    "flickr": ({"stat": "fail", "code": 100}, '"stat" is "fail"'),
    "wechat": ({"errcode": 40001, "errmsg": "invalid credential"}, '"errcode" is not 0'),
    "jsend": ({"status": "fail", "data": {}}, '"status" is "fail"'),
    "status inside": ({"code": 401, "message": "Unauthorized"}, '"code" is 401'),
    "a problem": ({"type": "about:blank", "title": "No", "status": 403}, '"status" is 403'),
    "status as text": ({"status": "403", "message": "Forbidden"}, '"status" is 403'),
    "nested": ({"response": {"ok": False}}, '"ok" is false'),
    "nested data": ({"data": {"success": False}}, '"success" is false'),
    "nested meta": ({"meta": {"error": "x"}, "data": None}, '"error" is not empty'),
    "nested result": ({"result": {"errors": ["x"]}}, '"errors" is not empty'),
    "a list of errors": ([{"errorCode": "X", "message": "no"}], '"errorcode" is not 0'),
    "behind a thousand others": (
        {str(number): 1 for number in range(2000)} | {"error": "x"},
        '"error" is not empty',
    ),
}


@pytest.mark.parametrize("value", GOOD.values(), ids=GOOD)
def test_what_says_nothing_wrong_is_good(value):
    assert find_no(value) == ""


@pytest.mark.parametrize(("value", "no"), BAD.values(), ids=BAD)
def test_what_says_no_is_named(value, no):
    assert find_no(value) == no
    assert not is_answer(value)


PAGE = b"<html><body>Forbidden"
PAGES = {
    "declared": (b"Forbidden", "text/html", True),
    "declared, empty": (b"", "text/html; charset=utf-8", True),
    "declared twice": (b"Forbidden", "application/json, text/html", True),
    "in capitals": (PAGE, "TEXT/HTML", True),
    "xhtml": (b"<p>no", "application/xhtml+xml", True),
    "xhtml with a prolog": (b'<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x"><html>', "", True),
    "no type": (PAGE, "", True),
    "a doctype": (b"\n \t<!DOCTYPE HTML>\n<title>x", "text/plain", True),
    "called JSON": (b"<!doctype html><p>", "application/json", True),
    "a comment first": (b"<!-- edge 7 --><html>", "text/plain", True),
    "a mark first": (b"\xef\xbb\xbf<html>", "application/json", True),
    "JSON called a page": (b'{"error": "no"}', "text/html", False),
    "a list called a page": (b"[]", "text/html", False),
    "JSON": (b'{"html": "<html>"}', "application/json", False),
    "text": (b"Forbidden", "text/plain", False),
    "a firewall's code": (b"error code: 1020", "text/plain; charset=UTF-8", True),
    "a firewall's code, broken": (b"\nerror code: 1006\r\n", "", True),
    "an API's code": (b"error code: 12", "text/plain", False),
    "words about a code": (b"error code: 1020 unknown to this API", "text/plain", False),
    "text about html": (b"no <html> here", "text/plain", False),
    "xml": (b"<?xml version='1.0'?><Error><Code>x</Code></Error>", "application/xml", False),
    "nothing": (b"", "", False),
    "htmlike": (b"<htmlx>", "text/plain", False),
}


@pytest.mark.parametrize(("body", "kind", "expected"), PAGES.values(), ids=PAGES)
def test_a_page_is_known_by_what_it_is_and_is_called(body, kind, expected):
    assert is_page(body, kind, parse_json(body)) is expected


SENTENCES = {
    "message": ({"message": "m", "error": "e", "code": "c"}, "m"),
    "oauth": ({"error": "invalid_token", "error_description": "Token is expired."}, "Token is e"),
    "problem": ({"type": "https://x/y", "title": "t", "detail": "d", "status": 403}, "d"),
    "problem without detail": ({"type": "https://x/y", "title": "t", "status": 403}, "t"),
    "error object": ({"error": {"code": 1, "message": "deep"}}, "deep"),
    "errors list": ({"errors": [{"code": 1}, {"message": "second"}]}, "second"),
    "errors text": ({"errors": "Unavailable Shop"}, "Unavailable Shop"),
    "errors texts": ({"errors": ["first", "second"]}, "first"),
    "errors by field": ({"errors": {"base": ["told"]}}, "told"),
    "errors by field, text": ({"errors": {"token": "is wrong"}}, "is wrong"),
    "telegram": ({"ok": False, "error_code": 401, "description": "Unauthorized"}, "Unauthorized"),
    "reason": ({"success": False, "reason": "told"}, "told"),
    "google": ({"error": {"code": 403, "errors": [{"reason": "dailyLimitExceeded"}]}}, "dailyL"),
    "fastapi": ({"detail": [{"loc": ["x"], "msg": "field required"}]}, "field required"),
    "elevenlabs": ({"detail": {"status": "quota_exceeded", "message": "told"}}, "told"),
    "azure": ({"error": {"code": "x", "innererror": {"message": "inner"}}}, "inner"),
    "soap": ({"Fault": {"faultstring": "told"}}, "told"),
    "capitals": ({"Message": "told", "Code": "x"}, "told"),
    "camels": ({"errorMessage": "told", "errorCode": 7}, "told"),
    "msg": ({"errcode": 7, "errmsg": "told"}, "told"),
    "salesforce": ([{"message": "told", "errorCode": "X"}], "told"),
    "a text": ("told", "told"),
    "a code alone": ({"errorCode": "X"}, "X"),
    "a word": ({"ok": False, "error": "invalid_auth"}, "invalid_auth"),
}


@pytest.mark.parametrize(("value", "sentence"), SENTENCES.values(), ids=SENTENCES)
def test_the_most_telling_sentence_comes_first(value, sentence):
    assert next(iter(read_sentences(value))).startswith(sentence)


@pytest.mark.parametrize("value", [{}, [], None, 7, {"message": 7}, [[{"message": "x"}]], [None]])
def test_without_a_sentence_there_is_none(value):
    assert list(read_sentences(value)) == []


@pytest.mark.parametrize(
    ("body", "codes"),
    [
        (b'{"type": "https://x.example/errors#quota-exceeded"}', ("quota-exceeded",)),
        (b'{"type": "https://x.example/errors/no-credit/"}', ("no-credit",)),
        (b'{"__type": "com.amazon#ExpiredToken"}', ("ExpiredToken",)),
        (b'{"error": {"code": 17, "type": "x"}}', ("x", "17")),
        (b"<Error><Code>SlowDown</Code><Message>m</Message></Error>", ("SlowDown",)),
        (b'<a:Error xmlns:a="x"><a:Code>X</a:Code></a:Error>', ("X",)),
        (b'{"code": true, "type": null}', ()),
        (b"Forbidden", ()),
    ],
)
def test_codes_are_found_in_every_notation(body, codes):
    assert set(read_words(body, "", parse_json(body)).codes) == set(codes)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ({"code": 0, "data": {}}, ("code", 0)),
        ({"code": "0"}, ("code", "0")),
        ({"retCode": 0, "result": {}}, ("retCode", 0)),
        ({"errcode": 0}, ("errcode", 0)),
        ({"status": "OK", "results": []}, ("status", "OK")),
        ({"status": 200}, ("status", 200)),
        ({"code": "DE"}, None),
        ({"code": True}, None),
        ({"status": True}, None),
        ({"status": "active"}, None),
        ({"id": 7}, None),
        ([{"code": 0}], None),
        (None, None),
    ],
    ids=str,
)
def test_a_code_that_nothing_looks_at_is_found(value, found):
    assert find_own_code(value) == found


KEYS = st.sampled_from(
    ["error", "errors", "code", "message", "status", "data", "ok", "x", "Detail"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
)


@given(JSON)
def test_no_value_raises(value):
    body = json.dumps(value).encode()
    find_no(value)
    find_own_code(value)
    words = read_words(body, "", value)
    assert all(isinstance(each, str) for each in (*words.codes, *words.texts))
    assert all(isinstance(each, str) for each in read_sentences(value))


@given(st.binary(max_size=400))
def test_no_bytes_raise(body):
    read_words(body, "", parse_json(body))


FULL = 256 * 1024
WORST = {
    "fields": json.dumps({f"{number}_errorCode": "x" for number in range(11_000)}),
    "lists": '{"errors": [' + "[" * 900 + "]" * 900 + ", {}" * 60_000 + "]}",
    "nothings": '{"errors": [' + "null, " * 40_000 + "0]}",
    "texts": '{"message": "' + "Rate_ " * 40_000 + '"}',
    "camels": '{"code": "' + "aB" * 120_000 + '"}',
    "nests": '{"error": ' * 900 + "1" + "}" * 900,
    "a page": "<" * FULL,
    "comments": "<!--" * (FULL // 4),
    "xml": "<?xml ?>" + "<Code>x" * 30_000,
    "scripts": "<script" * 30_000,
    "spaces": " " * FULL,
    "many sentences": json.dumps(
        {"errors": [{"message": "Rate li " * 240, "detail": {"x": ["credit bala"] * 3}}] * 3}
        | {name: {"message": "billing " * 240} for name in ("error", "detail", "data", "meta")}
    ),
    "many codes": json.dumps({"error": {f"e{number}": "x" * 1900 for number in range(130)}}),
    "addresses": '{"message": "' + "https://" * 30_000 + '"}',
}


@pytest.mark.parametrize("text", WORST.values(), ids=WORST)
def test_a_hostile_body_takes_no_longer_than_reading_it(text):
    body = text.encode()[:FULL]
    vocabulary()
    started = time.process_time()
    value = parse_json(body)
    parsed = time.process_time()

    find_no(value)
    read_words(body, "text/html", value)
    list(read_sentences(value))
    for status in (200, 401, 403, 429):
        find_meaning(status, read_words(body, "", value))

    assert time.process_time() - parsed < 0.05 + (parsed - started)


EBAY = '<?xml version="1.0"?><GetUserResponse xmlns="urn:ebay"><Ack>{}</Ack></GetUserResponse>'
SOAP = '<s:Envelope xmlns:s="urn:x"><s:Body>{}</s:Body></s:Envelope>'


@pytest.mark.parametrize(
    ("body", "says_no"),
    [
        (EBAY.format("Failure"), True),
        (EBAY.format("PartialFailure"), True),
        (EBAY.format("Success"), False),
        (EBAY.format("Warning"), False),
        (SOAP.format("<s:Fault><faultstring>No</faultstring></s:Fault>"), True),
        (SOAP.format('<Fault xmlns="urn:y"><Code>c</Code></Fault>'), True),
        (SOAP.format("<GetFaultsResponse><Faults/></GetFaultsResponse>"), False),
        ("<order><ack>Failure</ack></order>", False),
        ("<Envelope>" + "<" * 100_000, False),
    ],
)
def test_an_envelope_with_a_failure_inside_says_no(body, says_no):
    assert bool(find_plain_no(body.encode(), None)) is says_no
