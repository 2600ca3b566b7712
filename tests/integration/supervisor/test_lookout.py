"""What changes elsewhere is noticed: schemas in the registry, the ends of topics that nobody reads."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.errors import UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.event import Counts
from inflect.model.schema import PinnedSchema, Schema
from inflect.model.status import PartitionProgress
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision, load_revision, save_revisions
from inflect.store.workers import progress, save_reports
from inflect.supervisor.lookout import Watched, follow, look_at_lag, look_out
from tests.registry_fake import FakeRegistry
from tests.waiting import eventually


@pytest.fixture
def settings(database_url: str, kafka: KafkaServer, tmp_path: Path) -> Settings:
    return Settings(database_url=database_url, kafka={"bootstrap.servers": kafka.bootstrap_servers}, data_dir=tmp_path)


@pytest.fixture
def topic(kafka: KafkaServer, topic_name: Callable[[str], str]) -> str:
    """A topic with seven events, all in partition 0."""
    name = topic_name("orders")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(name, 1)])
    producer = plain_producer({"bootstrap.servers": kafka.bootstrap_servers})
    for _ in range(7):
        producer.produce(name, value=b"{}")
    producer.flush(10)
    return name


def rest(db: Database, topic: str) -> None:
    """A pipeline that settled two of the events and has no worker."""
    document = {"name": "p", "source": {"topic": topic}, "target": {"topic": "out"}}
    save_revisions(db, [NewRevision("p", None, document, {}, ())], author="t", origin="cli")
    save_reports(db, [], {"p": {0: PartitionProgress(2, 2, 1, Counts(2, 2))}})


def end(db: Database) -> int:
    return progress(db)[0].end


def test_the_lag_of_a_pipeline_that_rests_grows_with_its_topic(
    database: Database, settings: Settings, topic: str
) -> None:
    rest(database, topic)
    look_at_lag(database, settings)
    assert end(database) == 7


def test_a_topic_that_is_gone_keeps_the_end_that_was_seen_last(database: Database, settings: Settings) -> None:
    rest(database, "nowhere")
    look_at_lag(database, settings)
    assert end(database) == 2


def test_a_newer_version_in_the_registry_becomes_a_revision(database: Database, settings: Settings) -> None:
    with FakeRegistry() as fake:
        fake.register("orders-value", "{}", "JSON")
        fake.register("orders-value", '{"type": "object"}', "JSON")
        source = {"topic": "orders", "schema": {"subject": "orders-value"}}
        document = {"name": "p", "source": source, "target": {"topic": "out"}}
        pinned = PinnedSchema(Schema("json", "{}"), "orders-value", 1, 1)
        new = NewRevision("p", None, document, {}, (), {"source": pinned})
        save_revisions(database, [new], author="t", origin="cli")
        follow(database, replace(settings, registry_url=fake.url))
    loaded = load_revision(database, "p", 2).source_schema
    assert loaded == PinnedSchema(Schema("json", '{"type": "object"}'), "orders-value", 2, 2)
    follow(database, settings)  # without a registry there is nobody to ask


@contextmanager
def living(settings: Settings) -> Iterator[tuple[Any, Connection]]:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=look_out, args=(theirs, settings))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()


@pytest.mark.parametrize("told", ["signal", "pipe"])
def test_it_looks_at_once_and_ends_when_it_is_told(
    database: Database, settings: Settings, topic: str, told: str
) -> None:
    rest(database, topic)
    with living(settings) as (process, pipe):
        eventually(lambda: end(database) == 7, within_s=20, why="the first look comes at once")
        if told == "signal":
            os.kill(process.pid, signal.SIGTERM)
        else:
            pipe.close()
        process.join(10)
        assert process.exitcode == 0


def test_trouble_is_said_when_it_begins_and_when_it_ends(capsys: pytest.CaptureFixture[str]) -> None:
    looks: Iterator[Exception | None] = iter([UnreachableError("away"), UnreachableError("away"), None, ValueError()])

    def look() -> None:
        if (trouble := next(looks)) is not None:
            raise trouble

    watched = Watched("schemas", look)
    said = []
    for _ in range(4):
        watched.look()
        said.append(capsys.readouterr())
    words = [one.out + one.err for one in said]
    assert "away" in words[0]
    assert words[1] == ""
    assert "can be looked at again" in words[2]
    assert "a look failed" in words[3]
