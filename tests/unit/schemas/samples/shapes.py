"""Schemas of many shapes, as files: real standards and the corners of each language."""

from pathlib import Path

from inflect.model.schema import PinnedSchema, Schema, SchemaKind

FOLDER = Path(__file__).parent / "shapes"
KINDS: dict[str, SchemaKind] = {".json": "json", ".avsc": "avro", ".proto": "protobuf"}


def names(kind: SchemaKind) -> list[str]:
    return sorted(path.name for path in FOLDER.iterdir() if KINDS.get(path.suffix) == kind)


def shape(name: str, **references: str) -> PinnedSchema:
    path = FOLDER / name
    return PinnedSchema(Schema(KINDS[path.suffix], path.read_text(), references), file=name)


def of_text(text: str, kind: SchemaKind = "json", references: dict[str, str] | None = None) -> PinnedSchema:
    return PinnedSchema(Schema(kind, text, references or {}), file="here")
