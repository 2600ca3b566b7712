"""Runs single events through programs without steps, for the tests of formats."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inflect.engine.program import build_program
from inflect.engine.runner import Lines, Runner
from inflect.model.event import Failure
from inflect.model.pipeline import Format, Limits
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema, SchemaKind
from tests.unit.processing.chains import revision

OWN_ID = 2
WRITER_ID = 1
UNLIMITED = float("inf")


def pinned(schema: Schema, **more: Any) -> PinnedSchema:
    """A schema as a registry gives it, with id 2; `file=` makes it one from a file."""
    return PinnedSchema(schema, **({"subject": "s", "version": 1, "id": OWN_ID} | more if "file" not in more else more))


def pipeline(
    source: PinnedSchema | None,
    target: PinnedSchema | None,
    *codes: str,
    formats: tuple[Format, Format],
    limits: Limits | None = None,
    **changes: Any,
) -> Revision:
    """A revision with schemas at its ends."""
    base = revision(*codes, formats=formats, limits=limits or Limits(timeout_ms=2000, memory_mb=64), **changes)
    return replace(base, source_schema=source, target_schema=target)


def lines(*values: bytes) -> Lines:
    """Lines for steps that use no context."""
    return Lines(values, lambda _low, _high: "")


def run(runner: Runner, *values: bytes) -> list[str | Failure]:
    """What becomes of events: their output, or why they fail."""
    given = lines(*(base64.b64encode(value) or b" " for value in values))
    found: list[str | Failure] = []
    while len(found) < len(values):
        for part in runner.run(given, len(found), len(values), deadline=UNLIMITED):
            failures = {
                index: Failure(stage, kind, message, path=rest[-1])
                for index, stage, kind, _step, message, *rest in part.meta["failures"]
            }
            found += [failures.get(index) or text for index, text in enumerate(part.outputs)]
    return found


def prefixed(number: int, value: bytes, *, indexes: bytes = b"") -> bytes:
    """A value behind the wire prefix of a schema id."""
    return b"\x00" + number.to_bytes(4, "big") + indexes + value


def read_as(
    writer: str,
    reader: str | None,
    value: bytes,
    *,
    kind: SchemaKind = "avro",
    references: Mapping[str, str] | None = None,
) -> Any:
    """The value of an event that another schema wrote, as JSON gives it, or its failure."""
    own = None if reader is None else pinned(Schema(kind, reader, references or {}))
    with Runner(build_program(pipeline(own, None, formats=(kind, "json")))) as runner:
        assert runner.teach({WRITER_ID: Schema(kind, writer, references or {})}) == {}
        (found,) = run(runner, prefixed(WRITER_ID, value))
    return json.loads(found) if isinstance(found, str) else found
