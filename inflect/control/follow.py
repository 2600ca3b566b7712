"""`version: latest`: a pipeline follows its subjects by a new revision whenever the registry has a newer version.

A version that cannot be used is not followed: the old one goes on, and that is said once and shown until it is
settled. Nor is one that the pipeline had before: whoever rolled back, or applied an older one, is not overruled.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inflect.control.schemas import Before, SchemaRegistry, before_of, kind_fault
from inflect.control.verdicts import Verdicts
from inflect.errors import ConflictError, NotFoundError, RefusedError
from inflect.model.schema import PinnedSchema
from inflect.store import pipelines, schemas
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, PipelineRow
from inflect.store.schemas import SIDES, SchemaRefusal, Side


@dataclass(frozen=True, slots=True)
class Followed:
    """New revisions by pipeline, and what cannot be followed, as far as that was not known."""

    revisions: Mapping[str, int] = field(default_factory=dict)
    refusals: tuple[SchemaRefusal, ...] = ()


@dataclass(frozen=True, slots=True)
class _Newest:
    """The newest version of a subject; `schema` is None where it cannot be read, for `reason`."""

    version: int = 0
    schema: PinnedSchema | None = None
    reason: str = ""


def follow_schemas(
    db: Database, registry: SchemaRegistry, *, author: str, verdicts: Verdicts | None = None
) -> Followed:
    """Bring the pipelines that ask for the latest version of a subject to it.

    `verdicts` of whoever follows again and again spare the trial of versions that cannot be used.
    UnreachableError or DeniedError when database or registry do not answer; what was done until then stands.
    """
    asked: dict[str, _Newest] = {}
    revisions: dict[str, int] = {}
    refusals: dict[tuple[str, Side], SchemaRefusal] = {}
    verdicts = verdicts or Verdicts()
    for row in pipelines.list_pipelines(db):
        moves: dict[Side, PinnedSchema] = {}
        before = before_of(db, row) if any(_follows(row.document, side) for side in SIDES) else {}
        for side, end in before.items():
            if (newest := _newer(end, registry, asked)) is None:
                continue
            # Trying a schema out takes a process and most of a second: not for one that is not wanted.
            if reason := _went_back(db, row.name, side, end, newest) or _obstacle(newest, end, verdicts):
                subject = str(end.pinned.subject)
                refusals[row.name, side] = SchemaRefusal(row.name, side, subject, newest.version, reason)
            elif newest.schema is not None:
                moves[side] = replace(newest.schema, message=end.pinned.message)
        if moves:
            revisions |= _move(db, row, before, moves, author)
    known = {(one.pipeline, one.side) for one in schemas.refusals(db)}
    new = schemas.save_refusals(db, refusals.values(), known - refusals.keys(), actor=author)
    return Followed(revisions, tuple(new))


def _follows(document: Mapping[str, Any], side: Side) -> bool:
    """Whether an end asks for the latest version; a look that costs nothing, at documents of any shape."""
    end = document.get(side)
    schema = end.get("schema") if isinstance(end, dict) else None
    return isinstance(schema, dict) and "subject" in schema and schema.get("version", "latest") == "latest"


def _newer(end: Before, registry: SchemaRegistry, asked: dict[str, _Newest]) -> _Newest | None:
    """Return the newest version of an end's subject, when it is newer than the one it has and is to be followed."""
    subject, pinned = end.reference.subject, end.pinned.version
    if subject is None or pinned is None or end.reference.version != "latest":
        return None
    if subject not in asked:
        asked[subject] = _ask(registry, subject)
    return asked[subject] if asked[subject].version > pinned else None


def _ask(registry: SchemaRegistry, subject: str) -> _Newest:
    try:
        found = registry.version(subject, "latest")
    except NotFoundError:  # the registry lost the subject; what is pinned goes on
        return _Newest()
    except RefusedError as error:
        return _Newest(max(registry.versions(subject), default=0), reason=str(error))
    return _Newest(found.version or 0, found)


def _obstacle(newest: _Newest, end: Before, verdicts: Verdicts) -> str:
    """Return why a pipeline cannot follow, nothing when it can."""
    if newest.schema is None:
        return newest.reason
    candidate = replace(newest.schema, message=end.pinned.message)
    if wrong := kind_fault(candidate, end.pinned.schema.kind):
        return wrong
    return "; ".join(str(fault) for fault in verdicts.of(candidate))


def _went_back(db: Database, name: str, side: Side, end: Before, newest: _Newest) -> str:
    """Return that the pipeline has had this version and somebody took it back, nothing when it has not."""
    if newest.version > schemas.newest_pinned(db, name, side, str(end.pinned.subject)):
        return ""
    return f"the pipeline had it and went back to version {end.pinned.version}; apply the pipeline to take it again"


def _move(
    db: Database, row: PipelineRow, before: Mapping[Side, Before], moves: Mapping[Side, PinnedSchema], author: str
) -> dict[str, int]:
    """Save the revision; nothing when somebody changed the pipeline meanwhile: the next look finds it as it is then."""
    stored = pipelines.get_revision(db, row.name, row.revision)
    pins = {side: end.pinned for side, end in before.items()} | dict(moves)
    new = NewRevision(row.name, row.revision, row.document, stored.pins, tuple(stored.entries), pins)
    comment = "; ".join(_words(side, before[side].pinned, moved) for side, moved in moves.items())
    try:
        return pipelines.save_revisions(db, [new], author=author, origin="registry", comment=comment)
    except ConflictError:
        return {}


def _words(side: Side, old: PinnedSchema, new: PinnedSchema) -> str:
    return f"{side}.schema: {new.subject} from version {old.version} to {new.version}"
