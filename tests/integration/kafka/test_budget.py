"""A batch stays below its budget of bytes, wherever the bytes of its events are."""

from collections.abc import Callable
from typing import Any

import pytest

from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.consumer import MAX_BATCH_BYTES, SourceConsumer
from inflect.kafka.producer import plain_producer

LARGE = b"x" * 200_000
EVENTS = 300
LEARNT_FROM = 100


@pytest.mark.parametrize("where", ["value", "key", "headers"])
def test_events_that_are_large_anywhere_come_in_small_batches(
    kafka: Any, topic_name: Callable[[str], str], where: str
) -> None:
    settings, topic = {"bootstrap.servers": kafka.bootstrap_servers}, topic_name("large")
    with Admin(settings) as admin:
        admin.create_topics([NewTopicSpec(topic, 1)])
    producer = plain_producer(settings | {"message.timeout.ms": "0"})
    for _ in range(EVENTS):
        event: dict[str, Any] = {"value": b"1", where: [("h", LARGE)] if where == "headers" else LARGE}
        producer.produce(topic, **event)
    assert producer.flush(60) == 0
    sizes: list[int] = []
    with SourceConsumer(settings, topic_name("group"), topic) as source:
        while sum(sizes) < EVENTS:
            fetched = source.fetch(10_000, idle_s=1.0, gather_s=0.5)
            sizes += [len(fetched.batch)] if len(fetched.batch) else []
    first, *later = sizes
    assert first <= LEARNT_FROM
    assert max(later) * len(LARGE) <= MAX_BATCH_BYTES
