"""
Follow a JSON pointer (RFC 6901) into an answer.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Any

_INDEX = re.compile(r"0|[1-9]\d{0,8}", re.ASCII)


class Absent(Enum):
    """
    What a pointer leads to where there is nothing; null is something.
    """

    ABSENT = "absent"


ABSENT = Absent.ABSENT


def follow(value: Any, pointer: str) -> Any:
    """
    Return what *pointer* leads to inside *value*, or `ABSENT`.

    Args:
        pointer: Empty for all of it, else beginning with a slash.
    """
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return ABSENT
    return value
