"""Workers that come and go under load, and topics that grow meanwhile."""

import random
import signal

import pytest
from confluent_kafka.cimpl import NewPartitions

from inflect.embedded.kafka import KafkaServer
from tests.integration.worker.crew import Names, crew
from tests.integration.worker.test_broker_faults import pour
from tests.waiting import eventually

CHANGES = 20
EVENTS = 60_000


@pytest.mark.row("A19", "A36")
def test_workers_that_come_and_go_under_load_lose_and_double_nothing(kafka: KafkaServer, topic_name: Names) -> None:
    draw = random.Random(7)  # noqa: S311  a schedule, not a secret
    with crew(kafka.bootstrap_servers, topic_name) as each:
        slots = {0: each.start(0), 1: each.start(1)}
        writer = pour(each, EVENTS)
        for change in range(CHANGES):
            if change == CHANGES // 2:
                admin = each.admin()
                admin.create_partitions([NewPartitions(each.source, 6)])[each.source].result(10)
            slot = draw.choice([0, 1, 2])
            hand = slots.pop(slot, None)
            if hand is None:
                slots[slot] = each.start(slot)
                eventually(lambda hand=slots[slot]: hand.report is not None, within_s=20)  # type: ignore[misc]  # bound now
            elif change % 7 == 3:
                hand.send_signal(signal.SIGKILL)
                assert hand.wait() == -signal.SIGKILL
            else:
                assert each.stop(hand) == 0
        if not slots:
            slots[0] = each.start(0)
        writer.join(60)
        eventually(lambda: each.settled(EVENTS), within_s=60)
        for hand in slots.values():
            assert each.stop(hand) == 0
        each.judge()
