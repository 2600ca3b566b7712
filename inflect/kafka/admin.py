"""Asking and administering: topics, limits, offsets of a group, the newest events of a topic.

Short calls with a bound on their time, for the control plane and for a worker's start; never used between two events.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self, TypeVar

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from inflect.errors import InflectError, NotFoundError, UnreachableError
from inflect.kafka.config import admin_config, refused_settings
from inflect.kafka.metadata import read_metadata
from inflect.kafka.patience import patiently
from inflect.kafka.records import batch_of
from inflect.model.event import Batch
from inflect.model.status import PartitionProgress

T = TypeVar("T")

TIMEOUT_S = 10.0
_PAUSE_S = 0.05

_AWAY = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001  librdkafka's local error codes begin with an underscore
    KafkaError._TRANSPORT,  # noqa: SLF001  the same
    KafkaError._TIMED_OUT,  # noqa: SLF001  the same
    KafkaError._RESOLVE,  # noqa: SLF001  the same
    KafkaError.REQUEST_TIMED_OUT,
}


@dataclass(frozen=True, slots=True)
class ClusterInfo:
    """Who answered: the cluster's id and how many brokers it has."""

    cluster_id: str
    brokers: int


@dataclass(frozen=True, slots=True)
class TopicInfo:
    """One topic; `topic_id` changes when a topic is deleted and made again under the same name."""

    name: str
    partitions: int
    internal: bool
    topic_id: str


@dataclass(frozen=True, slots=True)
class NewTopicSpec:
    """A topic to create; None leaves a number to the broker's default."""

    name: str
    partitions: int | None = None
    replication_factor: int | None = None
    config: dict[str, str] = field(default_factory=dict)


def translated(error: KafkaException, what: str) -> InflectError:
    """Kafka's error as ours: unreachable, or refused with Kafka's own words."""
    kafka_error: KafkaError = error.args[0]
    if kafka_error.code() in _AWAY:
        return UnreachableError(
            f"Kafka does not answer ({what}): {kafka_error.str()}. "
            "Check INFLECT_KAFKA_BOOTSTRAP_SERVERS and that the brokers run."
        )
    return InflectError(f"Kafka refused ({what}): {kafka_error.str()} [{kafka_error.name()}]")


