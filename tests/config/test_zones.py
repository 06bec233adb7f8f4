from __future__ import annotations

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest
from pydantic import TypeAdapter, ValidationError

from monitor.config.zones import ZoneName, read_zone

NAMES = TypeAdapter(ZoneName)


@pytest.mark.parametrize("name", ["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT-3"])
def test_a_name_of_the_database_is_taken(name):
    assert NAMES.validate_python(name) == name


def test_utc_needs_no_database():
    assert read_zone("UTC") is UTC
    assert read_zone("Asia/Tokyo") == ZoneInfo("Asia/Tokyo")


BAD = {
    "a slip": ("Europe/Belin", 'did you mean "Europe/Berlin"?'),
    "another case": ("europe/berlin", 'did you mean "Europe/Berlin"?'),
    "utc in small letters": ("utc", 'did you mean "UTC"?'),
    "a city": ("Denver", 'did you mean "America/Denver"?'),
    "a city of two words": ("new york", 'did you mean "America/New_York"?'),
    "spaces around it": (" Asia/Tokyo ", 'did you mean "Asia/Tokyo"?'),
    "an abbreviation": ("PST", 'did you mean "America/Los_Angeles"?'),
    "an abbreviation of summer": ("cest", 'did you mean "Europe/Berlin"?'),
    "a region": ("Pacific time", 'did you mean "America/Los_Angeles"?'),
    "zulu": ("Z", 'did you mean "UTC"?'),
    "a folder": ("Europe", "is no time zone"),
    "an offset": ("+02:00", 'is no time zone; write one such as "Europe/Berlin" or "UTC"'),
    "a path": ("../etc/passwd", "is no time zone"),
    "an absolute path": ("/etc/localtime", "is no time zone"),
    "leap seconds": ("right/Europe/Berlin", 'did you mean "Europe/Berlin"?'),
    "the machine's own": ("localtime", "is no time zone"),
    "nothing": ("", "is no time zone"),
    "a null": ("Europe/\0", "is no time zone"),
    "very long": ("x" * 5000, "is no time zone"),
    "a number": (2, "a time zone such as"),
    "a flag": (True, "got true"),
    "a list": (["UTC"], "got a list"),
}


@pytest.mark.parametrize(("value", "why"), BAD.values(), ids=BAD)
def test_another_name_is_refused_with_what_was_meant(value, why):
    with pytest.raises(ValidationError) as caught:
        NAMES.validate_python(value)
    assert why in str(caught.value)
