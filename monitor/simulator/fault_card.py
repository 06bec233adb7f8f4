"""
Write the card on which faults are switched, for any service.

Decides how faults look to people. Which there are and where they are on comes
from the state.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from monitor.simulator.markup import write_form, write_hidden, write_options

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class FaultCard:
    """
    What the cards of two services differ in.

    Args:
        action: Where the forms go.
        place: The field that says where a fault is on.
        everywhere: What is said when it is on everywhere.
        labels: What the places are called, by their value.
    """

    title: str
    action: str
    place: str
    everywhere: str
    labels: Mapping[str, str]

    def render(self, faults: Mapping[str, Any]) -> str:
        """
        Return the card for the `faults` part of a state.
        """
        names = write_options((kind["name"], kind["name"]) for kind in faults["known"])
        places = write_options([("", self.everywhere), *self.labels.items()])
        switch_on = write_form(
            self.action,
            f'<label>Fault <select name="name">{names}</select></label>'
            f'<label>for <select name="{self.place}">{places}</select></label>'
            '<label>Value <input name="value" size="10" placeholder="default"></label>'
            "<button>Switch on</button>",
        )
        active = faults["active"]
        clear = (
            write_form(f"{self.action}/off", "<button>Switch all off</button>") if active else ""
        )
        names_on = {one["name"] for one in active}
        on = [kind for kind in faults["known"] if kind["name"] in names_on]
        off = [kind for kind in faults["known"] if kind["name"] not in names_on]
        return (
            f'<section class="card"><h2>{escape(self.title)}</h2>'
            f'<div class="row">{switch_on}{clear}</div>{self._rows(on, active)}'
            f"<details><summary>What there is ({len(off)} off)</summary>{self._rows(off, ())}"
            "</details></section>"
        )

    def _rows(self, kinds: Iterable[Mapping[str, Any]], active: Iterable[Mapping[str, Any]]) -> str:
        rows = "".join(self._row(kind, active) for kind in kinds)
        return f'<ul class="list">{rows}</ul>' if rows else ""

    def _row(self, kind: Mapping[str, Any], active: Iterable[Mapping[str, Any]]) -> str:
        mine = [one for one in active if one["name"] == kind["name"]]
        value = (
            f'<br><span class="quiet">Value: {escape(kind["value"])}</span>'
            if kind["value"]
            else ""
        )
        word = "" if mine else ' <span class="state">off</span>'
        entries = "".join(self._active(one) for one in mine)
        return (
            f"<li><span><strong>{escape(kind['name'])}</strong>{word}<br>"
            f"{escape(kind['description'])}{value}</span>{entries}</li>"
        )

    def _active(self, active: Mapping[str, Any]) -> str:
        place = active[self.place]
        where = self.everywhere if place is None else self.labels.get(place, place)
        value = "" if active["value"] is None else f" ({_short(active['value'])})"
        # Without a place the entry would be switched off everywhere else as well.
        hidden = "" if place is None else write_hidden(self.place, place)
        action = f"{self.action}/{active['name']}/off"
        off = write_form(action, f"{hidden}<button>Switch off</button>")
        label = f'<span class="state bad">on</span> for {escape(where)}{escape(value)}'
        return f'<span class="row">{label} {off}</span>'


def _short(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"
