"""A worker's consumer: batches with the positions and the membership they were fetched under.

Rebalances are served inside `fetch` and nowhere else, so no partition is given away between a fetch and its commit; a
partition that was taken while a fetch was running has its events of that fetch dropped, since another worker owns
them now.
Positions are always explicit: the committed offset, or the first event of a partition that has none. Sources:
librdkafka's INTRODUCTION.md, KIP-429 (cooperative rebalancing), KIP-447 (exactly-once with group metadata).
"""

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic, time
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from inflect.errors import InflectError
from inflect.kafka.config import consumer_config
from inflect.kafka.metadata import read_metadata, write_metadata
from inflect.kafka.patience import patiently
from inflect.kafka.records import batch_of
from inflect.model.event import Batch, Counts
from inflect.model.status import PartitionProgress

COMMITTED_TIMEOUT_S = 30.0
MAX_BATCH_BYTES = 16 * 1024 * 1024

_FIRST_CHUNK = 100
_LARGEST_CHUNK = 2_000
_METADATA_PREFIX = b"CGMDv2:"


class ConsumerLostError(InflectError):
    """This consumer cannot go on; close it and join anew. Nothing is lost: offsets are committed with their outputs
    only.
    """


class OffsetsGoneError(InflectError):
    """The position asked for is no longer in the topic: retention removed events before they were read."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch, the position of every partition in it right after it, and the membership it was fetched under.

    `positions` may be ahead of the last event: transaction markers are passed too. A batch may be empty while
    positions
    moved (only markers were read).
    """

    batch: Batch
    positions: Mapping[int, int]
    membership: bytes | None


