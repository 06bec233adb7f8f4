"""
Say to supervisors how the process is: alive (`/healthz`), and at work (`/readyz`).
"""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(tags=["health"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """
    Say that the process lives.
    """
    return {"status": "alive"}
