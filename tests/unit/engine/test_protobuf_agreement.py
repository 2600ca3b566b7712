"""Protobuf as Google's library reads and writes it, for messages of many shapes."""

import base64
import json
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict

from inflect.engine.codec import Codec
from inflect.model.schema import Schema
from tests.unit.engine.proto_values import class_of, compile_protos, fill, shape, text_of

FILES = {f"{name}.proto": text_of(name) for name in ("scalars", "legacy", "known", "money")}
POOL = compile_protos(FILES)
MESSAGES = [
    name
    for path in ("scalars.proto", "legacy.proto")
    for name in (
        f"{descriptor.full_name}"
        for descriptor in POOL.FindFileByName(path).message_types_by_name.values()
    )
]  # fmt: skip
VALUES = 40


def schema_of(name: str, text: Callable[[str], str] = text_of) -> Schema:
    file = {"shapes": "scalars", "legacy": "legacy", "known": "known"}[name.partition(".")[0]]
    return Schema("protobuf", text(file), {"money.proto": text("money")} if file == "known" else {})


def descriptor_of(name: str) -> str:
    """A file as clients of some languages register it."""
    return base64.b64encode(POOL.FindFileByName(f"{name}.proto").serialized_pb).decode()


@pytest.mark.parametrize("text", [text_of, descriptor_of])
@pytest.mark.parametrize("name", [*MESSAGES, "shapes.Outer.Inner", "shapes.Outer.Inner.Innermost", "known.Priced"])
def test_values_are_those_of_google(name: str, text: Callable[[str], str]) -> None:
    cls, random = class_of(POOL, name), Random(name)  # noqa: S311  seeded on purpose
    messages = [cls() for _ in range(VALUES)]
    for message in messages[1:]:
        fill(message, random)
    if messages[0].DESCRIPTOR.full_name == "legacy.Required":
        fill(messages[0], random)
    shapes = [shape(message) for message in messages]
    with Codec(schema_of(name, text), name) as codec:
        decoded = codec.decode([message.SerializeToString() for message in messages])
        assert [json.loads(text) if isinstance(text, str) else text for text in decoded] == shapes
        encoded = codec.encode([json.dumps(value) for value in shapes])
    assert [cls.FromString(data) if isinstance(data, bytes) else data for data in encoded] == messages


KNOWN = [
    ("Times", {"at": "2026-02-28T23:59:59.123456789Z", "took": "-0.000000001s"}),
    ("Times", {"at": "1969-12-31T23:59:59.500Z", "took": "0s"}),
    ("Times", {"all": ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"]}),
    ("Times", {"named": {"a": "315576000000s", "b": "-1.500s"}}),
    ("Wrapped", {"d": 0.0, "f": 1.5, "i64": 0, "u64": 5, "i32": -1, "u32": 0, "b": False, "s": "", "data": "AAE="}),
    ("Wrapped", {"i64": -(2**63), "u64": 2**64 - 1}),
    ("Json", {"object": {"a": [1.0, None, {"b": "c"}, True], "": {}}, "any": None, "list": [[], {}, "x", 0.5]}),
    ("Json", {"values": [None, 1.0, "s", False, {"k": None}, [None]], "any": {"__proto__": 1.0}, "nothing": {}}),
    ("Masked", {"mask": "aB.cDe,f"}),
    ("Packed", {"any": {"@type": "type.googleapis.com/shop.Money", "cents": 5, "unit": "USD"}}),
    ("Packed", {"many": [{"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.500s"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), KNOWN)
def test_well_known_types_are_what_google_makes_of_them(name: str, value: dict[str, object]) -> None:
    name = f"known.{name}"
    cls = class_of(POOL, name)
    message = ParseDict(value, cls(), descriptor_pool=POOL)
    with Codec(schema_of(name), name) as codec:
        (encoded,) = codec.encode([json.dumps(value)])
        assert isinstance(encoded, bytes), encoded
        assert cls.FromString(encoded) == message
        (decoded,) = codec.decode([message.SerializeToString()])
    seen = json.loads(str(decoded))
    assert {key: given for key, given in seen.items() if given not in ([], {}) or key in value} == value


def test_names_of_json_are_taken_on_the_way_out() -> None:
    with Codec(schema_of("shapes.Cased"), "shapes.Cased") as codec:
        names = {"snakeCaseName": 1, "camelName": 2, "other": "x", "Leading": 4}
        (encoded,) = codec.encode([json.dumps(names)])
    assert shape(class_of(POOL, "shapes.Cased").FromString(encoded)) == {  # type: ignore[arg-type]  # bytes, else it fails
        "snake_case_name": 1, "camelName": 2, "custom": "x", "_leading": 4,
    }  # fmt: skip


def test_a_descriptor_keeps_the_names_and_the_order_of_its_text() -> None:
    messages = "shapes.Outer", "shapes.Outer.Inner.Innermost", "shapes.Cased"
    for name in messages:
        value = {"shapes.Cased": '{"other": "x"}'}.get(name, "{}")
        written = []
        for text in (text_of, descriptor_of):
            with Codec(schema_of(name, text), name) as codec:
                written.append(codec.encode([value]))
        assert written[0] == written[1]


def test_an_extension_is_a_field_that_the_schema_does_not_know() -> None:
    cls = class_of(POOL, "legacy.Extendable")
    message: Any = cls(number=5)
    message.Extensions[POOL.FindExtensionByName("legacy.note")] = "x"
    with Codec(schema_of("legacy.Extendable"), "legacy.Extendable") as codec:
        assert codec.decode([message.SerializeToString()]) == ['{"number":5}']
