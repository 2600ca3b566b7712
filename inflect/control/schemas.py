"""References to schemas become pins: a subject at one version, or a file at one content, with everything it refers to.

Every schema is tried out before a revision may pin it. Where the registry is away, or a file lies on another machine,
what the current revision pins for the very same reference is kept: a change elsewhere in a pipeline must not fail for
it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, Protocol

from inflect.control.schema_files import places, read_schema
from inflect.engine.codec import check_schema
from inflect.errors import DeniedError, Fault, NotFoundError, RefusedError, UnreachableError
from inflect.model.document import parse_pipeline
from inflect.model.pipeline import Format, Pipeline, SchemaReference
from inflect.model.schema import PinnedSchema, Schema, SchemaKind
from inflect.schemas.json_schema import JsonValidator
from inflect.store import pipelines
from inflect.store.database import Database
from inflect.store.pipelines import PipelineRow
from inflect.store.schemas import SIDES, Side, load_pins, pin_of

NO_REGISTRY = "needs a schema registry: set INFLECT_REGISTRY_URL, or name a file"
_KINDS: dict[Format, SchemaKind] = {"json": "json", "avro": "avro", "protobuf": "protobuf"}
_SHOWN = 10

Pins = dict[Side, PinnedSchema]


class SchemaRegistry(Protocol):
    """What is asked of a registry; errors as those of `schemas.registry.Registry`."""

    def subjects(self) -> list[str]:
        """Return the names of all subjects."""

    def versions(self, subject: str) -> list[int]:
        """Return the numbers of a subject's versions, oldest first."""

    def version(self, subject: str, number: int | Literal["latest"]) -> PinnedSchema:
        """Return one version with all it refers to."""

    def by_id(self, schema_id: int) -> Schema:
        """Return the schema that events name by this id, with all it refers to."""


@dataclass(frozen=True, slots=True)
class SchemaSources:
    """Where schemas come from: the registry (None: there is none), `root`, the folder that holds the processors
    directory, `beside`, the folders of the pipelines' own files by name, and `here`, where a person works.
    """

    registry: SchemaRegistry | None = None
    root: Path | None = None
    beside: Mapping[str, Path] = field(default_factory=dict)
    here: Path | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """An end's schema in the current revision: the reference as it was written, and what it pins."""

    reference: SchemaReference
    pinned: PinnedSchema


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a new revision pins; what is wrong; and what was kept without being asked for again, in words."""

    pins: Pins = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()


def resolve(pipeline: Pipeline, sources: SchemaSources, before: Mapping[Side, Before]) -> Resolved:
    """Return what the references of both ends mean now; `before` is what the current revision has.

    UnreachableError, or DeniedError, when the registry does not answer and nothing of before can be kept.
    """
    pins: Pins = {}
    faults = list(_rule_faults(pipeline, has_registry=sources.registry is not None))
    notes: list[str] = []
    for side in SIDES:
        end = pipeline.source if side == "source" else pipeline.target
        kind = _KINDS.get(end.format)
        if end.schema is None or kind is None:  # a format that nothing is checked against: the document says so
            continue
        try:
            pinned, note = _pin(end.schema, kind, pipeline.name, sources, before.get(side))
        except RefusedError as error:
            faults += [Fault(f"{side}.schema{fault.path}", fault.message) for fault in error.faults]
            continue
        pins[side] = pinned
        notes += [f"{pipeline.name}: {side}.schema: {note}"] if note else []
        if side not in before or before[side].pinned != pinned:
            faults += [Fault(f"{side}.schema", f"{pinned}: {why}") for why in unusable(pinned)]
    return Resolved(pins, tuple(faults), tuple(notes))


def before_of(db: Database, row: PipelineRow) -> dict[Side, Before]:
    """Return the schemas of a pipeline's current revision, by end."""
    stored = pipelines.get_revision(db, row.name, row.revision)
    try:
        pipeline = parse_pipeline(row.document)
    except RefusedError:  # edited by hand into nonsense: nothing of it is kept
        return {}
    references = {"source": pipeline.source.schema, "target": pipeline.target.schema}
    pins = load_pins(db, stored.schemas, f"revision {row.revision} of {row.name}")
    return {
        side: Before(reference, pinned) for side, pinned in pins.items() if (reference := references[side]) is not None
    }


def unusable(pinned: PinnedSchema) -> list[Fault]:
    """Return why events cannot be checked, read or written by a schema; empty when they can."""
    schema = pinned.schema
    if schema.kind != "json":
        return check_schema(schema, pinned.message)
    try:
        JsonValidator(schema)
    except RefusedError as error:
        return error.faults
    return []


