"""Reading what lies in topics, by place: for people who look at dead letters and for a redrive that takes them up.

A consumer that is assigned partitions and never joins a group, commits nothing and reads committed records only.
Records arrive in batches bounded in number and bytes, so that a topic may be far larger than memory; keys, values and
headers stay the bytes they are.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from inflect.errors import UnreachableError
from inflect.kafka.admin import Admin, translated
from inflect.kafka.config import consumer_config, refused_settings
from inflect.kafka.records import batch_of
from inflect.model.event import Batch

GROUP = "inflect-browse"
MOST_RECORDS = 2_000
MOST_BYTES = 4 * 1024 * 1024

# Longer than the broker needs to end a dead producer's transaction: until then nobody can read on.
PATIENCE_S = 30.0
_POLL_S = 0.03  # at the end of what is there it is waited for in vain: nobody who looks should notice
_FIRST_CHUNK = 100

_FOR_GOOD = {
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001  librdkafka's local error codes begin with an underscore
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001  the same
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,  # noqa: SLF001  the same
}

Place = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Span:
    """Records of one partition from offset `first` to before `end`."""

    topic: str
    partition: int
    first: int
    end: int

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition


def spans(
    admin: Admin, topics: Iterable[str], *, newest: int | None = None, since_ms: int | None = None
) -> tuple[Span, ...]:
    """What the topics hold now, up to the last committed record; the `newest` per partition, or those `since_ms`."""
    found = []
    for topic in topics:
        starts, ends = admin.starts(topic), admin.ends(topic)
        if since_ms is not None:
            starts = {p: ends[p] if at < 0 else at for p, at in admin.offsets_at(topic, since_ms).items()}
        for partition, end in sorted(ends.items()):
            first = starts[partition] if newest is None else max(starts[partition], end - newest)
            found.append(Span(topic, partition, first, end))
    return tuple(found)


class Browser:
    """One reader for many looks, one after the other. Raises `CannotRunError` when the client refuses the settings."""

    def __init__(self, kafka: Mapping[str, str], *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._last_error = ""
        browsing = {"enable.partition.eof": True, "auto.offset.reset": "earliest", "fetch.wait.max.ms": 10}
        with refused_settings():
            self._consumer = Consumer(consumer_config(kafka, GROUP, self._note_error) | browsing)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._consumer.close()

    def read(self, wanted: Iterable[Span]) -> Iterator[Batch]:
        """The records of the spans, each partition in the order of its offsets; a batch is of one topic.

        A new `read` ends one that was not read to its end. Raises `UnreachableError` when nothing comes for 30 s,
        other InflectErrors when Kafka refuses.
        """
        unread = {span.place: span for span in wanted if span.first < span.end}
        if not unread:
            return
        self._consumer.assign([TopicPartition(span.topic, span.partition, span.first) for span in unread.values()])
        chunk, deadline = _FIRST_CHUNK, monotonic() + self._patience_s
        while unread:
            messages = self._consumer.consume(chunk, _POLL_S)
            for topic, found in _by_topic(self._taken(messages, unread)).items():
                yield batch_of(topic, found)
            if messages:
                chunk, deadline = _next_chunk(chunk, messages), monotonic() + self._patience_s
            elif monotonic() > deadline:
                raise UnreachableError(self._stuck(unread))
        self._consumer.unassign()

    def _taken(self, messages: Sequence[Any], unread: dict[Place, Span]) -> Iterator[Any]:
        """The messages that are asked for; spans that are read to their end leave `unread`."""
        for message in messages:
            span = unread.get((message.topic(), message.partition()))
            error: KafkaError | None = message.error()
            if error is not None:
                self._judge(error, message)
            if span is None or message.offset() is None:
                continue
            if error is None and span.first <= message.offset() < span.end:
                yield message
            if message.offset() + (error is None) >= span.end:
                del unread[span.place]

    def _judge(self, error: KafkaError, message: Any) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001  librdkafka's local code
            return
        self._last_error = error.str()
        if error.fatal() or error.code() in _FOR_GOOD:
            raise translated(KafkaException(error), f"read {message.topic()} [{message.partition()}]")

    def _stuck(self, unread: Mapping[Place, Span]) -> str:
        places = ", ".join(f"{topic} [{partition}]" for topic, partition in unread)
        return (
            f"Kafka gives no more of {places} for {self._patience_s:g} s"
            f"{': ' + self._last_error if self._last_error else ''}. Check that its brokers run; try again."
        )

    def _note_error(self, error: KafkaError) -> None:
        self._last_error = error.str()


def _next_chunk(chunk: int, messages: Sequence[Any]) -> int:
    """As many as fit the bytes, were all as large as the largest seen; growing slowly."""
    largest = max(*map(len, messages), 1)
    return max(1, min(chunk * 2, MOST_RECORDS, MOST_BYTES // largest))


def _by_topic(messages: Iterable[Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for message in messages:
        found.setdefault(message.topic(), []).append(message)
    return found