class SourceConsumer:
    """Membership in one consumer group for one topic."""

    def __init__(self, kafka: Mapping[str, str], group: str, topic: str) -> None:
        self.topic = topic
        self.last_error = ""
        self.progress: dict[int, PartitionProgress] = {}  # as committed, for the partitions held now
        self._largest_bytes = 1
        self._revoked: set[int] = set()
        self._failed: Exception | None = None
        self._consumer = Consumer(consumer_config(kafka, group, self._note_error))

    def __enter__(self) -> Self:
        self._consumer.subscribe(
            [self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_revoke
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    @property
    def partitions(self) -> tuple[int, ...]:
        """The partitions held now."""
        return tuple(sorted(self.progress))

    def fetch(self, max_events: int, *, idle_s: float, gather_s: float) -> Fetched:
        """Serve rebalances and take what is there: up to `idle_s` for the first event, then up to `gather_s` for
        more.

        Raises `ConsumerLostError` when the membership is beyond repair, `OffsetsGoneError` when retention was faster.
        """
        self._revoked.clear()
        try:
            messages = self._gather(max_events, idle_s, gather_s)
        except KafkaException as error:
            raise ConsumerLostError(f"consumer failed: {error.args[0].str()}") from error
        if self._failed is not None:
            raise ConsumerLostError(f"consumer failed while joining: {self._failed}") from self._failed
        held = self._events(messages)
        return Fetched(batch_of(self.topic, held), self._positions(), self._membership())

    def _gather(self, max_events: int, idle_s: float, gather_s: float) -> list[Any]:
        """Take events in chunks that grow while events are small, so that a batch stays below its budget of bytes."""
        messages: list[Any] = self._consumer.consume(1, idle_s)
        deadline = monotonic() + gather_s
        taken_bytes, chunk = 0, _FIRST_CHUNK
        newest = messages
        while newest and len(messages) < max_events:
            taken_bytes += sum(map(len, newest))
            self._largest_bytes = max(self._largest_bytes // 2, *map(len, newest), 1)
            room = (MAX_BATCH_BYTES - taken_bytes) // self._largest_bytes
            left_s = deadline - monotonic()
            if room < 1 or left_s <= 0:
                break
            wanted = min(max_events - len(messages), room, chunk)
            newest = self._consumer.consume(wanted, left_s)
            messages += newest
            chunk = min(chunk * 2, _LARGEST_CHUNK)
        return messages

    def rewind(self, offsets: Mapping[int, int]) -> None:
        """Fetch these partitions again from these offsets; raises `ConsumerLostError` where that cannot be done in
        place.
        """
        try:
            for partition, offset in offsets.items():
                self._consumer.seek(TopicPartition(self.topic, partition, offset))
        except KafkaException as error:
            raise ConsumerLostError(f"cannot seek: {error.args[0].str()}") from error

    def recall(self) -> None:
        """Ask Kafka what is committed for the partitions held and begin there again: the truth after a failed
        transaction.
        """
        held = [TopicPartition(self.topic, p) for p in self.progress]
        if not held:
            return
        try:
            committed = self._committed(held)
        except KafkaException as error:
            raise ConsumerLostError(f"cannot read committed offsets: {error.args[0].str()}") from error
        self._remember(committed)
        self.rewind({p: self._start(progress) for p, progress in self.progress.items()})

    def commit(self, progress: Mapping[int, PartitionProgress]) -> None:
        """Commit offsets without a transaction (at-least-once)."""
        try:
            self._consumer.commit(offsets=offsets_of(self.topic, progress), asynchronous=False)
        except KafkaException as error:
            raise ConsumerLostError(f"cannot commit offsets: {error.args[0].str()}") from error

    def pause(self, partitions: Iterable[int]) -> None:
        """Keep these partitions but fetch nothing from them."""
        self._consumer.pause([TopicPartition(self.topic, p) for p in partitions])

    def resume(self, partitions: Iterable[int]) -> None:
        """Fetch again from partitions that are paused."""
        self._consumer.resume([TopicPartition(self.topic, p) for p in partitions])

    def ends(self) -> dict[int, int]:
        """Last seen end of each held partition, from the last fetch answer; nothing is asked."""
        ends = {}
        for partition in self.progress:
            _low, high = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
            ends[partition] = high
        return ends

    def _events(self, messages: Sequence[Any]) -> Sequence[Any]:
        """Messages that are events of partitions held throughout the fetch."""
        if any(m.error() is not None for m in messages):
            for message in messages:
                self._judge(message.error())
            messages = [m for m in messages if m.error() is None]
        if not self._revoked:
            return messages
        again = self._revoked & self.progress.keys()
        if again:  # taken and given back in one fetch: what was fetched before and after cannot be told apart
            self.rewind({p: self._start(self.progress[p]) for p in again})
        return [m for m in messages if m.partition() not in self._revoked]

    def _judge(self, error: KafkaError | None) -> None:
        if error is None:
            return
        self.last_error = error.str()
        if error.code() == KafkaError._AUTO_OFFSET_RESET:  # noqa: SLF001  librdkafka's local error code
            raise OffsetsGoneError(
                f"events of {self.topic} were removed by retention before they were read: {error.str()}"
            )
        if error.fatal() or error.code() == KafkaError._MAX_POLL_EXCEEDED:  # noqa: SLF001  the same
            raise ConsumerLostError(f"membership lost: {error.str()}")

    def _positions(self) -> dict[int, int]:
        held = [TopicPartition(self.topic, p) for p in self.progress]
        return {tp.partition: tp.offset for tp in self._consumer.position(held) if tp.offset >= 0} if held else {}

    def _membership(self) -> bytes | None:
        metadata: bytes = self._consumer.consumer_group_metadata()
        return metadata if generation_of(metadata) >= 0 else None

    def _committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Ask Kafka; answers wait for transactions that are still pending for these offsets."""
        ask = partial(self._consumer.committed, partitions, timeout=COMMITTED_TIMEOUT_S)
        return patiently(ask, COMMITTED_TIMEOUT_S)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # An exception out of a callback would destroy events already fetched: keep it and raise it from `fetch`.
        try:
            committed = self._committed(partitions) if partitions else []
            self._remember(committed)
            starts = [
                TopicPartition(self.topic, p.partition, self._start(self.progress[p.partition])) for p in committed
            ]
            consumer.incremental_assign(starts)
        except Exception as error:  # noqa: BLE001  see above
            self._failed = error

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            for partition in partitions:
                self.progress.pop(partition.partition, None)
                self._revoked.add(partition.partition)
            consumer.incremental_unassign(partitions)
        except Exception as error:  # noqa: BLE001  as in _on_assign
            self._failed = error

    def _remember(self, committed: Iterable[TopicPartition]) -> None:
        now_ms = int(time() * 1000)
        for tp in committed:
            if tp.error is not None:
                raise KafkaException(tp.error)
            progress = PartitionProgress(offset=OFFSET_INVALID, end=-1, revision=0, counts=Counts())
            if tp.offset >= 0:
                progress = read_metadata(tp.offset, tp.metadata)
            self.progress[tp.partition] = replace(progress, assigned_at_ms=now_ms)

    @staticmethod
    def _start(progress: PartitionProgress) -> int:
        return progress.offset if progress.offset >= 0 else OFFSET_BEGINNING

    def _note_error(self, error: KafkaError) -> None:
        self.last_error = error.str()


def generation_of(metadata: bytes) -> int:
    """The generation inside librdkafka's group metadata (`CGMDv2:`, int32 generation, group, member); -1 before
    joining.

    A transaction committed under generation -1 would not be fenced by the broker, so such metadata is never used.
    """
    if not metadata.startswith(_METADATA_PREFIX):
        return -1
    (generation,) = struct.unpack_from("<i", metadata, len(_METADATA_PREFIX))
    return int(generation)


def offsets_of(topic: str, progress: Mapping[int, PartitionProgress]) -> list[TopicPartition]:
    """Offsets to commit, each with its counts as metadata."""
    return [TopicPartition(topic, p, state.offset, metadata=write_metadata(state)) for p, state in progress.items()]
