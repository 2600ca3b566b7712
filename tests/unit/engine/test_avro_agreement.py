"""Avro as fastavro reads and writes it: the same bytes for the same values, and the same values across two schemas."""

import base64
import io
import json
from decimal import Decimal
from random import Random
from typing import Any

import fastavro
import pytest

from inflect.engine.codec import Codec
from inflect.model.event import Failure
from inflect.model.schema import Schema
from tests.unit.engine.avro_values import pair
from tests.unit.engine.runs import read_as

VALUES = 40


def record(*fields: Any, name: str = "R") -> dict[str, Any]:
    """A record of fields `a`, `b`, …, of the given types."""
    return {"type": "record", "name": name, "fields": [{"name": chr(97 + n), "type": t} for n, t in enumerate(fields)]}


def decimal(kind: str = "bytes", precision: int = 12, scale: int = 2, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": "decimal", "precision": precision, "scale": scale, **more}


ENUM = {"type": "enum", "name": "Suit", "symbols": ["SPADES", "HEARTS", "toString", "constructor"]}
FIXED = {"type": "fixed", "name": "Hash", "size": 5}
TREE = {
    "type": "record",
    "name": "Tree",
    "fields": [
        {"name": "label", "type": "string"},
        {"name": "left", "type": ["null", "Tree"]},
        {"name": "others", "type": {"type": "array", "items": "Tree"}},
    ],
}
SHAPES = {
    "null": "null",
    "boolean": "boolean",
    "int": "int",
    "long": "long",
    "float": "float",
    "double": "double",
    "string": "string",
    "bytes": "bytes",
    "fixed": FIXED,
    "enum": ENUM,
    "array of longs": {"type": "array", "items": "long"},
    "array of nulls": {"type": "array", "items": "null"},
    "map of strings": {"type": "map", "values": "string"},
    "map of arrays": {"type": "map", "values": {"type": "array", "items": ["null", "double"]}},
    "record of scalars": record("null", "boolean", "int", "long", "float", "double", "string", "bytes"),
    "record without fields": record(),
    "nested records": record(record("int", record("string", name="C"), name="B"), "string"),
    "field names of objects": {
        "type": "record",
        "name": "R",
        "fields": [{"name": n, "type": "int"} for n in ("constructor", "toString", "valueOf", "_", "hasOwnProperty")],
    },
    "nullable": record(["null", "string"], ["long", "null"], ["null", ENUM], ["null", decimal()]),
    "union of distinct types": [
        "null",
        "boolean",
        "double",
        "string",
        {"type": "array", "items": "int"},
        record("int"),
    ],
    "union of numbers": record(["int", "long", "float", "double"], ["null", "int", "long"]),
    "union of texts": record(["null", "string", "bytes", FIXED, ENUM]),
    "union of objects": record([{"type": "map", "values": "int"}, record("int", name="X"), record("int", name="Y")]),
    "array of unions": {"type": "array", "items": ["int", "string", "null"]},
    "recursive record": TREE,
    "named types used again": record(ENUM, "Suit", FIXED, {"type": "map", "values": "Hash"}),
    "namespaces": {
        "type": "record",
        "name": "org.shop.Order",
        "fields": [
            {"name": "a", "type": {"type": "enum", "name": "org.shop.State", "symbols": ["A", "B"]}},
            {"name": "b", "type": ["null", "org.shop.Order"]},
            {"name": "c", "type": ["org.shop.State", "string"]},
        ],
    },
    "decimals": record(
        decimal(), decimal(precision=40, scale=20), decimal(scale=0), decimal("fixed", 18, 4, name="D", size=9)
    ),
    "logical integers": record(
        *(
            {"type": kind, "logicalType": logical}
            for kind, logical in (("int", "x-date"), ("long", "x-micros"), ("string", "x-uuid"))
        )
    ),
}


def written(schema: Any, value: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, schema, value)
    return buffer.getvalue()


@pytest.mark.parametrize("name", SHAPES)
def test_values_and_bytes_are_those_of_fastavro(name: str) -> None:
    schema, random = SHAPES[name], Random(name)  # noqa: S311  seeded on purpose
    pairs = [pair(schema, random, {}) for _ in range(VALUES)]
    theirs = [written(schema, given) for given, _ in pairs]
    shapes = [shape for _, shape in pairs]
    with Codec(Schema("avro", json.dumps(schema))) as codec:
        decoded = codec.decode(theirs)
        assert [json.loads(text) if isinstance(text, str) else text for text in decoded] == shapes
        assert codec.encode([json.dumps(shape) for shape in shapes]) == theirs


def test_logical_types_are_the_numbers_and_texts_they_lie_in() -> None:
    schema = record(
        {"type": "int", "logicalType": "date"},
        {"type": "long", "logicalType": "timestamp-millis"},
        {"type": "long", "logicalType": "timestamp-micros"},
        {"type": "int", "logicalType": "time-millis"},
        {"type": "string", "logicalType": "uuid"},
        {"type": "bytes", "logicalType": "decimal"},  # without a precision it counts as bytes
    )
    value = {"a": -3, "b": -1, "c": 2**62, "d": 86399999, "e": "00000000-0000-0000-0000-000000000001", "f": "AQI="}
    with Codec(Schema("avro", json.dumps(schema))) as codec:
        (encoded,) = codec.encode([json.dumps(value)])
        assert isinstance(encoded, bytes)
        assert json.loads(str(codec.decode([encoded])[0])) == value


WRITER = {
    "type": "record",
    "name": "Order",
    "fields": [
        {"name": "id", "type": "int"},
        {"name": "old", "type": "string"},
        {"name": "gone", "type": {"type": "array", "items": ["null", TREE]}},
        {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "PAID", "LOST"]}},
        {"name": "note", "type": ["null", "string"]},
        {"name": "rate", "type": "float"},
    ],
}
VALUE = {
    "id": 7, "old": "x", "gone": [None, {"label": "l", "left": None, "others": []}], "state": "LOST",
    "note": "n", "rate": 1.5,
}  # fmt: skip


