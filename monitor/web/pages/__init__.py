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
for page in (connections, connection, validation, quiet, alerts, calendar, status, handshakes):
    router.include_router(page.router)
