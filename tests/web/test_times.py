from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from markupsafe import Markup

from monitor.web.templating import environment
from monitor.web.times import end_element, time_element, with_times

NOW = datetime(2026, 11, 30, 12, 0, 5, tzinfo=UTC)
DENVER = ZoneInfo("America/Denver")


def test_a_time_is_in_the_zone_of_the_file_and_shows_utc_on_hover():
    assert time_element(NOW, NOW, DENVER, is_exact=True) == (
        '<time datetime="2026-11-30T12:00:05Z" title="Nov 30, 12:00:05 UTC" data-clock="second">'
        "Nov 30, 05:00:05 MST</time>"
    )


def test_an_end_at_midnight_is_no_time_that_a_script_could_shift():
    assert end_element(datetime(2026, 12, 1, tzinfo=UTC), NOW, DENVER) == "tomorrow (Dec 1)"


def test_a_sentence_shows_its_times_in_the_zone_of_the_browser_as_well():
    at, later = NOW.replace(hour=18), NOW.replace(day=1, month=12)
    sentence = "<b>: next try 11:00 MST, else Dec 1, 05:00 MST"
    element = time_element(at, NOW, DENVER, text="11:00 MST")
    assert with_times(sentence, [None, at, later], NOW, DENVER) == (
        f"&lt;b&gt;: next try {element}, else {time_element(later, NOW, DENVER)}"
    )
    assert with_times("nothing of it", [at], NOW, DENVER) == "nothing of it"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ at | clock }}", time_element(NOW, NOW, DENVER)),
        ("{{ at | clock(true) }}", time_element(NOW, NOW, DENVER, is_exact=True)),
        ("{{ at | date }}", "Nov 30"),
        ("{{ at | utc }}", "Nov 30, 12:00:05 UTC"),
        ("{{ at | machine }}", "2026-11-30T12:00:05Z"),
        ("{{ at | axis('day') }} {{ at | axis('time') }}", "Nov 30 05:00"),
        ("{{ at | axis('second') }}", "05:00:05"),
    ],
)
def test_templates_write_times(source, expected):
    text = environment().from_string(source).render(at=NOW, now=NOW, zone=DENVER)
    assert Markup(text) == expected
