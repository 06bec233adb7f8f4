"""Offer the pages, one module each, and what their buttons do."""

from __future__ import annotations

from fastapi import APIRouter

from monitor.web.pages import (
    actions,
    alerts,
    audit,
    calendar,
    channels,
    connection,
    connections,
    entries,
    groups,
    handshake,
    people,
    renewals,
    sources,
    status,
    stores,
)

router = APIRouter(include_in_schema=False)
ROUTERS = (
    connections.router,
    connection.router,
    actions.router,
    alerts.router,
    audit.router,
    calendar.router,
    sources.router,
    status.router,
    handshake.router,
    stores.router,
    people.router,
    renewals.router,
    entries.router,
    groups.router,
    channels.router,
)
for each in ROUTERS:
    router.include_router(each)
