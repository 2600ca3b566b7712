"""What holds for Avro and Protobuf alike: wire prefixes, writers' schemas, limits, and that steps reach no codec."""

import base64
import json
from typing import Any

import pytest

from inflect.engine.isolate import Isolate, _harness
from inflect.engine.program import build_program
from inflect.engine.runner import Runner
from inflect.errors import RefusedError
from inflect.model.event import Failure
from inflect.model.pipeline import Format, Limits
from inflect.model.schema import PinnedSchema, Schema, SchemaKind
from tests.unit.engine.runs import OWN_ID, WRITER_ID, lines, pinned, pipeline, prefixed, run

AVRO = Schema("avro", '{"type":"record","name":"Order","fields":[{"name":"id","type":"long"}]}')
WIDER = Schema(
    "avro",
    '{"type":"record","name":"Order","fields":[{"name":"id","type":"long"},{"name":"n","type":"int","default":4}]}',
)
OTHER = Schema("avro", '{"type":"record","name":"Other","fields":[{"name":"id","type":"string"}]}')
PROTO = Schema(
    "protobuf",
    'syntax = "proto3"; package shop; message First { string a = 1; message Inner { int64 id = 1; } } '
    "message Order { int64 id = 1; }",
)
THROUGH = "module.exports = event => event"


def through(
    source: PinnedSchema | None, target: PinnedSchema | None, *values: bytes, kind: Format = "avro", **writers: Schema
) -> list[Any]:
    """Events from one end to the other; a writer's schema `w3` has the id 3. Values as JSON, bytes, or a failure."""
    formats: tuple[Format, Format] = (kind, kind if target is not None else "json")
    with Runner(build_program(pipeline(source, target, THROUGH, formats=formats))) as runner:
        runner.teach({int(name[1:]): schema for name, schema in writers.items()})
        found = run(runner, *values)
    return [
        output
        if isinstance(output, Failure)
        else base64.b64decode(output)
        if target is not None
        else json.loads(output)
        for output in found
    ]


def test_a_registered_schema_is_written_with_its_prefix_and_read_by_it() -> None:
    (data,) = through(pinned(AVRO), pinned(AVRO), prefixed(OWN_ID, b"\x0a"))
    assert data == b"\x00\x00\x00\x00\x02\x0a"


def test_a_schema_from_a_file_is_written_bare_and_read_with_and_without_a_prefix() -> None:
    file = pinned(AVRO, file="order.avsc")
    assert through(file, file, b"\x0a", prefixed(99, b"\x0a")) == [b"\x0a", b"\x0a"]


def test_a_value_without_a_prefix_is_read_with_the_declared_schema() -> None:
    assert through(pinned(AVRO), None, b"\x0a") == [{"id": 5}]


def test_the_bytes_of_a_file_schema_count_before_a_prefix() -> None:
    zeros = Schema("avro", '{"type":"fixed","name":"F","size":6}')
    assert through(pinned(zeros, file="f"), None, b"\x00\x00\x00\x00\x01\x02") == ["AAAAAAEC"]


def test_an_event_is_read_by_the_schema_that_wrote_it_and_seen_by_ours() -> None:
    assert through(pinned(WIDER), None, prefixed(1, b"\x0a"), w1=AVRO) == [{"id": 5, "n": 4}]


def test_without_a_declared_schema_the_writers_alone_counts() -> None:
    found = through(None, None, prefixed(1, b"\x0a"), prefixed(3, b"\x02x"), b"\x0a", w1=AVRO, w3=OTHER)
    assert found[:2] == [{"id": 5}, {"id": "x"}]
    assert found[2].message.startswith("at the top: the value has no wire prefix, and no schema is declared")


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"\x00\x00\x00", "a wire prefix takes 5 bytes, and there are 3"),
        (prefixed(77, b"\x0a"), "the schema id 77 of the event is not known"),
    ],
)
def test_a_prefix_that_leads_nowhere_fails_to_decode(kind: Format, value: bytes, why: str) -> None:
    (failure,) = through(pinned(AVRO if kind == "avro" else PROTO), None, value, kind=kind)
    assert (failure.stage, failure.kind) == ("decode", "schema")
    assert why in failure.message


def test_a_schema_that_cannot_be_used_fails_its_events_and_no_others() -> None:
    program = build_program(pipeline(pinned(AVRO), None, formats=("avro", "json")))
    with Runner(program) as runner:
        bad = {1: Schema("avro", "nonsense"), 3: Schema("protobuf", "message A {}"), 4: AVRO}
        answer = runner.teach(bad)
        assert sorted(answer) == [1, 3]
        assert "not JSON" in answer[1]
        assert "it is a schema of kind protobuf, not avro" in answer[3]
        assert runner.teach(bad) == answer
        found = run(runner, prefixed(1, b"\x0a"), prefixed(3, b"\x0a"), prefixed(4, b"\x0a"))
    assert [getattr(f, "stage", f) for f in found] == ["decode", "decode", '{"id":5}']