class Admin:
    """A short-lived administrative client. Every method raises `UnreachableError` when the brokers are away."""

    def __init__(self, kafka: Mapping[str, str], *, timeout_s: float = TIMEOUT_S) -> None:
        self._kafka = kafka
        self._timeout_s = timeout_s
        with refused_settings():
            self._client = AdminClient(admin_config(kafka) | {"error_cb": lambda _error: None})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.poll(0)

    def cluster(self) -> ClusterInfo:
        """The cluster behind the bootstrap servers."""
        info = self._wait(self._client.describe_cluster(request_timeout=self._timeout_s), "describe cluster")
        return ClusterInfo(info.cluster_id, len(info.nodes))

    def topics(self) -> dict[str, TopicInfo]:
        """Every topic by name, internal ones included."""
        try:
            metadata = self._client.list_topics(timeout=self._timeout_s)
        except KafkaException as error:
            raise translated(error, "list topics") from error
        return self.describe(list(metadata.topics))

    def describe(self, names: Sequence[str]) -> dict[str, TopicInfo]:
        """Those of the named topics that exist."""
        if not names:
            return {}
        futures = self._client.describe_topics(TopicCollection(list(names)), request_timeout=self._timeout_s)
        found = {}
        for name, future in futures.items():
            description = self._existing(future, f"describe topic {name}")
            if description is not None:
                found[name] = TopicInfo(
                    name, len(description.partitions), description.is_internal, str(description.topic_id)
                )
        return found

    def topic_configs(self, names: Iterable[str]) -> dict[str, dict[str, str]]:
        """Configuration of the named topics."""
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in names]
        if not resources:
            return {}
        futures = self._client.describe_configs(resources, request_timeout=self._timeout_s)
        return {
            resource.name: {k: v.value for k, v in self._wait(future, f"configuration of {resource.name}").items()}
            for resource, future in futures.items()
        }

    def max_record_bytes(self, names: Iterable[str]) -> dict[str, int]:
        """Each topic's `max.message.bytes`."""
        return {name: int(config["max.message.bytes"]) for name, config in self.topic_configs(names).items()}

    def create_topics(self, specs: Sequence[NewTopicSpec]) -> None:
        """Create the topics and return when the brokers know them; one that exists already is left as it is."""
        if not specs:
            return
        topics = [
            NewTopic(s.name, s.partitions or -1, s.replication_factor or -1, config=dict(s.config)) for s in specs
        ]
        futures = self._client.create_topics(topics, operation_timeout=self._timeout_s, request_timeout=self._timeout_s)
        for name, future in futures.items():
            try:
                future.result()
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise translated(error, f"create topic {name}") from error
        self._wait_until_known([spec.name for spec in specs])

    def _wait_until_known(self, names: Sequence[str]) -> None:
        """A broker answers a creation before it shows the topic in its metadata; who asks next must find it."""
        deadline = monotonic() + self._timeout_s
        while len(self.describe(names)) < len(set(names)):
            if monotonic() > deadline:
                raise UnreachableError(f"Kafka created {', '.join(names)} but does not show it; try again in a moment")
            sleep(_PAUSE_S)

    def committed(self, group: str, topic: str) -> dict[int, PartitionProgress]:
        """Committed progress per partition of `topic`; a partition without a committed offset is absent."""
        info = self.describe([topic]).get(topic)
        wanted = [TopicPartition(topic, p) for p in range(info.partitions)] if info else []
        with self._group(group) as consumer:
            ask = partial(consumer.committed, wanted, timeout=self._timeout_s)
            found = patiently(ask, self._timeout_s) if wanted else []
        return {p.partition: read_metadata(p.offset, p.metadata) for p in found if p.offset >= 0}

    def ends(self, topic: str) -> dict[int, int]:
        """Last stable end of every partition: the offset after the last one a read_committed reader can pass."""
        return self._offsets(topic, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # the client's hints are partial

    def written_ends(self, topic: str) -> dict[int, int]:
        """End of every partition, transactions that are still open included."""
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the client's hints are partial
        return self._offsets(topic, latest, IsolationLevel.READ_UNCOMMITTED)

    def offsets_at(self, topic: str, moment_ms: int) -> dict[int, int]:
        """First offset of every partition whose record is not older than the moment, -1 where there is none."""
        return self._offsets(topic, OffsetSpec.for_timestamp(moment_ms))

    def starts(self, topic: str) -> dict[int, int]:
        """First offset still kept of every partition."""
        return self._offsets(topic, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # the client's hints are partial

    def initialise_offsets(self, group: str, topic: str, start: str) -> None:
        """Commit where a group begins, when it never committed anything for `topic`.

        `start` is `latest` or a time (RFC 3339). Done once by the control plane while no worker runs, so that a
        worker that finds no offset knows: this partition is new, begin at its first event.
        """
        if start == "earliest" or self.committed(group, topic):
            return
        ends = self.ends(topic)
        offsets = ends
        if start != "latest":
            moment_ms = int(datetime.fromisoformat(start).timestamp() * 1000)
            offsets = {p: o if o >= 0 else ends[p] for p, o in self.offsets_at(topic, moment_ms).items()}
        wanted = [TopicPartition(topic, p, o) for p, o in offsets.items()]
        with self._group(group) as consumer:
            patiently(partial(consumer.commit, offsets=wanted, asynchronous=False), self._timeout_s)

    def delete_group(self, group: str) -> None:
        """Forget a group's offsets; a group that does not exist is fine."""

        def ask() -> None:
            self._client.delete_consumer_groups([group], request_timeout=self._timeout_s)[group].result()

        try:
            patiently(ask, self._timeout_s)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise translated(error, f"delete group {group}") from error

    def sample(self, topic: str, count: int) -> Batch:
        """The newest committed events of `topic`, at most `count`, oldest first; fewer when the topic holds fewer."""
        starts, ends = self.starts(topic), self.ends(topic)
        wanted = {p: max(starts[p], ends[p] - count) for p in ends if ends[p] > starts[p]}
        return _newest(topic, self._read(topic, wanted, ends), count)

    def _read(self, topic: str, wanted: dict[int, int], ends: dict[int, int]) -> list[Any]:
        with self._group("inflect-sample") as consumer:
            consumer.assign([TopicPartition(topic, p, o) for p, o in wanted.items()])
            return _until_ends(consumer, set(wanted), ends, self._timeout_s)

    @contextmanager
    def _group(self, group: str) -> Iterator[Consumer]:
        """A consumer that never joins its group. librdkafka's administrative calls for a group's offsets are avoided:
        they end the process where the coordinator has moved (rd_kafka_handle_OffsetFetch without a group, 2.16.0).
        """
        config = admin_config(self._kafka) | {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "error_cb": lambda _error: None,
        }
        consumer = Consumer(config)
        try:
            yield consumer
        except KafkaException as error:
            raise translated(error, f"offsets of {group}") from error
        finally:
            consumer.close()

    def _offsets(
        self, topic: str, spec: OffsetSpec, isolation: IsolationLevel = IsolationLevel.READ_COMMITTED
    ) -> dict[int, int]:
        info = self.describe([topic]).get(topic)
        if info is None:
            raise NotFoundError(f"topic {topic!r} does not exist")
        request = {TopicPartition(topic, p): spec for p in range(info.partitions)}

        def ask() -> dict[int, int]:
            futures = self._client.list_offsets(request, isolation_level=isolation, request_timeout=self._timeout_s)
            return {tp.partition: future.result().offset for tp, future in futures.items()}

        return self._patiently(ask, f"offsets of {topic}")

    def _patiently(self, ask: Callable[[], T], what: str) -> T:
        try:
            return patiently(ask, self._timeout_s)
        except KafkaException as error:
            raise translated(error, what) from error

    def _wait(self, future: Future[Any], what: str) -> Any:
        try:
            return future.result()
        except KafkaException as error:
            raise translated(error, what) from error

    def _existing(self, future: Future[Any], what: str) -> Any:
        """The future's result, or None for something that does not exist."""
        try:
            return future.result()
        except KafkaException as error:
            if error.args[0].code() in {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.GROUP_ID_NOT_FOUND}:
                return None
            raise translated(error, what) from error


def _until_ends(consumer: Consumer, open_partitions: set[int], ends: dict[int, int], timeout_s: float) -> list[Any]:
    """Read until every partition reached its end; control records at the end are passed by the end-of-partition
    event.
    """
    messages: list[Any] = []
    empty_reads = 0
    while open_partitions and empty_reads < timeout_s:
        fetched: list[Any] = consumer.consume(1000, 1.0)
        empty_reads = 0 if fetched else empty_reads + 1
        for message in fetched:
            error = message.error()
            if error is None and message.offset() < ends[message.partition()]:
                messages.append(message)
            if error is not None or message.offset() >= ends[message.partition()] - 1:
                open_partitions.discard(message.partition())
    return messages


def _newest(topic: str, messages: list[Any], count: int) -> Batch:
    messages.sort(key=lambda m: (m.timestamp()[1], m.partition(), m.offset()))
    return batch_of(topic, messages[-count:] if count else [])
