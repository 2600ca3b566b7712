"""Compiles .proto files with Google's compiler, and makes messages of Google's classes and what steps see of them."""

import base64
import struct
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from grpc_tools import protoc  # type: ignore[import-untyped]  # it has no types

FOLDER = Path(__file__).parent / "protos"
DEEPEST = 3
INT32 = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SFIXED32}
UINT32 = {FieldDescriptor.TYPE_UINT32, FieldDescriptor.TYPE_FIXED32}
INT64 = {FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_SINT64, FieldDescriptor.TYPE_SFIXED64}
UINT64 = {FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64}


def text_of(name: str) -> str:
    """A .proto file of the tests."""
    return (FOLDER / f"{name}.proto").read_text(encoding="utf-8")


def compile_protos(files: Mapping[str, str]) -> descriptor_pool.DescriptorPool:
    """A pool of what Google's compiler makes of files, path to text."""
    with TemporaryDirectory() as directory:
        for path, text in files.items():
            (Path(directory) / path).write_text(text, encoding="utf-8")
        out = Path(directory) / "set.bin"
        known = resources.files("grpc_tools") / "_proto"
        command = ["protoc", f"-I{directory}", f"-I{known}", "--include_imports", f"--descriptor_set_out={out}", *files]
        assert protoc.main(command) == 0
        found = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in found.file:
        pool.Add(file)
    return pool


def class_of(pool: descriptor_pool.DescriptorPool, name: str) -> type[Message]:
    """Google's class of a message."""
    made: type[Message] = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
    return made


def fill(message: Message, random: Random, depth: int = 0) -> None:
    """Give a message random fields."""
    for field in message.DESCRIPTOR.fields:
        if field.is_required or random.random() < 0.7:
            _fill_field(message, field, random, depth)


def _fill_field(message: Message, field: Any, random: Random, depth: int) -> None:
    here = getattr(message, field.name)
    entry = field.message_type if field.message_type and field.message_type.GetOptions().map_entry else None
    if entry is not None:
        value_field = entry.fields_by_name["value"]
        for _ in range(0 if depth > DEEPEST else random.choice([0, 1, 3])):
            key = _scalar(entry.fields_by_name["key"], random)
            if value_field.message_type:
                fill(here[key], random, depth + 1)
            else:
                here[key] = _scalar(value_field, random)
    elif field.is_repeated:
        for _ in range(0 if depth > DEEPEST else random.choice([0, 1, 4])):
            if field.message_type:
                fill(here.add(), random, depth + 1)
            else:
                here.append(_scalar(field, random))
    elif field.message_type:
        if depth <= DEEPEST:
            here.SetInParent()
            fill(here, random, depth + 1)
    else:
        setattr(message, field.name, _scalar(field, random))


INTEGERS = {
    **dict.fromkeys(INT32, (0, 1, -1, 127, 128, 2**31 - 1, -(2**31), 12345)),
    **dict.fromkeys(UINT32, (0, 1, 2**31, 2**32 - 1)),
    **dict.fromkeys(INT64, (0, -1, 2**31, 2**32, 2**53 - 1, 2**53, -(2**53) - 1, 2**63 - 1, -(2**63))),
    **dict.fromkeys(UINT64, (0, 1, 2**32, 2**53, 2**64 - 1)),
}


def _scalar(field: Any, random: Random) -> Any:
    kind = field.type
    if kind in INTEGERS:
        return random.choice(INTEGERS[kind])
    if kind == FieldDescriptor.TYPE_BOOL:
        return random.random() < 0.5
    if kind == FieldDescriptor.TYPE_ENUM:
        return random.choice([value.number for value in field.enum_type.values])
    if kind == FieldDescriptor.TYPE_STRING:
        return random.choice(["", "a", "Grüße 🎈", "x" * 300, "\x00", "__proto__"])
    if kind == FieldDescriptor.TYPE_BYTES:
        return random.choice([b"", b"\x00", random.randbytes(200)])
    value = random.choice([0.0, -0.0, 1.5, -1e30, random.random()])
    return struct.unpack("<f", struct.pack("<f", value))[0] if kind == FieldDescriptor.TYPE_FLOAT else value


def shape(message: Message) -> Any:
    """What a step sees of a message; well-known types as Google's own JSON has them."""
    descriptor: Any = message.DESCRIPTOR
    if descriptor.full_name.startswith("google.protobuf.") and descriptor.full_name != "google.protobuf.Empty":
        return _well_known(message)
    found: dict[str, Any] = {}
    for field in descriptor.fields:
        value = getattr(message, field.name)
        entry = field.message_type if field.message_type and field.message_type.GetOptions().map_entry else None
        if entry is not None:
            inner = entry.fields_by_name["value"]
            found[field.name] = {_key(key): _one(inner, value[key]) for key in value}
        elif field.is_repeated:
            found[field.name] = [_one(field, item) for item in value]
        elif not field.has_presence or message.HasField(field.name):
            found[field.name] = _one(field, value)
    return found


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _one(field: Any, value: Any) -> Any:
    if field.message_type:
        return shape(value)
    if field.type == FieldDescriptor.TYPE_ENUM:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known else value
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _well_known(message: Message) -> Any:
    made: Any = json_format.MessageToDict(message, preserving_proto_field_name=True)
    wide = message.DESCRIPTOR.full_name in {"google.protobuf.Int64Value", "google.protobuf.UInt64Value"}
    return int(made) if wide else made
