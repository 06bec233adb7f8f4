"""
Read the values that faults take.

Decides what is accepted, from JSON and from a form, and how the hint reads.
Which fault takes what is said in `faults`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from monitor.simulator.base import is_web_address
from monitor.simulator.errors import SimulatorError

Value = float | str | None


@dataclass(frozen=True, slots=True)
class NoValue:
    """
    The fault is on or off.
    """

    default: Value = None
    hint: str = ""

    def parse(self, _: object) -> Value:
        """
        Refuse any value.
        """
        raise SimulatorError("value: this fault takes none")


@dataclass(frozen=True, slots=True)
class NumberValue:
    """
    The fault takes a number between two bounds.
    """

    default: float
    least: float
    most: float
    unit: str

    @property
    def hint(self) -> str:
        """
        What people are told about the value.
        """
        return f"{self.unit}, {self.least:g} to {self.most:g}, default {self.default:g}"

    def parse(self, raw: object) -> Value:
        """
        Read the number, which a form sends as text.
        """
        try:
            number = float(raw) if isinstance(raw, int | float | str) else math.nan
        except (ValueError, OverflowError):
            number = math.nan
        # Written this way round, the comparison refuses NaN as well.
        if isinstance(raw, bool) or not self.least <= number <= self.most:
            raise SimulatorError(f"value: {self.hint}")
        return number


@dataclass(frozen=True, slots=True)
class ChoiceValue:
    """
    The fault takes one of several words.
    """

    default: Value
    choices: tuple[str, ...]

    @property
    def hint(self) -> str:
        """
        What people are told about the value.
        """
        return f"one of {', '.join(self.choices)}, default {self.default}"

    def parse(self, raw: object) -> Value:
        """
        Accept one of the words; a number stands for its digits.
        """
        word = str(raw)
        if isinstance(raw, bool) or word not in self.choices:
            raise SimulatorError(f"value: {self.hint}")
        return word


@dataclass(frozen=True, slots=True)
class UrlValue:
    """
    The fault takes an address.
    """

    default: Value

    @property
    def hint(self) -> str:
        """
        What people are told about the value.
        """
        return f"an http or https address, default {self.default}"

    def parse(self, raw: object) -> Value:
        """
        Accept an address that can stand in a header.
        """
        if not isinstance(raw, str) or not is_web_address(raw):
            raise SimulatorError(f"value: {self.hint}")
        return raw
