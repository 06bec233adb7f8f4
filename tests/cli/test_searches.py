"""
`connwatch searches`: past ones listed, one followed to its end, quota never spent.
"""

from __future__ import annotations

import json
from datetime import UTC, timedelta

import pytest

from monitor.cli import search_runner
from monitor.notify.times import format_time
from monitor.providers.soldscope import SearchFailure, SearchFailureKind, SearchReader
from tests.bench import NOWHERE, connection
from tests.command_line import converse

USUAL_PACE = (search_runner.POLL_EVERY, search_runner.RETRY_AFTER)

ACME = '[[channels]]\nname = "ops"\nurl = "{url}"\n'


@pytest.fixture(autouse=True)
def _configured(bench, live):
    bench.configure(live)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch):
    monkeypatch.setattr(search_runner, "POLL_EVERY", timedelta(milliseconds=20))
    monkeypatch.setattr(search_runner, "RETRY_AFTER", timedelta(milliseconds=20))
    monkeypatch.setattr(search_runner, "GIVE_UP_AFTER", 4)


def begin(simulator, *subject, takes_s=0.3) -> int:
    soldscope = simulator.soldscope
    soldscope.search_takes = timedelta(seconds=takes_s)
    search = soldscope.start_search("acme", subject or ("lamps",), simulator.clock.now())
    return int(search.id)


def used(simulator) -> int:
    return int(simulator.soldscope.quota("acme", simulator.clock.now()).used)


def test_the_pace_is_the_one_that_the_service_asks_for():
    for pace in USUAL_PACE:
        assert timedelta(seconds=2) <= pace <= timedelta(seconds=5)


def test_past_searches_are_listed_and_cost_nothing(bench, simulator):
    now = simulator.clock.now()
    for query in ("lamps", "desks"):
        simulator.soldscope.run_search("acme", query, now)
    before = used(simulator)
    ended = bench.run("searches", "acme")
    assert (ended.code, ended.err) == (0, "")
    header, newest, oldest = ended.out.splitlines()
    assert header.split() == ["ID", "CREATED", "SEARCH"]
    assert newest.split() == ["2", *format_time(now, now, UTC, is_exact=True).split(), "desks"]
    assert oldest.endswith("lamps")
    assert used(simulator) == before


def test_they_are_listed_for_programs_too(bench, simulator):
    simulator.soldscope.run_search("acme", "lamps", simulator.clock.now())
    for words in (("acme", "--json"), ("list", "acme", "--json"), ("--json", "acme")):
        value = json.loads(bench.run("searches", *words).out)
        assert value["connection"] == "acme"
        assert [(each["id"], each["text"]) for each in value["searches"]] == [("1", "lamps")]


def test_no_search_so_far_is_said(bench):
    assert bench.run("searches", "acme").out == "no search so far\n"


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        ("lamps", "search 1 is completed: its results are ready\n"),
        ("nothing", "search 1 has ended without results: nothing was found\n"),
    ],
)
def test_a_search_is_followed_to_its_end(bench, simulator, subject, said):
    begin(simulator, subject)
    before = used(simulator)
    ended = bench.run("searches", "wait", "acme", "1")
    assert (ended.code, ended.out, ended.err) == (0, said, "")
    assert used(simulator) == before


@pytest.mark.parametrize("fault", ["server_error", "unavailable", "reset", "html", "throttle"])
def test_a_hiccup_of_the_provider_is_survived(bench, simulator, fault, monkeypatch):
    monkeypatch.setattr(search_runner, "LONGEST_PAUSE", timedelta(milliseconds=20))
    begin(simulator)
    simulator.faults.switch_on(fault)
    n_asked = 0
    ask = SearchReader.read_progress

    async def recover(reader, search_id):
        nonlocal n_asked
        n_asked += 1
        if n_asked == 3:
            simulator.faults.clear()
        return await ask(reader, search_id)

    monkeypatch.setattr(SearchReader, "read_progress", recover)
    ended = bench.run("searches", "wait", "acme", "1")
    assert ended.code == 0
    assert ended.err.count("retrying: ") == 1


def test_patience_has_an_end(bench, simulator):
    begin(simulator)
    simulator.faults.switch_on("server_error")
    ended = bench.run("searches", "wait", "acme", "1")
    assert (ended.code, ended.out) == (3, "")
    assert "search 1: stopped after 4 unusable responses in a row: The API failed" in ended.err


