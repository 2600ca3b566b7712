"""Every format in every case through the chain; `python -m tests.integration.processing.formats` writes the docs.

A cell is one event through a chain without steps, with a registry that can be made to fail; what becomes of the event
is the outcome. Nothing of the table is written by hand.
"""

import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from inflect.engine.codec import Codec
from inflect.model.event import Batch, Failure
from inflect.model.pipeline import Format, Pipeline, Source, Target
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema, SchemaKind
from inflect.processing.chain import Chain
from inflect.schemas.writers import SchemaAwayError, WriterSchemas
from inflect.settings import RegistryAccess
from tests.registry_fake import FakeRegistry

DOCUMENT = Path(__file__).parents[3] / "docs" / "formats.md"
BEGIN, END = "<!-- the table: written by its test -->\n", "<!-- the end of the table -->\n"
MADE = 1_700_000_000_000


@dataclass(frozen=True)
class Dialect:
    """The schemas of one kind: the one that the pipeline pins, one before, one after, and one not to be read as it."""

    kind: SchemaKind
    pinned: str
    older: str
    newer: str
    other: str
    nonsense: bytes
    """Bytes that no schema of this kind describes."""


def record(*fields: Any) -> str:
    """An Avro schema."""
    return json.dumps({"type": "record", "name": "Order", "fields": fields})


def properties(*required: str, **types: str) -> str:
    """A JSON Schema."""
    return json.dumps(
        {"type": "object", "required": required, "properties": {n: {"type": t} for n, t in types.items()}}
    )


def message(fields: str, name: str = "Order") -> str:
    """A Protobuf schema."""
    return f'syntax = "proto3"; message {name} {{ {fields} }}'


NUMBER, TEXT = {"name": "id", "type": "long"}, {"name": "id", "type": "string"}
NOTE, PAID = {"name": "note", "type": "string", "default": ""}, {"name": "paid", "type": "boolean", "default": False}
DIALECTS: dict[str, Dialect] = {
    "json": Dialect(
        "json",
        properties("id", id="integer", note="string"),
        properties("id", id="integer"),
        properties("id", "paid", id="integer", note="string", paid="boolean"),
        properties("id", id="string"),
        b"\xff\xff",
    ),
    "avro": Dialect(
        "avro", record(NUMBER, NOTE), record(NUMBER), record(NUMBER, NOTE, PAID), record(TEXT), b"\x02\xff\xff\xff\xff"
    ),
    "protobuf": Dialect(
        "protobuf",
        message("int64 id = 1; string note = 2;"),
        message("int64 id = 1;"),
        message("int64 id = 1; string note = 2; bool paid = 3;"),
        message("int64 id = 1;", "Invoice"),
        b"\xff\xff",
    ),
}
PINNED, OLDER, NEWER, OTHER, FOREIGN, UNKNOWN = 1, 2, 3, 4, 5, 99


@dataclass
class Bench:
    """A registry with the schemas of one kind, and chains that read or write by the pinned one."""

    dialect: Dialect
    fake: FakeRegistry
    cache: Path
    writers: list[WriterSchemas] = field(default_factory=list)

    def __post_init__(self) -> None:
        kind = self.dialect.kind.upper()
        texts = (self.dialect.pinned, self.dialect.older, self.dialect.newer, self.dialect.other)
        for number, text in enumerate(texts, PINNED):
            self.fake.register("orders-value", text, kind, schema_id=number)
        foreign = ("AVRO", '"string"') if kind == "JSON" else ("JSON", "{}")
        self.fake.register("foreign-value", foreign[1], foreign[0], schema_id=FOREIGN)

    def schema(self, number: int) -> Schema:
        dialect = self.dialect
        texts = {PINNED: dialect.pinned, OLDER: dialect.older, NEWER: dialect.newer, OTHER: dialect.other}
        return Schema(dialect.kind, texts[number])

    def pin(self, number: int = PINNED, **facts: Any) -> PinnedSchema:
        return PinnedSchema(self.schema(number), subject="orders-value", version=number, id=number, **facts)

    def value(self, text: str, number: int, *, prefix: bool = True) -> bytes:
        """A value as a producer writes it by the schema of this id."""
        data = text.encode()
        if self.dialect.kind != "json":
            with Codec(self.schema(number)) as codec:
                (written,) = codec.encode([text])
            assert isinstance(written, bytes), written
            data = written
        return self.named(data, number) if prefix else data

    def named(self, data: bytes, number: int) -> bytes:
        """Bytes behind the prefix of a schema id."""
        indexes = b"\x00" if self.dialect.kind == "protobuf" else b""
        return b"\x00" + number.to_bytes(4, "big") + indexes + data

    def known(self) -> WriterSchemas:
        """A new worker's view of the registry."""
        access = RegistryAccess(self.fake.url)
        made = WriterSchemas(access, self.cache, [self.pin()])
        self.writers.append(made)
        return made

    def leave(self) -> None:
        """Be away for everybody, also on connections that are open."""
        self.fake.fault = lambda _handler: True

    def reads(self, value: bytes | None, writers: WriterSchemas | None = None, pin: PinnedSchema | None = None) -> str:
        """What becomes of a value of the source."""
        pinned = pin or self.pin()
        pipeline = Pipeline("p", Source("in", self.dialect.kind), Target("out"), on_error="drop")
        return outcome(Revision(1, pipeline, {}, (), source_schema=pinned), value, writers or self.known())

    def writes(self, text: str, writers: WriterSchemas | None = None, pin: PinnedSchema | None = None) -> str:
        """What becomes of the result of a step."""
        target = Target("out", self.dialect.kind, wire_prefix=True)
        revision = Revision(1, Pipeline("p", Source("in"), target, on_error="drop"), {}, (), None, pin or self.pin())
        return outcome(revision, text.encode(), writers or self.known())


