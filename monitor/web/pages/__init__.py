"""
Offer the pages, one module each.
"""

from __future__ import annotations

from fastapi import APIRouter

from monitor.web.pages import (
    alerts,
    calendar,
    connection,
    connections,
    handshakes,
    quiet,
    status,
    validation,
)

router = APIRouter(include_in_schema=False)
ROUTERS = (
    connections.router,
    connection.router,
    validation.router,
    quiet.router,
    alerts.router,
    calendar.router,
    status.router,
    handshakes.router,
)
for each in ROUTERS:
    router.include_router(each)
