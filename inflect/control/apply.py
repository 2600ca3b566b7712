"""Documents to revisions: what would change, and the change itself, the whole set or nothing.

`plan` asks the database and the broker and refuses with all faults of all documents; `apply` plans, creates the topics
that are missing and saves every revision in one transaction. Topics come first because they cannot be part of it: one
that is left over by a refused save is empty and harmless, a pipeline without its topics is not.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inflect.control.checks import pipeline_faults
from inflect.control.code import Files, entries_of, pins_of
from inflect.control.cycles import Links, cycle_faults
from inflect.control.schemas import Pins, Resolved, SchemaSources, before_of, resolve
from inflect.errors import ConflictError, DeniedError, Fault, InflectError, RefusedError, UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.model.document import canonical, parse_pipeline, salvage
from inflect.model.pipeline import Pipeline
from inflect.store import pipelines as store
from inflect.store import processors
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, Origin, PipelineRow
from inflect.store.schemas import SIDES, SchemaPin, Side, pin_of

Action = Literal["created", "changed", "unchanged", "deleted"]

# A dead letter carries its event and the story of its failure.
_HEADER_ROOM_BYTES = 64 * 1024

# It also carries its event's time: a topic that forgets by time would forget the letters of old events at once.
_KEPT = {"retention.ms": "-1"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs: its path in the document or a processor file's path, None where it is absent."""

    path: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one pipeline; `document` is the new one (the old one when deleted), as its owner wrote it.

    `revision` is the current number while planned, the new one once applied; None before a pipeline exists.
    """

    name: str
    action: Action
    differences: tuple[Difference, ...]
    document: dict[str, Any]
    revision: int | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes, in the order of the documents, deletions last; the topics that will be created.

    `notes` say what was kept without being asked for again: a schema while the registry is away.
    """

    changes: tuple[Change, ...]
    topics: tuple[NewTopicSpec, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change."""
        return all(change.action == "unchanged" for change in self.changes)


@dataclass(frozen=True, slots=True)
class _Checked:
    """A document with everything known about it."""

    document: dict[str, Any]
    pipeline: Pipeline
    entries: tuple[str, ...]
    pins: dict[str, str]
    schemas: Pins


def plan(
    db: Database,
    admin: Admin,
    documents: Sequence[dict[str, Any]],
    *,
    schemas: SchemaSources | None = None,
    prune: bool = False,
) -> Plan:
    """Compare documents with the database; with `prune` pipelines that are not among them are deleted.

    RefusedError holds all faults of all documents; UnreachableError when broker, database or registry are away and
    nothing is wrong with the documents themselves. `schemas` says where schemas come from.
    """
    return _plan(db, admin, documents, schemas or SchemaSources(), prune=prune)[0]


def apply(  # noqa: PLR0913  a change, who made it, from where and why
    db: Database,
    admin: Admin,
    documents: Sequence[dict[str, Any]],
    *,
    author: str,
    origin: Origin,
    schemas: SchemaSources | None = None,
    prune: bool = False,
    comment: str = "",
    create: bool = False,
    expected: int | None = None,
) -> Plan:
    """Make the documents the desired state, all or nothing, and return what was done with the new revision numbers.

    Raises what `plan` raises, and ConflictError when somebody else changed a pipeline at the same time. With `create`
    the pipelines must be new: ConflictError for one that exists. `expected` is the revision that a single document was
    made from: ConflictError when another one is current.
    """
    planned, checked = _plan(db, admin, documents, schemas or SchemaSources(), prune=prune)
    if create:
        _refuse_existing(planned)
    if expected is not None:
        _refuse_stale(planned, expected)
    changed = [c for c in planned.changes if c.action in ("created", "changed")]
    deleted = [c.name for c in planned.changes if c.action == "deleted"]
    if not changed and not deleted:
        return planned
    admin.create_topics(planned.topics)
    for change in changed:
        pipeline = checked[change.name].pipeline
        admin.initialise_offsets(pipeline.group, pipeline.source.topic, pipeline.source.start)
    new = [_new_revision(change, checked[change.name]) for change in changed]
    numbers = store.save_revisions(db, new, delete=deleted, author=author, origin=origin, comment=comment)
    return Plan(
        tuple(
            Change(c.name, c.action, c.differences, c.document, numbers.get(c.name, c.revision))
            for c in planned.changes
        ),
        planned.topics,
        planned.notes,
    )


def _refuse_existing(planned: Plan) -> None:
    taken = [change.name for change in planned.changes if change.action != "created"]
    if taken:
        raise ConflictError(f"pipeline {taken[0]} exists already")


def _refuse_stale(planned: Plan, expected: int) -> None:
    change = planned.changes[0]
    if change.revision is None:
        raise ConflictError(f"pipeline {change.name} was deleted meanwhile; read it again")
    if change.revision != expected:
        raise ConflictError(f"pipeline {change.name} is at revision {change.revision}, not {expected}; read it again")


def _new_revision(change: Change, checked: _Checked) -> NewRevision:
    return NewRevision(change.name, change.revision, change.document, checked.pins, checked.entries, checked.schemas)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return where two valid documents differ, apart from defaults and the order of keys."""
    return tuple(_differences(canonical(before), canonical(after), ""))


def _plan(
    db: Database, admin: Admin, documents: Sequence[dict[str, Any]], sources: SchemaSources, *, prune: bool
) -> tuple[Plan, dict[str, _Checked]]:
    pipelines, faults = _parse_all(documents)
    try:
        rows = {row.name: row for row in store.list_pipelines(db)}
        files = processors.current(db)
        existing = {name: info.partitions for name, info in admin.topics().items()}
    except UnreachableError:
        _refuse(faults)
        raise
    specs = _missing_topics(pipelines, existing)
    topics = existing | {spec.name: spec.partitions or 1 for spec in specs}
    links = _links(() if prune else rows.values(), pipelines)
    for pipeline in pipelines:
        faults.setdefault(pipeline.name, []).extend(pipeline_faults(pipeline, files, topics))
        faults[pipeline.name].extend(cycle_faults(pipeline.name, links))
    resolved = _resolve_all(db, pipelines, rows, sources, faults)
    checked = {p.name: _check(d, p, files, resolved[p.name].pins) for d, p in zip(documents, pipelines, strict=True)}
    changes = [_change(db, one, rows.get(name)) for name, one in checked.items()]
    if prune:
        changes += [_deletion(row) for name, row in rows.items() if name not in checked]
    needed = {c.name for c in changes if c.action in ("created", "changed")}
    wanted = _topics_of([checked[name].pipeline for name in needed])
    specs = _roomy([spec for spec in specs if spec.name in wanted], pipelines, existing, admin)
    notes = tuple(note for one in resolved.values() for note in one.notes)
    return Plan(tuple(changes), tuple(specs), notes), checked


def _resolve_all(
    db: Database,
    pipelines: Sequence[Pipeline],
    rows: Mapping[str, PipelineRow],
    sources: SchemaSources,
    faults: dict[str, list[Fault]],
) -> dict[str, Resolved]:
    """Return the schemas of all pipelines; RefusedError for all faults, those found before too."""
    resolved: dict[str, Resolved] = {}
    away: InflectError | None = None
    for pipeline in pipelines:
        row = rows.get(pipeline.name)
        try:
            resolved[pipeline.name] = one = resolve(pipeline, sources, before_of(db, row) if row else {})
            faults[pipeline.name].extend(one.faults)
        except (UnreachableError, DeniedError) as error:
            away = error
    _refuse(faults)
    if away is not None:
        raise away
    return resolved


def _links(rows: Iterable[PipelineRow], pipelines: Iterable[Pipeline]) -> Links:
    """Return where every pipeline there will be reads and delivers; new documents replace stored ones."""
    found: dict[str, tuple[str, str]] = {}
    for row in rows:
        try:
            stored = parse_pipeline(row.document)
        except RefusedError:  # edited by hand into nonsense: it cannot run
            continue
        found[row.name] = (stored.source.topic, stored.target.topic)
    return found | {p.name: (p.source.topic, p.target.topic) for p in pipelines}


def _parse_all(documents: Sequence[dict[str, Any]]) -> tuple[list[Pipeline], dict[str, list[Fault]]]:
    """Return every pipeline that can be made out, and the faults of the documents by the name of their pipeline."""
    pipelines: list[Pipeline] = []
    faults: dict[str, list[Fault]] = {}
    for number, document in enumerate(documents, 1):
        try:
            pipelines.append(parse_pipeline(document))
        except RefusedError as error:
            subject = error.subject if error.subject != "pipeline" else f"document {number}"
            faults.setdefault(subject, []).extend(error.faults)
            pipelines += [salvaged] if (salvaged := salvage(document, error.faults)) else []
    names = [p.name for p in pipelines]
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        faults.setdefault(name, []).append(Fault("name", "is given to two pipelines"))
    return pipelines, faults


def _refuse(found: Mapping[str, list[Fault]]) -> None:
    """Raise one RefusedError for the faults of all subjects, if there are any."""
    faulty = {subject: list(dict.fromkeys(faults)) for subject, faults in found.items() if faults}
    if len(faulty) == 1:
        raise RefusedError(*next(iter(faulty.items())))
    if faulty:
        named = [(subject, fault) for subject, faults in faulty.items() for fault in faults]
        faults = [Fault(f"{subject}: {f.path}" if f.path else subject, f.message) for subject, f in named]
        raise RefusedError("pipelines", faults)


def _check(document: dict[str, Any], pipeline: Pipeline, files: Files, schemas: Pins) -> _Checked:
    entries = entries_of(pipeline, files)
    return _Checked(document, pipeline, entries, pins_of(entries, files), schemas)


def _change(db: Database, new: _Checked, row: PipelineRow | None) -> Change:
    if row is None:
        return Change(new.pipeline.name, "created", (), new.document, None)
    stored = store.get_revision(db, row.name, row.revision)
    schemas = {side: pin_of(pinned) for side, pinned in new.schemas.items()}
    found = (
        *_document_differences(row.document, new.document),
        *_pin_differences(stored.pins, new.pins),
        *schema_differences((row.document, stored.schemas), (new.document, schemas)),
    )
    return Change(row.name, "changed" if found else "unchanged", found, new.document, row.revision)


def _document_differences(before: dict[str, Any], after: dict[str, Any]) -> tuple[Difference, ...]:
    try:
        parse_pipeline(before)
    except RefusedError:  # edited by hand into nonsense: say so instead of comparing nonsense
        return (Difference("", "a document that cannot be read", "this document"),)
    return differences(before, after)


def _pin_differences(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for path in sorted({*before, *after}):
        if before.get(path) != after.get(path):
            yield Difference(path, _short(before.get(path)), _short(after.get(path)))


def schema_differences(
    before: tuple[Mapping[str, Any], Mapping[Side, SchemaPin]],
    after: tuple[Mapping[str, Any], Mapping[Side, SchemaPin]],
) -> Iterator[Difference]:
    """Yield the ends that pin another schema although their documents ask for the same one."""
    (old_document, old_pins), (new_document, new_pins) = before, after
    for side in SIDES:
        old, new = old_pins.get(side), new_pins.get(side)
        if old != new and _asked(old_document, side) == _asked(new_document, side):
            same = str(old) == str(new)  # the same version at another content
            words = [pin and (f"{pin} ({_short(pin.hash)})" if same else str(pin)) for pin in (old, new)]
            yield Difference(f"{side}.schema", *words)


def _asked(document: Mapping[str, Any], side: Side) -> dict[str, Any]:
    """Return an end's reference as it is written, without the default that may stand in it."""
    schema = (document.get(side) or {}).get("schema") or {}
    return {key: value for key, value in schema.items() if (key, value) != ("version", "latest")}


def _short(content: str | None) -> str | None:
    return content and content[:12]


def _deletion(row: PipelineRow) -> Change:
    return Change(row.name, "deleted", (), row.document, row.revision)


def _differences(before: Any, after: Any, path: str) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            old = before[index] if index < len(before) else None
            new = after[index] if index < len(after) else None
            yield from _differences(old, new, f"{path}[{index}]")
    elif before != after or type(before) is not type(after):
        yield Difference(path, before, after)


# Topics.


def _topics_of(pipelines: Iterable[Pipeline]) -> set[str]:
    return {name for p in pipelines for name in (p.source.topic, p.target.topic, *p.side_topics)}


def _missing_topics(pipelines: Sequence[Pipeline], existing: Mapping[str, int]) -> list[NewTopicSpec]:
    """Return the topics to create; what one pipeline creates another one may read, so chains resolve in any order."""
    known = dict(existing)
    specs: dict[str, NewTopicSpec] = {}
    waiting = list(pipelines)
    while ready := [p for p in waiting if p.source.topic in known]:
        waiting = [p for p in waiting if p.source.topic not in known]
        for spec in (s for p in ready for s in _wanted_by(p, known[p.source.topic])):
            if spec.name not in known:
                specs[spec.name] = spec
                known[spec.name] = spec.partitions or known[spec.name]
    return list(specs.values())


def _wanted_by(pipeline: Pipeline, partitions: int) -> Iterator[NewTopicSpec]:
    target = pipeline.target
    if target.create is not None:
        create = target.create
        yield NewTopicSpec(
            target.topic, create.partitions or partitions, create.replication_factor, dict(create.config)
        )
    for name in pipeline.side_topics:
        yield NewTopicSpec(name, partitions, config=dict(_KEPT) if name in pipeline.dead_letter_topics else {})


def _roomy(
    specs: list[NewTopicSpec], pipelines: Sequence[Pipeline], existing: Mapping[str, int], admin: Admin
) -> list[NewTopicSpec]:
    """Give dead letter topics room for the headers beside the largest event their source takes."""
    sources = {name: p.source.topic for p in pipelines for name in p.side_topics if p.source.topic in existing}
    asked = {sources[spec.name] for spec in specs if spec.name in sources}
    limits = admin.max_record_bytes(asked)
    return [
        NewTopicSpec(
            spec.name,
            spec.partitions,
            spec.replication_factor,
            {**spec.config, "max.message.bytes": str(limits[sources[spec.name]] + _HEADER_ROOM_BYTES)},
        )
        if sources.get(spec.name) in limits
        else spec
        for spec in specs
    ]
