"""Events made from Avro and Protobuf schemas fit them: what is encoded is read back as it was."""

import json
from typing import Any

import pytest

from inflect.engine.codec import Codec
from inflect.errors import RefusedError
from inflect.model.schema import PinnedSchema, Schema
from inflect.schemas.samples import generate
from tests.unit.schemas.samples.shapes import names, of_text, shape


def encoded(pinned: PinnedSchema, events: list[Any]) -> list[bytes]:
    """The events' bytes; every one must have some."""
    with Codec(pinned.schema, pinned.message) as codec:
        found = codec.encode([json.dumps(event) for event in events])
    assert [one for one in found if not isinstance(one, bytes)] == []
    return [one for one in found if isinstance(one, bytes)]


def read(pinned: PinnedSchema, events: list[bytes]) -> list[Any]:
    with Codec(pinned.schema, pinned.message) as codec:
        found = codec.decode(events)
    assert [one for one in found if not isinstance(one, str)] == []
    return [json.loads(one) for one in found if isinstance(one, str)]


@pytest.mark.parametrize("name", [*names("avro"), *names("protobuf")])
def test_200_events_can_be_encoded_and_read(name: str) -> None:
    pinned = shape(name)
    events = generate(pinned, 200, seed=11)
    assert generate(pinned, 20, seed=11) == events[:20]
    assert len({json.dumps(event) for event in events}) > 150
    assert len(read(pinned, encoded(pinned, events))) == 200


def test_an_avro_event_is_read_back_as_it_was_made() -> None:
    pinned = shape("payment.avsc")
    events = [event | {"rate": 0.5} for event in generate(pinned, 50, seed=2)]
    assert read(pinned, encoded(pinned, events)) == events


def test_a_protobuf_event_is_read_back_with_all_that_was_set() -> None:
    pinned = shape("order.proto")
    events = generate(pinned, 50, seed=2)
    for made, found in zip(events, read(pinned, encoded(pinned, events)), strict=True):
        for name in set(made) - {"lines", "by_position"}:
            assert found[name] == made[name]


def test_avro_types_come_from_what_the_schema_refers_to() -> None:
    money = (
        '{"type": "record", "name": "Money", "namespace": "com.example", "fields": [{"name": "cents", "type": "int"}]}'
    )
    order = (
        '{"type": "record", "name": "Order", "namespace": "com.example",'
        ' "fields": [{"name": "total", "type": "Money"}, {"name": "fee", "type": ["null", "com.example.Money"]}]}'
    )
    pinned = of_text(order, "avro", {"com.example.Money": money})
    first = generate(pinned, 1)[0]
    assert set(first["total"]) == set(first["fee"]) == {"cents"}
    encoded(pinned, generate(pinned, 20))


def test_protobuf_types_come_from_imports_and_the_message_can_be_named() -> None:
    pinned = PinnedSchema(
        Schema(
            "protobuf",
            'syntax = "proto3"; package shop; import "money.proto";'
            " message First { string a = 1; } message Order { money.Amount total = 1; Line line = 2;"
            " message Line { Kind kind = 1; } enum Kind { NONE = 0; ONE = 1; } }",
            {"money.proto": "package money; message Amount { required int32 n = 1; required string currency = 2; }"},
        ),
        file="here",
        message="shop.Order",
    )
    events = generate(pinned, 20)
    assert set(events[0]) == {"total", "line"}
    assert len(events[0]["total"]["currency"]) == 3
    encoded(pinned, events)


def test_optional_things_are_sometimes_left_out_but_not_of_the_first() -> None:
    events = generate(shape("order.proto"), 50, seed=1)
    assert {"customer", "loyalty_points", "note", "card"} <= set(events[0])
    assert {"card", "iban", "cash"} <= {name for event in events for name in event}
    assert any("customer" not in event for event in events)
    payments = generate(shape("payment.avsc"), 50, seed=1)
    assert payments[0]["payer"] is not None
    assert any(event["payer"] is None for event in payments)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("avro", '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "A"}]}', "require itself"),
        ("avro", '{"type": "record", "name": "A", "fields": [{"name": "a", "type": "B"}]}', "'B'"),
        ("avro", "{", "is not JSON"),
        ("protobuf", 'syntax = "proto2"; message A { required A a = 1; }', "require itself"),
        ("protobuf", 'syntax = "proto3"; message A { Nowhere a = 1; }', "'Nowhere'"),
        ("protobuf", "message {", "is not Protobuf"),
        ("protobuf", 'syntax = "proto3"; enum A { B = 0; }', "is not in the schema"),
    ],
)
def test_a_schema_that_has_no_events_is_refused_with_the_reason(kind: Any, text: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        generate(of_text(text, kind), 1)
