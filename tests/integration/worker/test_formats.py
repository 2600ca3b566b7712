"""Each format through a real worker with a real registry, read and written with its wire prefix."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from inflect.embedded.registry import RegistryServer
from inflect.engine.codec import Codec
from inflect.kafka.producer import plain_producer
from inflect.model.pipeline import Format, Pipeline, Source, Target
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema
from inflect.schemas.registry import Registry
from inflect.settings import RegistryAccess
from inflect.worker.equipment import SchemaAccess
from tests.integration.processing.formats import DIALECTS, UNKNOWN
from tests.integration.worker.crew import Crew, Names, committed, crew
from tests.plugins.registry import Register
from tests.waiting import eventually

ADD = "module.exports = event => ({ ...event, note: event.note === 'bad' ? 1 : event.note + '!' })"
UNKNOWN_ID = 1_000_000 + UNKNOWN


@pytest.fixture
def pool(kafka: Any, topic_name: Names) -> Iterator[Crew]:
    with crew(kafka.bootstrap_servers, topic_name, partitions=1, code=ADD) as made:
        yield made


def encoded(schema: Schema, schema_id: int, text: str) -> bytes:
    """A value as a producer writes it."""
    prefix = b"\x00" + schema_id.to_bytes(4, "big")
    if schema.kind == "json":
        return prefix + text.encode()
    with Codec(schema) as codec:
        (data,) = codec.encode([text])
    assert isinstance(data, bytes), data
    return prefix + (b"\x00" if schema.kind == "protobuf" else b"") + data


def decoded(schema: Schema, schema_id: int, value: bytes) -> Any:
    """A value as a consumer reads it, behind its prefix."""
    head = b"\x00" + schema_id.to_bytes(4, "big") + (b"\x00" if schema.kind == "protobuf" else b"")
    assert value.startswith(head)
    data = value[len(head) :]
    if schema.kind == "json":
        return json.loads(data)
    with Codec(schema) as codec:
        (text,) = codec.decode([data])
    assert isinstance(text, str), text
    return json.loads(text)


def revision_for(pool: Crew, kind: Format, pinned: PinnedSchema) -> Revision:
    base = pool.revision()
    ends = (Source(pool.source, kind), Target(pool.target, kind, wire_prefix=True))
    pipeline: Pipeline = replace(base.pipeline, source=ends[0], target=ends[1])
    return replace(base, pipeline=pipeline, source_schema=pinned, target_schema=pinned)


@pytest.mark.parametrize("kind", ["json", "avro", "protobuf"])
def test_every_format_passes_a_worker_and_each_bad_event_fails_where_it_should(
    pool: Crew, registry: RegistryServer, register: Register, kind: Format
) -> None:
    dialect, subject = DIALECTS[kind], f"{pool.name}-value"
    ids = [register(subject, text, kind.upper()) for text in (dialect.older, dialect.pinned)]
    access = RegistryAccess(registry.url)
    with Registry(access) as client:
        pinned = client.version(subject, 2)
        older = client.by_id(ids[0])
    assert pinned.id == ids[1]
    pool.start(revision=revision_for(pool, kind, pinned), schemas=SchemaAccess(access))
    values = [
        encoded(pinned.schema, ids[1], '{"id":1,"note":"a"}'),
        encoded(older, ids[0], '{"id":2}'),
        encoded(pinned.schema, ids[1], '{"id":3,"note":"bad"}'),
        encoded(pinned.schema, UNKNOWN_ID, '{"id":4,"note":"d"}'),
        b"\x00" + ids[1].to_bytes(4, "big") + (b"\x00" if kind == "protobuf" else b"") + dialect.nonsense,
        None,
    ]
    producer = plain_producer(pool.kafka | {"message.timeout.ms": "0"})
    for value in values:
        producer.produce(pool.source, value, b"one partition")
    assert producer.flush(60) == 0
    eventually(lambda: pool.settled(len(values)), 30)
    found = committed(pool.kafka, pool.target, pool.dead_letter)
    delivered = [message.value() for message in found[pool.target]]
    unset = "undefined!" if kind == "json" else "!"
    assert [value and decoded(pinned.schema, ids[1], value) for value in delivered] == [
        {"id": 1, "note": "a!"},
        {"id": 2, "note": unset},
        None,
    ]
    dead = [(dict(message.headers()), message.value()) for message in found[pool.dead_letter]]
    assert [value for _, value in dead] == values[2:5]
    assert [headers["inflect.error.stage"] for headers, _ in dead] == [b"outgoing_schema", b"decode", b"decode"]
