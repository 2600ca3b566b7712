"""A broker that dies, freezes and comes back under load; it is this module's own."""

import signal
import threading
import time
from collections.abc import Iterator

import psutil
import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.producer import NotReadyError, TransactionSink, plain_producer
from tests.integration.worker.crew import Crew, Names, crew
from tests.waiting import eventually

EVENTS = 60_000


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with KafkaServer(tmp_path_factory.mktemp("fragile"), port=None) as server:
        yield server


def pour(each: Crew, count: int) -> threading.Thread:
    """Events at a steady pace, so that there is load whenever the fault comes."""

    def run() -> None:
        producer = plain_producer(each.kafka | {"queue.buffering.max.messages": "1000000", "message.timeout.ms": "0"})
        for n in range(count):
            producer.produce(each.source, b'{"n": %d}' % n, key=b"key-%d" % (n % 37))
            if n % 600 == 0:
                producer.poll(0.1)
        assert producer.flush(90) == 0

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.row("A09", "A11")
def test_a_broker_frozen_and_then_killed_under_load_costs_no_event(broker: KafkaServer, topic_name: Names) -> None:
    with crew(broker.bootstrap_servers, topic_name) as each:
        first, second = each.start(0), each.start(1)
        eventually(lambda: all(hand.report and hand.report.partitions for hand in (first, second)), within_s=30)
        writer = pour(each, EVENTS)
        eventually(lambda: each.settled(5_000), within_s=30)
        process = psutil.Process(broker.pid)
        process.send_signal(signal.SIGSTOP)
        threading.Event().wait(5)  # the fault itself: a broker that is silent for so long
        process.send_signal(signal.SIGCONT)
        eventually(lambda: each.settled(20_000), within_s=40)
        broker.kill()
        try:
            eventually(lambda: {hand.report.state for hand in each.hands if hand.report} == {"waiting"}, within_s=45)
        finally:
            broker.start()
        writer.join(90)
        eventually(lambda: each.settled(EVENTS), within_s=60)
        assert {hand.ended() for hand in each.hands} == {False}
        assert [each.stop(hand) for hand in each.hands] == [0, 0]
        each.judge()


def test_a_sink_with_queued_records_is_given_up_at_once_when_the_broker_is_silent(
    broker: KafkaServer, topic_name: Names
) -> None:
    with crew(broker.bootstrap_servers, topic_name) as each:
        sink = TransactionSink(each.kafka, topic_name("id"), 1_000_000)

        def ready() -> bool:
            try:
                sink.open()
            except NotReadyError:
                return False
            return sink.ready

        eventually(ready, within_s=30)
        producer = sink._producer
        assert producer is not None
        process = psutil.Process(broker.pid)
        producer.begin_transaction()
        process.send_signal(signal.SIGSTOP)
        try:
            for _ in range(20_000):
                producer.produce(each.target, b"x" * 100)
            del producer
            started = time.monotonic()
            sink.close()
            assert time.monotonic() - started < 2
        finally:
            process.send_signal(signal.SIGCONT)


@pytest.mark.row("A05")
def test_a_worker_told_to_stop_while_the_broker_is_away_ends_in_time(broker: KafkaServer, topic_name: Names) -> None:
    with crew(broker.bootstrap_servers, topic_name) as each:
        each.write(100)
        hand = each.start()
        eventually(lambda: each.settled(100), within_s=30)
        broker.kill()
        try:
            started = time.monotonic()
            assert each.stop(hand) == 0
            assert time.monotonic() - started < 10
        finally:
            broker.start()
        each.judge()
