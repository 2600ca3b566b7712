"""Pipelines as files, from outside: test, sync, apply, diff, export, history, rollback, delete, doctor."""

import json
import subprocess
from xml.etree import ElementTree as ET

import pytest
import yaml

from inflect.kafka.producer import plain_producer
from tests.e2e.cli.conftest import Project


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return done.stderr.splitlines()


def test_a_pipeline_goes_from_file_to_database_and_back(project: Project) -> None:
    assert project.ask("sync")["changed"] == ["filters/paid.js", "transformations/lower.js"]
    applied = project.ask("apply", "pipelines")
    assert [(c["name"], c["action"], c["revision"]) for c in applied["changes"]] == [("p", "created", 1)]
    assert project.run("diff", "pipelines").returncode == 0

    exported = project.run("export").stdout
    path = project.write("exported.yaml", exported)
    assert yaml.safe_load(exported)["name"] == "p"
    assert project.run("diff", str(path)).returncode == 0

    path.write_text(exported.replace("dead_letter:", "on_error: drop\ndead_letter:"))
    diff = project.run("diff", str(path))
    assert diff.returncode == 1
    assert diff.stdout.splitlines() == ["changed p (revision 1)", "  + on_error: drop"]
    assert project.run("apply", str(path), "--dry-run").returncode == 0
    assert project.run("diff", str(path)).returncode == 1

    assert project.ask("apply", str(path), "--comment", "drop them")["changes"][0]["revision"] == 2
    history = project.ask("history", "p")
    assert [(one["revision"], one["current"], one["comment"]) for one in history] == [
        (2, True, "drop them"),
        (1, False, ""),
    ]
    assert project.ask("rollback", "p", "1") == {"name": "p", "revision": 3, "restored": 1}
    assert "on_error" not in project.ask("export", "p")[0]


def test_stdin_is_a_file_too(project: Project) -> None:
    text = (project.folder / "pipelines/p.yaml").read_text()
    project.ask("sync")
    done = project.run("apply", "-", given=text)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "created p (revision 1)"


def test_a_refused_file_exits_2_and_changes_nothing(project: Project) -> None:
    project.write("pipelines/q.yaml", "name: q\nsource: {topic: nowhere}\ntarget: {topic: nowhere}\n")
    done = project.run("apply", "pipelines")
    assert done.returncode == 2
    cycle, *not_synced = lines(done)
    assert cycle == "error: pipelines: q: target.topic: is the source topic 'nowhere': events would go round in a cycle; name another topic"  # fmt: skip  # noqa: E501  one line, as it is printed
    assert [line.split(": ")[2:4] for line in not_synced] == [
        ["p", "steps[0].transformation"],
        ["p", "steps[1].filter"],
    ]
    assert project.ask("list") == []


