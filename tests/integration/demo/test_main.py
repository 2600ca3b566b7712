"""The sample project against real servers: it applies, its own tests pass, and a second time changes nothing."""

from inflect.control.trial import run_file_tests
from inflect.demo.load import STREAMS
from inflect.demo.main import PROCESSORS, documents, generate_load, prepare
from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.store.pipelines import list_pipelines, load_revision
from tests.waiting import eventually


def settings_for(database: Database, kafka: KafkaServer) -> Settings:
    """Settings as `inflect demo` makes them."""
    broker = {"bootstrap.servers": kafka.bootstrap_servers}
    return Settings(database_url=database.url, kafka=broker, processors=PROCESSORS)


def test_the_sample_project_applies_passes_its_tests_and_may_be_prepared_again(
    database: Database, kafka: KafkaServer
) -> None:
    settings = settings_for(database, kafka)
    with Admin(settings.kafka) as admin:
        prepare(settings, database, admin)
        prepare(settings, database, admin)
    rows = list_pipelines(database)
    assert [row.revision for row in rows] == [1] * len(documents())
    for row in rows:
        verdicts = run_file_tests(load_revision(database, row.name, 1), None)
        assert verdicts
        assert [verdict.mismatches for verdict in verdicts] == [()] * len(verdicts), verdicts


def test_the_load_reaches_every_topic_and_ends_with_its_pipe(database: Database, kafka: KafkaServer) -> None:
    import multiprocessing  # noqa: PLC0415  used here alone

    settings = settings_for(database, kafka)
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    with Admin(settings.kafka) as admin:
        prepare(settings, database, admin)
        process = spawn.Process(target=generate_load, args=(theirs, settings))
        process.start()
        theirs.close()
        eventually(lambda: all(sum(admin.ends(stream.topic).values()) > 20 for stream in STREAMS), within_s=20)
    ours.close()
    process.join(5)
    assert process.exitcode == 0
