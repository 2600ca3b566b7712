"""A schema at one content, and a schema as a revision pins it.

A schema is its text and the texts it refers to: nothing has to be asked for to use it. A pin adds where it came from,
so that a revision means the same while the registry is away, and its wire id, by which readers find the schema again.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

SchemaKind = Literal["json", "avro", "protobuf"]


@dataclass(frozen=True, slots=True)
class Schema:
    """One schema with everything it reaches.

    `references` maps the name by which a text refers to another (a `$ref` URI, an Avro full name, a Protobuf import
    path) to that text: all of them, direct and indirect, those that others need first.
    """

    kind: SchemaKind
    text: str
    references: Mapping[str, str] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """SHA-256 of kind, text and references in hex: the identity of the content."""
        content = msgspec.json.encode([self.kind, self.text, list(self.references.items())])
        return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class PinnedSchema:
    """A schema in a revision. From a registry: `subject`, `version`, wire `id`; from a file: `file` as it was written.

    `message` is the full name of the Protobuf message; None is the first one of the text, and what other kinds have.
    """

    schema: Schema
    subject: str | None = None
    version: int | None = None
    id: int | None = None
    file: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        return self.file if self.file is not None else f"{self.subject} version {self.version}"
