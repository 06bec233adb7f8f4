"""
Describe a world in plain values, for the control API and its page.

Decides what is told. Token values are not: nobody has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from monitor.simulator.amazon_state import describe_amazon
from monitor.simulator.answer import write_instant
from monitor.simulator.soldscope import PLANS

if TYPE_CHECKING:
    from datetime import datetime

    from monitor.simulator.soldscope import Token
    from monitor.simulator.soldscope_account import Account
    from monitor.simulator.world import World


def describe_world(world: World) -> dict[str, Any]:
    """
    Return the whole state.
    """
    now = world.clock.now()
    accounts = [describe_account(world, account, now) for account in world.soldscope.accounts]
    return {
        "now": write_instant(now),
        "clock_offset_s": int(world.clock.offset.total_seconds()),
        "amazon": describe_amazon(world, now),
        "soldscope": {"url": world.soldscope_url, "plans": dict(PLANS), "accounts": accounts},
        "faults": world.faults.describe(),
    }


def describe_account(world: World, account: Account, now: datetime) -> dict[str, Any]:
    """
    Return an account with its quota and its tokens.
    """
    quota = world.soldscope.quota(account.id, now)
    return {
        "id": account.id,
        "name": account.name,
        "email": account.email,
        "plan": account.plan,
        "cycle_day": account.cycle_day,
        "limit": quota.limit,
        "used": quota.used,
        "remaining": quota.remaining,
        "resets_at": write_instant(quota.resets_at),
        "searches": [
            {
                "id": each.id,
                "subject": ", ".join(each.subject),
                "status": each.status(now),
                "progress": each.progress(now),
            }
            for each in account.long_searches
        ],
        "tokens": [describe_token(token) for token in world.soldscope.tokens(account.id)],
    }


def describe_token(token: Token) -> dict[str, Any]:
    """
    Return what the token list shows.
    """
    return {
        "id": token.id,
        "name": token.name,
        "created_at": write_instant(token.created_at),
        "last_four": token.last_four,
        "state": "live" if token.is_live else "revoked",
    }