def test_a_schema_that_cannot_be_read_as_the_declared_one_fails_at_the_incoming_schema() -> None:
    (failure,) = through(pinned(AVRO), None, prefixed(3, b"\x02x"), w3=OTHER)
    assert (failure.stage, failure.kind) == ("incoming_schema", "schema")
    assert "(id 3) cannot be read as the declared one: record Other cannot be read as record Order" in failure.message


def test_what_was_taught_outlives_the_isolate() -> None:
    with Runner(build_program(pipeline(None, None, formats=("avro", "json")))) as runner:
        runner.teach({1: AVRO, 3: Schema("avro", "nonsense")})
        runner.close()
        found = run(runner, prefixed(1, b"\x0a"), prefixed(3, b""))
        assert found[0] == '{"id":5}'
        assert "cannot be used: not JSON" in found[1].message  # type: ignore[union-attr]  # a failure


def test_a_message_is_chosen_by_its_index() -> None:
    inner = b"\x04\x00\x00"  # two indexes, 0 and 0
    values = [prefixed(1, b"\x0a\x01x", indexes=b"\x00"), prefixed(1, b"\x08\x05", indexes=b"\x02\x02")]
    found = through(None, None, *values, prefixed(1, b"\x08\x07", indexes=inner), kind="protobuf", w1=PROTO)
    assert found == [{"a": "x"}, {"id": 5}, {"id": 7}]


@pytest.mark.parametrize(
    ("indexes", "stage", "why"),
    [
        (b"\x00", "incoming_schema", "the event is a shop.First, and shop.Order is declared"),
        (b"\x02\x08", "decode", "the schema of the event has no message at 4"),
        (b"\x01", "decode", "the message index of the wire prefix is not one"),
        (b"\xff\xff\xff\xff\x0f", "decode", "the message index of the wire prefix is not one"),
        (b"\x04\x00", "decode", "the bytes end in the middle of a value"),
    ],
)
def test_a_wrong_message_index_fails(indexes: bytes, stage: str, why: str) -> None:
    (failure,) = through(
        pinned(PROTO, message="shop.Order"), None, prefixed(OWN_ID, b"", indexes=indexes), kind="protobuf"
    )
    assert (failure.stage, failure.kind) == (stage, "schema")
    assert why in failure.message


@pytest.mark.parametrize(
    ("message", "value", "prefix"),
    [
        (None, b"", b"\x00"),
        ("shop.Order", b"\x08\x05", b"\x02\x02"),
        ("shop.First.Inner", b"\x08\x05", b"\x04\x00\x00"),
    ],
)
def test_the_index_of_the_message_is_written(message: str | None, value: bytes, prefix: bytes) -> None:
    pin = pinned(PROTO, message=message)
    event = prefixed(OWN_ID, value, indexes=prefix)
    assert through(pin, pin, event, kind="protobuf") == [event]


def test_a_message_that_cannot_be_read_fails_every_event_the_same() -> None:
    text = 'syntax = "proto2"; message A { optional B b = 1; optional group G = 2 { } } message B { optional A a = 1; }'
    events = [prefixed(1, b"", indexes=b"\x00"), prefixed(1, b"\x0a\x00", indexes=b"\x02\x02")]
    found = through(None, None, *events, *events, kind="protobuf", w1=Schema("protobuf", text))
    assert {(failure.stage, failure.kind) for failure in found} == {("decode", "schema")}
    assert all("groups are not supported" in failure.message for failure in found)


def test_an_empty_message_is_a_value() -> None:
    file = pinned(PROTO, file="order.proto")
    with Runner(build_program(pipeline(file, file, formats=("protobuf", "protobuf")))) as runner:
        assert run(runner, b"") == [" "]


def test_a_trace_shows_what_a_reader_will_see() -> None:
    narrow = pinned(Schema("avro", '{"type":"record","name":"O","fields":[{"name":"f","type":"float"}]}'))
    revision = pipeline(None, narrow, "module.exports = () => ({ f: 0.1 })", formats=("json", "avro"))
    with Runner(build_program(revision, trace=True)) as runner:
        (part,) = runner.run(lines(b"{}"), 0, 1, deadline=float("inf"))
    assert part.outputs == ['{"f":0.10000000149011612}']


def test_a_schema_that_cannot_be_used_stops_the_program() -> None:
    for source, target, end in ((pinned(Schema("avro", "x")), None, "source"), (pinned(AVRO), pinned(OTHER), "target")):
        broken = target if target is None else pinned(Schema("avro", "x"))
        formats: tuple[Format, Format] = ("avro", "json" if target is None else "avro")
        with pytest.raises(RefusedError, match=f"{end}.schema: not JSON"):
            Runner(build_program(pipeline(source, broken, formats=formats)))


