"""What the store wants, as pools; and the first offsets of pipelines that do not start at the beginning."""

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.model.pipeline import Pipeline, Source, Target
from inflect.store import pipelines
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision
from inflect.supervisor.desired import DesiredReader
from inflect.supervisor.position import position_in_child
from inflect.supervisor.reconcile import DesiredPool, Hold
from tests.waiting import eventually

NOWHERE = {"bootstrap.servers": "127.0.0.1:1"}


def unasked(_pipeline: Pipeline) -> None:
    raise AssertionError("a pipeline that starts at the earliest event needs no position")


def save(db: Database, name: str, topic: str = "in", **more: Any) -> None:
    document = {"name": name, "source": {"topic": topic, **more}, "target": {"topic": "out"}}
    pipelines.save_revisions(db, [NewRevision(name, None, document, {}, ())], author="test", origin="cli")


def test_a_running_pipeline_is_a_pool_and_a_paused_one_is_held(database: Database) -> None:
    save(database, "orders")
    save(database, "clicks")
    pipelines.set_paused(database, "clicks", paused=True, author="test")
    desired = DesiredReader(database, unasked).read({})
    assert desired.pools == {
        "orders": DesiredPool(1, 1, ("in", "exactly_once")),
        "clicks": DesiredPool(1, hold=Hold("paused")),
    }
    assert list(desired.revisions) == ["orders"]


def test_a_halted_pipeline_is_held_with_its_reason(database: Database) -> None:
    save(database, "orders")
    pipelines.set_halted(database, "orders", "event in:0:7", revision=1)
    assert DesiredReader(database, unasked).read({}).pools["orders"].hold == Hold("stopped", "event in:0:7")


def test_an_unchanged_state_reads_as_equal_and_a_deleted_pipeline_is_forgotten(database: Database) -> None:
    save(database, "orders")
    reader = DesiredReader(database, unasked)
    assert reader.read({}) == reader.read({})
    pipelines.save_revisions(database, [], delete=["orders"], author="test", origin="cli")
    assert reader.read({}).pools == {}


def test_a_pipeline_that_starts_at_the_latest_event_gets_its_offsets_before_its_first_worker(
    database: Database, kafka: KafkaServer, topic_name: Callable[[str], str], context: Any
) -> None:
    topic, name = topic_name("in"), topic_name("orders")
    brokers = {"bootstrap.servers": kafka.bootstrap_servers}
    with Admin(brokers) as admin:
        admin.create_topics([NewTopicSpec(topic, 3)])
    save(database, name, topic, start="latest")
    reader = DesiredReader(database, partial(position_in_child, context, brokers))
    eventually(lambda: reader.read({}).pools[name].hold is None, within_s=60)
    with Consumer(brokers | {"group.id": f"inflect-{name}"}) as group:
        committed = group.committed([TopicPartition(topic, partition) for partition in range(3)])
    assert [one.offset for one in committed] == [0, 0, 0]


def test_a_pipeline_waits_for_the_brokers_that_should_say_where_it_starts(database: Database, context: Any) -> None:
    save(database, "late", start="latest")
    save(database, "orders")
    pools = DesiredReader(database, partial(position_in_child, context, NOWHERE)).read({}).pools
    assert pools["orders"].hold is None
    hold = pools["late"].hold
    assert hold is not None
    assert hold.state == "starting"
    assert "Kafka does not answer" in hold.reason


def die(*_request: Any) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def test_a_crash_while_finding_the_position_ends_one_attempt_and_nothing_else(
    context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inflect.supervisor.position.answer", die)
    pipeline = Pipeline("late", Source("in", start="latest"), Target("out"))
    hold = position_in_child(context, NOWHERE, pipeline)
    assert hold == Hold("starting", "finding its start position failed; it is tried again")