def kind_fault(pinned: PinnedSchema, wanted: SchemaKind) -> str | None:
    """Return what to say of a schema of another kind than the format; None when it is of the kind."""
    found = pinned.schema.kind
    if found == wanted:
        return None
    return (
        f"{pinned} is a schema for {found}, the format here is {wanted}; name another subject, or set format: {found}"
    )


def words(pinned: PinnedSchema) -> str:
    """Return a pin in a few words, for differences: `orders-value 3`."""
    return str(pin_of(pinned))


def _pin(
    reference: SchemaReference, kind: SchemaKind, pipeline: str, sources: SchemaSources, before: Before | None
) -> tuple[PinnedSchema, str]:
    """Return what a reference means, and a note where that is only what it meant before."""
    kept = _kept(reference, kind, before)
    if reference.file is not None:
        try:
            return _from_file(reference, kind, sources, pipeline), ""
        except NotFoundError as error:
            if kept is None:
                raise RefusedError("schema", [Fault(".file", str(error))]) from error
            return kept, f"{error}; the content that is pinned already is kept"
    if sources.registry is None:
        raise RefusedError("schema", [Fault(".subject", f"{reference.subject} {NO_REGISTRY}")])
    try:
        pinned = _from_registry(reference, sources.registry)
    except (UnreachableError, DeniedError) as error:
        if kept is None:
            raise
        return kept, f"{error}; {kept} is kept"
    if wrong := kind_fault(pinned, kind):
        raise RefusedError("schema", [Fault(".subject", wrong)])
    return pinned, ""


def _kept(reference: SchemaReference, kind: SchemaKind, before: Before | None) -> PinnedSchema | None:
    """Return what is pinned already, when it was asked for in the same words and for a format of the same kind."""
    if before is None or replace(before.reference, message=reference.message) != reference:
        return None
    if before.pinned.schema.kind != kind:
        return None
    return replace(before.pinned, message=reference.message)


def _from_file(reference: SchemaReference, kind: SchemaKind, sources: SchemaSources, pipeline: str) -> PinnedSchema:
    name = str(reference.file)
    try:
        schema: Schema = read_schema(name, kind, places(sources.beside.get(pipeline), sources.root, sources.here))
    except RefusedError as error:
        raise RefusedError("schema", [Fault(".file", f"{error.subject} {f.message}") for f in error.faults]) from error
    return PinnedSchema(schema, file=name, message=reference.message)


def _from_registry(reference: SchemaReference, registry: SchemaRegistry) -> PinnedSchema:
    subject = str(reference.subject)
    try:
        pinned = registry.version(subject, reference.version)
    except NotFoundError as error:
        raise RefusedError("schema", [_unknown(subject, reference.version, registry)]) from error
    except RefusedError as error:
        raise RefusedError(
            "schema", [Fault(".subject", f"{error.subject} {f.message}") for f in error.faults]
        ) from error
    return replace(pinned, message=reference.message)


def _unknown(subject: str, number: int | str, registry: SchemaRegistry) -> Fault:
    subjects = registry.subjects()
    if subject not in subjects:
        return Fault(".subject", f"the registry has no subject {subject!r}{_hint(subject, subjects)}")
    versions = registry.versions(subject)
    shown = ", ".join(map(str, versions[-_SHOWN:]))
    more = "…, " if len(versions) > _SHOWN else ""
    return Fault(".version", f"{subject} has no version {number}; it has {more}{shown}")


def _hint(subject: str, known: Sequence[str]) -> str:
    close = get_close_matches(subject, known, n=3, cutoff=0.6)
    if close:
        return f"; did you mean {' or '.join(map(repr, close))}?"
    return f"; it has {', '.join(known[:_SHOWN])}{', …' if len(known) > _SHOWN else ''}" if known else "; it is empty"


def _rule_faults(pipeline: Pipeline, *, has_registry: bool) -> Iterator[Fault]:
    """Yield where a format cannot do without a schema."""
    source, target = pipeline.source, pipeline.target
    if source.format in ("avro", "protobuf") and source.schema is None and not has_registry:
        yield Fault(
            "source.schema",
            f"{source.format} cannot be read without one: name a file or a subject, or set INFLECT_REGISTRY_URL, so "
            "that the ids in events can be looked up",
        )
    if target.format in ("avro", "protobuf") and target.schema is None:
        yield Fault("target.schema", f"{target.format} cannot be written without one: name a subject or a file")
    if target.wire_prefix and (target.schema is None or target.schema.subject is None):
        yield Fault(
            "target.wire_prefix",
            "needs target.schema.subject: readers look the schema up in the registry by its id",
        )
