"""Documents and files to store, each new on every call so that no test sees another's."""

from typing import Any

from inflect.model.processor import ProcessorVersion, content_hash
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, save_revisions
from inflect.store.processors import record_versions

FILTER = "filters/only-paid.js"


def version(path: str = FILTER, source: str = "module.exports = (event) => event.paid") -> ProcessorVersion:
    folder, name = path.removesuffix(".js").split("/", 1)
    kind: Any = {"filters": "filter", "transformations": "transformation", "lib": "library"}[folder]
    return ProcessorVersion(
        path=path, kind=kind, name=name, hash=content_hash(source), source=source, code=f"{source} // compiled"
    )


def document(name: str = "orders-clean", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "source": {"topic": "orders"},
        "steps": [{"filter": "only-paid"}],
        "target": {"topic": "orders-clean"},
        **more,
    }


def revision(name: str = "orders-clean", expected: int | None = None, **more: Any) -> NewRevision:
    return NewRevision(name, expected, document(name, **more), {FILTER: version().hash}, (FILTER,))


def save(db: Database, *new: NewRevision, delete: tuple[str, ...] = ()) -> dict[str, int]:
    record_versions(db, {FILTER: version()}, (), author="ada")
    return save_revisions(db, new, delete=delete, author="ada", origin="cli", comment="a change")
