"""Probes and metrics: alive, ready, and counters without any patient's data."""

from __future__ import annotations

from litestar import Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from yersin.db import DatabaseFailure
from yersin.web.shell import AnyRequest

from .state import house_of


@get("/health/live", opt={"public": True}, sync_to_thread=False)
def live() -> dict[str, str]:
    """Say that the process runs."""
    return {"status": "live"}


@get("/health/ready", opt={"public": True})
async def ready(request: AnyRequest) -> Response[dict[str, str]]:
    """Say whether the database answers."""
    try:
        await house_of(request.app).ground.database.fetchval("SELECT 1")
    except DatabaseFailure:
        return Response({"status": "waiting for the database"}, status_code=503)
    return Response({"status": "ready"})


@get("/metrics", opt={"public": True}, sync_to_thread=False)
def metrics() -> Response[bytes]:
    """Return what Prometheus collects."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


PAGES = (live, ready, metrics)
