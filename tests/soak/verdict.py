"""Reading everything back with read_committed and judging it: lost, duplicated, reordered, wrong, hidden.

Order is that of the source: per source partition and key, by source offset. Where a topic gets partitions in flight a
key moves to another one, and Kafka promises nothing between the two.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from inflect.errors import UnreachableError
from inflect.kafka.admin import Admin
from inflect.kafka.config import TRANSACTION_TIMEOUT_MS
from inflect.model.event import Counts
from tests.soak import reference

# A commit is answered before its markers are written, and a transaction that nobody ends the broker does.
STABLE_WITHIN_S = TRANSACTION_TIMEOUT_MS / 1000 + 10


@dataclass(slots=True)
class Verdict:
    """What is wrong with the records read, and the first few examples of it.

    `hidden`: records behind a transaction that is still open; they count as lost too. `books`: committed offsets or
    counts that say something else than the topics.
    """

    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    wrong: int = 0
    hidden: int = 0
    books: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep an example, a few at most."""
        if len(self.examples) < 10:
            self.examples.append(text)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.duplicated or self.reordered or self.wrong or self.hidden or self.books)


def committed_records(servers: str, topic: str, stable_within_s: float = STABLE_WITHIN_S) -> Iterator[Message]:
    """Every committed record of a topic, each partition in the order of its offsets.

    Waits until no transaction is open, for `stable_within_s` at most: what is behind an open one cannot be read.
    """
    hidden_records(servers, topic, stable_within_s)
    config = {"group.id": "verdict", "enable.auto.commit": False, "enable.partition.eof": True, "fetch.wait.max.ms": 10}
    reader = Consumer({**config, "bootstrap.servers": servers, "isolation.level": "read_committed"})
    try:
        unread = set(reader.list_topics(topic, timeout=10).topics[topic].partitions)
        reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in unread])
        while unread:
            for message in reader.consume(10_000, 0.1):
                error = message.error()
                if error is None:
                    yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    unread.discard(message.partition())
                else:
                    raise KafkaException(error)
    finally:
        reader.close()


def hidden_records(servers: str, topic: str, within_s: float) -> int:
    """How many records of a topic an open transaction hides, once none is open or the time is over."""
    deadline = time.monotonic() + within_s
    with Admin({"bootstrap.servers": servers}) as admin:
        while True:
            stable = sum(admin.ends(topic).values())
            hidden = sum(admin.written_ends(topic).values()) - stable
            if hidden <= 0 or time.monotonic() > deadline:
                return max(hidden, 0)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is judged: `events` written to a pipeline's topics, with the wire prefixes of `ids` when there are some."""

    source: str
    target: str
    dead_letter: str
    group: str
    events: int
    ids: tuple[int, ...] = ()


def judge(servers: str, subject: Subject, stable_within_s: float = STABLE_WITHIN_S) -> Verdict:
    """Compare target and dead letter topic with the reference over all events written, and the books with both."""
    verdict = Verdict()
    for topic in (subject.target, subject.dead_letter):
        if hidden := hidden_records(servers, topic, stable_within_s):
            verdict.hidden += hidden
            verdict.note(f"{topic}: {hidden} records are hidden behind an open transaction")
    delivered, dead = bytearray(subject.events), bytearray(subject.events)
    _judge_target(verdict, servers, subject, delivered)
    for message in committed_records(servers, subject.dead_letter, 0):
        n = reference.plain(message.value())["n"]
        dead[n] += 1
        if (message.key(), message.value()) != reference.event(n, subject.ids):
            verdict.wrong += 1
            verdict.note(f"dead letter {n} is not the original")
    for n in range(subject.events):
        _count(verdict, n, delivered[n], dead[n])
    _judge_books(verdict, servers, subject)
    return verdict


def _judge_target(verdict: Verdict, servers: str, subject: Subject, delivered: bytearray) -> None:
    partitions, offsets = _places(servers, subject.source, subject.events)
    last: dict[tuple[bytes, int], int] = {}
    for message in committed_records(servers, subject.target, 0):
        document, key = reference.plain(message.value()), message.key() or b""
        n = document["n"]
        delivered[n] += 1
        line = key, partitions[n]
        if last.get(line, -1) >= offsets[n] and delivered[n] == 1:
            verdict.reordered += 1
            verdict.note(f"event {n} of {key!r} after one of a later offset")
        last[line] = offsets[n]
        if document != reference.expected(n) or key != reference.event(n)[0]:
            verdict.wrong += 1
            verdict.note(f"event {n} is {document}")


def _places(servers: str, source: str, events: int) -> tuple[list[int], list[int]]:
    """Source partition and offset of every event; -1 where it is not there."""
    partitions, offsets = [-1] * events, [-1] * events
    for message in committed_records(servers, source):
        n = reference.plain(message.value())["n"]
        partitions[n], offsets[n] = message.partition() or 0, message.offset() or 0
    return partitions, offsets


def _judge_books(verdict: Verdict, servers: str, subject: Subject) -> None:
    wanted = reference.Expectation(subject.events)
    with Admin({"bootstrap.servers": servers}) as admin:
        try:
            progress, ends = admin.committed(subject.group, subject.source), admin.ends(subject.source)
        except UnreachableError as error:  # offsets of an open transaction are not told
            verdict.books += 1
            verdict.note(str(error))
            return
    counts = sum((stand.counts for stand in progress.values()), Counts())
    filtered = wanted.events - wanted.delivered - wanted.dead_lettered
    if counts != Counts(wanted.events, wanted.delivered, filtered, wanted.dead_lettered):
        verdict.books += 1
        verdict.note(f"the books say {counts}")
    committed = {p: stand.offset for p, stand in progress.items()}
    if committed != {p: end for p, end in ends.items() if end > 0}:
        verdict.books += 1
        verdict.note(f"committed are {committed}, the source ends at {ends}")


def _count(verdict: Verdict, n: int, delivered: int, dead: int) -> None:
    wanted = (0, 1) if reference.fails(n) else (int(reference.expected(n) is not None), 0)
    if delivered + dead > sum(wanted):
        verdict.duplicated += delivered + dead - sum(wanted)
        verdict.note(f"event {n}: {delivered} delivered, {dead} dead-lettered")
    elif (delivered, dead) != wanted:
        verdict.lost += 1
        verdict.note(f"event {n}: {delivered} delivered, {dead} dead-lettered, wanted {wanted}")
