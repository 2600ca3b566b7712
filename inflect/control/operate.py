"""Pause, resume, delete, roll back: one pipeline, one row, one audit entry.

Kafka is not asked: a worker commits before it stops, so offsets and events are kept whatever happens here.
"""

from inflect.errors import ConflictError
from inflect.store import pipelines as store
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, Origin
from inflect.store.schemas import load_pins


def pause(db: Database, name: str, *, author: str, origin: Origin = "cli") -> None:
    """Ask for no workers: each finishes its batch in flight. NotFoundError without such a pipeline."""
    store.set_paused(db, name, paused=True, author=author, origin=origin)


def resume(db: Database, name: str, *, author: str, origin: Origin = "cli") -> None:
    """Ask for workers again; what stopped or failed the pipeline is forgotten. NotFoundError without it."""
    store.set_paused(db, name, paused=False, author=author, origin=origin)


def delete(db: Database, name: str, *, author: str, origin: Origin = "cli") -> None:
    """Delete a pipeline. Its revisions, offsets and topics are kept. NotFoundError without such a pipeline."""
    store.get_pipeline(db, name)
    store.save_revisions(db, [], delete=[name], author=author, origin=origin)


def rollback(db: Database, name: str, number: int, *, author: str, origin: Origin = "cli") -> int:
    """Make an old revision's document, code and schemas current again, as a new revision; return its number.

    NotFoundError without such a pipeline or revision, ConflictError when it is the current one.
    """
    current = store.get_pipeline(db, name).revision
    old = store.get_revision(db, name, number)
    if number == current:
        raise ConflictError(f"revision {number} of {name} is the current one; `inflect history {name}` lists others")
    schemas = load_pins(db, old.schemas, f"revision {number} of {name}")
    new = NewRevision(name, current, old.document, old.pins, tuple(old.entries), schemas)
    comment = f"back to revision {number}"
    return store.save_revisions(db, [new], author=author, origin="rollback", through=origin, comment=comment)[name]
