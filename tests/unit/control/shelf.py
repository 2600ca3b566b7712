"""A registry in memory, for tests of what is made of its answers; the real client has tests of its own."""

from dataclasses import dataclass, field
from typing import Literal

from inflect.errors import InflectError, NotFoundError, UnreachableError
from inflect.model.schema import PinnedSchema, Schema, SchemaKind

TEXTS: dict[SchemaKind, str] = {
    "json": '{"type": "object", "required": ["id"]}',
    "avro": '{"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}',
    "protobuf": 'syntax = "proto3"; message Order { int64 id = 1; }',
}


@dataclass
class Shelf:
    """Subjects with their versions, numbered from 1. `trouble` is raised by every call while it is set."""

    subjects_: dict[str, list[Schema]] = field(default_factory=dict)
    trouble: InflectError | None = None
    asked: int = 0

    def add(self, subject: str, kind: SchemaKind = "json", text: str = "") -> "Shelf":
        versions = self.subjects_.setdefault(subject, [])
        versions.append(Schema(kind, text or TEXTS[kind]))
        return self

    def away(self) -> "Shelf":
        self.trouble = UnreachableError("the schema registry at http://registry does not answer")
        return self

    def subjects(self) -> list[str]:
        self._ask()
        return sorted(self.subjects_)

    def versions(self, subject: str) -> list[int]:
        self._ask()
        if subject not in self.subjects_:
            raise NotFoundError(f"no subject {subject}")
        return list(range(1, len(self.subjects_[subject]) + 1))

    def version(self, subject: str, number: int | Literal["latest"]) -> PinnedSchema:
        versions = self.versions(subject)
        wanted = versions[-1] if number == "latest" else number
        if wanted not in versions:
            raise NotFoundError(f"no version {wanted} of {subject}")
        return PinnedSchema(self.subjects_[subject][wanted - 1], subject, wanted, 100 + wanted)

    def by_id(self, schema_id: int) -> Schema:
        self._ask()
        found = [versions[schema_id - 101] for versions in self.subjects_.values() if schema_id - 101 < len(versions)]
        if schema_id < 101 or not found:
            raise NotFoundError(f"no schema id {schema_id}")
        return found[0]

    def _ask(self) -> None:
        self.asked += 1
        if self.trouble is not None:
            raise self.trouble
