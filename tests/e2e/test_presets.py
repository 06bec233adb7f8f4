"""
One file with a connection of each preset and one of an API of one's own, watched from end to end.

The command line runs against servers that speak the dialects, over real HTTP;
each command opens the database anew, as after a restart.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from monitor.config.http import PRESETS
from monitor.store import history
from monitor.store.engine import Database
from tests.bench import Bench
from tests.dialects import (
    DIALECTS,
    ENDS_AT,
    RESETS_AT,
    Asked,
    Fate,
    Reply,
    speaking,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tests.dialects import Speaker

REFUSED = "sk-hunter2-0123456789"
OWN = "own"
LATER = "later"
LATER_END = ENDS_AT + timedelta(days=300)
ALL = sorted([*PRESETS, OWN])

CHANNEL = '[[channels]]\nname = "ops"\nurl = "json://127.0.0.1:9/"\n'


def stamp(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def own(asked: Asked) -> Reply:
    """
    Speak as an API of one's own does, with header names of its own.
    """
    fate = asked.headers.get("x-key", "")
    if fate not in {*Fate, LATER}:
        return Reply(401, {"error": "who are you?"})
    left = {str(Fate.LOW): "40", str(Fate.THROTTLED): "0"}.get(fate, "900")
    headers = {"X-Monthly-Limit": "1000", "X-Monthly-Left": left}
    if fate == Fate.THROTTLED:
        return Reply(429, {"error": "slow down"}, headers | {"Retry-After": "60"})
    if fate in {Fate.ENDING, LATER}:
        headers["X-Key-Ends"] = stamp(LATER_END if fate == LATER else ENDS_AT)
    return Reply(200, {"ok": True, "company": "Acme Ltd"}, headers)


@pytest.fixture(scope="module")
def speakers() -> Iterator[dict[str, Speaker]]:
    with ExitStack() as stack:
        dialects = {**DIALECTS, OWN: own}
        yield {name: stack.enter_context(speaking(name, dialects[name])) for name in ALL}


def table(name: str, speaker: Speaker, token: str) -> str:
    lines = [f'name = "{name}"', 'provider = "http"', f'url = "{speaker.url}"']
    if name == OWN:
        lines += [
            'auth = "header:X-Key"',
            'expect_json = { "/ok" = true }',
            'quota = { limit = "X-Monthly-Limit", remaining = "X-Monthly-Left" }',
            'expires_header = "X-Key-Ends"',
        ]
    else:
        lines.append(f'preset = "{name}"')
    return "\n".join([*lines, f'token = "{token}"', ""])


class Night:
    """
    The installation, and what its tokens are worth.
    """

    def __init__(self, bench: Bench, speakers: dict[str, Speaker]) -> None:
        self.bench = bench
        self._speakers = speakers
        self._tokens = dict.fromkeys(ALL, str(Fate.GOOD.value))

    def use(self, **tokens: str) -> None:
        """
        Write the file anew, with other tokens for some connections.
        """
        self._tokens |= tokens
        tables = [table(name, self._speakers[name], self._tokens[name]) for name in ALL]
        self.bench.configure(*tables, more=CHANNEL)

    def check(self) -> tuple[int, dict[str, Any]]:
        ended = self.bench.run("check", "--json")
        assert REFUSED not in ended.out + ended.err
        return ended.code, {each["name"]: each for each in json.loads(ended.out)["connections"]}

    def told(self) -> list[tuple[str, tuple[str, ...]]]:
        database = Database(f"sqlite:///{self.bench.database}")
        with database.read() as tx:
            rows = history.list_alerts(tx, 1000)
        database.close()
        return [(alert.kind, alert.connections) for alert in reversed(rows)]

    def windows(self) -> dict[str, dict[str, Any]]:
        ended = self.bench.run("quota", "--json")
        return {
            each["name"]: {window["window"]: window for window in each["windows"]}
            for each in json.loads(ended.out)["connections"]
        }


@pytest.fixture
def night(tmp_path, speakers) -> Night:
    begun = Night(Bench(tmp_path), speakers)
    begun.use()
    return begun


QUOTAS = {
    "anthropic": (50, 49, True),
    "github": (5000, 4987, True),
    "gitlab": (600, 599, True),
    "openai": (60, 59, False),
    "own": (1000, 900, None),
    "shopify": (40, 39, None),
}
"""Limit, what is left, and whether the reset is known: as an instant, about, or not at all."""


def test_every_connection_is_active_with_its_quota_and_without_an_end(night):
    code, shown = night.check()

    assert code == 0
    assert sorted(shown) == ALL
    assert {(each["state"], each["reason"]) for each in shown.values()} == {("active", "ok")}
    assert shown["slack"]["quota"] is None
    for name, (limit, remaining, has_instant) in QUOTAS.items():
        quota = shown[name]["quota"]
        assert (quota["limit"], quota["remaining"]) == (limit, remaining), name
        if has_instant:
            assert quota["resets_at"] == stamp(RESETS_AT), name
        assert (quota["resets_at"] is None) == (has_instant is None), name
        # A month of unknown length is worth a warning, minutes are not.
        assert quota["level"] == ("ok" if name == OWN else None), name
    assert all(each["clocks"] == [] for each in shown.values())
    assert shown[OWN]["account"] == "Acme Ltd"
    assert night.told() == []


def test_one_check_tells_states_quotas_and_ends_of_each_preset(tmp_path, speakers):
    """
    The contract's states, quotas and expiries, from one command on one file.
    """
    bench = Bench(tmp_path)
    fates = [Fate.GOOD, Fate.ENDING, Fate.THROTTLED, Fate.UNSCOPED, Fate.EXPIRED, REFUSED]
    kinds = {
        (preset, fate): f"{preset}-{number}"
        for preset in PRESETS
        for number, fate in enumerate(fates)
    }
    bench.configure(
        *(
            table(preset, speakers[preset], str(fate)).replace(f'"{preset}"', f'"{name}"', 1)
            for (preset, fate), name in kinds.items()
        )
    )
    ended = bench.run("check", "--json")
    shown = {each["name"]: each for each in json.loads(ended.out)["connections"]}

    assert ended.code == 2
    refused = ("error", "token_rejected")
    states = {
        Fate.GOOD: ("active", "ok"),
        Fate.ENDING: ("active", "ok"),
        Fate.THROTTLED: ("pending", "not_checked"),
        Fate.UNSCOPED: ("error", "permission_denied"),
        Fate.EXPIRED: refused,
        REFUSED: refused,
    }
    own_word = {("slack", str(Fate.EXPIRED)): ("expired", "authorization_expired")}
    for (preset, fate), name in kinds.items():
        each = shown[name]
        expected = own_word.get((preset, str(fate)), states[fate])
        assert (each["state"], each["reason"]) == expected, name
        quota = each["quota"]
        assert (quota is None) == (preset == "slack" or states[fate][0] == "error"), name
        if quota and fate != Fate.THROTTLED:
            assert (quota["limit"], quota["remaining"]) == QUOTAS[preset][:2], name
        ends = [stamp(ENDS_AT)] if fate == Fate.ENDING and preset in {"github", "gitlab"} else []
        assert [clock["ends_at"] for clock in each["clocks"]] == ends, name
        assert each["expiring_soon"] == bool(ends), name
        if fate == Fate.THROTTLED:
            assert each["last_check"]["reason"] == "throttled", name
    assert REFUSED not in ended.out + ended.err


def test_every_window_is_listed_with_its_unit(night):
    night.check()
    windows = night.windows()

    for name in ("anthropic", "openai"):
        units = {each["unit"] for each in windows[name].values()}
        assert units == {"requests", "tokens"}, name
        assert sum(each["deciding"] for each in windows[name].values()) == 1
    assert windows["slack"] == {}
    ended = night.bench.run("quota", "openai")
    assert "requests (decides): 59 of 60 requests left" in ended.out
    assert "tokens: 149,984 of 150,000 tokens left" in ended.out


def test_refused_tokens_are_errors_and_told_after_they_were_confirmed(night):
    night.use(**dict.fromkeys(ALL, REFUSED))
    code, shown = night.check()

    assert code == 2
    states = {name: (each["state"], each["reason"]) for name, each in shown.items()}
    assert states == dict.fromkeys(ALL, ("error", "token_rejected"))
    assert night.told() == []
    night.check()
    assert sorted(night.told()) == [("error", (name,)) for name in ALL]
    night.check()
    assert len(night.told()) == len(ALL)


def test_throttled_tokens_stay_as_they_were_and_nobody_is_told(night):
    night.check()
    night.use(**dict.fromkeys(ALL, str(Fate.THROTTLED.value)))
    _, shown = night.check()

    states = {name: (each["state"], each["reason"]) for name, each in shown.items()}
    assert states == dict.fromkeys(ALL, ("active", "ok"))
    assert {each["last_check"]["reason"] for each in shown.values()} == {"throttled"}
    left = {name: each["quota"] and each["quota"]["remaining"] for name, each in shown.items()}
    assert left == dict.fromkeys(ALL, 0) | {"slack": None, "gitlab": left["gitlab"]}
    # Only the window of the API of one's own is long enough to tell of.
    assert night.told() == [("quota_exhausted", (OWN,))]


def test_a_low_quota_is_told_where_its_window_is_worth_it(night):
    night.use(**dict.fromkeys(ALL, str(Fate.LOW.value)))
    code, shown = night.check()
    night.check()

    assert code == 1
    assert shown["github"]["quota"]["remaining"] == 3
    assert shown["anthropic"]["quota"]["remaining"] == 2
    assert shown["openai"]["quota"]["remaining"] == 1
    assert shown[OWN]["quota"]["level"] == "low"
    assert night.told() == [("quota_low", (OWN,))]


def test_short_windows_are_told_too_if_the_file_says_so(night):
    night.use(**dict.fromkeys(ALL, str(Fate.LOW.value)))
    text = night.bench.config_path.read_text(encoding="utf-8")
    night.bench.config_path.write_text(
        '[alerts]\nquota_min_window = "1s"\n' + text, encoding="utf-8"
    )
    night.check()

    told = {names[0] for kind, names in night.told() if kind == "quota_low"}
    assert told == {"anthropic", "github", "gitlab", "openai", "own", "shopify"}


def test_an_observed_end_is_a_clock_told_once_and_renewed_by_a_new_token(night):
    ending = str(Fate.ENDING.value)
    night.use(github=ending, gitlab=ending, own=ending)
    code, shown = night.check()

    assert code == 1
    days_left = (ENDS_AT - RESETS_AT + timedelta(minutes=30)).days
    for name in ("github", "gitlab", OWN):
        (clock,) = shown[name]["clocks"]
        assert clock["days_left"] in {days_left, days_left - 1}
        assert clock | {"days_left": 0} == {
            "kind": "token",
            "of": name,
            "ends_at": stamp(ENDS_AT),
            "days_left": 0,
            "source": "observed",
        }
        assert shown[name]["expiring_soon"]
        assert shown[name]["authorization"] is None
    assert not shown["slack"]["expiring_soon"]

    # The end was first heard of in that check: the next look at the clocks tells it.
    warned = [("expiring_soon", (name,)) for name in ("github", "gitlab", OWN)]
    for _ in range(2):
        night.check()
        assert sorted(night.told()) == warned

    night.use(github=str(Fate.GOOD.value), own=LATER)
    _, shown = night.check()
    assert shown["github"]["clocks"] == []
    assert shown[OWN]["clocks"][0]["ends_at"] == stamp(LATER_END)
    assert [shown[name]["expiring_soon"] for name in ("github", "gitlab", OWN)] == [
        False,
        True,
        False,
    ]
    night.check()
    assert sorted(night.told()[3:]) == [("renewed", ("github",)), ("renewed", (OWN,))]


def answering(status: int, body: Any) -> Callable[[Asked], Reply]:
    def speak(_asked: Asked) -> Reply:
        return Reply(status, body)

    return speak


def test_a_frozen_shop_is_suspended_and_told_once_confirmed(tmp_path):
    with speaking("shopify", answering(402, {"errors": "Unavailable Shop"})) as speaker:
        bench = Bench(tmp_path)
        bench.configure(table("shopify", speaker, "good"), more=CHANNEL)
        codes = [bench.run("check").code for _ in range(2)]

    assert codes == [2, 2]
    shown = bench.shown()["shopify"]
    assert (shown["state"], shown["reason"]) == ("error", "account_suspended")
    assert shown["quota"] is None
    assert 'The server says: "Unavailable Shop"' in shown["detail"]
    (alert,) = json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    assert (alert["kind"], alert["severity"]) == ("error", "critical")
    assert "account suspended" in bench.run("status").out


def test_credit_that_is_used_up_is_a_quota_and_no_pause(tmp_path):
    body = {"error": {"code": "insufficient_quota", "message": "Check your billing details."}}
    with speaking("openai", answering(429, body)) as speaker:
        bench = Bench(tmp_path)
        bench.configure(table("openai", speaker, "good"), more=CHANNEL)
        code = bench.run("check").code

    assert code == 2
    shown = bench.shown()["openai"]
    assert (shown["state"], shown["reason"]) == ("active", "ok")
    assert (shown["quota"]["remaining"], shown["quota"]["level"]) == (0, "exhausted")
    (alert,) = json.loads(bench.run("alerts", "list", "--json").out)["alerts"]
    assert alert["kind"] == "quota_exhausted"


def test_a_github_without_limits_is_active_and_shows_no_quota(tmp_path):
    with speaking(
        "github", answering(404, {"message": "Rate limiting is not enabled."})
    ) as speaker:
        bench = Bench(tmp_path)
        bench.configure(table("github", speaker, "good"))
        code = bench.run("check").code

    assert code == 0
    shown = bench.shown()["github"]
    assert (shown["state"], shown["reason"], shown["quota"]) == ("active", "ok", None)


def test_a_code_in_the_body_is_advised_by_validate(tmp_path):
    with speaking(OWN, answering(200, {"code": 0, "data": {"name": "Acme"}})) as speaker:
        bench = Bench(tmp_path)
        lines = ['name = "own"', 'provider = "http"', f'url = "{speaker.url}"', 'token = "x7"']
        bench.configure("\n".join([*lines, ""]))
        ended = bench.run("validate", OWN)

    assert ended.code == 0
    assert 'expect_json = { "/code" = 0 }' in " ".join(ended.out.split())


def test_slack_says_itself_that_its_token_has_expired(night):
    night.check()
    night.use(slack=str(Fate.EXPIRED.value))
    code, shown = night.check()

    assert code == 2
    slack = shown["slack"]
    assert (slack["state"], slack["reason"]) == ("expired", "authorization_expired")


def test_a_missing_permission_is_not_a_refused_token(night):
    presets = [name for name in ALL if name != OWN]
    night.use(**dict.fromkeys(presets, str(Fate.UNSCOPED.value)))
    _, shown = night.check()

    reasons = {shown[name]["reason"] for name in presets}
    assert reasons == {"permission_denied"}
