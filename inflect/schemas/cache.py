"""Schemas on disk, a file per id: written whole or not at all, believed only when the content fits its own hash.

A cache is a help and never a condition: a directory that cannot be written, a full disk, a torn file mean that the
registry is asked again, and one line in the log.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from inflect import logs
from inflect.model.schema import Schema, SchemaKind

_log = logs.get("schemas")


class _Entry(msgspec.Struct):
    kind: SchemaKind
    text: str
    references: list[tuple[str, str]]  # a list, because their order has a meaning
    hash: str


class SchemaCache:
    """The files of one registry in `directory`; None keeps nothing. Many processes may share a directory."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def read(self, schema_id: int) -> Schema | None:
        """Return the schema of this id; None when it is not here whole."""
        if self._directory is None:
            return None
        try:
            entry = msgspec.json.decode((self._directory / f"{schema_id}.json").read_bytes(), type=_Entry)
        except (OSError, ValueError):  # what msgspec raises is a ValueError
            return None
        schema = Schema(entry.kind, entry.text, dict(entry.references))
        return schema if schema.hash == entry.hash else None

    def ids(self) -> Iterator[int]:
        """Yield the ids that have a file."""
        with contextlib.suppress(OSError):
            yield from (int(file.stem) for file in sorted(self._files()) if file.stem.isdecimal())

    def write(self, schema_id: int, schema: Schema) -> None:
        """Keep a schema; when that fails, nothing is kept from then on."""
        if self._directory is None:
            return
        entry = _Entry(schema.kind, schema.text, list(schema.references.items()), schema.hash)
        fresh = self._directory / f"{schema_id}.json.{os.getpid()}"
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(msgspec.json.encode(entry))
            fresh.replace(self._directory / f"{schema_id}.json")
        except OSError as error:
            _log.warning("schemas are kept in memory only", directory=str(self._directory), why=str(error))
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            self._directory = None

    def _files(self) -> Iterator[Path]:
        return iter(()) if self._directory is None else self._directory.glob("*.json")