def test_a_broker_that_is_away_exits_3(project: Project) -> None:
    project.environ["INFLECT_KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:9"
    for verb in ("apply", "diff"):
        done = project.run(verb, "pipelines")
        assert done.returncode == 3
        assert lines(done)[-1].startswith("error: Kafka does not answer")


def test_nothing_is_deleted_unasked_without_a_terminal(project: Project) -> None:
    project.ask("sync")
    project.ask("apply", "pipelines")
    project.write("other.yaml", f"name: q\nsource: {{topic: {project.topic}}}\ntarget: {{topic: q, create: {{}}}}\n")
    pruned = project.run("apply", "other.yaml", "--prune")
    assert pruned.returncode == 2
    assert "needs --yes" in pruned.stderr
    assert [one["name"] for one in project.ask("list")] == ["p"]

    deleted = project.run("delete", "p")
    assert deleted.returncode == 2
    assert f"Offsets are kept. Events wait in {project.topic}." in deleted.stderr
    assert project.run("apply", "other.yaml", "--prune", "--yes").returncode == 0
    assert [one["name"] for one in project.ask("list")] == ["q"]
    assert project.run("delete", "q", "--yes").returncode == 0
    assert project.ask("list") == []


def test_pause_and_resume_of_what_is_not_there_exit_2(project: Project) -> None:
    for verb in ("pause", "resume", "show", "history"):
        done = project.run(verb, "nobody")
        assert done.returncode == 2
        assert "nobody" in done.stderr


def test_the_tests_in_a_file_need_no_server(project: Project) -> None:
    for name in ("INFLECT_DATABASE_URL", "INFLECT_KAFKA_BOOTSTRAP_SERVERS"):
        del project.environ[name]
    done = project.run("test", "pipelines/p.yaml", "--json", "--junit", "junit.xml")
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads(done.stdout)["results"]
    assert [(one["test"], one["outcome"], one["mismatches"]) for one in results] == [
        ("an unpaid order is filtered", "filtered", []),
        ("a paid one arrives in lower case", "delivered", []),
        ("one without an address fails", "failed", []),
    ]
    error = results[2]["error"]
    assert (error["file"], error["line"]) == ("transformations/lower.js", 1)
    assert ET.parse(project.folder / "junit.xml").find("testsuite").attrib["tests"] == "3"  # type: ignore[union-attr]  # noqa: S314  our own file


def test_a_missed_expectation_exits_1_and_says_what_differs(project: Project) -> None:
    project.write("processors/filters/paid.js", "module.exports = e => true\n")
    done = project.run("test", "pipelines", "--junit", "junit.xml")
    assert done.returncode == 1
    assert 'outcome: expected "filtered", was "delivered"' in done.stdout
    suite = ET.parse(project.folder / "junit.xml").getroot()[0]  # noqa: S314  our own file
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("3", "1")


def test_an_event_can_come_from_stdin_and_a_failure_exits_1(project: Project) -> None:
    project.ask("sync")
    project.ask("apply", "pipelines")
    good = project.run("test", "p", "--event", "-", "--json", given='{"email": "X", "paid": 1}')
    assert good.returncode == 0, good.stderr
    [result] = json.loads(good.stdout)["results"]
    assert result["outputs"][0]["value"] == {"email": "x", "paid": 1}
    bad = project.run("test", "p", "--event", "-", given="no json")
    assert bad.returncode == 1
    assert "failed in decode" in bad.stdout


def test_a_sample_takes_the_newest_events_of_the_topic(project: Project) -> None:
    producer = plain_producer({"bootstrap.servers": project.environ["INFLECT_KAFKA_BOOTSTRAP_SERVERS"]})
    for number in range(20):
        producer.produce(project.topic, value=json.dumps({"email": f"E{number}", "paid": True}).encode(), partition=0)
    producer.flush(10)
    results = project.ask("test", "pipelines/p.yaml", "--sample", "3")["results"]
    assert [one["outputs"][0]["value"]["email"] for one in results] == ["e17", "e18", "e19"]


def test_generating_needs_a_schema_and_goes_on_once_there_is_one(project: Project) -> None:
    done = project.run("test", "pipelines/p.yaml", "--generate", "3")
    assert done.returncode == 2
    assert "add `source.schema`, or take a sample" in done.stderr

    text = (project.folder / "pipelines/p.yaml").read_text()
    project.write("pipelines/p.yaml", text.replace("source: {", "source: {schema: {file: schemas/order.json}, ", 1))
    email, paid = '"email": {"type": "string"}', '"paid": {"const": true}'
    schema = f'{{"type": "object", "required": ["email", "paid"], "properties": {{{email}, {paid}}}}}'
    project.write("schemas/order.json", schema)
    tried = project.ask("test", "pipelines/p.yaml", "--generate", "5", "--seed", "1")
    assert [one["outcome"] for one in tried["results"]] == ["delivered"] * 5

    project.ask("sync")
    project.ask("apply", "pipelines")
    stored = project.ask("test", "p", "--generate", "5", "--seed", "1")
    assert [one["event"] for one in stored["results"]] == [one["event"] for one in tried["results"]]


def test_a_faulty_processor_is_named_with_its_line_and_exits_2(project: Project) -> None:
    project.write("processors/filters/paid.js", "module.exports = e => {\n  return (\n}\n")
    done = project.run("sync")
    assert done.returncode == 2
    assert any(line.startswith("error: filters/paid.js:3") for line in lines(done))


def test_doctor_finds_everything_well(project: Project) -> None:
    done = project.run("doctor", "--json")
    findings = json.loads(done.stdout)
    assert [one["check"] for one in findings if not one["ok"]] == []
    assert {one["check"] for one in findings} == {
        *("settings", "Postgres", "Postgres LISTEN", "pipelines", "Kafka", "Kafka topics", "Kafka transactions"),
        *("schema registry", "processors", "V8"),
    }
    assert done.returncode == 0


def test_doctor_exits_3_when_a_server_is_away_and_still_looks_at_the_rest(project: Project) -> None:
    project.environ["INFLECT_KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:9"
    done = project.run("doctor")
    assert done.returncode == 3
    assert any(line.startswith("failed  Kafka: Kafka does not answer") for line in done.stdout.splitlines())
    assert "ok      V8: runs JavaScript" in done.stdout.splitlines()


@pytest.mark.parametrize("again", [False, True])
def test_migrate_brings_a_database_up_once(project: Project, empty_database_url: str, again: bool) -> None:  # noqa: FBT001  a parameter of the table
    project.environ["INFLECT_DATABASE_URL"] = empty_database_url
    assert project.ask("migrate")["applied"]
    if again:
        assert project.ask("migrate")["applied"] == []
    assert project.ask("list") == []