SPLIT = "module.exports = (event, context) => context.split([{ id: 1 }, { id: 'x' }])"


def test_a_part_that_the_target_refuses_fails_the_whole_event() -> None:
    revision = pipeline(pinned(AVRO), pinned(AVRO), SPLIT, formats=("avro", "avro"))
    with Runner(build_program(revision)) as runner:
        (failure,) = run(runner, b"\x0a")
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.path) == ("outgoing_schema", "/id")


LARGE = Schema("avro", '{"type":"array","items":"string"}')
GROWING = "module.exports = () => { const a = new Array(300000).fill('x'.repeat(1000)); return a }"
GETTER = "module.exports = event => event.id === 5 ? { get id() { for (;;); } } : event"


def test_encoding_that_takes_too_much_memory_fails_alone() -> None:
    revision = pipeline(None, pinned(LARGE), GROWING, formats=("json", "avro"), limits=Limits(5000, 64))
    with Runner(build_program(revision)) as runner:
        (part,) = runner.run(lines(b"{}"), 0, 1, deadline=float("inf"))
    assert [row[1:3] for row in part.meta["failures"]] == [["encode", "memory"]]


def test_encoding_that_does_not_end_fails_alone() -> None:
    revision = pipeline(pinned(AVRO), pinned(AVRO), GETTER, formats=("avro", "avro"), limits=Limits(300, 64))
    with Runner(build_program(revision)) as runner:
        found = run(runner, b"\x0a", b"\x0c")
    assert isinstance(found[0], Failure)
    assert (found[0].stage, found[0].kind) == ("encode", "timeout")
    assert base64.b64decode(str(found[1])) == b"\x00\x00\x00\x00\x02\x0c"


ATTACKS = [
    "avsc", "protobufjs", "codecs", "decode", "output", "input", "SchemaFault",
    "Uint8Array.prototype.toBase64 = () => 'AAAA'",
    "Object.defineProperty(DataView.prototype, 'setInt32', { value() {} })",
    "Array.prototype.push = () => {}",
    "Map.prototype.get = () => undefined",
    "Object.prototype.n = 5",
    "event.constructor.prototype.id = 6",
    "Object.setPrototypeOf(Object.prototype, { id: 7 })",
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(("kind", "schema"), [("avro", AVRO), ("protobuf", PROTO)])
def test_a_step_cannot_reach_or_change_the_codecs(kind: Format, schema: Schema, attack: str) -> None:
    pin = pinned(schema, message="shop.Order" if kind == "protobuf" else None)
    attempt = f"try {{ {attack} }} catch {{ return event }} throw Error('reached')"
    code = f"'use strict'; module.exports = event => {{ {attempt} }}"
    index = b"\x02\x02" if kind == "protobuf" else b""
    event = prefixed(OWN_ID, b"\x08\x0a" if kind == "protobuf" else b"\x0a", indexes=index)
    with Runner(build_program(pipeline(pin, pin, code, formats=(kind, kind)))) as runner:
        (found,) = run(runner, event)
        assert isinstance(found, str), found
        assert base64.b64decode(found) == event
        runner.teach({WRITER_ID: schema})  # the libraries work in the closed world
        assert isinstance(run(runner, prefixed(WRITER_ID, event[5:]))[0], str)


@pytest.mark.parametrize("kind", ["avro", "protobuf"])
def test_events_are_plain_objects_that_share_nothing(kind: SchemaKind) -> None:
    schema = AVRO if kind == "avro" else PROTO
    plain = "plain: Object.getPrototypeOf(e) === Object.prototype, first: e.seen !== (e.seen = 1)"
    code = f"module.exports = e => ({{ {plain} }})"
    pin = pinned(schema, message="shop.Order" if kind == "protobuf" else None)
    with Runner(build_program(pipeline(pin, None, code, formats=(kind, "json")))) as runner:
        found = run(runner, b"\x08\x0a"[-1 if kind == "avro" else 0 :], b"\x08\x0a"[-1 if kind == "avro" else 0 :])
    assert found == ['{"plain":true,"first":true}'] * 2


def test_the_codecs_are_loaded_only_where_they_are_needed() -> None:
    texts = {codecs: _harness(codecs) for codecs in ((), ("avro",), ("protobuf",))}
    assert {codecs: ("avsc" in text, "protobufjs" in text) for codecs, text in texts.items()} == {
        (): (False, False), ("avro",): (True, False), ("protobuf",): (False, True),
    }  # fmt: skip
    assert build_program(pipeline(None, None, formats=("json", "string"))).codecs == ()
    with Isolate(build_program(pipeline(pinned(AVRO), pinned(PROTO), formats=("avro", "protobuf")))) as isolate:
        assert isolate.uses_context is False
