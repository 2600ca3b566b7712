"""What every page has around it, and what every handler is given: the pulse, the database, the way to the brokers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request

from inflect.control.schemas import SchemaSources
from inflect.kafka.admin import Admin
from inflect.schemas.registry import Registry
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.web.brokers import Brokers
from inflect.web.live import Hub
from inflect.web.pulse import Frame, Pulse


@dataclass(frozen=True, slots=True)
class House:
    """The long-lived things of one web process."""

    settings: Settings
    db: Database
    pulse: Pulse
    hub: Hub
    brokers: Brokers

    @contextmanager
    def admin(self) -> Iterator[Admin]:
        """A client for the brokers, for the length of one request."""
        with Admin(self.settings.kafka) as admin:
            yield admin

    @contextmanager
    def registry(self) -> Iterator[Registry | None]:
        """A client for the schema registry, for the length of one request; None when none is set."""
        access = self.settings.registry()
        if access is None:
            yield None
            return
        with Registry(access) as registry:
            yield registry

    @contextmanager
    def schema_sources(self) -> Iterator[SchemaSources]:
        """Where the schemas of a pipeline come from, for the length of one request."""
        with self.registry() as registry:
            yield SchemaSources(registry, self.settings.processors.absolute().parent)


def house(request: Request) -> House:
    """The process' House."""
    found: House = request.app.state.house
    return found


def author(request: Request) -> str:
    """Who asks. Without logins all that is known is from where."""
    address = request.client.host if request.client else "somewhere"
    return f"web@{address}"


def chrome(request: Request, frame: Frame, *, active: str, title: str, stream: str = "/live/health") -> dict[str, Any]:
    """What `base.html` needs."""
    query = f"?{request.url.query}" if request.url.query else ""
    return {
        "active": active,
        "title": title,
        "stream": stream,
        "here": request.url.path + query,
        "health": frame.health,
        "outage": frame.outage,
        "clock": frame.at.strftime("%H:%M:%S UTC"),
        "now": max(frame.at, datetime.now(UTC)),
    }
