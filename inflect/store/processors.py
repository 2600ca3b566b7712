"""Processor files: every version there ever was, and the one the directory holds now.

A version is never changed or thrown away while the database lives, because revisions pin it. The files themselves
arrive compiled: nothing here reads JavaScript.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Json

from inflect.model.processor import ProcessorKind, ProcessorVersion
from inflect.store import audit
from inflect.store.database import Database
from inflect.store.statements import execute, rows, tuples


@dataclass(frozen=True, slots=True)
class ProcessorRow:
    """A file as the directory holds it now. `used_by`: the pipelines whose current revision reaches it."""

    path: str
    kind: ProcessorKind
    name: str
    hash: str
    title: str
    description: str
    params: dict[str, Any] | None
    requires: list[str]
    author: str
    updated_at: datetime
    used_by: list[str]


@dataclass(frozen=True, slots=True)
class VersionRow:
    """One version of one file; `current` where the directory holds it now."""

    path: str
    kind: ProcessorKind
    name: str
    hash: str
    source: str
    code: str
    requires: list[str]
    title: str
    description: str
    params: dict[str, Any] | None
    created_at: datetime
    current: bool


def current(db: Database) -> dict[str, ProcessorVersion]:
    """Return {path: version} of the directory as it was last synced, libraries included."""
    with db.connection() as connection:
        found = rows(connection, _version, "processors.current")
    return {version.path: version for version in found}


def _version(*, requires: list[str], **columns: Any) -> ProcessorVersion:
    return ProcessorVersion(requires=tuple(requires), **columns)


def list_processors(db: Database) -> list[ProcessorRow]:
    """Return the files of the directory by path, with the pipelines that use each."""
    with db.connection() as connection:
        return rows(connection, ProcessorRow, "processors.list")


def versions(db: Database, path: str) -> list[VersionRow]:
    """Return all versions of a file, newest first; empty where there never was such a file."""
    with db.connection() as connection:
        return rows(connection, VersionRow, "processors.versions", {"path": path})


def record_versions(
    db: Database, changed: Mapping[str, ProcessorVersion], removed: Iterable[str], *, author: str
) -> None:
    """Make these versions current and forget removed paths, all or nothing, with audit entries for what differs."""
    with db.transaction() as connection:
        for path in sorted(changed):
            _make_current(connection, changed[path], author)
        for path in sorted(removed):
            if execute(connection, "processors.remove", {"path": path}):
                audit.record(connection, author, "processor removed", path)


def _make_current(connection: Connection[Any], version: ProcessorVersion, author: str) -> None:
    execute(
        connection,
        "processors.insert_version",
        {
            "path": version.path,
            "hash": version.hash,
            "kind": version.kind,
            "name": version.name,
            "source": version.source,
            "code": version.code,
            "requires": list(version.requires),
            "title": version.title,
            "description": version.description,
            "params": None if version.params is None else Json(version.params),
        },
    )
    made = {"path": version.path, "hash": version.hash, "author": author}
    for (created,) in tuples(connection, "processors.put_current", made):
        action = "processor added" if created else "processor changed"
        audit.record(connection, author, action, version.path, {"hash": version.hash})
