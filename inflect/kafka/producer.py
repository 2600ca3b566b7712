"""The sink of a worker: outputs, dead letters and offsets in one Kafka transaction, or at least once without one.

A transaction either ends well or raises `TransactionFailedError`, and then there is one way on for every cause: throw
this
producer away, open a new one under the same transactional id (which ends whatever was left open and raises the
epoch), and
believe only what Kafka says is committed. Only two calls are ever repeated, each with the very same arguments:
sending
offsets and committing, where librdkafka calls the error retriable. Sources: librdkafka's INTRODUCTION.md
("Transactional
Producer") and rdkafka.h; KAFKA-17754 for why a producer that met trouble is renewed although its commit succeeded.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any, Protocol

from confluent_kafka import KafkaError, KafkaException, Producer

from inflect.errors import InflectError
from inflect.kafka.config import TRANSACTION_TIMEOUT_MS, producer_config, refused_settings
from inflect.kafka.consumer import SourceConsumer, offsets_of
from inflect.kafka.patience import bounded
from inflect.model.event import Batch, Record
from inflect.model.status import PartitionProgress

SLOW_COMMIT_S = 5.0
_ATTEMPT_S = 5.0
_RETURNS_WITHIN_S = _ATTEMPT_S + 1
_PAUSE_S = 0.05

_FENCED = {
    KafkaError._FENCED,  # noqa: SLF001  librdkafka's local error codes begin with an underscore
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.PRODUCER_FENCED,
}
_INFO = 6  # syslog's number; a broken connection is told at this level
_MAY_COME_LATE = {"FAIL", "REQTMOUT"}  # librdkafka's names for a connection that ended and a request without an answer
_RECORD_REFUSED = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_TIMESTAMP}


class TransactionFailedError(InflectError):
    """The transaction did not end well, or nobody knows how it ended. `code` is Kafka's name of the error.

    `fenced`: another producer took the transactional id, or the broker ended a transaction that took too long.
    `record_refused`: the broker will never take one of the records, whoever sends it how often; `unclear`: that may be
    so, for the client had given the transaction up before this call and says no more.
    """

    def __init__(self, call: str, error: KafkaError) -> None:
        self.code = error.name()
        self.fenced = error.code() in _FENCED
        self.record_refused = error.code() in _RECORD_REFUSED
        self.unclear = error.code() == KafkaError._STATE  # noqa: SLF001  local code
        super().__init__(f"{call} failed: {error.str()} [{error.name()}]")


class NotReadyError(InflectError):
    """The transaction coordinator did not answer yet; ask again."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What a settled batch leaves: plain values for `topic` beside the source's columns, and other records by
    index.
    """

    topic: str
    batch: Batch
    values: list[str | bytes]
    records: Mapping[int, tuple[Record, ...]]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What to commit beside the outputs: progress of the partitions that moved, under the membership of the fetch.

    `meanwhile` is called every few seconds while Kafka is slow to take it.
    """

    source: SourceConsumer
    progress: Mapping[int, PartitionProgress]
    membership: bytes
    meanwhile: Callable[[], None] = lambda: None


class Sink(Protocol):
    """Where a batch ends."""

    last_error: str

    @property
    def ready(self) -> bool:
        """Whether `commit` may be called without `open` before it."""

    def open(self) -> None:
        """Make ready to write; raises `NotReadyError` to be called again."""

    def commit(self, outputs: Outputs, checkpoint: Checkpoint) -> None:
        """Write all outputs and the offsets; raises `TransactionFailedError`."""

    def close(self) -> None:
        """Give up the producer, and with it whatever is not committed."""


