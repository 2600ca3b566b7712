"""Rows as the store gives them, for tests that draw pages without a database."""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

import httpx

from inflect.errors import UnreachableError
from inflect.model.event import Counts, StepCounts
from inflect.settings import Settings
from inflect.store.audit import AuditRow
from inflect.store.pipelines import PipelineRow
from inflect.store.workers import ProgressRow, WorkerRow
from inflect.web.app import application
from inflect.web.brokers import Brokers
from inflect.web.fragments import draw
from inflect.web.frame import House
from inflect.web.live import Hub
from inflect.web.overview import Reading
from inflect.web.pulse import Pulse

T = TypeVar("T")

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVIL = '<script>alert(1)</script><img src=x onerror=alert(1)>" onload=alert(1) {{7*7}}'
DOCUMENT: dict[str, Any] = {
    "name": "orders-clean",
    "description": "Paid orders",
    "source": {"topic": "orders"},
    "steps": [{"transformation": "lowercase-email"}, {"filter": "only-paid", "filtered": "orders-unpaid"}],
    "target": {"topic": "orders-clean", "create": {"partitions": 4}},
    "dead_letter": "orders-dlq",
}
STEPS = {"lowercase-email": StepCounts(990, 0, 10), "only-paid": StepCounts(600, 390, 0)}
COUNTS = Counts(1000, 600, 390, 10, 0)


def pipeline_row(name: str = "orders-clean", **changes: Any) -> PipelineRow:
    """A running pipeline."""
    row = PipelineRow(
        name=name,
        revision=3,
        document={**DOCUMENT, "name": name},
        paused=False,
        halted=None,
        state="running",
        reason="",
        author="anna",
        origin="cli",
        created_at=NOON - timedelta(days=2),
        updated_at=NOON - timedelta(minutes=5),
    )
    return replace(row, **changes)


def worker_row(name: str = "orders-clean", **changes: Any) -> WorkerRow:
    """A worker that reported half a second ago."""
    row = WorkerRow(
        pipeline=name,
        slot=0,
        id=f"{name}-0",
        pid=4711,
        host="box",
        state="running",
        detail="",
        partitions=(0, 1),
        revision=3,
        restarts=2,
        rss_bytes=28_000_000,
        started_at=NOON - timedelta(hours=1),
        heartbeat_at=NOON - timedelta(seconds=0.5),
    )
    return replace(row, **changes)


def progress_row(name: str = "orders-clean", counts: Counts = COUNTS, **changes: Any) -> ProgressRow:
    """One partition, 20 events behind."""
    row = ProgressRow(
        pipeline=name,
        partition=0,
        offset=1000,
        end=1020,
        revision=3,
        counts=counts,
        steps=dict(STEPS),
        last_timestamp=int(NOON.timestamp() * 1000) - 4000,
        updated_at=NOON,
    )
    return replace(row, **changes)


def audit_row(**changes: Any) -> AuditRow:
    """One change."""
    row = AuditRow(1, NOON - timedelta(minutes=5), "anna", "changed", "orders-clean", {"revision": 3})
    return replace(row, **changes)


def reading(names: Sequence[str] = ("orders-clean",), *, at: datetime = NOON) -> Reading:
    """A look that sees these pipelines, all running."""
    return Reading(
        at,
        [pipeline_row(name) for name in names],
        [worker_row(name) for name in names],
        [progress_row(name) for name in names],
        [audit_row()],
    )


class NoDatabase:
    """Stands where the database would; every use of it is an outage."""

    server = "127.0.0.1:5432"

    def connection(self) -> Any:
        """Refuse as a database that is away does."""
        raise UnreachableError("PostgreSQL at 127.0.0.1:5432 cannot be reached: connection refused")

    transaction = connection


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns, run on a loop of its own: the browser's driver keeps one in the main thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Client:
    """Asks the application without a socket, as one browser does: cookies are kept, redirects are not followed."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._cookies = httpx.Cookies()

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Answer of the application to one request."""
        return finished(self._ask(method, path, **more))

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, **more)

    async def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        base = "http://127.0.0.1:8080"
        async with httpx.AsyncClient(transport=self._transport, base_url=base, cookies=self._cookies) as client:
            answer = await client.request(method, path, **more)
            self._cookies = client.cookies
            return answer


@contextmanager
def served(look: Any = reading, *, address: str = "127.0.0.1:8080", no_auth: str = "") -> Iterator[Client]:
    """The whole application over one look into no database, asked as a browser on the same page asks."""
    hub = Hub()
    settings = Settings(http_address=address, no_auth=no_auth, kafka={"bootstrap.servers": "127.0.0.1:1"})
    with Pulse(look, draw, hub) as pulse:
        app = application(House(settings, cast("Any", NoDatabase()), pulse, hub, Brokers(settings)))
        yield Client(app)
