"""Dead letters as their writers tell them: our own headers, Kafka Connect's, Kafka Streams' and Spring's.

A table: which header tells which fact, and which headers were added to the original's. Nothing here reads a topic.
Sources: Connect's DeadLetterQueueReporter, Streams' ExceptionHandlerUtils (KIP-1034), Spring's KafkaHeaders,
DeadLetterPublishingRecoverer and RetryTopicHeaders.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from inflect.model.event import Headers

DialectName = Literal["inflect", "connect", "streams", "spring"]


@dataclass(frozen=True, slots=True)
class Story:
    """What a dead letter tells; None where its writer does not say.

    `topic`, `partition`, `offset` and `timestamp` (ms) are those of the original event, `headers` are its headers.
    `writer` is the pipeline (ours), the connector or the consumer group. `step` is what failed inside the writer,
    `kind` ours or the exception's class, `time` RFC 3339, `truncated`: the letter does not hold the whole event.
    """

    dialect: DialectName
    headers: Headers
    writer: str | None = None
    revision: int | None = None
    topic: str | None = None
    partition: int | None = None
    offset: int | None = None
    timestamp: int | None = None
    stage: str | None = None
    step: str | None = None
    kind: str | None = None
    message: str | None = None
    location: str | None = None
    time: str | None = None
    attempt: int = 1
    truncated: bool = False


def read_story(headers: Headers | None) -> Story | None:
    """The story of a dead letter; None where the headers are nobody's that we know."""
    for dialect in _DIALECTS:
        if any(name.startswith(dialect.marks) for name, _ in headers or ()):
            return dialect.read(headers or ())
    return None


Reading = Callable[[bytes], Any]


def _text(value: bytes) -> str | None:
    return value.decode("utf-8", "replace") or None


def _count(value: bytes) -> int | None:
    """A decimal number; those below 0 say that it is not known."""
    return int(value) if value.isdigit() and len(value) <= 18 else None  # noqa: PLR2004  what fits a long


def _big_endian(value: bytes) -> int | None:
    """Java's int or long as its bytes."""
    number = int.from_bytes(value, "big", signed=True) if len(value) in (4, 8) else -1
    return number if number >= 0 else None


def _flag(value: bytes) -> bool:
    return value == b"true"


@dataclass(frozen=True, slots=True)
class _Dialect:
    """Per fact the headers that tell it, best first. A header that stands several times: the last one tells, but of
    those in `oldest` the first.
    """

    name: DialectName
    marks: tuple[str, ...]
    facts: Mapping[str, tuple[tuple[str, ...], Reading]]
    added: tuple[str, ...]
    oldest: frozenset[str] = field(default_factory=frozenset)
    nests: str | None = None

    def read(self, headers: Headers) -> Story:
        """Split the headers into the original's and the story's, and read these."""
        begin = self._begin(headers)
        added = [pair for pair in headers[begin:] if pair[0].startswith(self.added)]
        kept = (*headers[:begin], *(pair for pair in headers[begin:] if not pair[0].startswith(self.added)))
        found = {fact: self._fact(fact, names, read, added) for fact, (names, read) in self.facts.items()}
        return Story(self.name, kept, **{fact: value for fact, value in found.items() if value is not None})

    def _begin(self, headers: Headers) -> int:
        """Where the newest story begins: an event that was a dead letter before it failed here keeps the older one."""
        begins = [index for index, (name, _) in enumerate(headers) if name == self.nests]
        return begins[-1] if len(begins) > 1 else 0

    def _fact(self, fact: str, names: Sequence[str], read: Reading, added: Headers) -> Any:
        for name in names:
            values = [value for each, value in added if each == name and value is not None]
            if values:
                return read(values[0 if fact in self.oldest else -1])
        return None


_OWN = "inflect.error."
_CONNECT = "__connect.errors."
_STREAMS = "__streams.errors."
_SPRING = "kafka_dlt-"

_DIALECTS = (
    _Dialect(
        "inflect",
        marks=(f"{_OWN}pipeline",),
        added=(_OWN,),
        nests=f"{_OWN}pipeline",
        facts={
            "writer": ((f"{_OWN}pipeline",), _text),
            **{
                fact: ((f"{_OWN}{fact}",), _text)
                for fact in ("topic", "stage", "step", "kind", "message", "location", "time")
            },
            **{
                fact: ((f"{_OWN}{fact}",), _count)
                for fact in ("revision", "partition", "offset", "timestamp", "attempt")
            },
            "truncated": ((f"{_OWN}truncated",), _flag),
        },
    ),
    _Dialect(
        "connect",
        marks=(_CONNECT,),
        added=(_CONNECT,),
        facts={
            "writer": ((f"{_CONNECT}connector.name",), _text),
            "topic": ((f"{_CONNECT}topic",), _text),
            "partition": ((f"{_CONNECT}partition",), _count),
            "offset": ((f"{_CONNECT}offset",), _count),
            "stage": ((f"{_CONNECT}stage",), _text),
            "step": ((f"{_CONNECT}class.name",), _text),
            "kind": ((f"{_CONNECT}exception.class.name",), _text),
            "message": ((f"{_CONNECT}exception.message",), _text),
        },
    ),
    _Dialect(
        "streams",
        marks=(_STREAMS,),
        added=(_STREAMS,),
        facts={
            "topic": ((f"{_STREAMS}topic",), _text),
            "partition": ((f"{_STREAMS}partition",), _count),
            "offset": ((f"{_STREAMS}offset",), _count),
            "kind": ((f"{_STREAMS}exception",), _text),
            "message": ((f"{_STREAMS}message",), _text),
        },
    ),
    _Dialect(
        "spring",
        marks=(_SPRING,),
        added=(_SPRING, "retry_topic-", "springDeserializerException", "kafka_deliveryAttempt"),
        oldest=frozenset({"topic", "partition", "offset", "timestamp"}),
        facts={
            "writer": ((f"{_SPRING}original-consumer-group",), _text),
            "topic": ((f"{_SPRING}original-topic",), _text),
            "partition": ((f"{_SPRING}original-partition",), _big_endian),
            "offset": ((f"{_SPRING}original-offset",), _big_endian),
            "timestamp": ((f"{_SPRING}original-timestamp",), _big_endian),
            # The exception itself is Spring's wrapper; its cause says what went wrong.
            "kind": (
                (f"{_SPRING}exception-cause-fqcn", f"{_SPRING}exception-fqcn", f"{_SPRING}key-exception-fqcn"),
                _text,
            ),
            "message": ((f"{_SPRING}exception-message", f"{_SPRING}key-exception-message"), _text),
            "attempt": (("retry_topic-attempts",), _big_endian),
        },
    ),
)
