"""What happens to workers, groups and topics while events flow."""

import json
import os
import signal
import socket
import struct
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupState, TopicPartition

from inflect import lifecycle
from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.event import Counts
from inflect.model.pipeline import BatchLimits
from inflect.model.status import Quarantined, Report
from tests.faults.stage import Scene, scene, together
from tests.integration.worker.crew import Hand, committed
from tests.soak.verdict import hidden_records
from tests.waiting import eventually


def counts(hand: Hand) -> Counts:
    return sum((p.counts for p in hand.report.progress.values()), Counts()) if hand.report else Counts()


def reports(hand: Hand) -> int:
    return sum(isinstance(word, Report) for word in hand.hear())


def numbers(of: Scene) -> list[int]:
    """The numbers of the events in the target."""
    return [json.loads(m.value())["n"] for m in committed(of.crew.kafka, of.crew.target)[of.crew.target]]


@together
def test_a02_all_workers_killed_at_once_cost_nothing(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        hands = [each.start(slot) for slot in (0, 1)]
        each.write(3_000)
        eventually(lambda: each.crew.settled(500), within_s=30)
        for hand in hands:
            hand.send_signal(signal.SIGKILL)
        for hand in hands:
            hand.wait()
        for slot in (0, 1):
            each.start(slot)
        each.passes()


@together
def test_a08_a_worker_frozen_while_it_gives_partitions_away_loses_them(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(500)
        frozen = each.start(0, "frozen at handover")
        each.settled()
        each.start(1)
        eventually(frozen.frozen, within_s=30)
        each.write(1_000)
        each.settled()
        frozen.send_signal(signal.SIGCONT)
        each.write(500)
        each.passes()


@together
def test_a18_a_second_worker_waits_for_the_transaction_of_the_first(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(2_000)
        first = each.start(0, "frozen in a transaction")
        eventually(first.frozen, within_s=30)
        second = each.start(1)
        eventually(lambda: second.report and second.report.state == "waiting", within_s=20)
        first.send_signal(signal.SIGCONT)
        each.passes()
        assert not first.ended()


@together
def test_a21_a_batch_slower_than_the_group_allows_is_given_up_and_done_again(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(2_000)
        slow = each.start(0, "slow")
        each.passes()
        assert not slow.ended()


@together
def test_a24_a_member_that_was_removed_joins_again_within_seconds(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(500)
        hand = each.start()
        each.settled()
        group = f"inflect-{each.crew.name}"
        admin = each.crew.admin()
        found = admin.describe_consumer_groups([group])[group].result(10)
        assert found.state == ConsumerGroupState.STABLE
        remove_member(servers, group, found.members[0].member_id)
        each.write(500)
        each.settled(within_s=15)
        each.passes()
        assert not hand.ended()


def remove_member(servers: str, group: str, member: str) -> None:
    """What an operator's tool sends: LeaveGroup, version 3, for somebody else."""

    def text(value: str) -> bytes:
        return struct.pack(">h", len(value)) + value.encode()

    body = text(group) + struct.pack(">i", 1) + text(member) + struct.pack(">h", -1)
    request = struct.pack(">hhi", 13, 3, 1) + text("operator") + body
    host, port = servers.split(":")
    with socket.create_connection((host, int(port)), 5) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        answer = connection.recv(1_000)
    assert struct.unpack_from(">h", answer, 12)[0] == 0


@together
def test_a26_offsets_that_an_operator_moved_are_where_it_goes_on(servers: str, context: Any) -> None:
    with scene(servers, context, partitions=1) as each:
        each.write(300)
        hand = each.start()
        each.settled()
        assert each.crew.stop(hand) == 0
        operator = Consumer({**each.crew.kafka, "group.id": f"inflect-{each.crew.name}"})
        operator.commit(offsets=[TopicPartition(each.crew.source, 0, 100)], asynchronous=False)
        operator.close()
        again = each.start()
        eventually(lambda: counts(again).consumed == 200, within_s=30)
        times = Counter(
            json.loads(m.value())["n"] for m in committed(each.crew.kafka, each.crew.target)[each.crew.target]
        )
        assert times == Counter({n: 1 + (n >= 100) for n in range(300) if n % 10 != 3 and n % 500 != 7})


@together
def test_a37_a_target_that_grows_under_load_gets_every_event_once(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.start(0)
        each.start(1)
        each.write(1_500)
        eventually(lambda: each.crew.settled(500), within_s=30)
        each.add_partitions(each.crew.target, 6)
        each.write(1_500)
        each.settled()
        verdict = each.verdict()
        assert replace(verdict, reordered=0).clean, verdict


@together
def test_a42_a_transaction_that_nobody_ends_is_ended_by_the_broker(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(2_000)
        dying = each.start(0, "dead after offsets")
        assert dying.wait() == -signal.SIGKILL
        each.start(1)
        each.settled(within_s=60)
        each.passes()


@together
def test_a48_a_full_queue_is_back_pressure_and_nothing_else(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(2_000)
        each.start(kafka={"queue.buffering.max.messages": "10"})
        each.passes()


@together
def test_a49_every_call_to_kafka_may_fail(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(3_000)
        hand = each.start(0, "every call fails")
        each.settled(within_s=90)
        each.passes()
        assert not hand.ended()


@together
def test_a50_a_storm_of_signals_interrupts_nothing(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        hand = each.start()
        eventually(lambda: hand.report, within_s=30)
        each.write(3_000)
        for _ in range(1_000):
            for number in (signal.SIGWINCH, signal.SIGURG, signal.SIGCONT):
                hand.send_signal(number)
        each.passes()
        assert not hand.ended()


@together
def test_a51_when_everything_is_filtered_offsets_move_and_books_balance(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.crew.code = "module.exports = () => null"
        each.write(5_000)
        hand = each.start()
        eventually(lambda: counts(hand) == Counts(5_000, 0, 5_000), within_s=30)
        eventually(each.caught_up, within_s=5)


@together
def test_a52_parts_of_one_event_are_never_torn_apart(servers: str, context: Any) -> None:
    with scene(servers, context, batch=BatchLimits(10, 50)) as each:
        each.crew.code = "module.exports = (e, c) => c.split(Array.from({length: 1000}, (_, part) => ({n: e.n, part})))"
        each.write(60)
        dying = each.start(0, "killed")
        assert dying.wait() == -signal.SIGKILL
        each.start()
        each.settled()
        found = [json.loads(m.value()) for m in committed(each.crew.kafka, each.crew.target)[each.crew.target]]
        assert Counter((part["n"], part["part"]) for part in found) == Counter(
            {(n, part): 1 for n in range(60) for part in range(1000)}
        )


@together
def test_a53_an_idle_pipeline_holds_no_transaction_open(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(500)
        hand = each.start()
        each.settled()
        for _ in range(3):
            said = reports(hand)
            eventually(lambda said=said: reports(hand) > said, within_s=5)  # type: ignore[misc]  # bound now
            assert [hidden_records(servers, topic, 0) for topic in (each.crew.target, each.crew.dead_letter)] == [0, 0]
        each.write(500)
        each.passes()


@together
def test_a54_two_workers_under_one_slot_fence_each_other_and_double_nothing(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.start(0)
        each.start(0)
        for _ in range(6):
            each.write(300)

            def settled_by_whoever_lives() -> bool:
                if all(hand.ended() for hand in each.crew.hands):
                    each.start(0)
                return each.crew.settled(each.written)

            eventually(settled_by_whoever_lives, within_s=60)
        each.passes()


@together
def test_a57_two_pipelines_between_the_same_topics_each_deliver_everything(servers: str, context: Any) -> None:
    with ExitStack() as stack:
        one, other = (stack.enter_context(scene(servers, context)) for _ in range(2))
        other.crew.source, other.crew.target = one.crew.source, one.crew.target
        one.write(1_000)
        other.written = one.written
        for each in (one, other):
            each.start()
            each.settled()
        times = Counter(numbers(one))
        assert times == Counter({n: 2 for n in range(1_000) if n % 10 != 3 and n % 500 != 7})


@together
def test_b03_an_event_between_the_client_s_limit_and_the_broker_s_passes(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.crew.code = "module.exports = (event) => event"
        large = b'{"text":"%s"}' % os.urandom(510_000).hex().encode()
        producer = plain_producer(each.crew.kafka, max_record_bytes=1_048_588)
        producer.produce(each.crew.source, large)
        assert producer.flush(20) == 0
        hand = each.start()
        eventually(lambda: counts(hand) == Counts(1, 1), within_s=30)
        (found,) = committed(each.crew.kafka, each.crew.target)[each.crew.target]
        assert found.value() == large


@together
def test_b32_without_its_dead_letter_topic_a_pipeline_stops_and_drops_nothing(servers: str, context: Any) -> None:
    with scene(servers, context) as each:
        each.write(5)
        hand = each.start()
        each.settled()
        dead_letter = each.crew.dead_letter
        admin = each.crew.admin()
        admin.delete_topics([dead_letter])[dead_letter].result(10)
        each.write(995)
        assert hand.wait(within_s=90) == lifecycle.EXIT_CANNOT_RUN
        assert isinstance(hand.last_word, Quarantined)
        assert f"missing topic: {dead_letter}" in hand.last_word.reason
        with Admin(each.crew.kafka) as again:
            again.create_topics([NewTopicSpec(dead_letter, 3)])
        each.start()
        each.passes()


@pytest.mark.row("A28", "A29")
def test_ids_that_expire_while_a_pipeline_is_idle_cost_one_renewal(tmp_path: Any, context: Any) -> None:
    expiry = {
        "transactional.id.expiration.ms": "3000",
        "transaction.remove.expired.transaction.cleanup.interval.ms": "500",
        "producer.id.expiration.ms": "2000",
        "producer.id.expiration.check.interval.ms": "500",
    }
    with (
        KafkaServer(tmp_path, port=None, settings=expiry) as broker,
        scene(broker.bootstrap_servers, context) as each,
    ):
        each.write(500)
        hand = each.start()
        each.settled()
        idle = reports(hand)
        eventually(lambda: reports(hand) > idle + 7, within_s=20, why="ids expire while nothing happens")
        each.write(500)
        each.passes()
        assert not hand.ended()
