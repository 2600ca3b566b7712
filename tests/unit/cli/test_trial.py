"""`inflect test` without any server: tests of files, generated events, JUnit."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from inflect.cli.junit import Case, write_junit
from inflect.cli.main import cli
from inflect.errors import UsageError

SCHEMA = {
    "type": "object",
    "required": ["id", "email", "price"],
    "properties": {
        "id": {"type": "integer"},
        "email": {"type": "string", "format": "email"},
        "price": {"type": "number", "minimum": 0, "maximum": 100},
    },
}
PIPELINE = """\
name: orders-clean
source: {topic: orders, schema: {file: schemas/order.json}}
steps:
  - filter: cheap
target: {topic: orders-clean}
tests:
  - name: a cheap order goes on
    event: {id: 1, email: a@example.com, price: 5}
    expect: {outcome: delivered}
  - name: a dear one does not
    event: {id: 2, email: a@example.com, price: 90}
    expect: {outcome: filtered, step: cheap}
  - name: one without a price is no order
    event: {id: 3, email: a@example.com}
    expect: {outcome: failed, stage: incoming_schema}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose pipeline has a schema."""
    monkeypatch.chdir(tmp_path)
    for name in ("INFLECT_DATABASE_URL", "INFLECT_KAFKA_BOOTSTRAP_SERVERS", "INFLECT_REGISTRY_URL"):
        monkeypatch.delenv(name, raising=False)
    files = {
        "schemas/order.json": json.dumps(SCHEMA),
        "processors/filters/cheap.js": "module.exports = e => e.price < 50\n",
        "orders.yaml": PIPELINE,
        "plain.yaml": "name: plain\nsource: {topic: orders}\ntarget: {topic: copies}\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def inflect(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def results(*arguments: str) -> list[dict[str, Any]]:
    found = json.loads(inflect("test", *arguments, "--json").stdout)["results"]
    assert isinstance(found, list)
    return found


def test_the_tests_of_a_file_run_with_its_schema() -> None:
    done = inflect("test", "orders.yaml")
    assert done.exit_code == 0, done.output
    assert "3 passed, 0 failed" in done.stderr


def test_generated_events_run_and_the_seed_brings_them_back() -> None:
    first = inflect("test", "orders.yaml", "--generate", "40", "--json")
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert {one["outcome"] for one in found["results"]} == {"delivered", "filtered"}
    for one in found["results"]:
        assert (one["event"]["value"]["price"] < 50) == (one["outcome"] == "delivered")
        assert one["pipeline"] == "orders-clean"
    again = json.loads(
        inflect("test", "orders.yaml", "--generate", "40", "--seed", str(found["seed"]), "--json").stdout
    )
    assert [one["event"] for one in again["results"]] == [one["event"] for one in found["results"]]
    assert [one["event"] for one in results("orders.yaml", "--generate", "40")] != [
        one["event"] for one in found["results"]
    ]


def test_what_went_in_and_came_out_is_shown_with_the_seed() -> None:
    done = inflect("test", "orders.yaml", "--generate", "2", "--seed", "5")
    assert done.stdout.count("    ← {") == 2
    assert "the same events again: --seed 5" in done.stderr


def test_an_event_on_which_a_step_fails_makes_exit_code_1_and_stands_in_the_report(folder: Path) -> None:
    step = "module.exports = e => { console.log('price', e.price); return e.price.cents.value }\n"
    (folder / "processors/filters/cheap.js").write_text(step)
    done = inflect("test", "orders.yaml", "--generate", "3", "--seed", "5", "--junit", "report.xml")
    assert done.exit_code == 1, done.output
    suites = ET.parse(folder / "report.xml").getroot()  # noqa: S314  our own file
    [suite] = suites
    assert (suite.attrib["name"], suite.attrib["tests"], suite.attrib["failures"]) == ("orders-clean", "3", "3")
    assert [one.attrib for one in suite.iter("property")] == [{"name": "seed", "value": "5"}]
    failure = next(suite.iter("failure"))
    assert failure.attrib["type"] == "exception"
    assert failure.attrib["message"].startswith("filters/cheap.js:1:")
    event = json.loads(str(failure.text).split("event: ")[1])
    assert set(event["value"]) == {"id", "email", "price"}
    assert "price" in str(next(suite.iter("system-out")).text)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("plain.yaml", "--generate", "3"), "add `source.schema`, or take a sample"),
        (("plain.yaml",), "no tests to run; add `tests:` to the file, or give --event, --generate or --sample"),
        (("orders.yaml", "--seed", "3"), "--seed belongs to --generate"),
        (("orders.yaml", "--generate", "0"), "--generate"),
        (("orders.yaml", "--sample", "3"), "no Kafka brokers are set"),
        (("orders.yaml", "--generate", "1", "--junit", "nowhere/a.xml"), "cannot be written"),
    ],
)
def test_what_cannot_be_tried_is_said_and_exits_2(arguments: tuple[str, ...], why: str) -> None:
    done = inflect("test", *arguments)
    assert done.exit_code == 2
    assert why in done.stderr


def test_several_pipelines_are_suites_of_their_own(folder: Path) -> None:
    (folder / "event.json").write_text('{"id": 1, "email": "a@example.com", "price": 3}')
    done = inflect("test", "orders.yaml", "plain.yaml", "--event", "event.json", "--junit", "report.xml")
    assert done.exit_code == 0, done.output
    suites = ET.parse(folder / "report.xml").getroot()  # noqa: S314  our own file
    assert [(one.attrib["name"], one[0].attrib["name"]) for one in suites] == [
        ("orders-clean", "event 1"),
        ("plain", "event 1"),
    ]
    assert suites.attrib["tests"] == "2"


def test_a_file_of_the_report_holds_what_xml_cannot_say_without_it(tmp_path: Path) -> None:
    case = Case("p", "bell \a", "line 1 \ud800\nline 2 \x00", {"event": {"value": "\ufffe"}, "trace": []})
    write_junit(tmp_path / "report.xml", [case])
    failure = next(ET.parse(tmp_path / "report.xml").iter("failure"))  # noqa: S314  our own file
    assert failure.attrib["message"] == "line 1 ; line 2 "
    with pytest.raises(UsageError, match="cannot be written"):
        write_junit(tmp_path, [case])
