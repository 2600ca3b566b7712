"""Client settings: what the user gave, what we choose, and what a worker must own to keep its promise.

Sources: librdkafka's CONFIGURATION.md and INTRODUCTION.md ("Transactional Producer"). User settings come before our
choices,
never before what exactly-once rests on (`isolation.level`, `enable.auto.commit`, …), which `settings` refuses by
name.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from inflect.errors import CannotRunError

TRANSACTION_TIMEOUT_MS = 15_000
# Above the silence after which a supervisor ends a worker. It is also how long a rebalance waits at most for a member
# that is gone: Kafka 4.1 can forget the session timers of a group that it loads, so that a worker which dies while its
# broker starts again is waited for to the end of this time.
MAX_POLL_INTERVAL_MS = 90_000
_MAX_BYTES = 1_000_000  # librdkafka's own default of both limits

_ANY_CLIENT: dict[str, Any] = {
    "allow.auto.create.topics": False,  # a typing error must not make a topic
    "topic.metadata.refresh.interval.ms": 3_000,  # added partitions are noticed in seconds, not minutes
    "reconnect.backoff.max.ms": 2_000,
    "log_level": 2,  # what goes wrong arrives at the error callback and is said in our own words
}

_CONSUMER: dict[str, Any] = {
    # A killed worker's partitions wait for its session to end; a spurious rebalance under exactly-once costs nothing
    # but time.
    "session.timeout.ms": 6_000,
    "heartbeat.interval.ms": 1_500,
    # The queues are what a worker's memory is made of: at most about three batches ahead.
    "queued.min.messages": 20_000,
    "queued.max.messages.kbytes": 16_384,
    "fetch.wait.max.ms": 100,
    "socket.timeout.ms": 15_000,  # a broker that froze, or a connection that is half open, is noticed
}

_CONSUMER_OWNED: dict[str, Any] = {
    "isolation.level": "read_committed",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",  # a position is always one we chose; anything else is said aloud
    "partition.assignment.strategy": "cooperative-sticky",
    "max.poll.interval.ms": MAX_POLL_INTERVAL_MS,
    "enable.partition.eof": False,
}

_PRODUCER: dict[str, Any] = {
    "compression.type": "lz4",
    "linger.ms": 20,  # a commit flushes at once, so this only lets batches fill while a transaction is being written
    "queue.buffering.max.kbytes": 65_536,
    "partitioner": "murmur2_random",  # where Java's clients put a key, so that readers that join topics find it
}

_PRODUCER_OWNED: dict[str, Any] = {
    "enable.idempotence": True,
    "acks": "all",
}

_CONSUMER_ONLY_PREFIXES = ("fetch.", "queued.", "session.", "heartbeat.", "check.", "max.partition.fetch.")
_PRODUCER_ONLY = (
    "compression.type",
    "compression.level",
    "linger.ms",
    "partitioner",
    "batch.size",
    "batch.num.messages",
    "sticky.partitioning.linger.ms",
)
_PRODUCER_ONLY_PREFIXES = ("queue.buffering.",)

ErrorCallback = Callable[[KafkaError], None]


def _is_consumer_only(key: str) -> bool:
    return key.startswith(_CONSUMER_ONLY_PREFIXES)


def _is_producer_only(key: str) -> bool:
    return key in _PRODUCER_ONLY or key.startswith(_PRODUCER_ONLY_PREFIXES)


def admin_config(kafka: Mapping[str, str]) -> dict[str, Any]:
    """Settings of a client that only asks and administers."""
    given = {k: v for k, v in kafka.items() if not _is_consumer_only(k) and not _is_producer_only(k)}
    return _ANY_CLIENT | given


def consumer_config(kafka: Mapping[str, str], group: str, on_error: ErrorCallback) -> dict[str, Any]:
    """Settings of a worker's consumer in consumer group `group`."""
    given = {k: v for k, v in kafka.items() if not _is_producer_only(k)}
    return _ANY_CLIENT | _CONSUMER | given | _CONSUMER_OWNED | {"group.id": group, "error_cb": on_error}


def producer_config(
    kafka: Mapping[str, str], on_error: ErrorCallback, *, transactional_id: str | None, limits: Sequence[int] = ()
) -> dict[str, Any]:
    """Settings of a worker's producer; `transactional_id` None makes it idempotent only.

    `limits` are the `max.message.bytes` of the topics written. The client must not refuse a record that the largest of
    them lets in; and since a broker compares the limit with a whole batch of records, the smallest bounds that batch.
    """
    given = {k: v for k, v in kafka.items() if not _is_consumer_only(k)}
    owned = _PRODUCER_OWNED | {"message.max.bytes": max((_MAX_BYTES, *limits)), "error_cb": on_error}
    batch_bytes = given.get("batch.size", str(_MAX_BYTES))
    if batch_bytes.isdigit():  # else the client refuses it in its own words
        owned["batch.size"] = min((int(batch_bytes), _MAX_BYTES, *limits))
    if transactional_id is not None:
        owned |= {"transactional.id": transactional_id, "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS}
    return _ANY_CLIENT | _PRODUCER | given | owned


@contextmanager
def refused_settings() -> Iterator[None]:
    """What a client refuses at its making is wrong however often it is tried."""
    try:
        yield
    except KafkaException as error:
        raise CannotRunError(
            f"Kafka's client refuses the settings: {error.args[0].str()}. Mend INFLECT_KAFKA_… or the table [kafka]."
        ) from error
