"""What Kafka refuses, removes or forgets, and revisions that cannot run: each has a defined end, told in words."""

import os

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from inflect import lifecycle
from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.event import Counts
from inflect.model.status import Halted, Quarantined, Run
from tests.integration.worker.crew import Crew, Hand, Names, committed, crew
from tests.waiting import eventually

UNCHANGED = "module.exports = (event) => event"


def counts(hand: Hand) -> Counts:
    return sum((p.counts for p in hand.report.progress.values()), Counts()) if hand.report else Counts()


def headers(each: Crew) -> list[dict[str, bytes]]:
    return [dict(m.headers()) for m in committed(each.kafka, each.dead_letter)[each.dead_letter]]


def test_a_target_with_a_small_limit_gets_batches_that_fit(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name, config={"max.message.bytes": "2000"}) as each:
        each.write(5_000)
        each.start()
        eventually(lambda: each.settled(5_000), within_s=30)
        each.judge()


@pytest.mark.row("B02")
def test_a_limit_lowered_while_running_makes_large_events_dead_letters(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name, code=UNCHANGED) as each:
        each.write(10)
        hand = each.start()
        eventually(lambda: each.settled(10), within_s=30)
        lower_limit(each, 1500)
        producer = plain_producer(each.kafka)
        producer.produce(each.source, b'{"text": "%s"}' % os.urandom(2000).hex().encode(), key=b"large")
        each.write(10, first=10)
        assert producer.flush(10) == 0
        eventually(lambda: counts(hand).consumed == 21, within_s=60)
        assert counts(hand) == Counts(21, 20, 0, 1)
        assert [(h["inflect.error.stage"], h["inflect.error.kind"]) for h in headers(each)] in (
            [(b"produce", b"too_large")],
            [(b"produce", b"rejected")],
        )


