"""Protobuf that does not fit: bytes that are cut or lie, and values that the schema does not allow."""

import json
import time
from typing import Any

import pytest

from inflect.engine.codec import Codec, check_schema
from inflect.model.event import Failure
from inflect.model.schema import Schema
from tests.unit.engine.proto_values import class_of, compile_protos

ORDER = """
syntax = "proto3";
package shop;
message Order {
  int64 id = 1;
  string note = 2;
  repeated Item items = 3;
  map<string, int32> counts = 4;
  Status status = 5;
  oneof payment { string card = 6; Item voucher = 7; }
  Order parent = 8;
  repeated int32 numbers = 9;
  uint64 large = 10;
  float ratio = 11;
  bytes data = 12;
  map<int32, Item> by_number = 13;
}
message Item { string sku = 1; double price = 2; }
enum Status { NEW = 0; PAID = 1; }
"""
SCHEMA = Schema("protobuf", ORDER)
LEGACY = Schema(
    "protobuf", 'syntax = "proto2"; message R { required int32 id = 1; optional K k = 2; } enum K { A = 1; }'
)


def varint(value: int) -> bytes:
    """An unsigned varint."""
    data = bytearray()
    while value > 127:
        data.append(value & 127 | 128)
        value >>= 7
    return bytes([*data, value])


def nested(levels: int) -> bytes:
    """An order in an order, and so on."""
    data = b""
    for _ in range(levels):
        data = b"\x42" + varint(len(data)) + data
    return data


def decode(data: bytes, schema: Schema = SCHEMA) -> Any:
    with Codec(schema) as codec:
        (found,) = codec.decode([data])
    return json.loads(found) if isinstance(found, str) else found


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x08", "at /id: the bytes end in the middle of a value"),
        (b"\x08\xff", "at /id: the bytes end in the middle of a value"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "at /id: a number holds more than 64 bits"),
        (b"\x0a\x01a", "at /id: field 1 comes as length-delimited"),
        (b"\x10\x01", "at /note: field 2 comes as varint"),
        (b"\x0d\x00\x00\x00\x00", "at /id: field 1 comes as 32-bit"),
        (b"\x12\x05ab", "at /note: a length of 5 bytes where 2 are left"),
        (b"\x12" + varint(2**31) + b"ab", "at /note: a length of 2147483648 bytes"),
        (b"\x12" + varint(2**62) + b"ab", "at /note: a tag or length takes more than 32 bits"),
        (b"\x12\x01\xff", "at /note: a string is not UTF-8"),
        (b"\x1a\x03\x0a\x05ab", "at /items"),
        (b"\x1a\x02\x0a\x01a", "at /items"),
        (b"\x22\x04\x0a\x01a\x10", "at /counts/a"),
        (b"\x4a\x02\x01\x80", "at /numbers: the bytes end"),
        (b"\x4a\x01\x80\x01", "at /numbers: a field reaches behind the end"),
        (b"\x00\x01", "a field has the number 0"),
        (b"\x0c", "at /id: field 1 comes as end of group"),
        (b"\xfc\x07", "field 127 has the wire type 4"),
        (b"\xff\x07", "field 127 has the wire type 7"),
        (b"\xfb\x07\x08\x01", "the bytes end in the middle"),
        (b"\xfb\x07" * 10_000, "nested deeper than 100 levels"),
        (nested(10_000), "nested deeper than 100 levels"),
        (b"\x80\x80\x80\x80\x80\x01", "a tag or length takes more than 32 bits"),
    ],
)
def test_bytes_that_do_not_fit_fail_at_once_and_alone(data: bytes, why: str) -> None:
    started = time.monotonic()
    failure = decode(data)
    assert isinstance(failure, Failure), failure
    assert (failure.stage, failure.kind) == ("decode", "schema")
    assert why in failure.message
    assert time.monotonic() - started < 5


def test_fields_that_the_schema_does_not_know_are_passed_over() -> None:
    unknown = b"\xf8\x07\x05" + b"\xf9\x07" + b"\x00" * 8 + b"\xfa\x07\x02ab" + b"\xfd\x07" + b"\x00" * 4
    group = b"\xfb\x07\x0b\x08\x01\x0c\xfc\x07"
    assert decode(unknown + b"\x08\x07" + group)["id"] == 7


def test_an_enum_number_without_a_name_stays_a_number_and_leaves_as_one() -> None:
    assert decode(b"\x28\x63")["status"] == 99
    with Codec(SCHEMA) as codec:
        assert codec.encode(['{"status": 99}']) == [b"\x28\x63"]


def test_lists_of_numbers_are_read_packed_and_loose() -> None:
    assert decode(b"\x4a\x02\x01\x02\x48\x03")["numbers"] == [1, 2, 3]


def test_the_last_of_several_choices_counts() -> None:
    seen = decode(b"\x32\x01a\x3a\x00")
    assert "card" not in seen
    assert seen["voucher"] == {"sku": "", "price": 0}


def test_a_required_field_that_is_absent_fails_both_ways() -> None:
    failure = decode(b"\x10\x01", LEGACY)
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.path) == ("decode", "/id")
    with Codec(LEGACY) as codec:
        (refused,) = codec.encode(['{"k": "A"}'])
    assert isinstance(refused, Failure)
    assert refused.message == "at /id: is missing (rule: R.id: int32, required)"


