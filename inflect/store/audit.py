"""The audit: who did what to which pipeline or file, in the order it was committed. Rows are only ever added.

A change and its entry are one transaction, so `record` takes the connection of the change.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from inflect.store.database import Database
from inflect.store.statements import execute, rows


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One entry. `subject` is a pipeline's name or a processor's path; `detail` depends on the action."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


def recent(db: Database, name: str | None = None, limit: int = 100, *, before: int | None = None) -> list[AuditRow]:
    """Return the newest entries first, of one subject or of all; `before` is the id the last page ended at."""
    with db.connection() as connection:
        return rows(connection, AuditRow, "audit.recent", {"subject": name, "limit": limit, "before": before})


def record(
    connection: Connection[Any],
    actor: str,
    action: str,
    subject: str,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Add an entry inside the caller's transaction."""
    execute(
        connection,
        "audit.record",
        {"actor": actor, "action": action, "subject": subject, "detail": Jsonb(dict(detail or {}))},
    )
