"""Reading by place: exactly the records asked for, committed ones only, and nothing left behind in the cluster."""

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from inflect.embedded.kafka import KafkaServer
from inflect.errors import UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.browse import GROUP, MOST_BYTES, MOST_RECORDS, Browser, Span, spans
from inflect.kafka.producer import plain_producer

BEGAN_MS = int(time.time() * 1000) - 3_600_000


@pytest.fixture
def settings(kafka: KafkaServer) -> dict[str, str]:
    return {"bootstrap.servers": kafka.bootstrap_servers}


@pytest.fixture
def topic(settings: dict[str, str], topic_name: Callable[[str], str]) -> str:
    """Two partitions; the first holds the numbers up to 99, a second apart."""
    name = topic_name("browse")
    with Admin(settings) as admin:
        admin.create_topics([NewTopicSpec(name, 2)])
    producer = plain_producer(settings)
    for n in range(100):
        producer.produce(
            name, b"%d" % n, b"\xff", 0, timestamp=BEGAN_MS + n * 1000, headers=[("h", b"\x00"), ("n", None)]
        )
    assert producer.flush(10) == 0
    return name


@pytest.fixture
def browser(settings: dict[str, str]) -> Iterator[Browser]:
    with Browser(settings) as opened:
        yield opened


def numbers(browser: Browser, *wanted: Span) -> list[int]:
    return [int(value or b"") for batch in browser.read(wanted) for value in batch.values]


def test_a_range_is_read_as_it_is(browser: Browser, topic: str) -> None:
    (batch,) = browser.read([Span(topic, 0, 17, 19)])
    assert (batch.topic, batch.values, batch.keys, batch.offsets) == (topic, [b"17", b"18"], [b"\xff"] * 2, [17, 18])
    assert batch.headers[0] == [("h", b"\x00"), ("n", None)]
    assert batch.timestamps[0] == BEGAN_MS + 17_000


def test_one_reader_serves_many_looks_and_one_that_was_left_early(browser: Browser, topic: str) -> None:
    assert numbers(browser, Span(topic, 0, 90, 100), Span(topic, 1, 0, 0)) == list(range(90, 100))
    next(browser.read([Span(topic, 0, 50, 100)]))
    assert numbers(browser, Span(topic, 0, 0, 100)) == list(range(100))
    assert numbers(browser, Span(topic, 0, 3, 3)) == []


def test_the_newest_or_those_since_a_time_or_all(settings: dict[str, str], browser: Browser, topic: str) -> None:
    with Admin(settings) as admin:
        assert numbers(browser, *spans(admin, [topic])) == list(range(100))
        assert numbers(browser, *spans(admin, [topic], newest=3)) == [97, 98, 99]
        assert numbers(browser, *spans(admin, [topic], since_ms=BEGAN_MS + 94_001)) == [95, 96, 97, 98, 99]
        assert numbers(browser, *spans(admin, [topic], since_ms=BEGAN_MS + 1_000_000)) == []


def test_only_what_is_committed_is_read(settings: dict[str, str], browser: Browser, topic: str) -> None:
    producer = Producer({**settings, "transactional.id": topic})
    producer.init_transactions(20)
    for number, commit in ((200, False), (201, True), (202, False)):
        producer.begin_transaction()
        producer.produce(topic, b"%d" % number, partition=0)
        assert producer.flush(10) == 0
        producer.commit_transaction(10) if commit else producer.abort_transaction(10)
    with Admin(settings) as admin:
        assert numbers(browser, *spans(admin, [topic])) == [*range(100), 201]


def test_batches_are_bounded_in_number_and_bytes(settings: dict[str, str], browser: Browser, topic: str) -> None:
    producer = plain_producer(settings)
    for n in range(5_000):
        producer.produce(topic, b"%d" % n, partition=1)
        producer.poll(0)
    for _ in range(40):
        producer.produce(topic, b"x" * 900_000, partition=1)
        producer.poll(0)
    assert producer.flush(30) == 0
    sizes = [
        (len(batch), sum(len(value or b"") for value in batch.values))
        for batch in browser.read([Span(topic, 1, 0, 5_040)])
    ]
    assert sum(count for count, _ in sizes) == 5_040
    assert max(count for count, _ in sizes) <= MOST_RECORDS
    assert sorted(weight for _, weight in sizes)[len(sizes) // 2] <= MOST_BYTES


def test_no_group_is_left_behind(settings: dict[str, str], browser: Browser, topic: str) -> None:
    assert len(numbers(browser, Span(topic, 0, 0, 100))) == 100
    admin = AdminClient({**settings})
    groups = admin.list_consumer_groups(request_timeout=10).result()
    assert GROUP not in {group.group_id for group in groups.valid}


def test_what_cannot_be_read_ends_in_words(settings: dict[str, str], topic: str) -> None:
    with (
        Browser(settings, patience_s=1.0) as impatient,
        pytest.raises(UnreachableError, match=r"gives no more .* for 1 s"),
    ):
        list(impatient.read([Span(topic, 0, 90, 101)]))
    with Browser(settings, patience_s=2.0) as browser, pytest.raises(UnreachableError, match="of no-such-topic"):
        list(browser.read([Span("no-such-topic", 0, 0, 1)]))
