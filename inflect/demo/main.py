"""Prepare the sample project and keep it busy. `prepare` may run again at any time; it changes nothing then."""

import signal
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import wait
from pathlib import Path
from random import Random
from typing import Any, Protocol

from inflect import lifecycle
from inflect.control.apply import apply
from inflect.control.sync import sync_directory
from inflect.demo.load import SHIPMENTS, STREAMS, Stream, rate_at
from inflect.demo.shipments import Encode, Shipments
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.document import read_documents
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.store.migrations import migrate

HERE = Path(__file__).resolve().parent
PROCESSORS = HERE / "processors"
PIPELINES = HERE / "pipelines"
PARTITIONS = 4
AUTHOR = "demo"
_TICK_S = 0.1
_END_S = 1.0
_LAGGING_S = 1.0


class Sender(Protocol):
    """What is needed of a Kafka producer."""

    def produce(self, topic: str, *, key: str, value: bytes) -> None:
        """Queue one event; BufferError when the queue is full."""

    def poll(self, timeout: float) -> int:
        """Serve the client's callbacks."""


def documents() -> list[dict[str, Any]]:
    """The sample pipelines as their files say."""
    return [
        document
        for path in sorted(PIPELINES.glob("*.yaml"))
        for document in read_documents(path.read_text(encoding="utf-8"), path.name)
    ]


def prepare(settings: Settings, db: Database, admin: Admin) -> None:
    """Create the source topics, sync the processors and apply the pipelines.

    UnreachableError when a server is away, RefusedError when a sample is not as it should be.
    """
    migrate(db)
    admin.create_topics([NewTopicSpec(stream.topic, PARTITIONS) for stream in STREAMS])
    sync_directory(db, settings.processors, author=AUTHOR)
    apply(db, admin, documents(), author=AUTHOR, origin="cli", comment="the sample project")


def generate_load(connection: Any, settings: Settings) -> None:
    """Produce until `connection` ends or SIGTERM comes: hundreds of events a second, now and then thousands.

    What needs a registry begins when the registry has come. The target of a companion process. While the broker is away
    events that find no room are not made.
    """
    producer = plain_producer(settings.kafka)
    load = Load(producer, Random())  # noqa: S311  sample data, not secrets
    with lifecycle.StopSignals() as signals:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the supervisor says when
        ends = (connection.fileno(), signals.fileno())
        begun = time.monotonic()
        with Shipments(settings) as shipments:
            while not wait(ends, timeout=_TICK_S):
                load.until(time.monotonic() - begun)
                if shipments.have_come(time.monotonic()):
                    load.add(SHIPMENTS, shipments.encode)
    producer.flush(_END_S)


class Load:
    """How far each stream is. `until` is told the time, so that tests need no clock."""

    def __init__(self, sender: Sender, random: Random) -> None:
        self._sender = sender
        self._random = random
        self._at = 0.0
        self._streams = list(STREAMS)
        self._encoders: dict[str, Encode] = {}
        self._owed: dict[str, float] = dict.fromkeys((stream.topic for stream in STREAMS), 0.0)
        self._numbers: dict[str, int] = dict.fromkeys(self._owed, 0)

    @property
    def made(self) -> Mapping[str, int]:
        """How many events of each topic were made."""
        return self._numbers

    def add(self, stream: Stream, encode: Encode) -> None:
        """Make the events of one more stream from now on, each batch of values written by `encode`."""
        self._streams.append(stream)
        self._encoders[stream.topic] = encode
        self._owed[stream.topic] = 0.0
        self._numbers[stream.topic] = 0

    def until(self, elapsed_s: float) -> None:
        """Make what is due up to `elapsed_s`; after a long pause only the last second of it."""
        passed = min(elapsed_s - self._at, _LAGGING_S)
        self._at = elapsed_s
        for stream in self._streams:
            due = self._owed[stream.topic] + passed * rate_at(stream, elapsed_s)
            self._owed[stream.topic] = due - int(due)
            self._send(stream, int(due))
        self._sender.poll(0)

    def _send(self, stream: Stream, events: int) -> None:
        make: Callable[[Random, int], tuple[str, bytes]] = stream.make
        first = self._numbers[stream.topic] + 1
        self._numbers[stream.topic] += events
        made = [make(self._random, number) for number in range(first, first + events)]
        values = [value for _, value in made]
        encode = self._encoders.get(stream.topic)
        for (key, _), value in zip(made, encode(values) if encode else values, strict=True):
            try:
                self._sender.produce(stream.topic, key=key, value=value)
            except BufferError:
                return
