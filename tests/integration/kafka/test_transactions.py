"""Transactions of a worker, against a real broker."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.consumer import Fetched, SourceConsumer, generation_of
from inflect.kafka.producer import (
    Checkpoint,
    DeliverySink,
    NotReadyError,
    Outputs,
    TransactionFailedError,
    TransactionSink,
    plain_producer,
)
from inflect.model.event import Counts, Record
from inflect.model.status import PartitionProgress
from inflect.worker.books import Settlement, advance
from tests.waiting import eventually

Names = Callable[[str], str]
LIMIT = 1_048_588


class Scene:
    """A source and a target topic, and one way to read them."""

    def __init__(self, kafka: KafkaServer, name: Names) -> None:
        self.kafka = {"bootstrap.servers": kafka.bootstrap_servers}
        self.source, self.target, self.group = name("source"), name("target"), name("group")
        with Admin(self.kafka) as admin:
            admin.create_topics([NewTopicSpec(self.source, 2), NewTopicSpec(self.target, 2)])

    def write(self, count: int, *, first: int = 0) -> None:
        producer = plain_producer(self.kafka)
        for n in range(first, first + count):
            headers: list[tuple[str, str | bytes | None]] = [("trace", b"\xff\x00"), ("trace", None)]
            producer.produce(self.source, str(n), key=str(n % 7), timestamp=1000 + n, headers=headers)
        assert producer.flush(10) == 0

    def read(self, count: int) -> list[Any]:
        """At least `count` committed records of the target, and everything after them that arrives within a moment."""
        config: dict[str, Any] = {
            **self.kafka,
            "group.id": self.group + "-reader",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
        }
        reader = Consumer(config)
        reader.subscribe([self.target])
        found: list[Any] = []
        try:

            def complete() -> bool:
                found.extend(reader.consume(500, 0.2))
                return len(found) >= count

            eventually(complete, within_s=15)
            return found + list(reader.consume(500, 0.5))
        finally:
            reader.close()

    def committed(self) -> dict[int, PartitionProgress]:
        with Admin(self.kafka) as admin:
            return admin.committed(self.group, self.source)


@pytest.fixture
def scene(kafka: KafkaServer, topic_name: Names) -> Scene:
    return Scene(kafka, topic_name)


def fetch_all(source: SourceConsumer, count: int) -> Fetched:
    """One fetch that holds `count` events: the topic is filled before, the assignment may take a few looks."""
    fetched: list[Fetched] = []

    def complete() -> bool:
        fetched.append(source.fetch(1000, idle_s=0.2, gather_s=0.5))
        return len(fetched[-1].batch) >= count

    eventually(complete, within_s=15)
    return fetched[-1]


def passed_through(scene: Scene, fetched: Fetched) -> Outputs:
    return Outputs(scene.target, fetched.batch, [v or b"" for v in fetched.batch.values], {})


def checkpoint(source: SourceConsumer, fetched: Fetched, revision: int = 1) -> Checkpoint:
    per_partition = {p: list(fetched.batch.partitions).count(p) for p in set(fetched.batch.partitions)}
    counts = {p: Counts(consumed=n, delivered=n) for p, n in per_partition.items()}
    settlement = Settlement(len(fetched.batch), counts, {})
    moved = advance(source.progress, fetched.batch, fetched.positions, settlement, revision)
    assert fetched.membership is not None
    return Checkpoint(source, moved, fetched.membership)


@contextmanager
def opened(sink: TransactionSink) -> Iterator[TransactionSink]:
    def ready() -> bool:
        try:
            sink.open()
        except NotReadyError:
            return False
        return True

    eventually(ready, within_s=30)
    yield sink
    sink.close()


def test_outputs_and_offsets_arrive_together_with_their_counts(scene: Scene) -> None:
    scene.write(100)
    with (
        opened(TransactionSink(scene.kafka, scene.group, LIMIT)) as sink,
        SourceConsumer(scene.kafka, scene.group, scene.source) as source,
    ):
        fetched = fetch_all(source, 100)
        sink.commit(passed_through(scene, fetched), checkpoint(source, fetched, revision=3))
    records = scene.read(100)
    assert sorted(int(r.value()) for r in records) == list(range(100))
    assert all(r.headers() == [("trace", b"\xff\x00"), ("trace", None)] for r in records)
    assert all(r.timestamp()[1] == 1000 + int(r.value()) for r in records)
    committed = scene.committed()
    assert sum(p.counts.delivered for p in committed.values()) == 100
    assert {p.revision for p in committed.values()} == {3}


def test_an_unfinished_transaction_is_ended_by_the_successor_of_its_slot(scene: Scene) -> None:
    scene.write(10)
    with SourceConsumer(scene.kafka, scene.group, scene.source) as source:
        fetched = fetch_all(source, 10)
        dead = TransactionSink(scene.kafka, scene.group, LIMIT)
        with opened(dead):
            producer = dead._producer
            assert producer is not None
            producer.begin_transaction()
            producer.produce(scene.target, b"never seen")
            producer.flush(5)
            with opened(TransactionSink(scene.kafka, scene.group, LIMIT)) as successor:
                successor.commit(passed_through(scene, fetched), checkpoint(source, fetched))
                assert sorted(int(r.value()) for r in scene.read(10)) == list(range(10))


def test_a_fenced_producer_fails_and_commits_nothing(scene: Scene) -> None:
    scene.write(10)
    with (
        opened(TransactionSink(scene.kafka, scene.group, LIMIT)) as old,
        SourceConsumer(scene.kafka, scene.group, scene.source) as source,
    ):
        fetched = fetch_all(source, 10)
        with opened(TransactionSink(scene.kafka, scene.group, LIMIT)):
            with pytest.raises(TransactionFailedError) as caught:
                old.commit(passed_through(scene, fetched), checkpoint(source, fetched))
            assert caught.value.fenced
        assert not old.ready
    assert scene.committed() == {}


def test_recall_goes_back_to_what_is_committed(scene: Scene) -> None:
    scene.write(50)
    with (
        opened(TransactionSink(scene.kafka, scene.group, LIMIT)) as sink,
        SourceConsumer(scene.kafka, scene.group, scene.source) as source,
    ):
        first = fetch_all(source, 50)
        source.recall()
        again = fetch_all(source, 50)
        assert sorted(again.batch.values) == sorted(first.batch.values)  # type: ignore[type-var]  # no value is None here
        sink.commit(passed_through(scene, again), checkpoint(source, again))
        source.recall()
        assert len(source.fetch(1000, idle_s=0.5, gather_s=0.1).batch) == 0


def test_a_member_that_has_not_joined_has_no_membership_to_commit_under(scene: Scene) -> None:
    with SourceConsumer(scene.kafka, scene.group, scene.source) as source:
        assert source.fetch(10, idle_s=0.0, gather_s=0.0).membership is None
    assert generation_of(b"CGMDv2:\x05\x00\x00\x00g\x00m\x00") == 5
    assert generation_of(b"something else") == -1


def test_a_rebalance_hands_partitions_over_with_their_counts(scene: Scene) -> None:
    scene.write(100)
    with (
        opened(TransactionSink(scene.kafka, scene.group, LIMIT)) as sink,
        SourceConsumer(scene.kafka, scene.group, scene.source) as first,
    ):
        fetched = fetch_all(first, 100)
        sink.commit(passed_through(scene, fetched), checkpoint(first, fetched))
        first.progress.update(checkpoint(first, fetched).progress)
        with SourceConsumer(scene.kafka, scene.group, scene.source) as second:

            def shared() -> bool:
                events = len(first.fetch(10, idle_s=0.05, gather_s=0).batch)
                events += len(second.fetch(10, idle_s=0.05, gather_s=0).batch)
                assert events == 0
                return len(first.partitions) == len(second.partitions) == 1

            eventually(shared, within_s=30)
            (taken,) = second.partitions
            assert second.progress[taken].counts == scene.committed()[taken].counts
            assert second.progress[taken].counts.consumed > 0


def test_transaction_markers_in_the_source_leave_no_lag(scene: Scene) -> None:
    with opened(TransactionSink(scene.kafka, scene.group + "-upstream", LIMIT)) as upstream:
        producer = upstream._producer
        assert producer is not None
        for _ in range(3):
            producer.begin_transaction()
            for n in range(5):
                producer.produce(scene.source, str(n), partition=0)
            producer.commit_transaction()
    with SourceConsumer(scene.kafka, scene.group, scene.source) as source:
        fetched = fetch_all(source, 15)
        with Admin(scene.kafka) as admin:
            end = admin.ends(scene.source)[0]
        assert end == 18
        positions = fetched.positions
        assert eventually(
            lambda: (positions.get(0) == end) or source.fetch(10, idle_s=0.1, gather_s=0).positions.get(0) == end
        )


def test_at_least_once_acknowledges_everything_before_the_offsets(scene: Scene) -> None:
    scene.write(20)
    sink = DeliverySink(scene.kafka, LIMIT)
    sink.open()
    with SourceConsumer(scene.kafka, scene.group, scene.source) as source:
        fetched = fetch_all(source, 20)
        sink.commit(passed_through(scene, fetched), checkpoint(source, fetched))
    assert len(scene.read(20)) == 20
    assert sum(p.counts.consumed for p in scene.committed().values()) == 20


def test_a_record_the_broker_refuses_fails_the_commit_without_a_transaction(scene: Scene) -> None:
    scene.write(1)
    sink = DeliverySink(scene.kafka, 3_000_000)
    sink.open()
    with SourceConsumer(scene.kafka, scene.group, scene.source) as source:
        fetched = fetch_all(source, 1)
        big = Record(scene.target, os.urandom(2_000_000), None, None, 1)
        outputs = Outputs(scene.target, fetched.batch, [""], {0: (big,)})
        with pytest.raises(TransactionFailedError, match="MSG_SIZE_TOO_LARGE"):
            sink.commit(outputs, checkpoint(source, fetched))
    assert scene.committed() == {}
