"""The web as it is served, over a real database: rows as the supervisor writes them, pages as browsers get them."""

import secrets
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from inflect.model.event import Counts, StepCounts
from inflect.model.processor import ProcessorVersion, content_hash
from inflect.model.status import PartitionProgress
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, save_revisions, set_state
from inflect.store.processors import record_versions
from inflect.store.workers import WorkerRow, save_reports
from inflect.web.app import _serving, application, opened

FILTER = "filters/only-paid.js"
SOURCE = "module.exports = (event) => event.paid"


@dataclass(frozen=True, slots=True)
class Web:
    """A served application and the database under it."""

    url: str
    db: Database
    client: httpx.Client
    refresh: Callable[[], Any]
    """Look at the database now, instead of within a second."""


def settings_for(database_url: str, kafka: Mapping[str, str] | None = None, port: int = 0) -> Settings:
    """Settings as `serve` would have them."""
    return Settings(
        database_url=database_url,
        kafka=dict(kafka or {"bootstrap.servers": "127.0.0.1:1"}),
        http_address=f"127.0.0.1:{port}",
    )


@contextmanager
def served(settings: Settings, db: Database, port: int = 0) -> Iterator[Web]:
    """Serve until left, on a free port or the given one."""
    with (
        socket.create_server(("127.0.0.1", port)) as listener,
        opened(settings) as here,
        _serving(application(here), here.hub, listener),
    ):
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=10) as client:
            yield Web(url, db, client, here.pulse.refresh)


def document(name: str = "orders-clean", **more: Any) -> dict[str, Any]:
    """A small pipeline."""
    return {
        "name": name,
        "source": {"topic": "orders"},
        "steps": [{"filter": "only-paid"}],
        "target": {"topic": "orders-clean", "create": {}},
        "dead_letter": "orders-dlq",
        **more,
    }


def save(db: Database, name: str = "orders-clean", expected: int | None = None, **more: Any) -> None:
    """A revision, as `inflect apply` leaves it."""
    version = ProcessorVersion(FILTER, "filter", "only-paid", content_hash(SOURCE), SOURCE, SOURCE)
    record_versions(db, {FILTER: version}, (), author="ada")
    new = NewRevision(name, expected, document(name, **more), {FILTER: version.hash}, (FILTER,))
    save_revisions(db, [new], author="ada", origin="cli")


def report(db: Database, name: str = "orders-clean", *, consumed: int, lag: int = 0) -> None:
    """What the supervisor writes about a second of a running pipeline."""
    now = datetime.now(UTC)
    half = consumed // 2
    counts = Counts(consumed, consumed - half, half, 0, 0)
    steps = {"only-paid": StepCounts(consumed - half, half, 0)}
    stamp = int(now.timestamp() * 1000)
    progress = {0: PartitionProgress(consumed, consumed + lag, 1, counts, steps, stamp)}
    worker = WorkerRow(name, 0, f"{name}-0", 4711, "box", "running", "", (0,), 1, 0, 28_000_000, now, now)
    save_reports(db, [worker], {name: progress})
    set_state(db, {name: ("running", "")})


def unique(prefix: str) -> str:
    """A name of its own."""
    return f"{prefix}-{secrets.token_hex(3)}"
