"""Pipelines: what should run, in which revision, and what the supervisor makes of it.

Changes are whole or nothing: a set of new revisions and deletions is one transaction with its audit entries, made by
one writer at a time. NOTIFY comes from triggers, at the commit. Revisions are never changed (a trigger refuses it) and
outlive their pipeline. Documents are kept as they were written: `control` has checked them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.types.json import Json, Jsonb

from inflect.errors import ConflictError, InflectError, NotFoundError
from inflect.model.document import parse_pipeline
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema
from inflect.model.status import PipelineState
from inflect.store import audit
from inflect.store.database import Database
from inflect.store.schemas import SchemaPin, Side, read_pins, write_pins
from inflect.store.statements import execute, row, rows, tuples

Origin = Literal["cli", "web", "api", "processors", "rollback", "registry"]


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """A pipeline with its current revision. `author` and `origin` are the revision's; times are UTC.

    `state` and `reason` are what the supervisor last made of it; `halted` is why it stopped before an event.
    """

    name: str
    revision: int
    document: dict[str, Any]
    paused: bool
    halted: str | None
    state: PipelineState
    reason: str
    author: str
    origin: Origin
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DesiredPipeline:
    """What the supervisor follows. `resumes` grows when somebody resumes: give a failed pipeline another chance."""

    name: str
    revision: int
    paused: bool
    halted: str | None
    resumes: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class NewRevision:
    """A revision to be saved.

    `expected` is the number that is current for the writer, None where the pipeline must not exist yet; `pins` names
    the content of every file the steps reach (with ending), `entries` the path each step runs, in order. `schemas` are
    those of the ends that have one.
    """

    name: str
    expected: int | None
    document: dict[str, Any]
    pins: Mapping[str, str]
    entries: tuple[str, ...]
    schemas: Mapping[Side, PinnedSchema] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """One revision as it was saved: the document as its owner wrote it, pins ({path: hash}), an entry per step, and
    which schema each end has.
    """

    number: int
    document: dict[str, Any]
    pins: dict[str, str]
    entries: list[str]
    schemas: dict[Side, SchemaPin]
    author: str
    origin: Origin
    comment: str
    created_at: datetime


def list_pipelines(db: Database) -> list[PipelineRow]:
    """Return all pipelines by name."""
    with db.connection() as connection:
        return rows(connection, PipelineRow, "pipelines.list", {"name": None})


def get_pipeline(db: Database, name: str) -> PipelineRow:
    """Return one pipeline; NotFoundError where there is none."""
    with db.connection() as connection:
        return row(connection, PipelineRow, "pipelines.list", {"name": name}, _missing(name))


def desired(db: Database) -> list[DesiredPipeline]:
    """Return what should run, all of it, by name."""
    with db.connection() as connection:
        return rows(connection, DesiredPipeline, "pipelines.desired")


def history(db: Database, name: str, *, limit: int | None = None, before: int | None = None) -> list[RevisionRow]:
    """Return revisions, newest first, those of a deleted pipeline too; NotFoundError where there never was one.

    `before` is the number the last page ended at.
    """
    with db.connection() as connection:
        parameters = {"name": name, "number": None, "before": before, "limit": limit}
        found = rows(connection, _revision_row, "pipelines.history", parameters)
    if not found and before is None:
        raise NotFoundError(_missing(name))
    return found


def get_revision(db: Database, name: str, number: int) -> RevisionRow:
    """Return one revision; NotFoundError where there is none."""
    with db.connection() as connection:
        return _read(connection, name, number)


def load_revision(db: Database, name: str, number: int) -> Revision:
    """Return everything a worker needs to run one revision: the parsed document, the code and the schemas it pins.

    NotFoundError where there is no such revision, RefusedError where the document is nonsense (edited by hand),
    InflectError where the code or the schema of a pin is gone.
    """
    with db.transaction() as connection:
        stored = _read(connection, name, number)
        modules = _modules(connection, name, stored)
        schemas = read_pins(connection, stored.schemas, f"revision {number} of {name}")
    entries, pipeline = tuple(stored.entries), parse_pipeline(stored.document)
    return Revision(number, pipeline, modules, entries, schemas.get("source"), schemas.get("target"))


def save_revisions(  # noqa: PLR0913  a change, who made it, from where and why
    db: Database,
    new: Sequence[NewRevision],
    *,
    delete: Sequence[str] = (),
    author: str,
    origin: Origin,
    through: Origin | None = None,
    comment: str = "",
) -> dict[str, int]:
    """Save new revisions and delete pipelines, all or nothing; return the new number of each.

    Raises ConflictError when an `expected` is not current or a pinned file is unknown, NotFoundError when a pipeline to
    delete does not exist. A new revision lifts what halted or failed the old one; `paused` stays. Revisions outlive a
    deleted pipeline, so numbers go on growing when it is made again. `through` is where the change was asked for, for
    the audit, when `origin` says something else (a rollback).
    """
    with db.transaction() as connection:
        execute(connection, "pipelines.lock_changes")
        _expect(connection, new, delete)
        numbers = {}
        for revision in new:
            numbers[revision.name] = number = _insert(connection, revision, author, origin, comment)
            detail = {"revision": number, "before": revision.expected, "origin": through or origin, "comment": comment}
            action = "created" if revision.expected is None else "changed"
            audit.record(connection, author, action, revision.name, detail)
        _delete(connection, delete, author, origin)
    return numbers


def _expect(connection: Connection[Any], new: Sequence[NewRevision], delete: Sequence[str]) -> None:
    """Raise unless the database is what the writer saw."""
    names = [*(revision.name for revision in new), *delete]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ConflictError(f"one change names a pipeline twice: {', '.join(twice)}")
    current = dict(tuples(connection, "pipelines.current_revisions", {"names": names}))
    for revision in new:
        if current.get(revision.name) != revision.expected:
            raise ConflictError(_stale(revision, current.get(revision.name)))
    for name in delete:
        if name not in current:
            raise NotFoundError(_missing(name))


def _stale(revision: NewRevision, current: int | None) -> str:
    if current is None:
        return f"pipeline {revision.name} was deleted meanwhile; read it again"
    if revision.expected is None:
        return f"pipeline {revision.name} exists already, at revision {current}; change it or choose another name"
    return (
        f"pipeline {revision.name} is at revision {current}, not {revision.expected}:"
        " somebody else changed it; read it again and repeat your change"
    )


def _insert(connection: Connection[Any], revision: NewRevision, author: str, origin: Origin, comment: str) -> int:
    """Add the next revision and make it current; return its number. ConflictError for unknown pins."""
    asked = {"paths": list(revision.pins), "hashes": list(revision.pins.values())}
    unknown = [path for path, _ in tuples(connection, "pipelines.missing_pins", asked)]
    if unknown:
        raise ConflictError(
            f"pipeline {revision.name} needs files that the database does not have at this content:"
            f" {', '.join(unknown)}; run `inflect sync` and repeat"
        )
    parameters = {
        "name": revision.name,
        "document": Json(revision.document),
        "pins": Jsonb(dict(revision.pins)),
        "entries": list(revision.entries),
        "schemas": Jsonb(write_pins(connection, revision.schemas)),
        "author": author,
        "origin": origin,
        "comment": comment,
    }
    number = int(tuples(connection, "pipelines.insert_revision", parameters)[0][0])
    execute(connection, "pipelines.put_pipeline", {"name": revision.name, "revision": number})
    return number


def _delete(connection: Connection[Any], names: Sequence[str], author: str, origin: Origin) -> None:
    if names:
        execute(connection, "pipelines.delete", {"names": list(names)})
    for name in names:
        audit.record(connection, author, "deleted", name, {"origin": origin})


def set_paused(db: Database, name: str, *, paused: bool, author: str, origin: Origin = "cli") -> None:
    """Pause or resume; a resume also lifts what halted or failed the pipeline.

    Asking for what already is changes nothing. NotFoundError where there is no such pipeline.
    """
    verb = "pause" if paused else "resume"
    with db.transaction() as connection:
        row(connection, PipelineRow, "pipelines.list", {"name": name}, _missing(name))
        if execute(connection, f"pipelines.{verb}", {"name": name}):
            audit.record(connection, author, f"{verb}d", name, {"origin": origin})


def set_state(db: Database, states: Mapping[str, tuple[PipelineState, str]]) -> None:
    """Write what the supervisor made of pipelines: {name: (state, reason)}. Status: nobody is notified."""
    if not states:
        return
    with db.transaction() as connection:
        execute(connection, "pipelines.share_changes")
        for name, (state, reason) in sorted(states.items()):
            execute(connection, "pipelines.set_state", {"name": name, "state": state, "reason": reason})


def set_halted(db: Database, name: str, reason: str, *, revision: int | None = None, actor: str = "supervisor") -> bool:
    """Halt a pipeline before an event; return whether that was new.

    With `revision` only while that is the current one: what an old revision met must not stop its successor.
    """
    with db.transaction() as connection:
        parameters = {"name": name, "reason": reason, "revision": revision}
        halted = bool(execute(connection, "pipelines.set_halted", parameters))
        if halted:
            audit.record(connection, actor, "halted", name, {"reason": reason, "revision": revision})
        return halted


def _read(connection: Connection[Any], name: str, number: int) -> RevisionRow:
    parameters = {"name": name, "number": number, "before": None, "limit": None}
    missing = f"there is no revision {number} of a pipeline {name}; `inflect history {name}` shows those there are"
    return row(connection, _revision_row, "pipelines.history", parameters, missing)


def _revision_row(*, schemas: dict[Side, dict[str, Any]], **columns: Any) -> RevisionRow:
    return RevisionRow(schemas={side: SchemaPin(**pin) for side, pin in schemas.items()}, **columns)


def _modules(connection: Connection[Any], name: str, stored: RevisionRow) -> dict[str, str]:
    found = tuples(connection, "pipelines.modules", {"pins": Jsonb(stored.pins)})
    lost = [path for path, _, code in found if code is None]
    if lost:
        raise InflectError(
            f"revision {stored.number} of {name} pins files that the database has lost: {', '.join(lost)};"
            " run `inflect sync` and apply the pipeline again"
        )
    return {path: code for path, _, code in found}


def _missing(name: str) -> str:
    return f"there is no pipeline {name}; `inflect list` shows those there are"
