"""
Write the control page.

Decides how the state looks to people: one page, plain forms, no script. Every
value is escaped. What the forms do is left to `control`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon_page import render_amazon
from monitor.simulator.fault_card import FaultCard
from monitor.simulator.markup import write_form, write_hidden, write_options, write_page
from monitor.simulator.world import CONTROL_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHOWN_TOKENS = 50
"""Tokens listed per account, the newest; the rest is in the JSON state."""


SHOWN_SEARCHES = 5
"""Searches that take a while listed per account, the newest."""


@dataclass(frozen=True, slots=True)
class Notice:
    """
    One sentence about what was just done.

    Args:
        secret: A new secret's value, or lines of them, shown once.
    """

    sentence: str
    is_error: bool = False
    secret: str | None = field(default=None, repr=False)


def render_page(state: Mapping[str, Any], notice: Notice | None) -> str:
    """
    Return the whole page for *state*, which `describe_world` made.
    """
    accounts = state["soldscope"]["accounts"]
    plans = state["soldscope"]["plans"]
    cards = "".join(_account_card(account, plans) for account in accounts)
    body = f"""<header>
<h1>Simulator</h1>
<p><a href="#soldscope">SoldScope</a> · <a href="#amazon">Amazon</a></p>
</header>
<main>
{_notice(notice)}{_clock(state)}
<h2 id="soldscope">SoldScope</h2>
<p>API: <code>{escape(state["soldscope"]["url"])}</code></p>
<div class="cards">{cards}</div>
{_faults(state["faults"], accounts)}
<h2 id="amazon">Amazon</h2>
{render_amazon(state["amazon"])}
</main>"""
    return write_page("Simulator", body)


def _notice(notice: Notice | None) -> str:
    if notice is None:
        return ""
    kind, role = ("bad", "alert") if notice.is_error else ("good", "status")
    secret = "" if notice.secret is None else f"<br><code>{escape(notice.secret)}</code>"
    return f'<p class="notice {kind}" role="{role}">{escape(notice.sentence)}{secret}</p>\n'


def _clock(state: Mapping[str, Any]) -> str:
    offset = state["clock_offset_s"]
    told = f"{timedelta(seconds=offset)} ahead" if offset else "the real time"
    steps = "".join(
        f'<button name="advance" value="{step}">+{step}</button>' for step in ("1h", "1d", "30d")
    )
    moves = _form("clock", steps)
    own = _form(
        "clock",
        '<label>Move on by <input name="advance" size="6" placeholder="3d" required></label>'
        "<button>Move</button>",
    )
    back = _form("clock", '<button name="reset" value="true">Back to real time</button>')
    return (
        f'<section class="card"><h2>Clock</h2><p><strong>{escape(state["now"])}</strong> '
        f'<span class="quiet">{told}</span></p><div class="row">{moves}{own}{back}</div></section>'
    )


def _account_card(account: Mapping[str, Any], plans: Mapping[str, int]) -> str:
    account_id = write_hidden("account", account["id"])
    choices = write_options((plan, f"{plan}, {limit:,}") for plan, limit in plans.items())
    spend = _form(
        "spend",
        f'{account_id}<label>Spend <input name="n" type="number" min="1" value="1"></label>'
        "<button>Spend</button>",
    )
    upgrade = _form(
        "upgrade",
        f'{account_id}<label>Plan <select name="plan">{choices}</select></label>'
        "<button>Change plan</button>",
    )
    create = _form(
        "tokens",
        f'{account_id}<label>New token <input name="name" maxlength="100" '
        'placeholder="production" required></label><button>Create token</button>',
    )
    return (
        f'<section class="card"><h3>{escape(account["name"])}</h3>'
        f'<p class="quiet">{escape(account["id"])} · {escape(account["email"])} · '
        f"plan {escape(account['plan'])}</p>{_quota(account)}"
        f'<div class="row">{spend}{upgrade}</div>{_tokens(account["tokens"])}{create}'
        f"{_searches(account['searches'])}</section>"
    )


def _quota(account: Mapping[str, Any]) -> str:
    limit, used, remaining = account["limit"], account["used"], account["remaining"]
    word = "" if remaining else ' <span class="state bad">used up</span>'
    return (
        f'<p><progress max="{max(limit, 1)}" value="{min(used, limit)}">{used}</progress><br>'
        f"{used:,} of {limit:,} used, <strong>{remaining:,} left</strong>{word}<br>"
        f'<span class="quiet">resets on {escape(account["resets_at"][:10])}</span></p>'
    )


def _tokens(tokens: list[Mapping[str, Any]]) -> str:
    if not tokens:
        return '<p class="quiet">No token yet.</p>'
    rows = "".join(_token_row(token) for token in reversed(tokens[-SHOWN_TOKENS:]))
    hidden = len(tokens) - SHOWN_TOKENS
    more = f'<p class="quiet">and {hidden} older ones</p>' if hidden > 0 else ""
    return f'<ul class="list">{rows}</ul>{more}'


def _searches(searches: list[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<li><span>search {each['id']}: {escape(each['subject'])}<br>"
        f'<span class="quiet">searchStatus {int(each["status"])}, {each["progress"]} %</span>'
        "</span></li>"
        for each in reversed(searches[-SHOWN_SEARCHES:])
    )
    return f'<ul class="list">{rows}</ul>' if rows else ""


def _token_row(token: Mapping[str, Any]) -> str:
    is_live = token["state"] == "live"
    kind = "good" if is_live else "bad"
    action, label = ("revoke", "Revoke") if is_live else ("restore", "Give back")
    change = _form(f"tokens/{token['id']}/{action}", f"<button>{label}</button>")
    return (
        f"<li><span><strong>{escape(token['name'])}</strong> "
        f'<span class="state {kind}">{escape(token["state"])}</span><br>'
        f'<span class="quiet">{escape(token["id"])} · ends in {escape(token["last_four"])} · '
        f"created {escape(token['created_at'])}</span></span>{change}</li>"
    )


def _faults(faults: Mapping[str, Any], accounts: Iterable[Mapping[str, Any]]) -> str:
    live = {
        token["id"]: f"{account['name']}: {token['name']} (…{token['last_four']})"
        for account in accounts
        for token in account["tokens"][-SHOWN_TOKENS:]
        if token["state"] == "live"
    }
    action = f"{CONTROL_PATH}/faults"
    return FaultCard("Faults", action, "token", "all requests", live).render(faults)


def _form(path: str, inner: str) -> str:
    return write_form(f"{CONTROL_PATH}/{path}", inner)
