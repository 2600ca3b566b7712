"""The workloads: the same four steps on the same events, which are about 160 bytes of JSON, in three formats."""

import json
from dataclasses import dataclass
from typing import Any

from inflect.engine.codec import Codec
from inflect.kafka.producer import plain_producer
from inflect.model.schema import Schema, SchemaKind

PARTITIONS = 4
CHUNK = 50_000

PROCESSORS = {
    "transformations/lowercase-email.js": (
        "module.exports = (event) => { event.email = event.email.toLowerCase(); return event }\n"
    ),
    "filters/only-paid.js": "module.exports = (event) => event.paid\n",
    "transformations/total.js": (
        "module.exports = (event) => { event.total = event.items.reduce((sum, item) => sum + item, 0); return event }\n"
    ),
    "transformations/mark.js": (
        "module.exports = (event) => { event.name = event.name.toUpperCase(); event.seen = true; return event }\n"
    ),
}


AVRO = json.dumps(
    {
        "type": "record",
        "name": "Customer",
        "fields": [
            {"name": "id", "type": "long"},
            {"name": "email", "type": "string"},
            {"name": "paid", "type": "boolean"},
            {"name": "items", "type": {"type": "array", "items": "int"}},
            {"name": "name", "type": "string"},
            {"name": "city", "type": "string"},
            {"name": "note", "type": "string"},
            {"name": "total", "type": ["null", "int"], "default": None},
            {"name": "seen", "type": ["null", "boolean"], "default": None},
        ],
    }
)
PROTOBUF = """syntax = "proto3";
message Customer {
  int64 id = 1;
  string email = 2;
  bool paid = 3;
  repeated int32 items = 4;
  string name = 5;
  string city = 6;
  string note = 7;
  optional int32 total = 8;
  optional bool seen = 9;
}
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """A format, and the file that holds its schema with its text; JSON has none."""

    format: str
    file: str | None = None
    schema: str = ""

    @property
    def name(self) -> str:
        """As reports call it."""
        return f"{self.format}-4-steps"

    @property
    def source(self) -> str:
        """The topic that holds its events."""
        return f"bench-{self.format}"

    def end(self, topic: str) -> dict[str, Any]:
        """One end of its pipeline."""
        if self.file is None:
            return {"topic": topic}
        return {"topic": topic, "format": self.format, "schema": {"file": self.file}}

    def values(self, first: int, end: int) -> list[bytes]:
        """Events `first` to `end` in its format."""
        texts = [event(n) for n in range(first, end)]
        if self.file is None:
            return texts
        kind: SchemaKind = "avro" if self.format == "avro" else "protobuf"
        with Codec(Schema(kind, self.schema)) as codec:
            encoded = codec.encode([text.decode() for text in texts])
        refused = [value for value in encoded if not isinstance(value, bytes)]
        if refused:
            raise RuntimeError(f"an event is not of its schema: {refused[0]}")
        return [value for value in encoded if isinstance(value, bytes)]


WORKLOADS = (
    Workload("json"),
    Workload("avro", "customer.avsc", AVRO),
    Workload("protobuf", "customer.proto", PROTOBUF),
)


def pipeline(workload: Workload, name: str, target: str) -> dict[str, Any]:
    """The pipeline under measurement, with every default."""
    return {
        "name": name,
        "source": workload.end(workload.source),
        "steps": [
            {"transformation": "lowercase-email"},
            {"filter": "only-paid"},
            {"transformation": "total"},
            {"transformation": "mark"},
        ],
        "target": workload.end(target),
        "dead_letter": f"{target}-dlq",
    }


def event(n: int) -> bytes:
    """Event `n`; one in ten is filtered."""
    document = {
        "id": n,
        "email": f"User.{n}@Example.COM",
        "paid": n % 10 != 3,
        "items": [n % 100, 5, 17, 23],
        "name": f"customer number {n % 1000}",
        "city": "Springfield",
        "note": "as long as events are",
    }
    return json.dumps(document).encode()


def fill(bootstrap_servers: str, workload: Workload, events: int) -> None:
    """Write the events, lz4, keyed."""
    producer = plain_producer({"bootstrap.servers": bootstrap_servers, "queue.buffering.max.messages": "1000000"})
    for first in range(0, events, CHUNK):
        for n, value in enumerate(workload.values(first, min(first + CHUNK, events)), first):
            producer.produce(workload.source, value, b"key-%d" % (n % 1000))
        producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the broker did not take all events")
