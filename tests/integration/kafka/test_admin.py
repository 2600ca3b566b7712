"""Asking and administering, against a real broker."""

from collections.abc import Callable

import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.errors import NotFoundError, UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer

Names = Callable[[str], str]


def write(kafka: KafkaServer, topic: str, values: list[bytes], *, partition: int = 0) -> None:
    producer = plain_producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number, value in enumerate(values):
        producer.produce(topic, value, key=b"k", partition=partition, timestamp=1_700_000_000_000 + number)
    assert producer.flush(10) == 0


def test_cluster_says_who_answered(kafka: KafkaServer) -> None:
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        assert admin.cluster().brokers == 1


def test_brokers_that_are_away_are_named_unreachable() -> None:
    with Admin({"bootstrap.servers": "127.0.0.1:1"}, timeout_s=1) as admin:
        with pytest.raises(UnreachableError, match="INFLECT_KAFKA_BOOTSTRAP_SERVERS"):
            admin.cluster()
        with pytest.raises(UnreachableError):
            admin.topics()


def test_created_topic_is_described_and_creating_it_again_is_fine(kafka: KafkaServer, topic_name: Names) -> None:
    name = topic_name("made")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(name, 3, config={"max.message.bytes": "2000"})])
        admin.create_topics([NewTopicSpec(name, 5)])
        info = admin.topics()[name]
        assert (info.partitions, info.internal) == (3, False)
        assert len(info.topic_id) > 8
        assert admin.max_record_bytes([name]) == {name: 2000}
        assert admin.describe(["no-such-topic"]) == {}


def test_start_latest_and_time_are_committed_once(kafka: KafkaServer, topic_name: Names) -> None:
    topic, group = topic_name("start"), topic_name("group")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(topic, 2)])
        write(kafka, topic, [b"1", b"2", b"3"])
        admin.initialise_offsets(group, topic, "latest")
        assert {p: s.offset for p, s in admin.committed(group, topic).items()} == {0: 3, 1: 0}
        write(kafka, topic, [b"4"])
        admin.initialise_offsets(group, topic, "latest")
        assert admin.committed(group, topic)[0].offset == 3
        timed = topic_name("group")
        admin.initialise_offsets(timed, topic, "2023-11-14T22:13:20.002Z")
        assert {p: s.offset for p, s in admin.committed(timed, topic).items()} == {0: 2, 1: 0}


def test_sample_is_the_newest_events_in_order_of_time(kafka: KafkaServer, topic_name: Names) -> None:
    topic = topic_name("sample")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(topic, 2)])
        assert len(admin.sample(topic, 5)) == 0
        write(kafka, topic, [b"a0", b"a1", b"a2"])
        write(kafka, topic, [b"b0", b"b1"], partition=1)
        assert sorted(v or b"" for v in admin.sample(topic, 3).values) == [b"a1", b"a2", b"b1"]
        with pytest.raises(NotFoundError):
            admin.sample("no-such-topic", 1)


def test_deleting_a_group_that_is_not_there_is_fine(kafka: KafkaServer, topic_name: Names) -> None:
    topic, group = topic_name("gone"), topic_name("group")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(topic, 1)])
        admin.delete_group(group)
        admin.initialise_offsets(group, topic, "latest")
        admin.delete_group(group)
        assert admin.committed(group, topic) == {}