class TransactionSink:
    """Exactly once: everything of a batch in one transaction, or nothing of it.

    `limits` are the `max.message.bytes` of the topics it will write to.
    """

    def __init__(self, kafka: Mapping[str, str], transactional_id: str, *limits: int) -> None:
        owned = {"log_level": _INFO, "logger": self}
        config = producer_config(kafka, self._note_error, transactional_id=transactional_id, limits=limits)
        self._config = config | owned
        self._producer: Producer | None = None
        self._ready = False
        self._troubled = False
        self._call = ""
        self.last_error = ""

    def open(self) -> None:
        """Fence a predecessor and end what it left open. Blocks up to 5 s; `NotReadyError` asks to be called again.

        Raises `CannotRunError` when the client refuses the settings.
        """
        if self._producer is None:
            with refused_settings():
                self._producer = Producer(self._config)
        try:
            self._producer.init_transactions(_ATTEMPT_S)
        except KafkaException as error:
            if error.args[0].retriable():
                raise NotReadyError(f"waiting for the transaction coordinator: {error.args[0].str()}") from error
            self.close()
            raise TransactionFailedError("init_transactions", error.args[0]) from error
        self._producer.poll(0)  # what was logged until here ended with the new epoch
        self._ready, self._troubled = True, False

    def commit(self, outputs: Outputs, checkpoint: Checkpoint) -> None:
        """One transaction: all outputs, then the offsets with their counts, then the commit."""
        offsets = offsets_of(checkpoint.source.topic, checkpoint.progress)
        membership, meanwhile = checkpoint.membership, checkpoint.meanwhile

        def fill(producer: Producer, deadline: float) -> None:
            send(producer, outputs, deadline)
            self._call = "send_offsets_to_transaction"
            self._repeat(
                lambda: bounded(
                    lambda: producer.send_offsets_to_transaction(offsets, membership, _ATTEMPT_S), _RETURNS_WITHIN_S
                ),
                deadline,
                meanwhile,
            )

        self._transact(fill, meanwhile)

    def write(self, records: Iterable[Record], meanwhile: Callable[[], None] = lambda: None) -> None:
        """One transaction of records without offsets; raises as `commit` does."""

        def fill(producer: Producer, deadline: float) -> None:
            for record in records:
                push(producer, record, deadline)

        self._transact(fill, meanwhile)

    def _transact(self, fill: Callable[[Producer, float], None], meanwhile: Callable[[], None]) -> None:
        if not self._ready or self._producer is None:
            raise NotReadyError("the producer is not open")
        producer, deadline = self._producer, monotonic() + TRANSACTION_TIMEOUT_MS / 1000
        self._call = "begin_transaction"
        try:
            producer.begin_transaction()
            self._call = "produce"
            fill(producer, deadline)
            self._call = "commit_transaction"
            started = monotonic()
            self._repeat(lambda: producer.commit_transaction(_ATTEMPT_S), deadline, meanwhile)
        except KafkaException as error:
            self._ready = False
            raise TransactionFailedError(self._call, error.args[0]) from error
        producer.poll(0)
        self._troubled |= monotonic() - started > SLOW_COMMIT_S
        if self._troubled:  # a late EndTxn of this transaction must not be able to end the next one
            self.close()

    def log(self, _level: int, _format: str, *facts: str) -> None:
        """Take a line of the client's log; called from `poll`.

        It is the only place where a connection that broke in the middle of a transaction is told, which librdkafka
        mends by itself: the request that was on its way then may arrive later, beside the one that was repeated.
        """
        self._troubled |= facts[0] in _MAY_COME_LATE

    @property
    def ready(self) -> bool:
        """Whether `commit` may be called without `open` before it."""
        return self._ready

    def close(self) -> None:
        """Throw the producer away; records still queued are purged, the broker or a successor ends the
        transaction.
        """
        producer, self._producer, self._ready = self._producer, None, False
        if producer is not None:
            producer.purge()

    def _repeat(self, call: Callable[[], None], deadline: float, meanwhile: Callable[[], None]) -> None:
        """Call again with the same arguments while that is what librdkafka asks for.

        In short attempts: without a timeout of its own, a commit waits for as long as the broker is away.
        """
        while True:
            try:
                return call()
            except KafkaException as error:
                if not error.args[0].retriable() or monotonic() > deadline:
                    raise
            meanwhile()
            sleep(_PAUSE_S)

    def _note_error(self, error: KafkaError) -> None:
        self._troubled = True
        self.last_error = error.str()


