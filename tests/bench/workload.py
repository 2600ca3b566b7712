"""The first workload: four steps on JSON events of about 160 bytes."""

import json
from typing import Any

from inflect.kafka.producer import plain_producer

PARTITIONS = 4

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


def pipeline(name: str, source: str, target: str) -> dict[str, Any]:
    """The pipeline under measurement, with every default."""
    return {
        "name": name,
        "source": {"topic": source},
        "steps": [
            {"transformation": "lowercase-email"},
            {"filter": "only-paid"},
            {"transformation": "total"},
            {"transformation": "mark"},
        ],
        "target": {"topic": target},
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


def fill(bootstrap_servers: str, topic: str, events: int) -> None:
    """Write the events, lz4, keyed."""
    producer = plain_producer({"bootstrap.servers": bootstrap_servers, "queue.buffering.max.messages": "1000000"})
    for n in range(events):
        producer.produce(topic, event(n), b"key-%d" % (n % 1000))
        if n % 10_000 == 0:
            producer.poll(0)
    if producer.flush(120):
        raise RuntimeError("the broker did not take all events")
