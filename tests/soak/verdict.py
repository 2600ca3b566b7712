"""Reading everything back with read_committed and judging it: lost, duplicated, reordered, wrong."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from inflect.kafka.admin import Admin
from inflect.kafka.config import TRANSACTION_TIMEOUT_MS
from tests.soak import reference
from tests.waiting import eventually

STABLE_WITHIN_S = TRANSACTION_TIMEOUT_MS / 1000 + 10


@dataclass(slots=True)
class Verdict:
    """What is wrong with the records read, and the first few examples of it."""

    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    wrong: int = 0
    examples: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        """Keep an example, a few at most."""
        if len(self.examples) < 10:
            self.examples.append(text)

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.duplicated or self.reordered or self.wrong)


def committed_records(bootstrap_servers: str, topic: str) -> Iterator[Message]:
    """Every committed record of a topic, partition by partition in offset order, up to the ends at the start."""
    with Admin({"bootstrap.servers": bootstrap_servers}) as admin:
        eventually(partial(_is_stable, admin, bootstrap_servers, topic), within_s=STABLE_WITHIN_S)
        starts, ends = admin.starts(topic), admin.ends(topic)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "soak-verdict",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    try:
        for partition, end in sorted(ends.items()):
            consumer.assign([TopicPartition(topic, partition, starts[partition])])
            yield from _until(consumer, end)
    finally:
        consumer.close()


def _is_stable(admin: Admin, bootstrap_servers: str, topic: str) -> bool:
    """Whether no transaction is open in the topic: the last stable end is the end of everything written.

    A commit is answered before its markers are written; and one that nobody ends would hide all that follows it.
    """
    stable = admin.ends(topic)
    config = {"bootstrap.servers": bootstrap_servers, "group.id": "soak-verdict", "isolation.level": "read_uncommitted"}
    reader = Consumer(config)
    try:
        written = {p: reader.get_watermark_offsets(TopicPartition(topic, p), timeout=10)[1] for p in stable}
    finally:
        reader.close()
    assert stable == written, f"{topic}: a transaction is open, stable ends {stable}, written {written}"
    return True


def _until(consumer: Consumer, end: int) -> Iterator[Message]:
    while True:
        for message in consumer.consume(10_000, 0.1):
            error = message.error()
            if error is None and (message.offset() or 0) < end:
                yield message
            elif error is None or error.code() == KafkaError._PARTITION_EOF:
                return
            else:
                raise KafkaException(error)


def judge(bootstrap_servers: str, topics: Mapping[str, str], events: int) -> Verdict:
    """Compare target and dead letter topic with the reference over all `events` written."""
    verdict = Verdict()
    delivered, dead = bytearray(events), bytearray(events)
    last: dict[bytes, int] = {}
    for message in committed_records(bootstrap_servers, topics["target"]):
        document, key = json.loads(message.value() or b"{}"), message.key() or b""
        n = document["n"]
        delivered[n] += 1
        if last.get(key, -1) >= n and delivered[n] == 1:
            verdict.reordered += 1
            verdict.note(f"event {n} of {key!r} after {last[key]}")
        last[key] = n
        if document != reference.expected(n) or key != reference.event(n)[0]:
            verdict.wrong += 1
            verdict.note(f"event {n} is {document}")
    for message in committed_records(bootstrap_servers, topics["dead_letter"]):
        n = json.loads(message.value() or b"{}")["n"]
        dead[n] += 1
        if (message.key(), message.value()) != reference.event(n):
            verdict.wrong += 1
            verdict.note(f"dead letter {n} is not the original")
    for n in range(events):
        _count(verdict, n, delivered[n], dead[n])
    return verdict


def _count(verdict: Verdict, n: int, delivered: int, dead: int) -> None:
    wanted = (0, 1) if reference.fails(n) else (int(reference.expected(n) is not None), 0)
    if delivered + dead > sum(wanted):
        verdict.duplicated += delivered + dead - sum(wanted)
        verdict.note(f"event {n}: {delivered} delivered, {dead} dead-lettered")
    elif (delivered, dead) != wanted:
        verdict.lost += 1
        verdict.note(f"event {n}: {delivered} delivered, {dead} dead-lettered, wanted {wanted}")
