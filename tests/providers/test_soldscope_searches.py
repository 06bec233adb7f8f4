"""
What SoldScope's answers say about searches, over real HTTP, and what is asked for that.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from httpx import Headers
from hypothesis import given
from hypothesis import strategies as st

from monitor.config.connections import SoldscopeConnection
from monitor.providers.fetcher import Answer
from monitor.providers.soldscope import (
    PastSearch,
    Progress,
    SearchFailure,
    SearchFailureKind,
    SearchReader,
    read_past,
    read_progress,
)
from tests.fakes import NOON
from tests.providers.wire import http_answer

pytestmark = pytest.mark.anyio

SECRET = "sst_5d41402abc4b2a76b9719d911017c592"


def reader_for(server, clients, **more) -> SearchReader:
    fields = {"name": "acme", "provider": "soldscope", "token": SECRET}
    fields |= {"base_url": f"http://127.0.0.1:{server.port}/v1"} | more
    connection = SoldscopeConnection.model_validate(fields)
    return SearchReader(connection, clients.get(), timedelta(seconds=5))


async def ask_progress(serve, clients, answer: bytes) -> Progress | SearchFailure:
    return await reader_for(await serve.answers(answer), clients).read_progress("7")


async def ask_past(serve, clients, answer: bytes) -> list[PastSearch] | SearchFailure:
    return await reader_for(await serve.answers(answer), clients).list_past()


async def test_progress_is_asked_for_once_with_the_token(serve, clients):
    server = await serve.answers(http_answer(200, {"searchStatus": 1, "progress": 40}))
    assert await reader_for(server, clients).read_progress("7") == Progress(1, 40.0)
    (request,) = server.requests
    assert request.startswith(b"GET /v1/keyword-research/searches/7/progress HTTP/1.1\r\n")
    assert f"Bearer {SECRET}".encode() in request


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"searchStatus": 0}, Progress(0, None)),
        ({"searchStatus": 2, "progress": 100}, Progress(2, 100.0)),
        ({"searchStatus": 13, "percent": 12.5}, Progress(13, 12.5)),
        ({"data": {"searchStatus": 1, "percentage": 0}}, Progress(1, 0.0)),
        ({"searchStatus": 1, "progress": 140}, Progress(1, None)),
        ({"searchStatus": 1, "progress": "half"}, Progress(1, None)),
        ({"searchStatus": 1, "progress": True}, Progress(1, None)),
    ],
)
async def test_progress_is_read_as_far_as_it_is_told(serve, clients, body, expected):
    assert await ask_progress(serve, clients, http_answer(200, body)) == expected


@pytest.mark.parametrize(
    ("status", "is_over", "is_completed"),
    [(0, False, False), (1, False, False), (2, True, True), (13, True, False)],
)
async def test_two_and_thirteen_are_the_end(status, is_over, is_completed):
    progress = Progress(status, None)
    assert (progress.is_over, progress.is_completed) == (is_over, is_completed)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (http_answer(401, {}), SearchFailureKind.REFUSED, "rejected (401)"),
        (http_answer(403, {}), SearchFailureKind.REFUSED, "may not do this (403)"),
        (http_answer(402, {}), SearchFailureKind.USED_UP, "used up (402)"),
        (http_answer(404, {}), SearchFailureKind.NO_SUCH_SEARCH, "no such search (404)"),
        (http_answer(422, {"message": "id: odd"}), SearchFailureKind.REQUEST_REFUSED, '"id: odd"'),
        (http_answer(400, {}), SearchFailureKind.REQUEST_REFUSED, "(400 Bad Request)"),
        (http_answer(408, {}), SearchFailureKind.HICCUP, "408"),
        (http_answer(425, {}), SearchFailureKind.HICCUP, "425"),
        (
            http_answer(403, {}, {"Retry-After": "1"}),
            SearchFailureKind.HICCUP,
            "limiting requests (403",
        ),
        (http_answer(500, {}), SearchFailureKind.HICCUP, "500"),
        (http_answer(503, b"<html>"), SearchFailureKind.HICCUP, "503"),
        (http_answer(429, {}), SearchFailureKind.HICCUP, "limiting requests (429"),
        (http_answer(403, b"<html>blocked"), SearchFailureKind.HICCUP, "a page for people"),
        (
            http_answer(429, {"error": "insufficient_quota"}),
            SearchFailureKind.USED_UP,
            "used up (429)",
        ),
        (
            http_answer(302, {}, {"Location": "https://evil.example"}),
            SearchFailureKind.HICCUP,
            "302",
        ),
        (http_answer(200, b"<html>"), SearchFailureKind.HICCUP, "not the API's"),
        (http_answer(200, {"searchStatus": "two"}), SearchFailureKind.HICCUP, "not the API's"),
        (http_answer(200, {"searchStatus": True}), SearchFailureKind.HICCUP, "not the API's"),
        (http_answer(200, b"x" * 300_000), SearchFailureKind.HICCUP, "more than can be read"),
        (b"no HTTP\r\n\r\n", SearchFailureKind.HICCUP, "not HTTP"),
    ],
)
async def test_any_other_answer_says_what_stands_in_the_way(serve, clients, answer, kind, said):
    trouble = await ask_progress(serve, clients, answer)
    assert isinstance(trouble, SearchFailure)
    assert trouble.kind is kind
    assert said in trouble.detail
    assert SECRET not in trouble.detail


async def test_402_is_asked_once(serve, clients):
    server = await serve.answers(http_answer(402, {}))
    await reader_for(server, clients).read_progress("7")
    assert len(server.requests) == 1


async def test_a_plea_for_a_pause_says_how_long(serve, clients):
    trouble = await ask_progress(serve, clients, http_answer(429, {}, {"Retry-After": "30"}))
    assert isinstance(trouble, SearchFailure)
    assert trouble.retry_at is not None


async def test_a_server_that_is_gone_is_a_hiccup(serve, clients):
    server = await serve.answers(http_answer())
    reader = reader_for(server, clients)
    await server.close()
    trouble = await reader.read_progress("7")
    assert isinstance(trouble, SearchFailure)
    assert trouble.kind is SearchFailureKind.HICCUP


@pytest.mark.parametrize("search_id", ["", "7/../9", "a b", "7?x=1", "x" * 65, "\uff17"])
async def test_an_id_that_would_make_another_path_is_never_sent(serve, clients, search_id):
    server = await serve.answers(http_answer())
    with pytest.raises(ValueError, match="free of charge"):
        await reader_for(server, clients).read_progress(search_id)
    assert server.connections == 0


async def test_a_token_that_cannot_travel_is_not_sent(serve, clients):
    server = await serve.answers(http_answer())
    trouble = await reader_for(server, clients, token="sst with spaces").list_past()
    assert isinstance(trouble, SearchFailure)
    assert (trouble.kind, server.connections) == (SearchFailureKind.REFUSED, 0)


LAMPS = {"id": 7, "query": "lamps", "createdAt": "2026-11-22T10:00:00Z"}
READ_LAMPS = PastSearch("7", "lamps", "2026-11-22T10:00:00Z")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"searches": [LAMPS]}, [READ_LAMPS]),
        ([LAMPS], [READ_LAMPS]),
        ({"data": [{"id": "ab", "keyword": "x"}]}, [PastSearch("ab", "x", "")]),
        ({"searches": []}, []),
        ({"searches": [7, {"query": "no id"}, {"id": None}, {"id": True}, LAMPS]}, [READ_LAMPS]),
        ({"searches": [{"id": 7, "query": f"a\n{SECRET}"}]}, [PastSearch("7", "a ••••", "")]),
    ],
)
async def test_past_searches_are_read_as_far_as_they_are_told(serve, clients, body, expected):
    server = await serve.answers(http_answer(200, body))
    assert await reader_for(server, clients).list_past() == expected
    assert server.requests[0].startswith(b"GET /v1/product-research/searches HTTP/1.1\r\n")


@pytest.mark.parametrize("body", [{"searches": {}}, {"id": 7}, b"", b"nothing", 7])
async def test_a_list_that_is_none_is_a_hiccup(serve, clients, body):
    trouble = await ask_past(serve, clients, http_answer(200, body))
    assert isinstance(trouble, SearchFailure)
    assert trouble.kind is SearchFailureKind.HICCUP


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode()))
def test_no_body_raises(body):
    answer = Answer(200, Headers(), body, 1.0, NOON)
    read_progress(answer)
    read_past(answer, SECRET)
