"""
The alert rules and the dashboard: well-formed, and about what the program serves.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from monitor.clock import utc_now
from monitor.web.metrics import Metrics
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/connwatch.rules.yml"
RULE_TESTS = ROOT / "deploy/prometheus/connwatch.tests.yml"
DASHBOARD = ROOT / "deploy/grafana/connwatch.json"

GRID = 24

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="no promtool here: apt-get install prometheus"
)

# What the sample names of a family end with, by its type.
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def promtool(*arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [str(PROMTOOL), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@needs_promtool
def test_the_rules_are_rules():
    code, told = promtool("check", "rules", "--lint=all", "--lint-fatal", RULES)
    assert code == 0, told


@needs_promtool
def test_the_rules_fire_when_they_should_and_only_then():
    code, told = promtool("test", "rules", RULE_TESTS)
    assert code == 0, told


def test_every_rule_is_tried_both_ways():
    rules = set(re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8")))
    tried = RULE_TESTS.read_text(encoding="utf-8")
    fires = set(re.findall(r"alertname: (\w+)\n +exp_alerts:", tried))
    rests = set(re.findall(r"alertname: (\w+)}", tried))
    assert rules
    assert (fires, rests) == (rules, rules)


PANELS: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]


@needs_promtool
def test_every_query_of_the_dashboard_can_be_asked(tmp_path):
    rules = "groups:\n  - name: panels\n    rules:\n"
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    for number, query in enumerate(queries):
        asked = query.replace("$__rate_interval", "5m").replace("$instance", ".*")
        rules += f"      - record: panel:{number}\n        expr: {json.dumps(asked)}\n"
    file = tmp_path / "panels.yml"
    file.write_text(rules, encoding="utf-8")
    code, told = promtool("check", "rules", file)
    assert code == 0, told


def test_no_panel_of_the_dashboard_covers_another():
    taken: dict[tuple[int, int], object] = {}
    for panel in PANELS:
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= GRID
        for x in range(grid["x"], grid["x"] + grid["w"]):
            for y in range(grid["y"], grid["y"] + grid["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


@pytest.fixture
def served(database) -> set[str]:
    """
    The names of all samples that the program can serve.
    """
    metrics = Metrics(CollectorRegistry(), ["ops"])
    with database.read() as tx:
        text = metrics.write(tx, [], utc_now()).decode()
    return {
        f"{family.name}{suffix}"
        for family in text_string_to_metric_families(text)
        for suffix in SUFFIXES.get(family.type, ("",))
    }


@pytest.mark.parametrize("file", [RULES, RULE_TESTS, DASHBOARD], ids=lambda path: path.name)
def test_every_metric_that_is_named_is_served(file, served):
    named = set(re.findall(r"\bconnwatch_\w+", file.read_text(encoding="utf-8")))
    assert named
    assert named <= served