@pytest.mark.parametrize(
    ("value", "path", "why"),
    [
        ({"id": "5"}, "/id", 'at /id: "5" is not an integer of 64 bits (rule: shop.Order.id: int64)'),
        ({"id": 1.5}, "/id", "1.5 is not an integer of 64 bits"),
        ({"id": 2**63}, "/id", "9223372036854775808 is not an integer of 64 bits"),
        ({"large": -1}, "/large", "-1 is not an unsigned integer of 64 bits"),
        ({"large": 2**64}, "/large", "18446744073709551616 is not an unsigned integer"),
        ({"numbers": [1, 2**31]}, "/numbers/1", "2147483648 is not an integer of 32 bits"),
        ({"numbers": 1}, "/numbers", "1 is not an array"),
        ({"numbers": [None]}, "/numbers/0", "null is not an integer"),
        ({"note": 5}, "/note", "5 is not a string"),
        ({"note": "\ud800"}, "/note", "half of a surrogate pair"),
        ({"items": [{"sku": "a", "price": "x"}]}, "/items/0/price", '"x" is not a number'),
        ({"items": [None]}, "/items/0", "null is not a message"),
        ({"items": [{"other": 1}]}, "/items/0/other", "is no field of the message (rule: shop.Item has sku, price)"),
        ({"counts": {"a/b": "x"}}, "/counts/a~1b", '"x" is not an integer'),
        ({"counts": []}, "/counts", "an array is not an object"),
        ({"by_number": {"x": {}}}, "/by_number/x", 'the key "x" is not of type int32'),
        ({"by_number": {"2147483648": {}}}, "/by_number/2147483648", "is not an integer of 32 bits"),
        ({"status": "LOST"}, "/status", '"LOST" is not one of NEW, PAID'),
        ({"status": 1.5}, "/status", "1.5 is not one of NEW, PAID"),
        ({"card": "a", "voucher": {}}, "/voucher", "is set, and card is too: only one of payment can be"),
        ({"ratio": 1e300}, "/ratio", "is not within what a float can hold"),
        ({"data": "%"}, "/data", '"%" is not base64'),
        ({"parent": []}, "/parent", "an array is not a message shop.Order"),
        ({"byNumber": {}, "by_number": {}}, "/by_number", "is there twice"),
        ({"toString": 1}, "/toString", "is no field of the message"),
        ([], "", "at the top: an array is not a message shop.Order"),
    ],
)
def test_a_value_that_the_schema_refuses_fails_with_its_place_and_the_rule(value: Any, path: str, why: str) -> None:
    with Codec(SCHEMA) as codec:
        (failure,) = codec.encode([json.dumps(value)])
    assert isinstance(failure, Failure), failure
    assert (failure.stage, failure.kind, failure.path) == ("outgoing_schema", "schema", path)
    assert why in failure.message


def test_a_value_that_is_too_deep_for_readers_is_refused() -> None:
    with Codec(SCHEMA) as codec:
        assert isinstance(codec.encode(['{"parent":' * 99 + "{}" + "}" * 99])[0], bytes)
        (failure,) = codec.encode(['{"parent":' * 100 + "{}" + "}" * 100])
    assert isinstance(failure, Failure)
    assert "nested deeper than 100 levels" in failure.message


def test_null_and_absent_are_the_same() -> None:
    with Codec(SCHEMA) as codec:
        assert codec.encode(['{"id": null, "items": null, "parent": null, "card": null}', "{}"]) == [b"", b""]


def test_a_negative_zero_survives() -> None:
    with Codec(SCHEMA) as codec:
        assert codec.encode(['{"ratio": -0.0}', '{"ratio": 0.0}']) == [b"\x5d\x00\x00\x00\x80", b""]


@pytest.mark.parametrize(
    ("text", "message", "why"),
    [
        ("message {", None, "illegal type name '{' ((schema), line 1)"),
        ('syntax = "proto3"; message A { B b = 1; }', None, "no such Type or Enum 'B' in Type .A"),
        ('syntax = "proto3"; import "b.proto"; message A { B b = 1; }', None, "it imports b.proto, which is not among"),
        ('syntax = "proto3"; enum E { A = 0; }', None, "it holds no message"),
        (ORDER, "shop.Nope", "there is no message shop.Nope; there are shop.Order, shop.Item"),
        (
            'syntax = "proto2"; message A { optional group B = 1 { optional int32 c = 1; } }',
            None,
            "groups are not supported",
        ),
        ('syntax = "proto3"; message A { int32 __proto__ = 1; }', None, "__proto__"),
        ('syntax = "proto3"; message A { int32 a = 1; int32 b = 1; }', None, "duplicate id 1"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(text: str, message: str | None, why: str) -> None:
    (fault,) = check_schema(Schema("protobuf", text), message)
    assert why in fault.message


def test_imports_that_only_bring_options_are_not_missed() -> None:
    field = 'int32 a = 1 [(confluent.field_meta).doc = "x"];'
    text = f'syntax = "proto3"; import "confluent/meta.proto"; message A {{ {field} }}'
    assert check_schema(Schema("protobuf", text)) == []


def test_references_are_found_by_their_import_paths() -> None:
    files = {"lib/money.proto": 'syntax = "proto3"; package lib; message Money { int64 cents = 1; }'}
    text = 'syntax = "proto3"; import "lib/money.proto"; message A { lib.Money price = 1; }'
    with Codec(Schema("protobuf", text, files)) as codec:
        assert codec.encode(['{"price": {"cents": 5}}']) == [b"\x0a\x02\x08\x05"]


def test_a_message_that_comes_twice_is_merged_as_google_merges_it() -> None:
    data = b"\x42\x02\x08\x05" + b"\x42\x03\x12\x01a" + b"\x1a\x03\x0a\x01x"
    theirs = class_of(compile_protos({"order.proto": ORDER}), "shop.Order").FromString(data)
    seen = decode(data)
    assert (seen["parent"]["id"], seen["parent"]["note"]) == (5, "a")
    with Codec(SCHEMA) as codec:
        (ours,) = codec.encode([json.dumps(seen)])
    assert type(theirs).FromString(ours) == theirs  # type: ignore[arg-type]  # bytes, else it fails
