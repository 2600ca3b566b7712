"""Avro that does not fit: bytes that are cut or lie about their size, and values that the schema does not allow."""

import json
import time
from typing import Any

import pytest

from inflect.engine.codec import Codec, check_schema
from inflect.model.event import Failure
from inflect.model.schema import Schema

ORDER = {
    "type": "record",
    "name": "shop.Order",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {
            "name": "items",
            "type": {
                "type": "array",
                "items": {
                    "type": "record",
                    "name": "Item",
                    "fields": [{"name": "sku", "type": "string"}, {"name": "price", "type": "double"}],
                },
            },
        },
    ],
}
TREE = {"type": "record", "name": "T", "fields": [{"name": "next", "type": ["null", "T"]}]}
NULLS = {"type": "array", "items": "null"}
EMPTIES = {"type": "array", "items": {"type": "record", "name": "E", "fields": [{"name": "n", "type": "null"}]}}
LONGS = {"type": "array", "items": "long"}


def varint(value: int) -> bytes:
    """A long of Avro."""
    bits = (value << 1) ^ (value >> 63)
    data = bytearray()
    while bits > 127:
        data.append(bits & 127 | 128)
        bits >>= 7
    return bytes([*data, bits])


def decode(schema: Any, data: bytes) -> Any:
    with Codec(Schema("avro", json.dumps(schema))) as codec:
        (found,) = codec.decode([data])
    return json.loads(found) if isinstance(found, str) else found


def refused(schema: Any, value: Any) -> Failure:
    with Codec(Schema("avro", json.dumps(schema))) as codec:
        (found,) = codec.encode([json.dumps(value)])
    assert isinstance(found, Failure), found
    assert (found.stage, found.kind) == ("outgoing_schema", "schema")
    return found


@pytest.mark.parametrize(
    ("schema", "data", "why"),
    [
        ("long", b"", "the bytes end in the middle of a value"),
        ("long", b"\x80", "the bytes end in the middle of a value"),
        ("long", b"\xff" * 10 + b"\x01", "a number holds more than 64 bits"),
        ("long", b"\xff" * 9 + b"\x02", "a number holds more than 64 bits"),
        ("int", varint(2**31), "2147483648 does not fit an int"),
        ("boolean", b"\x02", "a boolean is written as 2"),
        ("string", varint(5) + b"abc", "a length of 5 bytes where 3 are left"),
        ("string", varint(-1), "a length of -1 bytes"),
        ("string", varint(2**62), "a length of 4611686018427387904 bytes"),
        ("bytes", varint(2**62) + b"abc", "a length of 4611686018427387904 bytes"),
        ("string", varint(2) + b"\xc3\x28", "a string is not UTF-8"),
        ("string", varint(3) + b"\xed\xa0\x80", "a string is not UTF-8"),
        ("string", varint(2) + b"\xc0\xaf", "a string is not UTF-8"),
        ("double", b"\x00" * 7, "the bytes end in the middle of a value"),
        ({"type": "fixed", "name": "F", "size": 4}, b"abc", "a length of 4 bytes where 3 are left"),
        (["null", "int"], varint(2), "2 is no branch of a union of 2"),
        (["null", "int"], varint(-1), "-1 is no branch"),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, varint(1), "1 is no symbol of 1"),
        ("int", varint(1) + b"\x00", "1 bytes are left behind the value"),
        (NULLS, varint(2**62) + b"\x00", "4611686018427387904 items are announced"),
        (NULLS, varint(10**9) + b"\x00", "1000000000 items are announced"),
        (NULLS, (varint(60_000) * 50) + b"\x00", "more than 65536 items that take no bytes"),
        (EMPTIES, varint(10**6) + b"\x00", "1000000 items are announced"),
        (LONGS, varint(2**62) + b"\x02\x00", "items are announced, and 2 bytes are left"),
        (LONGS, varint(-1) + varint(-5) + b"\x02\x00", "a length of -5 bytes"),
        (LONGS, varint(-1) + varint(2**62) + b"\x02\x00", "a length of 4611686018427387904 bytes"),
        (LONGS, varint(-(2**63)) + b"\x02\x02\x00", "items are announced"),
        ({"type": "map", "values": "null"}, varint(10**9) + b"\x00", "items are announced"),
        (TREE, b"\x02" * 10_000 + b"\x00", "nested deeper than 1000 levels"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 4},
            varint(5000) + b"\x01" * 5000,
            "a decimal of 5000 bytes",
        ),
    ],
)
def test_bytes_that_do_not_fit_fail_at_once_and_alone(schema: Any, data: bytes, why: str) -> None:
    started = time.monotonic()
    failure = decode(schema, data)
    assert isinstance(failure, Failure), failure
    assert (failure.stage, failure.kind) == ("decode", "schema")
    assert why in failure.message
    assert time.monotonic() - started < 5


def test_blocks_with_their_size_in_bytes_are_read() -> None:
    assert decode(LONGS, varint(-2) + varint(2) + b"\x02\x04" + varint(1) + b"\x06\x00") == [1, 2, 3]


def test_a_fault_in_the_bytes_tells_its_place() -> None:
    failure = decode(ORDER, varint(5) + b"\x00" + varint(1) + varint(8) + b"abcdefgh")
    assert failure.path == "/items/0/price"
    assert failure.message.startswith("at /items/0/price: the bytes end")


