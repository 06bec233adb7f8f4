"""
Where alerts send people to read more.
"""

from __future__ import annotations

import pytest

from monitor.config.model import Config, link_to

BEHIND_A_PROXY = {"listen": "127.0.0.1:8080", "public_url": "https://watch.example.com/team/"}


@pytest.mark.parametrize(
    ("web", "connections", "expected"),
    [
        pytest.param({}, ["acme"], "http://127.0.0.1:8080/connections/acme", id="one"),
        pytest.param({}, ["acme", "globex"], "http://127.0.0.1:8080/", id="several"),
        pytest.param({}, [], "http://127.0.0.1:8080/", id="about none"),
        pytest.param({}, ["a/b?c"], "http://127.0.0.1:8080/connections/a%2Fb%3Fc", id="odd name"),
        pytest.param(
            BEHIND_A_PROXY,
            ["acme"],
            "https://watch.example.com/team/connections/acme",
            id="behind a proxy",
        ),
        pytest.param({"listen": ""}, ["acme"], None, id="switched off"),
    ],
)
def test_an_alert_links_to_the_dashboard(web, connections, expected):
    assert link_to(Config.model_validate({"web": web}), connections) == expected