def lower_limit(each: Crew, limit_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(limit_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, each.target, incremental_configs=[entry])
    admin = each.admin()
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


def test_a_record_that_the_broker_refuses_is_found_and_dead_lettered(kafka: KafkaServer, topic_name: Names) -> None:
    """A compacted topic takes no record without a key."""
    with crew(kafka.bootstrap_servers, topic_name, code=UNCHANGED, config={"cleanup.policy": "compact"}) as each:
        each.write(300)
        producer = plain_producer(each.kafka)
        producer.produce(each.source, b'{"n": 300}', partition=1)
        assert producer.flush(10) == 0
        each.write(300, first=301)
        hand = each.start()
        eventually(lambda: counts(hand).consumed == 601, within_s=60)
        assert counts(hand) == Counts(601, 600, 0, 1)
        (said,) = headers(each)
        assert (said["inflect.error.stage"], said["inflect.error.kind"]) == (b"produce", b"rejected")
        assert b"INVALID_RECORD" in said["inflect.error.message"]
        values = sorted(m.value() for m in committed(each.kafka, each.target)[each.target])
        assert values == sorted(b'{"n":%d}' % n for n in range(601) if n != 300)


@pytest.mark.row("A34")
def test_a_target_that_is_deleted_ends_its_pipeline_by_name(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name) as each:
        each.write(100)
        hand = each.start()
        eventually(lambda: each.settled(100), within_s=30)
        admin = each.admin()
        admin.delete_topics([each.target])[each.target].result(10)
        each.write(100, first=100)
        assert hand.wait(within_s=90) == lifecycle.EXIT_CANNOT_RUN
        word = hand.last_word
        assert isinstance(word, Quarantined)
        assert word.reason == f"missing topic: {each.target}. Create it, then resume {each.name}."
        with Admin(each.kafka) as again:
            again.create_topics([NewTopicSpec(each.target, 3)])
        each.start()
        eventually(lambda: each.settled(200), within_s=30)
        numbers = len(committed(each.kafka, each.target)[each.target])
        assert numbers == sum(1 for n in range(100, 200) if n % 50 != 7 and n % 10 != 3)


@pytest.mark.row("A39")
def test_events_that_retention_removed_are_told_and_passed(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name, partitions=1, code=UNCHANGED) as each:
        each.write(100)
        hand = each.start()
        eventually(lambda: each.settled(100), within_s=30)
        assert each.stop(hand) == 0
        each.write(100, first=100)
        admin = each.admin()
        (removed,) = admin.delete_records([TopicPartition(each.source, 0, 130)]).values()
        removed.result(10)
        successor = each.start()
        eventually(lambda: each.settled(170), within_s=30)
        assert successor.report is not None
        assert "30 from offset 100 on" in eventually(lambda: successor.report.detail if successor.report else "")
        assert len(committed(each.kafka, each.target)[each.target]) == 170


@pytest.mark.row("A35")
def test_a_source_that_was_made_again_stops_its_pipeline(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name, partitions=1) as each:
        each.write(10)
        with Admin(each.kafka) as admin:
            admin.initialise_offsets(f"inflect-{each.name}", each.source, "latest")
        truncated = Producer(each.kafka)
        admin_client = each.admin()
        admin_client.delete_topics([each.source])[each.source].result(10)
        with Admin(each.kafka) as admin:
            eventually(lambda: each.source not in admin.describe([each.source]), within_s=10)
            admin.create_topics([NewTopicSpec(each.source, 1)])
        truncated.produce(each.source, b"{}")
        assert truncated.flush(10) == 0
        commit_offset(each, 10)
        hand = each.start()
        assert hand.wait() == lifecycle.EXIT_CANNOT_RUN
        assert isinstance(hand.last_word, Quarantined)
        assert "ends at offset 1, but 10 is committed" in hand.last_word.reason


def commit_offset(each: Crew, offset: int) -> None:
    consumer = Consumer({**each.kafka, "group.id": f"inflect-{each.name}"})
    consumer.commit(offsets=[TopicPartition(each.source, 0, offset)], asynchronous=False)
    consumer.close()


def test_a_revision_that_does_not_load_is_quarantined_under_its_number(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name) as each:
        each.write(10)
        hand = each.start()
        eventually(lambda: each.settled(10), within_s=30)
        hand.child.send(Run(each.revision(2, code="throw new Error('at load')")))
        assert hand.wait() == lifecycle.EXIT_CANNOT_RUN
        assert isinstance(hand.last_word, Quarantined)
        assert hand.last_word.revision == 2
        assert "at load" in hand.last_word.reason


@pytest.mark.row("E15")
def test_a_partition_never_goes_back_to_an_older_revision(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name) as each:
        each.write(100)
        ahead = each.start(revision=each.revision(2))
        eventually(lambda: each.settled(100), within_s=30)
        assert each.stop(ahead) == 0
        behind = each.start(1)
        eventually(lambda: behind.report and "revision 2 has committed" in behind.report.detail, within_s=20)
        each.write(100, first=100)
        behind.child.send(Run(each.revision(2)))
        eventually(lambda: each.settled(200), within_s=20)
        assert {b'"rev":2' in m.value() for m in committed(each.kafka, each.target)[each.target]} == {True}
        each.judge()


@pytest.mark.row("B33")
def test_on_error_stop_keeps_the_event_and_everything_behind_it(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(
        kafka.bootstrap_servers, topic_name, code="module.exports = (e) => { if (e.n === 57) throw e; return e }"
    ) as each:
        step = each.revision().pipeline.steps[0]
        stopping = each.revision(
            1, dead_letter=None, on_error="stop", steps=(type(step)("judge", "transformation", "judge"),)
        )
        each.write(100)
        hand = each.start(revision=stopping)
        assert hand.wait() == lifecycle.EXIT_HALTED
        assert isinstance(hand.last_word, Halted)
        mended = each.revision(2, code=UNCHANGED)
        each.start(revision=mended)
        eventually(lambda: each.settled(100), within_s=30)
        values = sorted(m.value() for m in committed(each.kafka, each.target)[each.target])
        assert values == sorted(b'{"n":%d}' % n for n in range(100))


@pytest.mark.row("A40")
def test_aborted_upstream_transactions_never_arrive_and_leave_no_lag(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name) as each:
        hand = each.start()
        upstream = Producer({**each.kafka, "transactional.id": each.name})
        upstream.init_transactions(20)
        for transaction in range(20):
            upstream.begin_transaction()
            for n in range(50):
                number = (transaction // 2) * 50 + n if transaction % 2 else 1_000_000
                upstream.produce(each.source, b'{"n": %d}' % number, key=b"key-%d" % (n % 37))
            upstream.flush(10)
            upstream.commit_transaction(10) if transaction % 2 else upstream.abort_transaction(10)
        eventually(lambda: each.settled(500), within_s=30)

        def caught_up() -> bool:
            report = hand.report
            return report is not None and all(p.offset == p.end for p in report.progress.values())

        eventually(caught_up, within_s=20)
        assert each.stop(hand) == 0
        each.judge()
