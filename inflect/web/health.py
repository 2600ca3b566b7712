"""What other machines ask: alive, ready, metrics."""

import threading
import time
from importlib.metadata import version
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from inflect import metrics
from inflect.errors import InflectError
from inflect.kafka.admin import Admin
from inflect.store import figures
from inflect.web.api import answer
from inflect.web.frame import House, house

_BROKER_KEPT_S = 5.0
_PROBE_S = 2.0


class BrokerCheck:
    """Whether the brokers answer, asked at most every few seconds however many probes there are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until = 0.0
        self._words = ""

    def words(self, here: House) -> str:
        """`ok`, or why not."""
        with self._lock:
            if time.monotonic() >= self._until:
                self._words = self._ask(here)
                self._until = time.monotonic() + _BROKER_KEPT_S
            return self._words

    def _ask(self, here: House) -> str:
        try:
            with Admin(here.settings.kafka, timeout_s=_PROBE_S) as admin:
                admin.cluster()
        except InflectError as error:
            return str(error)
        return "ok"


def healthz(_request: Request) -> Response:
    """Answer `GET /healthz`: this process serves requests."""
    return PlainTextResponse("ok\n")


def readyz(request: Request) -> Response:
    """Answer `GET /readyz`: 200 when database and broker are reached, else 503 and which is not."""
    here = house(request)
    frame = here.pulse.refresh()
    found: dict[str, Any] = {
        "database": frame.outage.reason if frame.outage else "ok",
        "kafka": request.app.state.broker.words(here),
    }
    return answer(found, 200 if set(found.values()) == {"ok"} else 503)


def metrics_page(request: Request) -> Response:
    """Answer `GET /metrics`: all workers' series as Prometheus text."""
    text = figures.exposition(house(request).db, now_s=time.time(), version=version("inflect"))
    return Response(text, headers={"Content-Type": metrics.CONTENT_TYPE})
