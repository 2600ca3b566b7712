"""What events say of their schema before any step sees them: wire prefixes, writers' schemas, JSON against its schemas.

A wire prefix is a zero byte and the id of the schema that the event was written with. Ids are looked up once a batch;
one that cannot be known now raises `SchemaAwayError`, before anything of the batch is settled. Avro and Protobuf are
read in V8, which is taught the schemas; JSON is checked here. JSON without prefix and schema costs nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Final

from inflect.engine.program import CODECS
from inflect.errors import RefusedError
from inflect.model.event import Batch, Failure
from inflect.model.revision import Revision
from inflect.model.schema import Schema
from inflect.processing.framing import Frame, decode_failure
from inflect.schemas.json_schema import JsonValidator, NotJsonError, SchemaFault
from inflect.schemas.writers import WriterSchemas

MAGIC: Final = 0
PREFIX_BYTES: Final = 5
LOOK_UP_S: Final = 2.0
"""How long a batch may take for ids that are not known yet; what follows is fetched again."""

Teach = Callable[[Mapping[int, Schema]], object]


class Incoming:
    """The source's side of a revision. `writers` is None where no registry is configured: ids of events say nothing.

    Raises RefusedError when the declared schema cannot be used.
    """

    def __init__(self, revision: Revision, writers: WriterSchemas | None, teach: Teach) -> None:
        """`teach` makes schemas known to the engine by their ids."""
        source, pinned = revision.pipeline.source, revision.source_schema
        self._format = source.format
        self._pinned = pinned
        self._from_file = pinned is not None and pinned.file is not None
        self._own = JsonValidator(pinned.schema) if pinned is not None and source.format == "json" else None
        self._registered = writers is not None
        self._writers = writers or WriterSchemas(None, None, revision.pinned)
        self._validators: dict[int, JsonValidator] = {}
        self._teach = teach

    def read(self, batch: Batch, framed: Frame, deadline: float) -> int:
        """Settle in `framed` what cannot be read or breaks its schema; up to where events have been looked at.

        That is the whole batch, or what could be checked until `deadline` (monotonic), one event at least.
        """
        if self._format in CODECS:
            if not self._from_file:  # bytes without a prefix may begin with a zero too
                return self._learn(batch, framed)
        elif framed.prefixed or self._own is not None:
            return self._check_all(framed, deadline)
        return len(batch)

    def names_schema(self, value: bytes | None) -> bool:
        """Whether a value of the source's format brings the id of its schema along."""
        return self._format in {*CODECS, "json"} and bool(value) and value is not None and value[0] == MAGIC

    def _learn(self, batch: Batch, framed: Frame) -> int:
        """Make the schemas that the batch names known to V8; events that name none fail here. Returns as `read`."""
        found, reach = self._look_up(batch.values)
        self._teach({number: schema for number, schema in found.items() if isinstance(schema, Schema)})
        unknown = {number: failure for number, failure in found.items() if isinstance(failure, Failure)}
        if not unknown:
            return reach
        for index, value in enumerate(batch.values[:reach]):
            if value and value[0] == MAGIC and index not in framed.settled:
                failure = unknown.get(int.from_bytes(value[1:PREFIX_BYTES], "big"))
                if failure is not None:
                    framed.settle(index, failure)
        return reach

    def _look_up(self, values: Sequence[bytes | None]) -> tuple[dict[int, Schema | Failure], int]:
        """What the ids of events mean, and up to where: bytes that are no ids at all may name another one each."""
        deadline = monotonic() + LOOK_UP_S
        seen: set[bytes] = set()
        found: dict[int, Schema | Failure] = {}
        for index, value in enumerate(values):
            if not value or value[0] != MAGIC:
                continue
            four = value[1:PREFIX_BYTES]
            if four in seen or len(four) < PREFIX_BYTES - 1:
                continue
            if index and monotonic() > deadline:
                return found, index
            seen.add(four)
            number = int.from_bytes(four, "big")
            found[number] = self._schema(number)
        return found, len(values)

    def _schema(self, number: int) -> Schema | Failure:
        try:
            schema = self._writers.get(number)
        except RefusedError as error:
            return _unreadable(f"schema id {number}, which the event names, cannot be used: {error}")
        if schema is None and self._registered:
            return _unreadable(f"the registry has no schema id {number}, which the event names")
        if schema is None:
            return _unreadable(
                f"the event names schema id {number}, and no registry is configured: set INFLECT_REGISTRY_URL"
            )
        if schema.kind != self._format:
            return _unreadable(
                f"schema id {number}, which the event names, is of the kind {schema.kind}, not {self._format}"
            )
        return schema

    def _check_all(self, framed: Frame, deadline: float) -> int:
        lines = framed.lines
        named: Mapping[int, Schema | Failure] = {}
        reach = len(lines)
        if framed.prefixed and not (self._from_file and not self._registered):
            named, reach = self._look_up(lines)
        for index, line in enumerate(lines[:reach]):
            if not line:
                continue
            if index and monotonic() > deadline:
                return index
            what = self._checked(line, named)
            if isinstance(what, Failure):
                framed.settle(index, what)
            elif what is not line:
                framed.replace(index, what)
        return reach

    def _checked(self, line: bytes, named: Mapping[int, Schema | Failure]) -> bytes | Failure:
        """The JSON of one value without its prefix; or why it cannot go on."""
        number, text = -1, line
        if line[0] == MAGIC:
            if len(line) <= PREFIX_BYTES:
                return _unreadable(
                    f"a wire prefix takes {PREFIX_BYTES} bytes and is followed by JSON; there are {len(line)} bytes"
                )
            number, text = int.from_bytes(line[1:PREFIX_BYTES], "big"), line[PREFIX_BYTES:]
        try:
            if number in named and (self._pinned is None or self._pinned.id != number):
                writer = self._validator(number, named[number])
                if isinstance(writer, Failure):
                    return writer
                if fault := writer.check(text):
                    return _invalid(fault, f"by its own schema (id {number}) ")
            if self._own is not None and (fault := self._own.check(text)):
                return _invalid(fault)
        except NotJsonError as error:
            return decode_failure(str(error))
        return text

    def _validator(self, number: int, schema: Schema | Failure) -> JsonValidator | Failure:
        if isinstance(schema, Failure):
            return schema
        if number not in self._validators:
            try:
                self._validators[number] = JsonValidator(schema)
            except RefusedError as error:
                return _unreadable(f"schema id {number}, which the event names, cannot be used: {error}")
        return self._validators[number]


def _unreadable(message: str) -> Failure:
    return Failure("decode", "schema", message)


def _invalid(fault: SchemaFault, which: str = "") -> Failure:
    return Failure("incoming_schema", "schema", f"{which}{fault}", path=fault.path)
