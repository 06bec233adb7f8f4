from __future__ import annotations

import asyncio
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog

from monitor import providers
from monitor.config.connections import Connection
from monitor.config.model import Config
from monitor.config.registry import Plugin, UnusableConnection
from monitor.judge.outcome import Marketplace, Outcome, QuotaReading, QuotaUnit, Reason
from monitor.providers.base import GrantLocks
from monitor.providers.plugin import PluginChecker, UnusableChecker
from monitor.providers.registry import build_checker
from tests.fakes import NOON

pytestmark = pytest.mark.anyio

CONNECTION = Connection.model_validate({"name": "a", "provider": "acme"})


class Checker:
    """
    A plug-in's checker that does what it is told.
    """

    def __init__(self, *results: Any) -> None:
        self.results = list(results)

    async def check(self) -> Any:
        result = self.results.pop(0)
        if isinstance(result, BaseException):
            raise result
        if isinstance(result, float):
            await asyncio.sleep(result)
        return result


def checker_of(clients, build, timeout_s: float = 5) -> PluginChecker:
    plugin = Plugin("acme", Connection, build)
    return PluginChecker(plugin, CONNECTION, clients.get(), timedelta(seconds=timeout_s))


def test_what_plugins_import_is_no_module_whatever_was_imported_before():
    for path in Path(providers.__path__[0]).glob("*.py"):
        import_module(f"monitor.providers.{path.stem}")
    offered = {name: getattr(providers, name) for name in providers.__all__}
    assert [name for name, each in offered.items() if isinstance(each, ModuleType)] == []


async def test_the_outcome_of_a_plugin_is_passed_on(clients):
    seen = []

    def build(*arguments: Any) -> Checker:
        seen.append(arguments)
        return Checker(Outcome(Reason.OK), Outcome(Reason.TOKEN_REJECTED, "No."))

    checker = checker_of(clients, build)

    assert await checker.check() == Outcome(Reason.OK)
    assert await checker.check() == Outcome(Reason.TOKEN_REJECTED, "No.")
    assert seen == [(CONNECTION, clients.get(), timedelta(seconds=5))]


async def test_a_check_that_raises_is_an_outcome_that_names_the_plugin(clients):
    checker = checker_of(clients, lambda *_: Checker(KeyError("hunter2"), Outcome(Reason.OK)))

    with structlog.testing.capture_logs() as logs:
        first, second = await checker.check(), await checker.check()

    assert first.reason is Reason.UNEXPECTED_RESPONSE
    assert 'The plug-in for "acme" failed: it raised KeyError.' in first.detail
    assert second.reason is Reason.OK
    (log,) = logs
    assert (log["event"], log["connection"], log["provider"]) == ("plugin.fault", "a", "acme")
    assert "test_plugin.py:" in log["at"]
    assert "hunter2" not in repr((first, logs))


async def test_a_build_that_raises_is_tried_again_at_the_next_check(clients):
    builds: list[Any] = [ValueError("no"), Checker(Outcome(Reason.OK))]

    def build(*_: Any) -> Checker:
        result = builds.pop(0)
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, Checker)
        return result

    checker = checker_of(clients, build)

    assert (await checker.check()).reason is Reason.UNEXPECTED_RESPONSE
    assert (await checker.check()).reason is Reason.OK


@pytest.mark.parametrize("result", [None, "ok", True])
async def test_what_is_no_outcome_is_said(clients, result):
    outcome = await checker_of(clients, lambda *_: Checker(result)).check()

    assert f"it returned {type(result).__name__} instead of an outcome" in outcome.detail


NAIVE = NOON.replace(tzinfo=None)
FLAWED: list[dict[str, Any]] = [
    {"reason": "ok"},
    {"reason": Reason.NOT_CHECKED},
    {"detail": None},
    {"latency_ms": "7"},
    {"latency_ms": float("nan")},
    {"http_status": "200"},
    {"account": 7},
    {"account": "x" * 2001},
    {"quota": {"limit": 5}},
    {"quota": QuotaReading(limit=True)},
    {"quota": QuotaReading(10**30, 4)},
    {"quota": QuotaReading(10, -1)},
    {"quota": QuotaReading(10, 4, NAIVE)},
    {"retry_at": 5},
    {"retry_at": NAIVE},
    {"marketplaces": ("US",)},
    {"windows": [QuotaReading(1, 1)]},
    {"windows": (QuotaReading(1, 1, name="x" * 61),)},
    {"windows": (QuotaReading(1, 1, unit="requests"),)},  # type: ignore[arg-type]
    {"token_ends_at": NAIVE},
]


@pytest.mark.parametrize("flawed", FLAWED, ids=str)
async def test_an_outcome_that_nobody_could_judge_or_store_is_a_fault(clients, flawed):
    result = Outcome(**({"reason": Reason.OK} | flawed))
    outcome = await checker_of(clients, lambda *_: Checker(result)).check()

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE
    assert f"its outcome has no usable {next(iter(flawed))}" in outcome.detail


async def test_an_outcome_with_all_that_a_check_can_see_is_passed_on(clients):
    quota = QuotaReading(10, 4, NOON, 60, "daily", QuotaUnit.TOKENS)
    market = Marketplace(
        "US",
        "ATVPDKIKX0DER",
        is_participating=True,
        has_suspended_listings=False,
        is_configured=True,
    )
    full = Outcome(
        Reason.OK,
        "Well.",
        latency_ms=4.5,
        http_status=200,
        account="Acme",
        quota=quota,
        retry_at=NOON,
        marketplaces=(market,),
        windows=(quota,),
        token_ends_at=NOON,
    )

    assert await checker_of(clients, lambda *_: Checker(full)).check() == full


async def test_a_checker_without_check_is_a_fault(clients):
    outcome = await checker_of(clients, lambda *_: object()).check()

    assert "it raised AttributeError" in outcome.detail


async def test_a_plugin_that_hangs_is_stopped(clients):
    outcome = await checker_of(clients, lambda *_: Checker(60.0), timeout_s=0.05).check()

    assert outcome.reason is Reason.TIMEOUT
    assert outcome.detail == 'The plug-in for "acme" gave no outcome within 0.05 s.'


async def test_a_timeout_of_the_plugins_own_is_its_fault(clients):
    outcome = await checker_of(clients, lambda *_: Checker(TimeoutError())).check()

    assert "it raised TimeoutError" in outcome.detail


@pytest.mark.parametrize(
    "error", [asyncio.CancelledError(), GeneratorExit(), SystemExit(3)], ids=repr
)
async def test_whatever_a_plugin_raises_is_its_fault(clients, error):
    """
    A check that ended without an outcome would never be made again.
    """
    outcome = await checker_of(clients, lambda *_: Checker(error)).check()

    assert outcome.reason is Reason.UNEXPECTED_RESPONSE
    assert f"it raised {type(error).__name__}" in outcome.detail


async def test_cancellation_passes_through(clients):
    task = asyncio.create_task(checker_of(clients, lambda *_: Checker(60.0)).check())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_plugin_that_cannot_be_used_says_so_at_every_check(clients):
    class Broken(UnusableConnection):
        problem = "it is broken"

    connection = Broken.model_validate({"name": "a", "provider": "acme", "token": "hunter2"})
    checker = build_checker(connection, Config(), clients, GrantLocks())

    assert isinstance(checker, UnusableChecker)
    outcome = await checker.check()
    assert outcome.reason is Reason.UNEXPECTED_RESPONSE
    assert 'the plug-in for "acme" cannot be used: it is broken' in outcome.detail
    assert "hunter2" not in repr(connection)