def reader(*fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": "Order", "fields": list(fields), **more}


STATE = {"type": "enum", "name": "State", "symbols": ["NEW", "OTHER"], "default": "OTHER"}
EVOLUTIONS: dict[str, tuple[Any, Any, Any]] = {
    "promotions": (WRITER, reader({"name": "id", "type": "double"}, {"name": "rate", "type": "double"}), VALUE),
    "int to long": (WRITER, reader({"name": "id", "type": "long"}), VALUE),
    "order of fields": (
        WRITER,
        reader({"name": "note", "type": ["null", "string"]}, {"name": "id", "type": "int"}),
        VALUE,
    ),
    "defaults": (
        WRITER,
        reader(
            {"name": "id", "type": "int"},
            {"name": "new", "type": "string", "default": "d"},
            {"name": "list", "type": {"type": "array", "items": "int"}, "default": [1, 2]},
            {"name": "inner", "type": record("int", name="I"), "default": {"a": 3}},
            {"name": "maybe", "type": ["null", "int"], "default": None},
            {"name": "map", "type": {"type": "map", "values": "long"}, "default": {"k": 1}},
        ),
        VALUE,
    ),
    "alias of a field": (WRITER, reader({"name": "fresh", "type": "string", "aliases": ["old"]}), VALUE),
    "alias of a record": (
        WRITER,
        {"type": "record", "name": "Renamed", "aliases": ["Order"], "fields": [{"name": "id", "type": "int"}]},
        VALUE,
    ),
    "default of an enum": (
        WRITER,
        reader({"name": "state", "type": STATE}),
        VALUE,
    ),
    "union to its value": (WRITER, reader({"name": "note", "type": "string"}), VALUE),
    "value to a union": (WRITER, reader({"name": "id", "type": ["null", "string", "long"]}), VALUE),
    "string to bytes": ("string", "bytes", "häh"),
    "bytes to string": ("bytes", "string", b"abc"),
    "union to a wider union": (["null", "int"], ["null", "string", "long"], 5),
    "items are promoted": ({"type": "array", "items": "int"}, {"type": "array", "items": "double"}, [1, 2]),
    "values are promoted": ({"type": "map", "values": "int"}, {"type": "map", "values": "long"}, {"a": 1}),
}  # fmt: skip


@pytest.mark.parametrize("name", EVOLUTIONS)
def test_a_writers_schema_is_resolved_as_fastavro_resolves_it(name: str) -> None:
    writer, target, value = EVOLUTIONS[name]
    data = written(writer, value)
    theirs = fastavro.schemaless_reader(io.BytesIO(data), fastavro.parse_schema(writer), fastavro.parse_schema(target))
    if isinstance(theirs, bytes):
        theirs = base64.b64encode(theirs).decode()
    assert read_as(json.dumps(writer), json.dumps(target), data) == theirs


@pytest.mark.parametrize(
    ("writer", "target", "value", "why"),
    [
        ("string", "int", "x", "string cannot be read as int"),
        ("long", "int", 5, "long cannot be read as int"),
        (WRITER, reader({"name": "missing", "type": "int"}), VALUE, "Order.missing: it is not in the schema"),
        (WRITER, reader({"name": "old", "type": "int"}), VALUE, "field Order.old: string cannot be read as int"),
        (WRITER, record("int", name="Other"), VALUE, "record Order cannot be read as record Other"),
        (["null", "string"], "string", None, "null cannot be read as string"),
        (
            {"type": "enum", "name": "E", "symbols": ["A", "B"]},
            {"type": "enum", "name": "E", "symbols": ["A"]},
            "B",
            '"B" is no symbol, and there is no default',
        ),
        (decimal(), decimal(scale=3), Decimal("1.25"), "decimal(12, 2) is not decimal(12, 3)"),
    ],
)  # fmt: skip
def test_an_event_that_cannot_be_read_as_declared_fails_at_the_incoming_schema(
    writer: Any, target: Any, value: Any, why: str
) -> None:
    failure = read_as(json.dumps(writer), json.dumps(target), written(writer, value))
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.kind) == ("incoming_schema", "schema")
    assert why in failure.message


def test_an_event_of_a_branch_that_can_be_read_is_read() -> None:
    assert read_as('["null", "string"]', '"string"', written(["null", "string"], "x")) == "x"


def test_references_are_known_by_their_names() -> None:
    address = {"type": "record", "name": "shop.Address", "fields": [{"name": "city", "type": "string"}]}
    order = {
        "type": "record",
        "name": "Order",
        "namespace": "shop",
        "fields": [{"name": "to", "type": "Address"}, {"name": "by", "type": ["null", "shop.Address"]}],
    }
    schema = Schema("avro", json.dumps(order), {"shop.Address": json.dumps(address)})
    value = {"to": {"city": "Ulm"}, "by": {"city": "Bonn"}}
    with Codec(schema) as codec:
        (encoded,) = codec.encode([json.dumps(value)])
        assert encoded == b"\x06Ulm\x02\x08Bonn"
        assert [json.loads(str(text)) for text in codec.decode([encoded])] == [value]
