"""The sample with schemas against real servers: applied once, its own tests pass, its events are read and checked."""

import json
import multiprocessing
from contextlib import ExitStack
from random import Random

from inflect.control.sync import sync_directory
from inflect.control.trial import run_file_tests
from inflect.demo.load import SHIPMENTS
from inflect.demo.main import PROCESSORS, generate_load, prepare
from inflect.demo.shipments import TOPIC, Shipments, prepare_shipments
from inflect.embedded.kafka import KafkaServer
from inflect.embedded.registry import RegistryServer
from inflect.kafka.admin import Admin
from inflect.processing.trial import TrialEvent, try_events
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.store.pipelines import list_pipelines, load_revision
from tests.registry_fake import FakeRegistry
from tests.waiting import eventually


def settings_for(database: Database, kafka: KafkaServer, registry_url: str) -> Settings:
    """Settings as `inflect demo` makes them."""
    broker = {"bootstrap.servers": kafka.bootstrap_servers}
    return Settings(database_url=database.url, kafka=broker, processors=PROCESSORS, registry_url=registry_url)


def test_it_applies_once_and_passes_its_tests(database: Database, kafka: KafkaServer, registry: RegistryServer) -> None:
    settings = settings_for(database, kafka, registry.url)
    sync_directory(database, PROCESSORS, author="demo")
    access = settings.registry()
    assert access is not None
    pin = prepare_shipments(settings, access)
    assert prepare_shipments(settings, access) == pin
    (row,) = list_pipelines(database)
    assert row.revision == 1
    verdicts = run_file_tests(load_revision(database, row.name, 1), None)
    assert [verdict.mismatches for verdict in verdicts] == [()] * 3, verdicts


def test_what_it_writes_is_read_filtered_and_checked(
    database: Database, kafka: KafkaServer, registry: RegistryServer
) -> None:
    settings = settings_for(database, kafka, registry.url)
    sync_directory(database, PROCESSORS, author="demo")
    with Shipments(settings) as shipments:
        assert shipments.have_come(0.0)
        assert not shipments.have_come(1000.0)
        random = Random(7)  # noqa: S311  sample data, not secrets
        values = shipments.encode([SHIPMENTS.make(random, number)[1] for number in range(1, 1001)])
    (row,) = list_pipelines(database)
    results = try_events(load_revision(database, row.name, 1), [TrialEvent(value) for value in values])
    outcomes = [(result["outcome"], result["stage"]) for result in results]
    assert outcomes.count(("failed", "decode")) == 2
    assert 1 <= outcomes.count(("failed", "outgoing_schema")) <= 30
    assert 100 < outcomes.count(("delivered", None)) < 300
    assert outcomes.count(("filtered", "step")) > 600
    delivered = next(result for result in results if result["outcome"] == "delivered")
    assert json.loads(json.dumps(delivered["outputs"][0]["value"]))["hours_late"] >= 1


def test_it_waits_for_the_registry_without_a_word(database: Database, kafka: KafkaServer) -> None:
    with FakeRegistry() as fake:
        url = fake.url
    with Shipments(settings_for(database, kafka, url)) as shipments:
        assert not shipments.have_come(0.0)
    with Shipments(settings_for(database, kafka, "")) as shipments:
        assert not shipments.have_come(0.0)


def test_the_load_writes_shipments_when_the_registry_is_there(
    database: Database, kafka: KafkaServer, registry: RegistryServer
) -> None:
    settings = settings_for(database, kafka, registry.url)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with Admin(settings.kafka) as admin, ExitStack() as stack:
        prepare(settings, database, admin)
        process = spawn.Process(target=generate_load, args=(theirs, settings))
        process.start()
        stack.callback(process.kill)
        theirs.close()
        eventually(lambda: TOPIC in admin.topics() and sum(admin.ends(TOPIC).values()) > 20, within_s=60)
        ours.close()
        process.join(20)
    assert process.exitcode == 0
