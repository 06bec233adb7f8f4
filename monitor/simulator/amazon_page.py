"""
Write Amazon's part of the control page.

Decides how applications, stores and messages look to people. Every value is
escaped. What the forms do is left to `amazon_control`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from monitor.simulator.fault_card import FaultCard
from monitor.simulator.markup import write_form, write_hidden, write_options
from monitor.simulator.world import CONTROL_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ROOT = f"{CONTROL_PATH}/amazon"
SHOWN_STORES = 50
"""Stores listed, the newest; the rest is in the JSON state."""

SOON_DAYS = 30
GOOD_WORDS = frozenset({"live", "retiring", "participating"})


def render_amazon(amazon: Mapping[str, Any]) -> str:
    """
    Return the section for Amazon's part of a state.
    """
    stores = amazon["stores"][-SHOWN_STORES:]
    regions = {name: f"region {name.upper()}" for name in amazon["endpoints"]}
    labels = regions | {store["id"]: store["name"] for store in stores}
    faults = FaultCard("Faults of Amazon", f"{ROOT}/faults", "where", "all", labels)
    return (
        f"{_addresses(amazon)}"
        f'<div class="cards">{"".join(map(_application_card, amazon["applications"]))}'
        f"{_new_application()}</div>"
        f'<div class="cards">{_stores(amazon, stores)}</div>'
        f"{_policy(amazon['policy'])}{_queue(amazon['queue'])}{faults.render(amazon['faults'])}"
    )


def _addresses(amazon: Mapping[str, Any]) -> str:
    hosts = amazon["hosts"]
    rows = [("Tokens", amazon["token_url"])]
    rows += [(name.upper(), url) for name, url in amazon["endpoints"].items()]
    rows += [(f"{name}, own port", url) for name, url in hosts.items()]
    lines = "".join(
        f"<tr><th>{escape(name)}</th><td><code>{escape(url)}</code></td></tr>" for name, url in rows
    )
    return f'<section class="card"><table>{lines}</table></section>'


def _application_card(application: Mapping[str, Any]) -> str:
    path = f"{ROOT}/applications/{application['id']}"
    secrets = "".join(
        f"<li><span>Secret …{escape(secret['last_four'])} {_state(secret['state'])}<br>"
        f'<span class="quiet">{_days(secret["days_left"])} · made {secret["issued_at"][:10]}'
        f"{_dies(secret)}</span></span></li>"
        for secret in reversed(application["secrets"])
    )
    rotate = write_form(f"{path}/rotate", "<button>Rotate the secret</button>")
    age = write_form(f"{path}/age", _age_inputs("Age the secret"))
    switches = "".join(
        _switch_row(f"{path}/change", name, label, is_on=application[name])
        for name, label in (
            ("is_enabled", "May use authorizations"),
            ("is_enrolled", "Has a queue for secrets"),
            ("is_draft", "Is a draft"),
        )
    )
    words = "" if application["is_enabled"] else _state("disabled")
    return (
        f'<section class="card"><h3>{escape(application["name"])} {words}</h3>'
        f'<p class="quiet">{escape(application["id"])}<br>{escape(application["client_id"])}<br>'
        f"{escape(application['application_id'])}<br>"
        f"{escape(', '.join(application['redirect_uris']) or 'no redirect URI')}</p>"
        f'<ul class="list">{secrets}</ul><div class="row">{rotate}{age}</div>'
        f'<ul class="list">{switches}</ul></section>'
    )


def _new_application() -> str:
    new = write_form(
        f"{ROOT}/applications",
        '<label>New application <input name="name" maxlength="100" required></label>'
        '<label>Redirect URI <input name="redirect_uri" placeholder="none"></label>'
        "<button>Add application</button>",
    )
    samples = write_form(
        f"{ROOT}/samples",
        '<label>Redirect URI <input name="redirect_uri" placeholder="none"></label>'
        "<button>Add sample stores</button>",
    )
    return (
        '<section class="card"><h3>Try it out</h3>'
        f'<ul class="list"><li>{samples}</li><li>{new}</li></ul></section>'
    )


def _stores(amazon: Mapping[str, Any], stores: Iterable[Mapping[str, Any]]) -> str:
    applications = [(one["id"], one["name"]) for one in amazon["applications"]]
    if not applications:
        return ""
    names = dict(applications)
    cards = "".join(
        _store_card(store, names[store["application"]]) for store in reversed([*stores])
    )
    hidden = len(amazon["stores"]) - SHOWN_STORES
    more = f'<p class="quiet">and {hidden} older ones</p>' if hidden > 0 else ""
    regions = write_options((name, name.upper()) for name in amazon["endpoints"])
    new = write_form(
        f"{ROOT}/stores",
        f'<label>New store <input name="name" maxlength="100" required></label>'
        f'<label>of <select name="application">{write_options(applications)}</select></label>'
        f'<label>in <select name="region">{regions}</select></label>'
        '<label>Countries <input name="marketplaces" size="12" placeholder="all"></label>'
        "<button>Connect store</button>",
    )
    return f'{cards}<section class="card">{new}{more}</section>'


def _store_card(store: Mapping[str, Any], application: str) -> str:
    path = f"{ROOT}/stores/{store['id']}"
    kind = "self-authorized, " if store["is_private"] else ""
    revoke = write_form(f"{path}/revoke", "<button>Revoke</button>")
    renew = write_form(f"{path}/reauthorize", "<button>Re-authorize</button>")
    role = write_form(
        f"{path}/remove-role",
        f'<label>Role <select name="role">{write_options((r, r) for r in store["roles"])}'
        "</select></label><button>Remove</button>",
    )
    return (
        f'<section class="card"><h3>{escape(store["name"])} {_state(store["state"])}</h3>'
        f'<p class="quiet">{escape(store["id"])} · {escape(store["region"].upper())} · '
        f"{kind}{escape(application)} · {escape(store['seller_id'])}</p>"
        f"<p><strong>{_end(store)}</strong> "
        f'<span class="quiet">{store["calls_left"]} calls left in the bucket</span></p>'
        f'<div class="row">{revoke if store["state"] != "revoked" else ""}{renew}'
        f"{write_form(f'{path}/age', _age_inputs('Age'))}</div>"
        f'<ul class="list">{"".join(_place_row(path, one) for one in store["marketplaces"])}</ul>'
        f"{role if store['roles'] else _state('no roles')}</section>"
    )


def _end(store: Mapping[str, Any]) -> str:
    if store["state"] == "revoked":
        return "revoked by the seller"
    if store["expires_at"] is None:
        return "no known end"
    return f"{_days(store['days_left'])} · ends on {store['expires_at'][:10]}"


def _place_row(path: str, place: Mapping[str, Any]) -> str:
    words = _state("participating" if place["participating"] else "not participating")
    if place["suspended_listings"]:
        words += " " + _state("listings suspended")
    hidden = write_hidden("country", place["country"])
    suspend, label = ("false", "Resume") if place["suspended_listings"] else ("true", "Suspend")
    leave, verb = ("false", "Leave") if place["participating"] else ("true", "Join")
    buttons = write_form(
        f"{path}/participation",
        f'{hidden}<button name="suspended" value="{suspend}">{label}</button>'
        f'<button name="participating" value="{leave}">{verb}</button>',
    )
    return f"<li><span><strong>{place['country']}</strong> {words}</span>{buttons}</li>"


def _policy(policy: Mapping[str, bool]) -> str:
    rows = "".join(
        _switch_row(f"{ROOT}/policy", name, label, is_on=policy[name])
        for name, label in (
            ("lapses", "After 365 days a refresh token is refused"),
            ("revoking_ends_access_tokens", "Access tokens end with their authorization"),
            ("renewing_ends_refresh_tokens", "A renewal ends the refresh tokens before it"),
        )
    )
    return (
        '<section class="card"><h2>Where nobody knows what Amazon does</h2>'
        f'<ul class="list">{rows}</ul></section>'
    )


def _queue(messages: Iterable[Mapping[str, Any]]) -> str:
    rows = "".join(
        f"<li><span><strong>{escape(message['notificationType'])}</strong><br>"
        f'<span class="quiet">{escape(message["eventTime"])}</span></span></li>'
        for message in messages
    )
    shown = f'<ul class="list">{rows}</ul>' if rows else '<p class="quiet">No message yet.</p>'
    return f'<section class="card"><h2>Queue for client secrets</h2>{shown}</section>'


def _switch_row(action: str, name: str, label: str, *, is_on: bool) -> str:
    state, other, verb = ("on", "false", "off") if is_on else ("off", "true", "on")
    button = write_form(action, f'<button name="{name}" value="{other}">Switch {verb}</button>')
    return f"<li><span>{escape(label)} {_state(state)}</span>{button}</li>"


def _age_inputs(label: str) -> str:
    return (
        f'<label>{label} by <input name="days" type="number" min="1" max="3650" value="30"> '
        "days</label><button>Age</button>"
    )


def _state(word: str) -> str:
    kind = "good" if word in GOOD_WORDS else "" if word in {"off", "on"} else "bad"
    return f'<span class="state {kind}">{escape(word)}</span>'


def _days(days_left: int) -> str:
    if days_left < 0:
        return "over"
    soon = ", soon over" if days_left <= SOON_DAYS else ""
    return f"{days_left} {'day' if days_left == 1 else 'days'} left{soon}"


def _dies(secret: Mapping[str, Any]) -> str:
    return "" if secret["dies_at"] is None else f" · stops working on {secret['dies_at'][:10]}"
