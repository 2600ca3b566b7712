"""A registry that is away, that lost its ids or that changed them, and what a worker does with the events meanwhile."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from inflect import lifecycle
from inflect.kafka.producer import plain_producer
from inflect.model.status import Quarantined
from inflect.settings import RegistryAccess
from inflect.worker.equipment import SchemaAccess
from tests.integration.worker.crew import Crew, Hand, Names, committed, crew
from tests.registry_fake import FakeRegistry
from tests.waiting import eventually

NUMBERED = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def pool(kafka: Any, topic_name: Names) -> Iterator[Crew]:
    with crew(kafka.bootstrap_servers, topic_name, partitions=1, code="module.exports = event => event") as made:
        yield made


def access(fake: FakeRegistry, cache: Path | None = None) -> SchemaAccess:
    return SchemaAccess(RegistryAccess(fake.url), cache)


def register(fake: FakeRegistry, schema: Mapping[str, Any], schema_id: int) -> None:
    fake.register(f"subject-{schema_id}", json.dumps(schema), "JSON", schema_id=schema_id)


def leave(fake: FakeRegistry) -> None:
    """Be away for everybody, also on connections that are open."""
    fake.fault = lambda _handler: True
    fake.stop()


def come_back(fake: FakeRegistry) -> None:
    fake.fault = None
    fake.start()


def write(pool: Crew, schema_id: int, *numbers: Any) -> None:
    """Events that name their schema."""
    producer = plain_producer(pool.kafka | {"message.timeout.ms": "0"})
    for n in numbers:
        value = b"\x00" + schema_id.to_bytes(4, "big") + json.dumps({"n": n}).encode()
        producer.produce(pool.source, value, b"one partition")
    assert producer.flush(60) == 0


def delivered(pool: Crew) -> list[Any]:
    found = committed(pool.kafka, pool.target)[pool.target]
    return [json.loads(message.value())["n"] for message in found]


def dead(pool: Crew) -> list[Any]:
    return committed(pool.kafka, pool.dead_letter)[pool.dead_letter]


def waits(hand: Hand, words: str) -> bool:
    report = hand.report
    return report is not None and report.state == "waiting" and words in report.detail


@pytest.mark.row("C02")
def test_ids_that_are_known_need_no_registry(pool: Crew, fake: FakeRegistry) -> None:
    register(fake, NUMBERED, 7)
    pool.start(schemas=access(fake))
    write(pool, 7, 1)
    eventually(lambda: pool.settled(1), 20)
    leave(fake)
    write(pool, 7, 2)
    eventually(lambda: pool.settled(2), 20)
    assert delivered(pool) == [1, 2]


@pytest.mark.row("C01")
def test_a_worker_starts_without_the_registry_from_what_an_earlier_one_kept(
    pool: Crew, fake: FakeRegistry, tmp_path: Path
) -> None:
    register(fake, NUMBERED, 7)
    first = pool.start(schemas=access(fake, tmp_path))
    write(pool, 7, 1)
    eventually(lambda: pool.settled(1), 20)
    assert pool.stop(first) == lifecycle.EXIT_OK
    leave(fake)
    pool.start(schemas=access(fake, tmp_path))
    write(pool, 7, 2)
    eventually(lambda: delivered(pool) == [1, 2], 20)


@pytest.mark.row("C03")
def test_events_whose_id_cannot_be_known_wait_and_go_on_by_themselves(pool: Crew, fake: FakeRegistry) -> None:
    register(fake, NUMBERED, 7)
    register(fake, NUMBERED, 8)
    hand = pool.start(schemas=access(fake))
    write(pool, 7, 1)
    eventually(lambda: pool.settled(1), 20)
    leave(fake)
    write(pool, 8, 2, "x", 3)
    eventually(lambda: waits(hand, "schema id 8 is not known here"), 20)
    assert hand.report is not None
    assert hand.report.partitions == (0,)
    assert (delivered(pool), dead(pool)) == ([1], [])
    come_back(fake)
    eventually(lambda: pool.settled(4), 20)
    eventually(lambda: hand.report is not None and hand.report.state == "running", 10)
    assert delivered(pool) == [1, 2, 3]
    assert [dict(message.headers())["inflect.error.stage"] for message in dead(pool)] == [b"incoming_schema"]


@pytest.mark.row("C03")
def test_a_worker_that_waits_for_the_registry_stops_when_it_is_told_to(pool: Crew, fake: FakeRegistry) -> None:
    leave(fake)
    hand = pool.start(schemas=access(fake))
    write(pool, 8, 1)
    eventually(lambda: waits(hand, "schema id 8 is not known here"), 20)
    assert pool.stop(hand) == lifecycle.EXIT_OK
    assert (delivered(pool), dead(pool)) == ([], [])


@pytest.mark.row("C08")
def test_an_id_that_the_registry_does_not_have_is_a_dead_letter_and_asked_for_once(
    pool: Crew, fake: FakeRegistry
) -> None:
    register(fake, NUMBERED, 7)
    pool.start(schemas=access(fake))
    write(pool, 7, 1)
    write(pool, 9, *range(100))
    write(pool, 7, 2)
    eventually(lambda: pool.settled(102), 20)
    assert delivered(pool) == [1, 2]
    headers = [dict(message.headers()) for message in dead(pool)]
    assert [(h["inflect.error.stage"], h["inflect.error.kind"]) for h in headers] == [(b"decode", b"schema")] * 100
    assert len([one for one in fake.asked if one.path.startswith("/schemas/ids/9")]) == 1


@pytest.mark.row("C09")
def test_a_registry_that_was_emptied_makes_no_dead_letters(pool: Crew, fake: FakeRegistry) -> None:
    register(fake, NUMBERED, 7)
    hand = pool.start(schemas=access(fake))
    write(pool, 7, 1)
    eventually(lambda: pool.settled(1), 20)
    kept = dict(fake.schemas)
    fake.schemas.clear()
    write(pool, 8, 2)
    eventually(lambda: waits(hand, "has lost its ids"), 20)
    assert dead(pool) == []
    fake.schemas.update(kept)
    register(fake, NUMBERED, 8)
    eventually(lambda: pool.settled(2), 20)
    assert delivered(pool) == [1, 2]


@pytest.mark.row("C10")
def test_an_id_that_means_another_schema_than_before_stops_the_pipeline(
    pool: Crew, fake: FakeRegistry, tmp_path: Path
) -> None:
    register(fake, NUMBERED, 7)
    first = pool.start(schemas=access(fake, tmp_path))
    write(pool, 7, 1)
    eventually(lambda: pool.settled(1), 20)
    assert pool.stop(first) == lifecycle.EXIT_OK
    fake.schemas[7]["schema"] = '{"type": "string"}'
    second = pool.start(schemas=access(fake, tmp_path))
    write(pool, 7, 2)
    assert second.wait() == lifecycle.EXIT_CANNOT_RUN
    assert isinstance(second.last_word, Quarantined)
    assert "schema id 7 of the registry" in second.last_word.reason
    assert "has changed" in second.last_word.reason
    assert (delivered(pool), dead(pool)) == ([1], [])