def outcome(revision: Revision, value: bytes | None, writers: WriterSchemas | None) -> str:
    """The event through a chain, in words."""
    batch = Batch("in", [value], [None], [None], [MADE], [0], [0])
    with Chain(revision, max_record_bytes={}, writers=writers) as chain:
        try:
            settled = chain.settle(batch, now=datetime.now(UTC))
        except SchemaAwayError:
            return "waits until the registry answers"
    failure = settled.failures.get(0)
    if failure is not None:
        return failed(failure)
    (made,) = [record.value for record in settled.records[0]] if settled.records else settled.values
    return f"delivered: {shown(made)}"


def failed(failure: Failure) -> str:
    """A failure as the dead letter's headers tell it."""
    text = re.sub(r"localhost:\d+", "…", failure.message).replace("|", "\\|")
    return f"fails, `{failure.stage}` `{failure.kind}`: {text}"


def shown(value: str | bytes | None) -> str:
    if value is None:
        return "a tombstone"
    return f"`{value.hex(' ')}`" if isinstance(value, bytes) else f"`{value}`"


Run = Callable[[Bench], str]


def away_with_cache(bench: Bench) -> str:
    value = bench.value('{"id":1}', OLDER)
    bench.reads(value)
    bench.leave()
    return bench.reads(value)


def away_without_cache(bench: Bench) -> str:
    value = bench.value('{"id":1}', OLDER)
    bench.leave()
    return bench.reads(value)


def away_and_pinned(bench: Bench) -> str:
    value = bench.value('{"id":1,"note":"a"}', PINNED)
    bench.leave()
    return bench.reads(value)


def away_in_flight(number: int) -> Run:
    def run(bench: Bench) -> str:
        writers = bench.known()
        bench.reads(bench.value('{"id":1}', OLDER), writers)
        bench.leave()
        text = '{"id":1}' if number == OLDER else '{"id":1,"note":"a","paid":true}'
        return bench.reads(bench.value(text, number), writers)

    return run


def back_again(bench: Bench) -> str:
    value = bench.value('{"id":1}', OLDER)
    bench.leave()
    bench.reads(value)
    bench.fake.fault = None
    return bench.reads(value)


def written_while_away(*, in_flight: bool) -> Run:
    def run(bench: Bench) -> str:
        writers = bench.known()
        if in_flight:
            bench.writes('{"id":1,"note":"a"}', writers)
        bench.leave()
        return bench.writes('{"id":1,"note":"a"}', writers)

    return run


