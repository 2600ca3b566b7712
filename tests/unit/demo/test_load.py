# ruff: noqa: S311  sample data, not secrets
import json
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest

from inflect.demo.load import BURST_RATE, CYCLE_S, SHIPMENTS, STREAMS, Stream, order, rate_at, reading, visit
from inflect.demo.main import Load


class Sink:
    """Takes events as a producer does, up to a full queue."""

    def __init__(self, room: int = 1_000_000) -> None:
        self.taken: Counter[str] = Counter()
        self._room = room

    def produce(self, topic: str, *, key: str, value: bytes) -> None:
        assert key
        assert value
        if self.taken.total() >= self._room:
            raise BufferError
        self.taken[topic] += 1

    def poll(self, timeout: float) -> int:
        assert timeout == 0
        return 0


def run(seconds: int, sink: Sink) -> Load:
    load = Load(sink, Random(7))
    for tick in range(1, seconds * 10 + 1):
        load.until(tick / 10)
    return load


def test_the_load_is_steady_with_one_burst_at_a_time() -> None:
    totals = [sum(rate_at(stream, second) for stream in STREAMS) for second in range(CYCLE_S * 3)]
    assert 200 <= min(totals) <= 800
    assert BURST_RATE <= max(totals) <= BURST_RATE + 800
    bursting = [sum(rate_at(stream, second) == BURST_RATE for stream in STREAMS) for second in range(CYCLE_S)]
    assert max(bursting) == 1


def test_what_is_due_is_made() -> None:
    sink = Sink()
    load = run(10, sink)
    assert dict(load.made) == dict(sink.taken)
    assert 400 * 10 < sink.taken.total() < 600 * 10


def test_a_stream_may_come_late_and_be_encoded() -> None:
    sink = Sink()
    load = run(5, sink)
    assert SHIPMENTS.topic not in load.made
    batches: list[int] = []

    def encode(values: Sequence[bytes]) -> list[bytes]:
        batches.append(len(values))
        return [b"\0" + value for value in values]

    load.add(SHIPMENTS, encode)
    for tick in range(51, 151):
        load.until(tick / 10)
    assert sum(batches) == load.made[SHIPMENTS.topic] == sink.taken[SHIPMENTS.topic]
    assert 400 < sink.taken[SHIPMENTS.topic] < 800
    assert not any(rate_at(SHIPMENTS, second) == BURST_RATE for second in range(CYCLE_S))


def test_a_full_queue_loses_samples_and_not_the_load() -> None:
    sink = Sink(room=50)
    run(5, sink)
    assert sink.taken.total() == 50


def test_a_machine_that_slept_is_not_flooded_afterwards() -> None:
    sink = Sink()
    Load(sink, Random(7)).until(3600)
    assert sink.taken.total() < 2 * BURST_RATE


@pytest.mark.parametrize("stream", [*STREAMS, SHIPMENTS], ids=lambda stream: stream.topic)
def test_every_stream_gives_keyed_events(stream: Stream) -> None:
    key, value = stream.make(Random(1), 1)
    assert key
    assert value.startswith(b"{")


def test_about_half_of_the_orders_are_paid() -> None:
    random = Random(7)
    paid = sum(json.loads(order(random, number)[1])["paid"] for number in range(2000))
    assert 900 < paid < 1200


def test_some_visits_are_of_robots() -> None:
    random = Random(7)
    agents = [json.loads(visit(random, number)[1])["agent"] for number in range(1000)]
    assert 200 < sum("bot" in agent or "Headless" in agent for agent in agents) < 500


def test_a_few_readings_cannot_be_understood() -> None:
    random, broken = Random(7), 0
    for number in range(5000):
        value = reading(random, number)[1]
        if not value.endswith(b"}"):
            broken += 1
        else:
            event = json.loads(value)
            broken += event["value"] == "n/a" or event["unit"] == "R"
    assert 50 < broken < 170
