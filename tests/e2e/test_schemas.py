"""A registry behind an installation: events by their own schemas, workers that wait for it, trials that ask it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from inflect.embedded.kafka import KafkaServer
from tests.e2e.scene import Scene
from tests.e2e.traffic import Broker, Event
from tests.installation import Installation
from tests.registry_fake import FakeRegistry
from tests.waiting import eventually

ADD = {"transformations/add.js": "module.exports = (e) => ({ ...e, id: e.id + 1 })\n"}
ORDER = {"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]}
NOTED = {**ORDER, "fields": [*ORDER["fields"], {"name": "note", "type": "string", "default": ""}]}
# An Avro long 1 is the byte 2, an empty string the byte 0.
OLD, NEW = b"\x02", b"\x02\x00"


def named(schema_id: int, value: bytes) -> bytes:
    return b"\x00" + schema_id.to_bytes(4, "big") + value


@pytest.fixture
def fake() -> Iterator[FakeRegistry]:
    with FakeRegistry() as running:
        yield running


@pytest.fixture
def served(
    tmp_path: Path, kafka: KafkaServer, database_url: str, fake: FakeRegistry, topic_name: Callable[[str], str]
) -> Iterator[Scene]:
    """An installation that knows a registry."""
    made = Installation(tmp_path, kafka.bootstrap_servers, database_url)
    made.environment["INFLECT_REGISTRY_URL"] = fake.url
    with made as running:
        yield Scene(running, Broker(kafka), topic_name)


@pytest.mark.row("C03")
def test_events_are_read_by_their_own_schemas_and_wait_for_those_that_cannot_be_known(
    served: Scene, fake: FakeRegistry
) -> None:
    fake.register("orders-value", json.dumps(ORDER), schema_id=11)
    schema = {"subject": "orders-value", "version": 1}
    source = served.broker.create(served.topic_name("avro"), 1)
    flow = served.flow("orders", ADD, source={"topic": source, "format": "avro", "schema": schema})
    served.broker.write(source, [Event(named(11, OLD)), Event(OLD), Event(named(99, OLD))])
    assert served.settled(flow, 3)["dead_lettered"] == 1
    fake.register("orders-value", json.dumps(NOTED), schema_id=12)
    fake.fault = lambda _handler: True
    served.broker.write(source, [Event(named(12, NEW))])

    def waits() -> bool:
        shown = served.installation.show(flow.name)
        return "schema id 12 is not known here" in json.dumps(shown)

    eventually(waits, 30, why="the worker says what it waits for")
    assert served.counts(flow)["consumed"] == 3
    fake.fault = None
    served.settled(flow, 4)
    assert [found.value for found in served.broker.read(flow.target)] == [b'{"id":2}'] * 3


def test_a_trial_takes_json_for_avro_and_tells_what_does_not_fit(served: Scene, fake: FakeRegistry) -> None:
    fake.register("orders-value", json.dumps(ORDER), schema_id=11)
    schema = {"subject": "orders-value", "version": 1}
    source = served.broker.create(served.topic_name("avro"), 1)
    served.flow("orders", ADD, source={"topic": source, "format": "avro", "schema": schema})
    good = served.installation.must("test", "orders", "--event", "-", "--json", given='{"id": 1}')
    (result,) = json.loads(good)["results"]
    assert (result["outcome"], result["outputs"][0]["value"]) == ("delivered", {"id": 2})
    assert result["trace"][0] | {"duration_ms": 0} == {"stage": "incoming_schema", "status": "ok", "duration_ms": 0}
    bad = served.installation.inflect("test", "orders", "--event", "-", "--json", given='{"id": "x"}')
    assert bad.returncode == 1
    (result,) = json.loads(bad.stdout)["results"]
    assert (result["outcome"], result["stage"], result["error"]["path"]) == ("failed", "incoming_schema", "/id")
