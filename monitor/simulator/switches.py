"""
Remember which faults are switched on, and where.

Decides how a fault is named, switched, looked up and described, for any service.
Which faults a service has is said in `faults` and `amazon_faults`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from monitor.simulator.errors import UnknownNameError
from monitor.simulator.fault_values import ChoiceValue, NoValue, NumberValue, UrlValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from monitor.simulator.fault_values import Value

F = TypeVar("F", bound=StrEnum)

_NOTHING = NoValue()


@dataclass(frozen=True, slots=True)
class FaultKind:
    """
    What a fault does, in one line, and what value it takes.
    """

    description: str
    takes: NoValue | NumberValue | ChoiceValue | UrlValue = _NOTHING


@dataclass(frozen=True, slots=True)
class Switched(Generic[F]):
    """A fault that is on, in one place or (None) everywhere."""

    fault: F
    where: str | None
    value: Value


class Switches(Generic[F]):
    """
    The faults of one service that are on.

    Args:
        kinds: All faults there are, in the order in which they are listed.
        place: What the controls call the place where a fault is on.
    """

    def __init__(self, kinds: Mapping[F, FaultKind], place: str) -> None:
        self.place = place
        self._kinds = kinds
        self._values: dict[str | None, dict[F, Value]] = {}

    def switch_on(
        self, name: str, *, where: str | None = None, value: object = None
    ) -> Switched[F]:
        """
        Switch a fault on, in one place or (None) everywhere.

        Switched on again, it takes the new value. No value means the default.
        """
        fault = self._known(name)
        takes = self._kinds[fault].takes
        accepted = takes.default if value is None else takes.parse(value)
        self._values.setdefault(where, {})[fault] = accepted
        return Switched(fault, where, accepted)

    def switch_off(self, name: str, *, where: str | None = None) -> int:
        """
        Switch a fault off, in one place or (None) wherever it is on.

        Returns how many entries that ended; one that is off already is no error.
        """
        fault = self._known(name)
        places = list(self._values) if where is None else [where]
        ended = [one for one in places if fault in self._values.get(one, {})]
        for one in ended:
            del self._values[one][fault]
            if not self._values[one]:
                del self._values[one]
        return len(ended)

    def clear(self) -> None:
        """Switch everything off."""
        self._values.clear()

    def active(self) -> list[Switched[F]]:
        """Return all that is on, in the order of the kinds."""
        return [
            Switched(fault, where, values[fault])
            for fault in self._kinds
            for where, values in self._values.items()
            if fault in values
        ]

    def of(self, *places: str | None) -> Mapping[F, Value]:
        """
        Return what holds in *places*; the value of a later one wins.

        What is on everywhere holds too. None stands for a place that is unknown.
        """
        if not self._values:
            return {}
        found = dict(self._values.get(None, {}))
        for place in places:
            if place is not None:
                found |= self._values.get(place, {})
        return found

    def describe(self) -> dict[str, list[dict[str, Any]]]:
        """Return, in plain values, what is on and all that can be switched on."""
        known = [
            {
                "name": fault.value,
                "description": kind.description,
                "value": kind.takes.hint or None,
            }
            for fault, kind in self._kinds.items()
        ]
        return {"active": [self.describe_one(one) for one in self.active()], "known": known}

    def describe_one(self, switched: Switched[F]) -> dict[str, Any]:
        """Return, in plain values, a fault that is on."""
        return {
            "name": switched.fault.value,
            self.place: switched.where,
            "value": switched.value,
        }

    def _known(self, name: str) -> F:
        for fault in self._kinds:
            if fault.value == name:
                return fault
        raise UnknownNameError.among("fault", name, self._kinds)