@pytest.mark.parametrize(
    ("schema", "value", "path", "why"),
    [
        (ORDER, {"id": "x", "items": []}, "/id", 'at /id: "x" is not of type long (rule: shop.Order.id: long)'),
        (ORDER, {"items": []}, "/id", "at /id: is missing (rule: shop.Order.id: long)"),
        (ORDER, {"id": 1}, "/items", "at /items: is missing"),
        (ORDER, {"id": 1, "items": [], "extra": 1}, "/extra", "at /extra: is no field of the schema"),
        (ORDER, {"id": 1, "items": [{"sku": "a", "price": "9"}]}, "/items/0/price", '"9" is not a number'),
        (ORDER, {"id": 1, "items": [{"sku": "a", "price": 1, "x/y~": 2}]}, "/items/0/x~1y~0", "is no field"),
        (ORDER, {"id": 1.5, "items": []}, "/id", "1.5 is not an exact integer"),
        (ORDER, {"id": 1, "items": {}}, "/items", "an object is not an array"),
        (ORDER, {"id": 1, "items": [], "note": 5}, "/note", "5 is not one of null, string"),
        (ORDER, [1], "", "at the top: an array is not of type record shop.Order"),
        ("long", 2**63, "", "9223372036854775808 is not an integer of 64 bits"),
        ("int", 2**31, "", "2147483648 is not an integer of 32 bits"),
        ("float", 1e300, "", "is not within what a float can hold"),
        ("double", 2**53 + 1, "", "is not a number that a double can hold"),
        ("boolean", 1, "", "1 is not of type boolean"),
        ("null", 0, "", "0 is not null"),
        ("string", "\ud800", "", "half of a surrogate pair"),
        ("bytes", "%%", "", '"%%" is not base64'),
        ({"type": "fixed", "name": "F", "size": 4}, "AAA=", "", "2 bytes where there have to be 4"),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "C", "", '"C" is not one of A, B'),
        ({"type": "enum", "name": "E", "symbols": ["A", "B"]}, "toString", "", "is not one of A, B"),
        (["null", "int", "long"], 5, "", 'which has to be named: {"int": …}'),
        (["null", "int", "long"], {"int": "x"}, "/int", '"x" is not of type int'),
        (["int", "string"], None, "", "null is not one of int, string"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, "1.234", "", "does not fit 4 digits"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, "123.4", "", "does not fit 4 digits"),
        ({"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}, 1.5, "", "a decimal written as text"),
        ({"type": "map", "values": "int"}, {"a": None}, "/a", "null is not of type int"),
        (TREE, {"next": {"next": {}}, "x": 1}, "/x", "is no field"),
    ],
)
def test_a_value_that_the_schema_refuses_fails_with_its_place_and_the_rule(
    schema: Any, value: Any, path: str, why: str
) -> None:
    failure = refused(schema, value)
    assert failure.path == path
    assert why in failure.message


def test_a_message_never_holds_the_whole_value() -> None:
    assert len(refused("int", "x" * 100_000).message) < 300


def test_fields_that_are_absent_take_their_defaults() -> None:
    with Codec(Schema("avro", json.dumps(ORDER))) as codec:
        (data,) = codec.encode(['{"id": 1, "items": []}'])
        assert data == b"\x02\x00\x00"


def test_a_recursive_value_that_is_too_deep_is_refused() -> None:
    value = '{"next":' * 5000 + "null" + "}" * 5000
    with Codec(Schema("avro", json.dumps(TREE))) as codec:
        (failure,) = codec.encode([value])
    assert isinstance(failure, Failure)
    assert "nested deeper than 1000 levels" in failure.message


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("{", "not JSON"),
        ('"nope"', "undefined type name: nope"),
        ('{"type": "record", "name": "R"}', "non-array record fields"),
        (
            '{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"enum","name":"1"}}]}',
            "(at /fields/0/type)",
        ),
        ('{"type":"record","name":"R","fields":[{"name":"a b","type":"int"}]}', "invalid field name: a b"),
        ('{"type":"record","name":"R","fields":[{"name":"__proto__","type":"int"}]}', "cannot be called __proto__"),
        (
            '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}',
            "the default of R.a does not fit",
        ),
        ('{"type":"record","name":"R","fields":[{"name":"a","type":"R.B"}]}', "undefined type name: R.B"),
        ('["int", "int"]', "duplicate union branch name"),
        ("[[" * 3000 + "]]" * 3000, "aximum"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(schema: str, why: str) -> None:
    (fault,) = check_schema(Schema("avro", schema))
    assert why in fault.message


def test_a_schema_that_can_be_used_has_no_faults() -> None:
    assert check_schema(Schema("avro", json.dumps(ORDER))) == []


@pytest.mark.parametrize(
    "name",
    ["x'];throw 1;//", 'x"]);throw 1;//', "x\\", "x\u2028y", "constructor", "toString", "valueOf", "prototype"],
)
def test_names_in_a_schema_never_become_code(name: str) -> None:
    hostile = {
        "type": "record",
        "name": "R",
        "doc": name,
        "fields": [
            {"name": "a", "type": {"type": "map", "values": "int"}, "doc": name, "aliases": [name]},
            {"name": "b", "type": {"type": "enum", "name": "E", "symbols": ["A"], "doc": name}},
        ],
    }
    with Codec(Schema("avro", json.dumps(hostile))) as codec:
        (data,) = codec.encode([json.dumps({"a": {name: 1}, "b": "A"})])
        assert isinstance(data, bytes)
        assert json.loads(str(codec.decode([data])[0])) == {"a": {name: 1}, "b": "A"}
    for field in ("name", "namespace"):
        faults = check_schema(Schema("avro", json.dumps({"type": "fixed", "name": "F", "size": 1, field: name})))
        assert all("invalid name" in fault.message for fault in faults)
        assert faults or name.isalpha()
