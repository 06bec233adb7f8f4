from __future__ import annotations

from datetime import date, timedelta

import pytest

from monitor.check.client import HttpClients
from monitor.check.countdown import CountdownChecker
from monitor.check.generic import HttpChecker
from monitor.check.registry import build_checker
from monitor.check.soldscope import SoldscopeChecker
from monitor.config.connection import Connection
from monitor.config.countdown import CountdownConnection
from monitor.config.http import HttpConnection
from monitor.config.providers import PROVIDERS
from monitor.config.soldscope import SoldscopeConnection

SOLDSCOPE = SoldscopeConnection.model_validate(
    {
        "name": "shop",
        "provider": "soldscope",
        "base_url": "https://api.example.com",
        "token": {"env": "TOKEN"},
    }
)

COUNTDOWN = CountdownConnection.model_validate(
    {"name": "store", "provider": "countdown", "authorized_on": date(2026, 1, 15)}
)


def test_soldscope_has_its_checker():
    checker = build_checker(SOLDSCOPE, HttpClients(concurrency=1), timedelta(seconds=1))

    assert isinstance(checker, SoldscopeChecker)


def test_a_countdown_has_its_checker():
    checker = build_checker(COUNTDOWN, HttpClients(concurrency=1), timedelta(seconds=1))

    assert isinstance(checker, CountdownChecker)


def test_any_api_has_its_checker(monkeypatch):
    monkeypatch.delenv("TOKEN", raising=False)
    connection = HttpConnection.model_validate(
        {"name": "gh", "provider": "http", "preset": "github", "token": {"env": "TOKEN"}}
    )

    checker = build_checker(connection, HttpClients(concurrency=1), timedelta(seconds=1))

    assert isinstance(checker, HttpChecker)


def test_no_secret_is_read_to_build_a_checker(monkeypatch):
    monkeypatch.delenv("TOKEN", raising=False)

    build_checker(SOLDSCOPE, HttpClients(concurrency=1), timedelta(seconds=1))


def test_a_provider_without_a_checker_is_named():
    unknown = Connection.model_validate({"name": "shop", "provider": "fax"})

    with pytest.raises(ValueError, match="connection shop: no checker for provider fax"):
        build_checker(unknown, HttpClients(concurrency=1), timedelta(seconds=1))


def test_every_provider_of_the_configuration_is_tried_here():
    assert list(PROVIDERS) == ["soldscope", "countdown", "http"]