class DeliverySink:
    """At least once: every output acknowledged by the broker, then the offsets. `limits` as for `TransactionSink`."""

    def __init__(self, kafka: Mapping[str, str], *limits: int) -> None:
        self._failed: KafkaError | None = None
        self._producer: Producer | None = None
        self.last_error = ""
        self._config = producer_config(kafka, self._note_error, transactional_id=None, limits=limits) | {
            "on_delivery": self._note_delivery,
            "delivery.report.only.error": True,
        }

    @property
    def ready(self) -> bool:
        """Whether `commit` may be called without `open` before it."""
        return self._producer is not None

    def open(self) -> None:
        """Make the producer; nothing is asked of the broker. `CannotRunError` when the client refuses the settings."""
        self._failed = None
        with refused_settings():
            self._producer = Producer(self._config)

    def commit(self, outputs: Outputs, checkpoint: Checkpoint) -> None:
        """Produce, wait for every acknowledgement, then commit the offsets."""
        if self._producer is None:
            raise NotReadyError("the producer is not open")
        deadline = monotonic() + TRANSACTION_TIMEOUT_MS / 1000
        try:
            send(self._producer, outputs, deadline)
        except KafkaException as error:
            raise TransactionFailedError("produce", error.args[0]) from error
        left = self._producer.flush(TRANSACTION_TIMEOUT_MS / 1000)
        if self._failed is not None:
            raise TransactionFailedError("produce", self._failed)
        if left:
            raise TransactionFailedError("flush", KafkaError(KafkaError._TIMED_OUT))  # noqa: SLF001  local code
        checkpoint.source.commit(checkpoint.progress)

    def close(self) -> None:
        """Throw the producer away with what is queued in it."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()

    def _note_error(self, error: KafkaError) -> None:
        self.last_error = error.str()

    def _note_delivery(self, error: KafkaError | None, _message: object) -> None:
        self._failed = error or self._failed


def send(producer: Producer, outputs: Outputs, deadline: float) -> None:
    """Produce every record of a settled batch in the order of its events; a full queue is waited for."""
    batch, topic, others = outputs.batch, outputs.topic, outputs.records
    produce: Any = producer.produce  # its type hints want lists that are invariant in what a header is
    timestamps = batch.timestamps
    if min(timestamps, default=0) < 0:  # none given: the producer's clock, which is what 0 asks for
        timestamps = [max(timestamp, 0) for timestamp in timestamps]
    columns = zip(outputs.values, batch.keys, timestamps, batch.headers, strict=False)
    for index, (value, key, timestamp, headers) in enumerate(columns):
        if value:
            try:  # the hot path: one call an event
                produce(topic, value, key, timestamp=timestamp, headers=headers)
            except BufferError:
                push(producer, Record(topic, value, key, headers, timestamp), deadline)
        elif index in others:
            for record in others[index]:
                push(producer, record, deadline)


def push(producer: Producer, record: Record, deadline: float) -> None:
    """Produce one record, waiting for room in the queue until `deadline` (monotonic seconds)."""
    headers: list[Any] | None = list(record.headers) if record.headers else None
    while True:
        try:
            producer.produce(
                record.topic, record.value, record.key, timestamp=max(record.timestamp, 0), headers=headers
            )
        except BufferError:
            if monotonic() > deadline:
                raise KafkaException(KafkaError(KafkaError._QUEUE_FULL)) from None  # noqa: SLF001  local code
            producer.poll(0.05)
        else:
            return


def plain_producer(kafka: Mapping[str, str], *, max_record_bytes: int = 1_000_000) -> Producer:
    """An idempotent producer for tools that write events: the demo's load, a test event."""
    return Producer(producer_config(kafka, lambda _error: None, transactional_id=None, limits=(max_record_bytes,)))


__all__ = [
    "DeliverySink",
    "NotReadyError",
    "Outputs",
    "Sink",
    "TransactionFailedError",
    "TransactionSink",
    "plain_producer",
]