def test_a_refused_token_has_its_own_words_and_exit(bench, simulator):
    begin(simulator)
    simulator.soldscope.revoke_token("tok_1", simulator.clock.now())
    ended = bench.run("searches", "wait", "acme", "1")
    assert ended.code == 2
    assert "search 1: The token was rejected (401)" in ended.err
    listed = bench.run("searches", "acme")
    assert listed.code == 3
    assert "The token was rejected (401)" in listed.err


def test_a_used_up_quota_has_its_own_words_and_exit(bench, monkeypatch):
    n_asked = 0

    async def refuse(reader, search_id):
        nonlocal n_asked
        n_asked += 1
        return SearchFailure(SearchFailureKind.USED_UP, "The quota is used up (402).")

    monkeypatch.setattr(SearchReader, "read_progress", refuse)
    ended = bench.run("searches", "wait", "acme", "1")
    assert (ended.code, n_asked) == (4, 1)
    assert "search 1: The quota is used up (402)." in ended.err


def test_a_quota_that_is_used_up_hinders_nobody_from_waiting(bench, simulator):
    begin(simulator)
    simulator.soldscope.spend("acme", 10_000, simulator.clock.now())
    assert bench.run("searches", "wait", "acme", "1").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("wait", "acme", "99"), "search 99: There is no such search (404)"),
        (("wait", "acme", "../x"), 'no search can have the id "../x"'),
        (("wait", "acmee", "1"), 'no connection is called "acmee"; did you mean "acme"?'),
        (("acmee",), 'no connection is called "acmee"; did you mean "acme"?'),
        (("wait", "acme"), "Missing argument 'ID'"),
        (("wait", "acme", "1", "--notify", "op"), 'no channel is called "op"'),
    ],
)
def test_what_cannot_be_done_is_said(bench, words, said):
    ended = bench.run("searches", *words)
    assert ended.code == 3
    assert said in ended.err


def test_only_soldscope_has_searches(bench):
    bench.configure('name = "store"\nprovider = "countdown"\nauthorized_on = 2026-06-01\n')
    ended = bench.run("searches", "store")
    assert ended.code == 3
    assert '"store" is no connection to SoldScope' in ended.err


def test_nothing_is_asked_without_a_token(bench):
    bench.configure(connection("acme", NOWHERE, token='{ env = "SOLDSCOPE_NOT_SET" }'))
    ended = bench.run("searches", "acme")
    assert ended.code == 3
    assert "SOLDSCOPE_NOT_SET" in ended.err


@pytest.mark.parametrize(
    ("subject", "is_revoked", "expected"),
    [
        ("lamps", False, (0, "🔵 acme: a search has ended", "acme: search 1 is completed")),
        ("nothing", False, (0, "🔵 acme: a search has ended", "nothing was found")),
        ("lamps", True, (2, "🟠 acme: a search could not be followed", "was rejected (401)")),
    ],
)
def test_a_channel_is_told_once_how_it_ended(bench, simulator, subject, is_revoked, expected, hook):
    code, title, said = expected
    channel = ACME.format(url=hook.url())
    bench.config_path.write_text(channel + bench.config_path.read_text())
    begin(simulator, subject)
    if is_revoked:
        simulator.soldscope.revoke_token("tok_1", simulator.clock.now())
    ended = bench.run("searches", "wait", "acme", "1", "--notify", "ops")
    assert ended.code == code
    ((_, post),) = hook.posts
    assert post["title"] == title
    assert said in post["message"]


def test_a_channel_that_does_not_take_it_is_not_done(bench, simulator, hook):
    hook.answers["/hook"] = 500
    bench.config_path.write_text(ACME.format(url=hook.url()) + bench.config_path.read_text())
    begin(simulator)
    ended = bench.run("searches", "wait", "acme", "1", "--notify", "ops")
    assert ended.code == 3
    assert ended.out == "search 1 is completed: its results are ready\n"
    assert "ops was not notified: " in ended.err


def test_ctrl_c_ends_it_cleanly(bench, simulator):
    begin(simulator, takes_s=600)
    code, seen = converse(
        "searches", "wait", "acme", "1", cwd=bench.folder, answers=[("search 1", "\x03")]
    )
    assert code == 130
    assert "interrupted" in seen
    assert "Traceback" not in seen