FULL, SHORT, LONG = '{"id":1,"note":"a"}', '{"id":1}', '{"id":1,"note":"a","paid":true}'
# What a step makes that fits the schema of no dialect.
WRONG = '{"id":"x"}'
READING: dict[str, Run] = {
    "valid": lambda b: b.reads(b.value(FULL, PINNED)),
    "valid, without a wire prefix": lambda b: b.reads(b.value(FULL, PINNED, prefix=False)),
    "invalid": lambda b: b.reads(b.named(WRONG.encode() if b.dialect.kind == "json" else b.dialect.nonsense, PINNED)),
    "bytes that nothing describes": lambda b: b.reads(b.dialect.nonsense),
    "wrong wire id: of a schema that is not of this event": lambda b: b.reads(
        b.named(b.value(FULL, PINNED, prefix=False), OTHER)
    ),
    "wrong wire id: of a schema of another kind": lambda b: b.reads(
        b.named(b.value(FULL, PINNED, prefix=False), FOREIGN)
    ),
    "unknown wire id": lambda b: b.reads(b.named(b.value(FULL, PINNED, prefix=False), UNKNOWN)),
    "wire prefix cut short": lambda b: b.reads(b"\x00\x00\x00"),
    "written by an older schema": lambda b: b.reads(b.value(SHORT, OLDER)),
    "written by a newer schema": lambda b: b.reads(b.value(LONG, NEWER)),
    "written by a schema that cannot be read as the declared one": lambda b: b.reads(
        b.value('{"id":"1"}' if b.dialect.kind != "protobuf" else SHORT, OTHER)
    ),
    "registry away at the start, the pinned id": away_and_pinned,
    "registry away at the start, an id seen before": away_with_cache,
    "registry away at the start, an id never seen": away_without_cache,
    "registry away in flight, an id seen before": away_in_flight(OLDER),
    "registry away in flight, an id never seen": away_in_flight(NEWER),
    "registry back again": back_again,
    "a tombstone": lambda b: b.reads(None),
}
WRITING: dict[str, Run] = {
    "valid": lambda b: b.writes(FULL),
    "invalid": lambda b: b.writes(WRONG),
    "the target's schema is newer than the event": lambda b: b.writes(FULL, pin=b.pin(NEWER)),
    "the target's schema is older than the event": lambda b: b.writes(FULL, pin=b.pin(OLDER)),
    "registry away at the start": written_while_away(in_flight=False),
    "registry away in flight": written_while_away(in_flight=True),
}


def plain(source: Format, target: Format, value: bytes) -> str:
    """A format without schemas."""
    revision = Revision(1, Pipeline("p", Source("in", source), Target("out", target), on_error="drop"), {}, ())
    return outcome(revision, value, None)


PLAIN: dict[tuple[str, str, str], tuple[Format, Format, bytes]] = {
    ("json", "in", "no schema, valid"): ("json", "json", FULL.encode()),
    ("json", "in", "no schema, not JSON"): ("json", "json", b"{"),
    ("json", "in", "no schema and no registry, with a wire prefix"): ("json", "json", b"\x00\x00\x00\x00\x01{}"),
    ("string", "in", "valid"): ("string", "json", "café".encode()),
    ("string", "in", "not UTF-8"): ("string", "json", b"\xff"),
    ("string", "out", "valid"): ("json", "string", b'"a"'),
    ("string", "out", "not a string"): ("json", "string", b"{}"),
    ("bytes", "in", "any bytes"): ("bytes", "json", b"\xff\x00"),
    ("bytes", "out", "valid"): ("json", "bytes", b'"/wA="'),
    ("bytes", "out", "not base64"): ("json", "bytes", b'"?"'),
}


@cache
def rows() -> tuple[tuple[str, str, str, str], ...]:
    """Every cell: format, direction, case and what became of the event."""
    return tuple(_cells())


def _cells() -> Iterator[tuple[str, str, str, str]]:
    for name, dialect in DIALECTS.items():
        for direction, cases in (("in", READING), ("out", WRITING)):
            for case, run in cases.items():
                yield name, direction, case, run_cell(dialect, run)
    for (name, direction, case), arguments in PLAIN.items():
        yield name, direction, case, plain(*arguments)


def run_cell(dialect: Dialect, run: Run) -> str:
    """One cell with a registry and a cache of its own."""
    with TemporaryDirectory() as folder, FakeRegistry() as fake:
        bench = Bench(dialect, fake, Path(folder))
        try:
            return run(bench)
        finally:
            for writers in bench.writers:
                writers.close()


def table() -> str:
    """The table as it stands in the docs."""
    lines = ["| format | direction | case | outcome |", "| --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(row)} |" for row in rows()]
    return "\n".join(lines) + "\n"


def written() -> str:
    """What stands in the docs now."""
    return DOCUMENT.read_text().partition(BEGIN)[2].partition(END)[0]


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + table() + END + rest.partition(END)[2])
    sys.stdout.write(f"wrote {DOCUMENT}\n")
