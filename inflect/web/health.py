"""What other machines ask: alive, ready, metrics."""

import time
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from inflect import metrics
from inflect.store import figures
from inflect.web.api import answer
from inflect.web.brokers import OK
from inflect.web.frame import house
from inflect.web.pulse import Frame

SILENT_S = 5.0


def healthz(_request: Request) -> Response:
    """Answer `GET /healthz`: this process serves requests."""
    return PlainTextResponse("ok\n")


def readyz(request: Request) -> Response:
    """Answer `GET /readyz`: 200 when database and broker are reached, else 503 and which is not."""
    here = house(request)
    frame = here.pulse.refresh()
    found: dict[str, Any] = {"database": _database(frame), "kafka": here.brokers.words()}
    return answer(found, 200 if set(found.values()) == {OK} else 503)


def _database(frame: Frame) -> str:
    """`ok`, or what is wrong. A server that hangs says nothing at all: then the last look is old."""
    if frame.outage is not None:
        return frame.outage.reason
    silent_s = (datetime.now(UTC) - frame.at).total_seconds()
    return OK if silent_s < SILENT_S else f"PostgreSQL has not answered for {silent_s:.0f} s"


def metrics_page(request: Request) -> Response:
    """Answer `GET /metrics`: all workers' series as Prometheus text."""
    text = figures.exposition(house(request).db, now_s=time.time(), version=version("inflect"))
    return Response(text, headers={"Content-Type": metrics.CONTENT_TYPE})
