"""Mutated bytes and values of the wrong shape: each ends as a value or as a failure that the schema explains."""

import json
from random import Random
from typing import Any

import pytest

from inflect.engine.codec import Codec
from inflect.model.event import Failure
from inflect.model.schema import Schema
from tests.unit.engine.avro_values import pair
from tests.unit.engine.proto_values import class_of, compile_protos, fill, text_of
from tests.unit.engine.test_avro_agreement import SHAPES, written

MUTANTS = 3000
AVRO = [
    "nested records",
    "nullable",
    "union of texts",
    "union of objects",
    "recursive record",
    "decimals",
    "array of nulls",
]
PROTO = ["Numbers", "Lists", "Maps", "Choice", "Tree", "Colors"]
STAGES = {("decode", "schema")}
ODD: list[Any] = [
    None, True, 0, -1, 1.5, 2**31, 2**63, 2**64, -(2**70), 1e308, "", "x", "12.50", "AAE=", "\ud800", [], [None], [[]],
    {}, {"a": 1}, {"__proto__": 1}, {"int": 1}, {"toString": None}, [{"a": {}}], "2026-01-01T00:00:00Z",
]  # fmt: skip


def mutate(data: bytes, random: Random) -> bytes:
    """A few bytes changed, dropped, doubled or put in."""
    mutant = bytearray(data)
    for _ in range(random.choice([1, 1, 2, 5])):
        at = random.randrange(len(mutant) + 1)
        kind = random.randrange(4)
        if kind == 0 and at < len(mutant):
            mutant[at] = random.choice([0, 1, 127, 128, 255, random.randrange(256)])
        elif kind == 1:
            del mutant[at : at + random.choice([1, 4, 100])]
        elif kind == 2:
            mutant[at:at] = random.choice([b"\x80", b"\xff" * 9 + b"\x01", b"\x00" * 8, random.randbytes(3)])
        else:
            mutant = mutant[:at]
    return bytes(mutant)


def check_decoding(schema: Schema, message: str | None, samples: list[bytes], random: Random) -> None:
    mutants = [mutate(random.choice(samples), random) for _ in range(MUTANTS)]
    with Codec(schema, message) as codec:
        found = codec.decode(mutants)
        failures = [item for item in found if isinstance(item, Failure)]
        odd = [failure for failure in failures if (failure.stage, failure.kind) not in STAGES]
        assert odd == []
        read = [item for item in found if isinstance(item, str)]
        assert read, "some mutants are values still"
        again = codec.encode([text for text in read if "null" not in text])
        assert {item.kind for item in again if isinstance(item, Failure)} <= {"schema"}


def check_encoding(schema: Schema, message: str | None, values: list[Any], random: Random) -> None:
    def spoil(value: Any) -> Any:
        if random.random() < 0.1:
            return random.choice(ODD)
        if isinstance(value, dict):
            return {key: spoil(item) for key, item in value.items()}
        return [spoil(item) for item in value] if isinstance(value, list) else value

    spoilt = [spoil(random.choice(values)) for _ in range(MUTANTS // 3)]
    with Codec(schema, message) as codec:
        found = codec.encode([json.dumps(value) for value in spoilt])
        failures = [item for item in found if isinstance(item, Failure)]
        odd = [item for item in failures if (item.stage, item.kind) != ("outgoing_schema", "schema")]
        assert odd == []
        assert failures
        readable = codec.decode([item for item in found if isinstance(item, bytes)])
        assert not [item for item in readable if isinstance(item, Failure)]


@pytest.mark.parametrize("name", AVRO)
def test_spoilt_avro_is_a_value_or_a_failure_of_its_schema(name: str) -> None:
    random = Random(name)  # noqa: S311  seeded on purpose
    pairs = [pair(SHAPES[name], random, {}) for _ in range(30)]
    schema = Schema("avro", json.dumps(SHAPES[name]))
    check_decoding(schema, None, [written(SHAPES[name], given) for given, _ in pairs], random)
    check_encoding(schema, None, [shape for _, shape in pairs], random)


@pytest.mark.parametrize("name", PROTO)
def test_spoilt_protobuf_is_a_value_or_a_failure_of_its_schema(name: str) -> None:
    random = Random(name)  # noqa: S311  seeded on purpose
    cls = class_of(compile_protos({"scalars.proto": text_of("scalars")}), f"shapes.{name}")
    messages = [cls() for _ in range(30)]
    for message in messages:
        fill(message, random)
    schema = Schema("protobuf", text_of("scalars"))
    samples = [message.SerializeToString() for message in messages]
    check_decoding(schema, f"shapes.{name}", samples, random)
    with Codec(schema, f"shapes.{name}") as codec:
        values = [json.loads(text) for text in codec.decode(samples) if isinstance(text, str)]
    check_encoding(schema, f"shapes.{name}", values, random)
