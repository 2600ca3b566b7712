"""The wire format as confluent-kafka's own serializers write and read it, both ways, for all three kinds of schema."""

import json
from dataclasses import replace
from uuid import uuid4

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from inflect.model.pipeline import Format
from inflect.model.schema import PinnedSchema, Schema, SchemaKind
from inflect.processing.chain import Chain
from inflect.schemas.writers import WriterSchemas
from tests.unit.engine.proto_values import class_of, compile_protos
from tests.unit.processing.chains import NOW, batch, revision

HERE = SerializationContext("orders", MessageField.VALUE)
VALUE = {"id": 2**40, "name": "Grüße", "tags": ["a", "b"], "rate": 0.5}
AVRO = json.dumps(
    {
        "type": "record",
        "name": "Order",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "name", "type": ["null", "string"]},
            {"name": "tags", "type": {"type": "array", "items": "string"}},
            {"name": "rate", "type": "double"},
        ],
    }
)
JSON = json.dumps(
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Order",
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "integer"}, "name": {"type": "string"}},
    }
)
PROTO = """syntax = "proto3";
package shop;
message Other { int32 n = 1; }
message Outer {
  map<string, int32> counts = 1;
  message Order { int64 id = 1; string name = 2; repeated string tags = 3; double rate = 4; }
}
"""
MESSAGE = "shop.Outer.Order"


@pytest.fixture
def client() -> SchemaRegistryClient:
    """A registry of confluent-kafka's own that lives in this process."""
    return SchemaRegistryClient.new_client({"url": f"mock://{uuid4()}"})


def pinned(client: SchemaRegistryClient, kind: SchemaKind, text: str, message: str | None = None) -> PinnedSchema:
    """The schema that a serializer has registered for the topic."""
    found = client.get_latest_version("orders-value")
    return PinnedSchema(Schema(kind, text), "orders-value", found.version, found.schema_id, message=message)


def through(kind: Format, pin: PinnedSchema, value: bytes) -> bytes:
    """An event through a pipeline that has the schema at both ends and changes nothing."""
    base = revision("module.exports = event => event", formats=(kind, kind))
    base = replace(base, pipeline=replace(base.pipeline, target=replace(base.pipeline.target, wire_prefix=True)))
    base = replace(base, source_schema=pin, target_schema=pin)
    with Chain(base, max_record_bytes={}, writers=WriterSchemas(None, None, [pin])) as chain:
        settled = chain.settle(batch([value]), now=NOW)
    assert settled.failures == {}
    (left,) = settled.values
    return left if isinstance(left, bytes) else left.encode()


def test_avro_is_read_and_written_as_by_its_serializer(client: SchemaRegistryClient) -> None:
    value = AvroSerializer(client, AVRO)(VALUE, HERE)
    left = through("avro", pinned(client, "avro", AVRO), value)
    assert left == value
    assert AvroDeserializer(client)(left, HERE) == VALUE


def test_json_is_read_and_written_as_by_its_serializer(client: SchemaRegistryClient) -> None:
    value = JSONSerializer(JSON, client)(VALUE, HERE)
    left = through("json", pinned(client, "json", JSON), value)
    assert left[:5] == value[:5]
    assert JSONDeserializer(JSON, schema_registry_client=client)(left, HERE) == VALUE


@pytest.mark.parametrize("registered", ["text", "descriptor"])
def test_protobuf_is_read_and_written_as_by_its_serializer(client: SchemaRegistryClient, registered: str) -> None:
    cls = class_of(compile_protos({"shop.proto": PROTO}), MESSAGE)
    serializer = ProtobufSerializer(cls, client, {"use.deprecated.format": False})
    value = serializer(cls(**VALUE), HERE)
    assert value[5:8] == b"\x04\x02\x02"  # it counts the map before the message, as the registry does not
    text = PROTO if registered == "text" else str(client.get_latest_version("orders-value").schema.schema_str)
    left = through("protobuf", pinned(client, "protobuf", text, MESSAGE), value)
    assert left == value[:5] + b"\x04\x02\x00" + value[8:]
    assert ProtobufDeserializer(cls, {"use.deprecated.format": False})(left, HERE) == cls(**VALUE)
