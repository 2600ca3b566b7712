"""A dead letter that cannot be written as it should: its event waits, or the letter shrinks; it is never dropped."""

from collections.abc import Iterator

import pytest
from confluent_kafka.admin._acl import AclBinding, AclBindingFilter, AclOperation, AclPermissionType
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from inflect import lifecycle
from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.event import Counts
from inflect.model.status import Quarantined
from tests.integration.worker.crew import Crew, Hand, Names, committed, crew
from tests.waiting import eventually

AUTHORIZING = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}
FAILS = "module.exports = (event) => { if (event.bad) throw new Error(event.bad); return event }"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker that knows rights."""
    with KafkaServer(tmp_path_factory.mktemp("strict"), port=None, settings=AUTHORIZING) as server:
        yield server


def limit(each: Crew, limit_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(limit_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, each.dead_letter, incremental_configs=[entry])
    admin = each.admin()
    for future in admin.incremental_alter_configs([resource]).values():
        future.result(10)


def write(each: Crew, *values: bytes, headers: list[tuple[str, bytes]] | None = None) -> None:
    producer = plain_producer(each.kafka, max_record_bytes=8_000_000)
    for value in values:
        producer.produce(each.source, value, key=b"k", headers=list(headers or ()))
    assert producer.flush(20) == 0


def settled(hand: Hand) -> Counts:
    return sum((p.counts for p in hand.report.progress.values()), Counts()) if hand.report else Counts()


@pytest.mark.row("B32")
def test_a_dead_letter_topic_that_is_gone_ends_its_pipeline_by_name(kafka: KafkaServer, topic_name: Names) -> None:
    with crew(kafka.bootstrap_servers, topic_name) as each:
        each.write(5)
        hand = each.start()
        eventually(lambda: each.settled(5), within_s=30)
        admin = each.admin()
        admin.delete_topics([each.dead_letter])[each.dead_letter].result(10)
        each.write(95, first=5)
        assert hand.wait(within_s=90) == lifecycle.EXIT_CANNOT_RUN
        assert isinstance(hand.last_word, Quarantined)
        assert hand.last_word.reason == f"missing topic: {each.dead_letter}. Create it, then resume {each.name}."
        with Admin(each.kafka) as again:
            again.create_topics([NewTopicSpec(each.dead_letter, 1)])
        each.start()
        eventually(lambda: each.settled(100), within_s=30)
        each.judge()


@pytest.mark.row("B32")
def test_a_dead_letter_topic_that_is_forbidden_keeps_the_event_until_it_is_allowed(
    strict: KafkaServer, topic_name: Names
) -> None:
    with crew(strict.bootstrap_servers, topic_name) as each:
        admin = each.admin()
        rights = [
            AclBinding(ResourceType.TOPIC, each.dead_letter, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", *right)
            for right in (
                (AclOperation.ALL, AclPermissionType.ALLOW),
                (AclOperation.WRITE, AclPermissionType.DENY),
            )
        ]
        for future in admin.create_acls(rights).values():
            future.result(10)
        each.write(100)
        hand = each.start()
        eventually(lambda: hand.report and "authorization" in hand.report.detail.lower(), 60)
        assert hand.report is not None
        assert hand.report.state == "waiting"
        assert settled(hand).dead_lettered == settled(hand).dropped == 0
        assert committed(each.kafka, each.dead_letter)[each.dead_letter] == []
        every = AclBindingFilter(
            ResourceType.TOPIC, each.dead_letter, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
            AclOperation.ANY, AclPermissionType.ANY,
        )  # fmt: skip
        for removed in admin.delete_acls([every]).values():
            removed.result(10)
        eventually(lambda: each.settled(100), within_s=60)
        each.judge()


@pytest.mark.row("B04")
def test_a_letter_that_is_too_large_leaves_its_value_out_and_says_where_it_is(
    kafka: KafkaServer, topic_name: Names
) -> None:
    with crew(kafka.bootstrap_servers, topic_name, code=FAILS, partitions=1) as each:
        limit(each, 2000)
        write(each, b'{"bad": "no", "pad": "%s"}' % (b"x" * 3000), b'{"bad": "small"}', headers=[("h", b"1")])
        hand = each.start()
        eventually(lambda: settled(hand).consumed == 2, within_s=30)
        assert settled(hand) == Counts(2, 0, 0, 2)
        large, small = committed(each.kafka, each.dead_letter)[each.dead_letter]
        told = dict(large.headers())
        assert (large.value(), large.key(), told["h"], told["inflect.error.truncated"]) == (None, b"k", b"1", b"true")
        assert (told["inflect.error.topic"], told["inflect.error.offset"]) == (each.source.encode(), b"0")
        assert small.value() == b'{"bad": "small"}'
        assert "inflect.error.truncated" not in dict(small.headers())


@pytest.mark.row("B04")
def test_a_letter_whose_story_is_too_large_is_written_all_the_same(kafka: KafkaServer, topic_name: Names) -> None:
    loud = "module.exports = () => { throw new Error('x'.repeat(3_000_000)) }"
    with crew(kafka.bootstrap_servers, topic_name, code=loud, partitions=1) as each:
        write(each, b'{"n": 1}', headers=[("h", b"x" * 100)])
        hand = each.start()
        eventually(lambda: settled(hand).consumed == 1, within_s=30)
        (letter,) = committed(each.kafka, each.dead_letter)[each.dead_letter]
        assert dict(letter.headers())["inflect.error.message"].startswith(b"Error: xxx")


@pytest.mark.row("B04")
def test_a_topic_that_takes_no_letter_at_all_ends_the_pipeline_before_the_event(
    kafka: KafkaServer, topic_name: Names
) -> None:
    with crew(kafka.bootstrap_servers, topic_name, code=FAILS, partitions=1) as each:
        limit(each, 100)
        write(each, b'{"n": 1}', b'{"bad": "no"}', b'{"n": 2}')
        hand = each.start()
        assert hand.wait(within_s=90) == lifecycle.EXIT_CANNOT_RUN
        assert isinstance(hand.last_word, Quarantined)
        assert "nor its dead letter" in hand.last_word.reason
        limit(each, 100_000)
        each.start()
        eventually(lambda: each.settled(3), within_s=30)
        assert len(committed(each.kafka, each.dead_letter)[each.dead_letter]) == 1
