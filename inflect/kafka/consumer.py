"""A worker's consumer: batches with the positions and the membership they were fetched under.

Rebalances are served inside `fetch` and nowhere else, so no partition is given away between a fetch and its commit; a
partition that was taken while a fetch was running has its events of that fetch dropped, since another worker owns
them now.
Positions are always explicit: the committed offset, or the first event of a partition that has none. Where the
committed offset has left the topic, `fetch` says so: retention was faster (go on behind the gap), or the topic is not
the one it was (`CannotRunError`). Sources: librdkafka's INTRODUCTION.md, KIP-429 (cooperative rebalancing), KIP-447
(exactly-once with group metadata).
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from time import monotonic, time
from types import TracebackType
from typing import Any, Self

from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaError, KafkaException, TopicPartition

from inflect.errors import CannotRunError, InflectError
from inflect.kafka.config import consumer_config, refused_settings
from inflect.kafka.metadata import read_metadata, write_metadata
from inflect.kafka.patience import OR_SLOW, patiently
from inflect.kafka.records import batch_of
from inflect.model.event import Batch, Counts
from inflect.model.status import PartitionProgress

# Longer than the broker needs to end a dead worker's transaction: until then its offsets are not stable.
COMMITTED_WITHIN_S = 30.0
_ANSWER_S = 5.0
_PROBE_S = 0.5
MAX_BATCH_BYTES = 8 * 1024 * 1024

_CONNECTION_LOST = {
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001  librdkafka's local error codes begin with an underscore
    KafkaError._TRANSPORT,  # noqa: SLF001  the same
    KafkaError._TIMED_OUT,  # noqa: SLF001  the same
    KafkaError._RESOLVE,  # noqa: SLF001  the same
}

_FIRST_CHUNK = 100
_LARGEST_CHUNK = 2_000
_SAMPLED_HEADERS = 500
_METADATA_PREFIX = b"CGMDv2:"


class ConsumerLostError(InflectError):
    """This consumer cannot go on; close it and join anew. Nothing is lost: offsets are committed with their outputs
    only.
    """


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of a partition, from offset `first` to before `end`, that retention removed before they were read."""

    partition: int
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A batch, the position of every partition in it right after it, and the membership it was fetched under.

    `positions` may be ahead of the last event: transaction markers are passed too. A batch may be empty while
    positions moved (only markers were read). `gaps` were passed before this batch.
    """

    batch: Batch
    positions: Mapping[int, int]
    membership: bytes | None
    gaps: tuple[Gap, ...] = ()


class SourceConsumer:
    """Membership in one consumer group for one topic. `meanwhile` is called now and then while a call waits for long.

    Raises `CannotRunError` when the client refuses the settings.
    """

    def __init__(
        self, kafka: Mapping[str, str], group: str, topic: str, meanwhile: Callable[[], None] = lambda: None
    ) -> None:
        self.topic = topic
        self.last_error = ""
        self.progress: dict[int, PartitionProgress] = {}  # as committed, for the partitions held now
        self._meanwhile = meanwhile
        self._largest_bytes = 1
        self._beside_bytes = 0
        self._has_seen = False
        self._revoked: set[int] = set()
        self._out_of_range: set[int] = set()
        self._failed: Exception | None = None
        self._cut_off = False
        with refused_settings():
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
        """Serve rebalances and take what is there: up to `idle_s` for the first event, then up to `gather_s` for more.

        Raises `ConsumerLostError` when the membership is beyond repair, `CannotRunError` when the committed offset is
        behind the end of the topic.
        """
        with _lost_when("fetch"):
            gaps = tuple(self._pass_gaps())
            self._revoked.clear()
            messages = self._gather(max_events, idle_s, gather_s)
            if self._failed is not None:
                raise ConsumerLostError(f"consumer failed while joining: {self._failed}") from self._failed
            events = self._events(messages)
            batch = batch_of(self.topic, events)
            self._beside_bytes = max(self._beside_bytes // 2, most_beside(batch))
            self._has_seen |= len(batch) > 0
            return Fetched(batch, self._positions(events), self._membership(), gaps)

    def _gather(self, max_events: int, idle_s: float, gather_s: float) -> list[Any]:
        """Take events in chunks that grow while events are small, so that a batch stays below its budget of bytes.

        Of a message only its value's size is known without a copy; keys and headers are taken to be as large as the
        largest of the batches before; the first batch is small.
        """
        max_events = max_events if self._has_seen else min(max_events, _FIRST_CHUNK)
        messages: list[Any] = self._consumer.consume(1, idle_s)
        deadline = monotonic() + gather_s
        taken_bytes, chunk = 0, _FIRST_CHUNK
        newest = messages
        while newest and len(messages) < max_events and not self._revoked:
            taken_bytes += sum(map(len, newest)) + len(newest) * self._beside_bytes
            self._largest_bytes = max(self._largest_bytes // 2, *map(len, newest), 1)
            room = (MAX_BATCH_BYTES - taken_bytes) // (self._largest_bytes + self._beside_bytes)
            left_s = deadline - monotonic()
            if room < 1 or left_s <= 0:
                break
            wanted = min(max_events - len(messages), room, chunk)
            newest = self._consumer.consume(wanted, left_s)
            messages += newest
            chunk = min(chunk * 2, _LARGEST_CHUNK)
        return messages

    def rewind(self, offsets: Mapping[int, int]) -> None:
        """Fetch these partitions again from these offsets; `ConsumerLostError` where that cannot be done in place."""
        with _lost_when("seek"):
            for partition, offset in offsets.items():
                self._consumer.seek(TopicPartition(self.topic, partition, offset))

    def recall(self) -> None:
        """Ask Kafka what is committed for the partitions held and begin there again: the truth after a failed
        transaction.
        """
        if not self.progress:
            return
        with _lost_when("read committed offsets"):
            self._remember(self._committed([TopicPartition(self.topic, p) for p in self.progress]))
        self.rewind({p: _start(progress) for p, progress in self.progress.items()})

    def commit(self, progress: Mapping[int, PartitionProgress]) -> None:
        """Commit offsets without a transaction (at-least-once)."""
        with _lost_when("commit offsets"):
            committed = self._consumer.commit(offsets=offsets_of(self.topic, progress), asynchronous=False)
            _raise_first(committed or ())

    def ends(self) -> dict[int, int]:
        """Last seen end of each held partition, -1 where it is not known yet; nothing is asked."""
        ends = {}
        for partition in self.progress:
            with suppress(KafkaException):  # not known yet
                _low, high = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), cached=True)
                ends[partition] = max(high, -1)
        return ends

    def is_cut_off(self) -> bool:
        """Whether no broker answers; they are asked, for a moment, only after a connection was lost."""
        if self._cut_off:
            with suppress(KafkaException):
                self._consumer.list_topics(self.topic, timeout=_PROBE_S)
                self._cut_off = False
        return self._cut_off

    def _events(self, messages: Sequence[Any]) -> Sequence[Any]:
        """Messages that are events of partitions held throughout the fetch."""
        if any(m.error() is not None for m in messages):
            for message in messages:
                self._judge(message)
            messages = [m for m in messages if m.error() is None]
        if not self._revoked:
            return messages
        dropped = {m.partition() for m in messages} & self._revoked & self.progress.keys()
        if dropped:  # taken and given back in one fetch: what was fetched before and after cannot be told apart
            self.rewind({p: _start(self.progress[p]) for p in dropped})
        return [m for m in messages if m.partition() not in self._revoked]

    def _judge(self, message: Any) -> None:
        error: KafkaError | None = message.error()
        if error is None:
            return
        self.last_error = error.str()
        partition = -1 if message.partition() is None else message.partition()
        if error.code() == KafkaError._AUTO_OFFSET_RESET and partition >= 0:  # noqa: SLF001  librdkafka's local code
            self._out_of_range.add(partition)
        elif partition >= 0:  # the client's position is behind what it could not read: it must never be committed
            raise ConsumerLostError(f"cannot read {self.topic} [{partition}]: {error.str()}")
        elif error.fatal() or error.code() == KafkaError._MAX_POLL_EXCEEDED:  # noqa: SLF001  the same
            raise ConsumerLostError(f"membership lost: {error.str()}")

    def _pass_gaps(self) -> Iterator[Gap]:
        """Go on at the first kept event of partitions whose position retention has removed; say what is missing.

        The batch in which that was noticed is committed by now or taken back, so `progress` says where to look.
        """
        while self._out_of_range:
            partition = self._out_of_range.pop()
            if partition not in self.progress:
                continue
            at = self.progress[partition].offset
            low, high = self._consumer.get_watermark_offsets(TopicPartition(self.topic, partition), timeout=_ANSWER_S)
            if at > high:
                raise CannotRunError(
                    f"{self.topic} [{partition}] ends at offset {high}, but {at} is committed: the topic was "
                    "deleted and made again, or truncated. Reset the offsets of the consumer group, then resume."
                )
            self._restart(partition, max(at, low))
            if 0 <= at < low:
                yield Gap(partition, at, low)

    def _restart(self, partition: int, offset: int) -> None:
        """Fetch from `offset` on; a partition that stopped at an error cannot seek."""
        place = TopicPartition(self.topic, partition, offset)
        self._consumer.incremental_unassign([place])
        self._consumer.incremental_assign([place])

    def _positions(self, events: Sequence[Any]) -> dict[int, int]:
        held = [TopicPartition(self.topic, p) for p in self.progress]
        positions = {tp.partition: tp.offset for tp in self._consumer.position(held) if tp.offset >= 0} if held else {}
        if self._out_of_range:  # there the client's position is that of its error
            last_read = {m.partition(): m.offset() + 1 for m in events}
            positions = {p: o for p, o in positions.items() if p not in self._out_of_range} | last_read
        return positions

    def _membership(self) -> bytes | None:
        metadata: bytes = self._consumer.consumer_group_metadata()
        return metadata if is_membership(metadata) else None

    def _committed(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        """Ask Kafka; answers wait for transactions that are still pending for these offsets."""
        ask = partial(self._consumer.committed, partitions, timeout=_ANSWER_S)
        return patiently(ask, COMMITTED_WITHIN_S, repeated=OR_SLOW, meanwhile=self._meanwhile)

    def _on_assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        # An exception out of a callback would destroy events already fetched: keep it and raise it from `fetch`.
        try:
            self._remember(self._committed(partitions) if partitions else [])
            starts = {p.partition: _start(self.progress[p.partition]) for p in partitions}
            consumer.incremental_assign([TopicPartition(self.topic, p, offset) for p, offset in starts.items()])
        except Exception as error:  # noqa: BLE001  see above
            self._failed = error

    def _on_revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        try:
            for partition in partitions:
                self.progress.pop(partition.partition, None)
                self._revoked.add(partition.partition)
                self._out_of_range.discard(partition.partition)
            consumer.incremental_unassign(partitions)
        except Exception as error:  # noqa: BLE001  as in _on_assign
            self._failed = error

    def _remember(self, committed: Sequence[TopicPartition]) -> None:
        _raise_first(committed)
        now_ms = int(time() * 1000)
        for tp in committed:
            progress = PartitionProgress(offset=OFFSET_INVALID, end=-1, revision=0, counts=Counts())
            if tp.offset >= 0:
                progress = read_metadata(tp.offset, tp.metadata)
            self.progress[tp.partition] = replace(progress, assigned_at_ms=now_ms)

    def _note_error(self, error: KafkaError) -> None:
        self.last_error = error.str()
        self._cut_off |= error.code() in _CONNECTION_LOST


@contextmanager
def _lost_when(what: str) -> Iterator[None]:
    """The client's errors as `ConsumerLostError`: whatever it could not do, joining anew can."""
    try:
        yield
    except KafkaException as error:
        raise ConsumerLostError(f"cannot {what}: {error.args[0].str()}") from error


