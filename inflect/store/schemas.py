"""Schemas as revisions pin them: texts by the hash of their content, and where each came from.

A text is kept once and for ever, like the code of a processor: a revision needs no registry to mean the same. What a
pipeline could not follow (a newer version it cannot use) is kept here too, so that it is said once and can be shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg import Connection
from psycopg.types.json import Json

from inflect.errors import InflectError
from inflect.model.schema import PinnedSchema, Schema, SchemaKind
from inflect.store import audit
from inflect.store.database import Database
from inflect.store.statements import execute, rows, tuples

Side = Literal["source", "target"]
SIDES: tuple[Side, ...] = ("source", "target")


@dataclass(frozen=True, slots=True)
class SchemaPin:
    """What an end of a revision is checked against: the content's hash, and where it came from."""

    hash: str
    subject: str | None = None
    version: int | None = None
    id: int | None = None
    file: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        return f"{self.subject} {self.version}" if self.subject is not None else f"{self.file} {self.hash[:12]}"


@dataclass(frozen=True, slots=True)
class SchemaUse:
    """One end of a pipeline's current revision, and what it pins."""

    pipeline: str
    side: Side
    hash: str
    subject: str | None
    version: int | None
    id: int | None
    file: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class SchemaRefusal:
    """A newer version that a pipeline should follow and cannot use; it goes on with the one it has."""

    pipeline: str
    side: Side
    subject: str
    version: int
    reason: str
    seen_at: datetime | None = None


def pin_of(pinned: PinnedSchema) -> SchemaPin:
    """Return what a revision says of a schema."""
    return SchemaPin(pinned.schema.hash, pinned.subject, pinned.version, pinned.id, pinned.file, pinned.message)


def write_pins(connection: Connection[Any], schemas: Mapping[Side, PinnedSchema]) -> dict[str, Any]:
    """Keep the texts, inside the caller's transaction; return what the revision's row holds."""
    for pinned in schemas.values():
        schema = pinned.schema
        text = {"hash": schema.hash, "kind": schema.kind, "text": schema.text}
        execute(connection, "schemas.put_text", text | {"references": Json(dict(schema.references))})
    return {
        side: {key: value for key, value in asdict(pin_of(pinned)).items() if value is not None}
        for side, pinned in schemas.items()
    }


def read_pins(connection: Connection[Any], pins: Mapping[Side, SchemaPin], what: str) -> dict[Side, PinnedSchema]:
    """Return the schemas with their texts; InflectError where the database has lost one, `what` says whose."""
    hashes = sorted({pin.hash for pin in pins.values()})
    texts = dict(rows(connection, _text, "schemas.texts", {"hashes": hashes})) if hashes else {}
    lost = [str(pin) for pin in pins.values() if pin.hash not in texts]
    if lost:
        raise InflectError(f"{what} pins schemas that the database has lost: {', '.join(lost)}; apply it again")
    return {
        side: PinnedSchema(texts[pin.hash], pin.subject, pin.version, pin.id, pin.file, pin.message)
        for side, pin in pins.items()
    }


def _text(*, hash: str, kind: SchemaKind, text: str, references: dict[str, str]) -> tuple[str, Schema]:  # noqa: A002  the column's name
    return hash, Schema(kind, text, references)


def load_pins(db: Database, pins: Mapping[Side, SchemaPin], what: str) -> dict[Side, PinnedSchema]:
    """Return the schemas with their texts; InflectError where the database has lost one, `what` says whose."""
    with db.connection() as connection:
        return read_pins(connection, pins, what)


def in_use(db: Database) -> list[SchemaUse]:
    """Return what all current revisions pin, by subject and version, files last."""
    with db.connection() as connection:
        return rows(connection, SchemaUse, "schemas.in_use")


def newest_pinned(db: Database, pipeline: str, side: Side, subject: str) -> int:
    """Return the highest version of a subject that a pipeline ever had at an end; 0 where it had none."""
    asked = {"pipeline": pipeline, "side": side, "subject": subject}
    with db.connection() as connection:
        return int(tuples(connection, "schemas.newest_pinned", asked)[0][0] or 0)


def kept_versions(db: Database, subject: str) -> dict[int, PinnedSchema]:
    """Return {version: schema} of a subject as far as revisions pin it: what is known without the registry."""
    with db.connection() as connection:
        found = tuples(connection, "schemas.ever_pinned", {"subject": subject})
        texts = dict(rows(connection, _text, "schemas.texts", {"hashes": [row[2] for row in found]}))
    return {version: PinnedSchema(texts[content], subject, version, id_) for version, id_, content in found}


def refusals(db: Database) -> list[SchemaRefusal]:
    """Return every version that could not be followed, by pipeline."""
    with db.connection() as connection:
        return rows(connection, SchemaRefusal, "schemas.refusals")


def save_refusals(
    db: Database, found: Iterable[SchemaRefusal], settled: Iterable[tuple[str, Side]], *, actor: str
) -> list[SchemaRefusal]:
    """Keep what cannot be followed and forget what is settled; return the refusals that are new, each in the audit."""
    new = []
    with db.transaction() as connection:
        for pipeline, side in settled:
            execute(connection, "schemas.delete_refusal", {"pipeline": pipeline, "side": side})
        for one in found:
            asked = {key: value for key, value in asdict(one).items() if key != "seen_at"}
            if execute(connection, "schemas.put_refusal", asked):
                audit.record(connection, actor, "schema not followed", one.pipeline, _detail(one))
                new.append(one)
    return new


def _detail(one: SchemaRefusal) -> dict[str, Any]:
    return {"end": one.side, "subject": one.subject, "version": one.version, "reason": one.reason}
