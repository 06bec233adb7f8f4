from __future__ import annotations

from datetime import UTC, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from monitor.config.load import load_config
from monitor.config.plan import Plan, make_plan
from monitor.judge.routing import Digest, DigestTime, QuietInterval

BERLIN, TOKYO = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Tokyo")
COMMON = 'quiet_hours = { zone = "Europe/Berlin", from = "22:00", to = "07:00" }'
OWN = 'quiet_hours = { zone = "Asia/Tokyo", from = "18:00", to = "08:30" }'
UNZONED = 'quiet_hours = { from = "22:00", to = "07:00" }'


@pytest.fixture
def plan(tmp_path):
    def make(alerts: str, channel: str) -> Plan:
        path = tmp_path / "config.toml"
        path.touch(mode=0o600)
        text = f'[alerts]\n{alerts}\n[[channels]]\nname = "ops"\nurl = "json://x"\n{channel}\n'
        path.write_text(text, encoding="utf-8")
        return make_plan(load_config(path))

    return make


@pytest.mark.parametrize(
    ("alerts", "channel", "quiet", "digest"),
    [
        pytest.param("", "", None, None, id="neither"),
        pytest.param(COMMON, "", QuietInterval(BERLIN, time(22), time(7)), None, id="for all"),
        pytest.param(
            COMMON, OWN, QuietInterval(TOKYO, time(18), time(8, 30)), None, id="its own instead"
        ),
        pytest.param(
            "", 'digest = "daily"', None, DigestTime(Digest.DAILY, UTC), id="a digest in UTC"
        ),
        pytest.param(
            COMMON,
            f'{OWN}\ndigest = "weekly"',
            QuietInterval(TOKYO, time(18), time(8, 30)),
            DigestTime(Digest.WEEKLY, TOKYO),
            id="a digest in the zone of the quiet hours",
        ),
        pytest.param(
            f'{UNZONED}\ntimezone = "Europe/Berlin"',
            'digest = "daily"',
            QuietInterval(BERLIN, time(22), time(7)),
            DigestTime(Digest.DAILY, BERLIN),
            id="in the zone of all alerts",
        ),
        pytest.param(
            'timezone = "Europe/Berlin"',
            f'timezone = "Asia/Tokyo"\n{UNZONED}\ndigest = "daily"',
            QuietInterval(TOKYO, time(22), time(7)),
            DigestTime(Digest.DAILY, TOKYO),
            id="in the zone of the channel",
        ),
        pytest.param(
            UNZONED,
            'timezone = "Asia/Tokyo"\ndigest = "daily"',
            QuietInterval(UTC, time(22), time(7)),
            DigestTime(Digest.DAILY, TOKYO),
            id="the quiet hours of all are of one night",
        ),
    ],
)
def test_a_channel_has_its_own_quiet_hours_or_those_of_all(plan, alerts, channel, quiet, digest):
    [route] = plan(alerts, channel).channels
    assert (route.quiet_hours, route.digest) == (quiet, digest)


def test_waits_and_reminders_are_those_of_the_file(plan):
    made = plan('group_wait = "3s"\nremind_every = "2h"', "")
    assert (made.group_wait, made.remind_every) == (timedelta(seconds=3), timedelta(hours=2))
    usual = plan("", "")
    assert (usual.group_wait, usual.remind_every) == (timedelta(seconds=10), timedelta(hours=24))
