"""Events in and out of real topics: written with headers and times of our own, under a steady load, read committed."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, Message, TopicPartition

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from tests.soak.verdict import committed_records

Headers = Sequence[tuple[str, bytes | None]]


@dataclass(frozen=True, slots=True)
class Event:
    """What is written to a source topic; `timestamp` 0 is now."""

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp: int = 0
    partition: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """A committed record as it was read."""

    partition: int
    offset: int
    value: bytes | None
    key: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    timestamp: int

    @property
    def document(self) -> Any:
        """The value as JSON."""
        assert self.value is not None
        return json.loads(self.value)

    @property
    def added(self) -> dict[str, str]:
        """Inflect's own headers."""
        return {name: (value or b"").decode() for name, value in self.headers if name.startswith("inflect.")}


def found(message: Message) -> Found:
    """A client's message as data."""
    headers: Any = message.headers() or ()
    return Found(
        message.partition() or 0,
        message.offset() or 0,
        message.value(),
        message.key(),
        tuple(headers),
        message.timestamp()[1],
    )


def numbered(count: int, *, partitions: int = 1, first: int = 0) -> list[Event]:
    """Events `{"n": first}` and on, dealt out over the partitions in turn, keyed by partition."""
    return [
        Event(json.dumps({"n": n}).encode(), f"key-{n % partitions}".encode(), partition=n % partitions)
        for n in range(first, first + count)
    ]


@dataclass(frozen=True, slots=True)
class Broker:
    """The tests' way to the session's broker."""

    kafka: KafkaServer

    @property
    def settings(self) -> dict[str, str]:
        return {"bootstrap.servers": self.kafka.bootstrap_servers}

    def create(self, topic: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        with Admin(self.settings) as admin:
            admin.create_topics([NewTopicSpec(topic, partitions, config=dict(config or {}))])
        return topic

    def write(self, topic: str, events: Iterable[Event]) -> None:
        """Write all and wait until the broker has them."""
        refused: list[object] = []
        producer = plain_producer(self.settings, max_record_bytes=20_000_000)
        for event in events:
            self._produce(producer, topic, event, lambda error, _message: refused.append(error) if error else None)
        assert producer.flush(60) == 0
        assert not refused, refused[:3]

    def _produce(self, producer: Any, topic: str, event: Event, told: Callable[[Any, Any], None]) -> None:
        while True:
            try:
                producer.produce(
                    topic,
                    event.value,
                    event.key,
                    event.partition,
                    on_delivery=told,
                    timestamp=event.timestamp,
                    headers=list(event.headers),
                )
            except BufferError:
                producer.poll(0.1)
            else:
                return

    def read(self, topic: str) -> list[Found]:
        """Every committed record, partition by partition in offset order."""
        return [found(message) for message in committed_records(self.kafka.bootstrap_servers, topic)]

    def numbers(self, topic: str) -> list[int]:
        """The `n` of every committed record."""
        return [found.document["n"] for found in self.read(topic)]

    def end(self, topic: str) -> int:
        """How many offsets, control records among them, the topic holds over all partitions."""
        with Admin(self.settings) as admin:
            return sum(admin.ends(topic).values())


@dataclass(slots=True)
class Load:
    """Numbered events at a steady pace, `{"n": N}` to partition N % partitions, while the block runs."""

    broker: Broker
    topic: str
    partitions: int = 1
    events_per_second: int = 1000
    written: int = 0
    _done: threading.Event = field(default_factory=threading.Event)
    _refused: list[object] = field(default_factory=list)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> int:
        """End the load; how many events there are now."""
        self._done.set()
        assert self._thread is not None
        self._thread.join(60)
        assert not self._refused, self._refused[:3]
        return self.written

    def _run(self) -> None:
        producer = plain_producer(self.broker.settings)
        started = time.monotonic()
        while not self._done.is_set():
            due = int((time.monotonic() - started) * self.events_per_second)
            for event in numbered(max(0, due - self.written), partitions=self.partitions, first=self.written):
                self.broker._produce(
                    producer, self.topic, event, lambda error, _message: self._refused.append(error) if error else None
                )
                self.written += 1
            producer.poll(0.01)
        producer.flush(60)


@dataclass(slots=True)
class Tail:
    """Reads a topic's committed records as they come while the block runs, with the moment each arrived."""

    broker: Broker
    topic: str
    arrivals: list[tuple[float, Found]] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        assert self._thread is not None
        self._thread.join(30)

    def _run(self) -> None:
        with Admin(self.broker.settings) as admin:
            starts = admin.starts(self.topic)
        consumer = Consumer(
            {
                **self.broker.settings,
                "group.id": "tail",
                "isolation.level": "read_committed",
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 50,
            }
        )
        consumer.assign([TopicPartition(self.topic, partition, start) for partition, start in starts.items()])
        while not self._done.is_set():
            messages = consumer.consume(1000, 0.02)
            self.arrivals += [(time.time(), found(message)) for message in messages if message.error() is None]
        consumer.close()
