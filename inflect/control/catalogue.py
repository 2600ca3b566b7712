"""Schemas to look at: what the registry has, what pipelines use, and what is known without the registry.

Whatever a revision pins is kept with its text, so a subject in use can be read while the registry is away.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inflect.control.schemas import SchemaRegistry
from inflect.errors import InflectError, NotFoundError, UnreachableError
from inflect.model.schema import PinnedSchema, Schema
from inflect.store import schemas
from inflect.store.database import Database
from inflect.store.schemas import SchemaUse


@dataclass(frozen=True, slots=True)
class Entry:
    """One subject, or one schema file that some pipeline pins. `used_by` are the ends of current revisions."""

    subject: str | None
    file: str | None
    used_by: tuple[SchemaUse, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject at one of its versions. `away` says why only what revisions pin is shown, empty when all is."""

    name: str
    versions: tuple[int, ...]
    version: int
    id: int | None
    schema: Schema
    used_by: tuple[SchemaUse, ...]
    away: str = ""


def entries(db: Database, registry: SchemaRegistry | None) -> list[Entry]:
    """Return all subjects by name, then the files; without a registry those that pipelines use.

    UnreachableError or DeniedError when the registry does not answer.
    """
    return listed(db, registry.subjects() if registry is not None else ())


def listed(db: Database, subjects: Sequence[str]) -> list[Entry]:
    """Return these subjects and all that pipelines use, by name, then the files."""
    uses = schemas.in_use(db)
    names = sorted({*subjects, *(use.subject for use in uses if use.subject is not None)})
    files = sorted({use.file for use in uses if use.file is not None})
    return [
        *(Entry(name, None, tuple(use for use in uses if use.subject == name)) for name in names),
        *(Entry(None, file, tuple(use for use in uses if use.file == file)) for file in files),
    ]


def subject(db: Database, registry: SchemaRegistry | None, name: str, version: int | None = None) -> Subject:
    """Return a subject at `version`, None: the newest; while the registry is away from what revisions pin.

    NotFoundError where there is no such subject or version; RefusedError for a schema that cannot be used.
    """
    uses = tuple(use for use in schemas.in_use(db) if use.subject == name)
    missing: InflectError = NotFoundError(f"no registry is set, and no revision pins a subject {name!r}")
    if registry is not None:
        try:
            return _shown(registry.version(name, version or "latest"), registry.versions(name), uses)
        except (UnreachableError, NotFoundError) as error:
            missing = error
    kept = schemas.kept_versions(db, name)
    wanted = version or max(kept, default=0)
    if wanted not in kept:
        raise missing
    return _shown(kept[wanted], sorted(kept), uses, str(missing))


def _shown(found: PinnedSchema, versions: Sequence[int], uses: tuple[SchemaUse, ...], away: str = "") -> Subject:
    return Subject(str(found.subject), tuple(versions), found.version or 0, found.id, found.schema, uses, away)