def most_beside(batch: Batch) -> int:
    """Bytes of the largest key and the largest headers of a batch: what its events hold beside their values.

    Headers are measured on a sample, evenly spread: to add them up takes longer than much else that an event needs.
    """
    keys = max(map(len, filter(None, batch.keys)), default=0)
    sample = batch.headers[:: -(-len(batch.headers) // _SAMPLED_HEADERS) or 1]
    sizes = (sum(len(name) + len(value or b"") for name, value in headers) for headers in sample if headers)
    return keys + max(sizes, default=0)


def _start(progress: PartitionProgress) -> int:
    return progress.offset if progress.offset >= 0 else OFFSET_BEGINNING


def _raise_first(answers: Iterable[TopicPartition]) -> None:
    for tp in answers:
        if tp.error is not None:
            raise KafkaException(tp.error)


def is_membership(metadata: bytes) -> bool:
    """Whether librdkafka's group metadata names a member that has joined: a generation and a member id.

    A transaction committed under generation -1 and no member would not be fenced by the broker (KIP-447).
    """
    if generation_of(metadata) < 0:
        return False
    _group, member, *_rest = metadata[len(_METADATA_PREFIX) + 4 :].split(b"\0")
    return bool(member)


def generation_of(metadata: bytes) -> int:
    """The generation in librdkafka's group metadata (`CGMDv2:`, int32 generation, group, member); -1 before joining."""
    if not metadata.startswith(_METADATA_PREFIX):
        return -1
    (generation,) = struct.unpack_from("<i", metadata, len(_METADATA_PREFIX))
    return int(generation)


def offsets_of(topic: str, progress: Mapping[int, PartitionProgress]) -> list[TopicPartition]:
    """Offsets to commit, each with its counts as metadata."""
    return [TopicPartition(topic, p, state.offset, metadata=write_metadata(state)) for p, state in progress.items()]
