"""The grammar of a pipeline: every key, every default, every fault with its path and mend."""

# A document and its fault are one row of a table.
# ruff: noqa: E501

import copy
from typing import Any

import jsonschema_rs
import pytest

from inflect.errors import Fault, RefusedError
from inflect.model.document import JSON_SCHEMA, canonical, parse_pipeline
from inflect.model.pipeline import (
    BatchLimits,
    Limits,
    Partitions,
    Pipeline,
    SchemaReference,
    Source,
    Step,
    Target,
    TopicCreation,
    Workers,
)

LEAST: dict[str, Any] = {"name": "p", "source": {"topic": "in"}, "target": {"topic": "out"}}

WHOLE: dict[str, Any] = {
    "name": "orders-clean",
    "description": "Paid orders, cleaned",
    "source": {
        "topic": "orders",
        "format": "protobuf",
        "schema": {"subject": "orders-value", "version": 3, "message": "shop.Order"},
        "start": "2026-01-31T12:00:00Z",
        "tombstones": "filter",
    },
    "steps": [
        {
            "transformation": "lowercase-email",
            "name": "lower",
            "params": {"deep": [1]},
            "dead_letter": "lower-dlq",
            "on_error": "dead_letter",
        },
        {"filter": "money/only-paid", "filtered": "orders-unpaid", "on_error": "drop"},
    ],
    "target": {
        "topic": "orders-clean",
        "format": "avro",
        "schema": {"file": "order.json"},
        "create": {"partitions": 4, "replication_factor": 3, "config": {"retention.ms": 5, "x": True, "y": "z"}},
        "wire_prefix": False,
    },
    "dead_letter": "dlq",
    "on_error": "stop",
    "guarantee": "at_least_once",
    "stamp": True,
    "workers": {"min": 2, "max": 3, "lag_per_worker": 7},
    "partitions": {"autoscale": True, "max": 5},
    "batch": {"max_events": 9, "max_wait_ms": 0},
    "limits": {"timeout_ms": 5, "memory_mb": 64},
    "labels": {"team": "billing"},
    "tests": [{"name": "t", "event": None, "key": "k", "headers": {"h": "v"}, "expect": {"outcome": "failed"}}],
}


def changed(*path: str | int, value: Any, base: dict[str, Any] = LEAST) -> dict[str, Any]:
    """Return the document with one value set; missing mappings are made."""
    document = copy.deepcopy(base)
    place: Any = document
    for key in path[:-1]:
        place = place.setdefault(key, {}) if isinstance(key, str) else place[key]
    place[path[-1]] = value
    return document


def faults_of(document: Any) -> list[str]:
    with pytest.raises(RefusedError) as caught:
        parse_pipeline(document)
    return [str(fault) for fault in caught.value.faults]


def test_the_least_document_gets_every_default() -> None:
    pipeline = parse_pipeline(LEAST)
    assert pipeline == Pipeline(name="p", source=Source("in"), target=Target("out"))
    assert (pipeline.on_error, pipeline.guarantee, pipeline.stamp) == ("stop", "exactly_once", False)
    assert pipeline.workers == Workers(1, 4, 10_000)
    assert pipeline.partitions == Partitions(autoscale=False, max=12)
    assert pipeline.batch == BatchLimits(10_000, 50)
    assert pipeline.limits == Limits(1000, 128)


def test_every_key_is_read() -> None:
    pipeline = parse_pipeline(WHOLE)
    assert pipeline == Pipeline(
        name="orders-clean",
        description="Paid orders, cleaned",
        source=Source(
            "orders",
            "protobuf",
            SchemaReference("orders-value", 3, message="shop.Order"),
            "2026-01-31T12:00:00Z",
            "filter",
        ),
        steps=(
            Step("lower", "transformation", "lowercase-email", {"deep": [1]}, "lower-dlq", None, "dead_letter"),
            Step("money/only-paid", "filter", "money/only-paid", {}, "dlq", "orders-unpaid", "drop"),
        ),
        target=Target(
            "orders-clean",
            "avro",
            SchemaReference(file="order.json"),
            TopicCreation(4, 3, {"retention.ms": "5", "x": "true", "y": "z"}),
            wire_prefix=False,
        ),
        dead_letter="dlq",
        on_error="stop",
        guarantee="at_least_once",
        stamp=True,
        workers=Workers(2, 3, 7),
        partitions=Partitions(autoscale=True, max=5),
        batch=BatchLimits(9, 0),
        limits=Limits(5, 64),
        labels={"team": "billing"},
        tests=tuple(WHOLE["tests"]),
    )


def keys_of(schema: dict[str, Any], path: str = "") -> set[str]:
    found = set()
    for key, below in schema.get("properties", {}).items():
        found |= {f"{path}{key}"} | keys_of(below, f"{path}{key}.") | keys_of(below.get("items", {}), f"{path}{key}.")
    return found


def test_the_schema_is_valid_and_describes_every_key() -> None:
    jsonschema_rs.meta.validate(JSON_SCHEMA)

    def undescribed(schema: dict[str, Any], path: str = "") -> list[str]:
        below = schema.get("properties", {}) | (
            {"[]": schema["items"]} if "properties" in schema.get("items", {}) else {}
        )
        own = [] if schema.get("description") else [path]
        return own + [place for key, one in below.items() for place in undescribed(one, f"{path}.{key}")]

    assert undescribed(JSON_SCHEMA) == []


def test_the_whole_document_uses_every_key_of_the_schema() -> None:
    def used(value: Any, path: str = "") -> set[str]:
        if isinstance(value, list):
            return {place for one in value for place in used(one, path)}
        if not isinstance(value, dict):
            return set()
        return {f"{path}{key}" for key in value} | {place for k, v in value.items() for place in used(v, f"{path}{k}.")}

    optional = {
        "event_file",
        *(f"expect.{key}" for key in JSON_SCHEMA["properties"]["tests"]["items"]["properties"]["expect"]["properties"]),
    }
    missing = keys_of(JSON_SCHEMA) - used(WHOLE) - {f"tests.{key}" for key in optional}
    assert missing == {"source.schema.file", *(f"target.schema.{key}" for key in ("subject", "version", "message"))}


@pytest.mark.parametrize(
    ("pipeline", "step", "expected"),
    [
        ({}, {}, ("stop", None)),
        ({"dead_letter": "d"}, {}, ("dead_letter", "d")),
        ({"dead_letter": "d", "on_error": "drop"}, {}, ("drop", "d")),
        ({"on_error": "drop"}, {}, ("drop", None)),
        ({}, {"dead_letter": "own"}, ("dead_letter", "own")),
        ({"on_error": "drop"}, {"dead_letter": "own"}, ("dead_letter", "own")),
        ({"dead_letter": "d"}, {"dead_letter": "own"}, ("dead_letter", "own")),
        ({"dead_letter": "d"}, {"on_error": "stop"}, ("stop", "d")),
    ],
)
def test_what_happens_on_error_follows_the_nearest_dead_letter_topic(
    pipeline: dict[str, Any], step: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    [found] = parse_pipeline({**LEAST, **pipeline, "steps": [{"filter": "f", **step}]}).steps
    assert (found.on_error, found.dead_letter) == expected


def test_a_second_use_of_a_processor_gets_a_number() -> None:
    steps = [{"filter": "a"}, {"transformation": "a"}, {"filter": "b"}, {"filter": "a"}]
    assert [s.name for s in parse_pipeline({**LEAST, "steps": steps}).steps] == ["a", "a-2", "b", "a-3"]


def test_a_given_name_is_never_taken_by_a_numbered_one() -> None:
    steps = [{"filter": "a"}, {"filter": "a"}, {"filter": "b", "name": "a-2"}]
    assert [s.name for s in parse_pipeline({**LEAST, "steps": steps}).steps] == ["a", "a-3", "a-2"]


@pytest.mark.parametrize(
    ("document", "fault"),
    [
        (changed("nmae", value=1), "nmae: unknown key, did you mean 'name'?"),
        (changed("steps", value=[{"filtr": "a"}]), "steps[0].filtr: unknown key, did you mean 'filter'?"),
        (changed("source", "topics", value="x"), "source.topics: unknown key, did you mean 'topic'?"),
        (changed("target", "create", value={"partition": 1}), "target.create.partition: unknown key"),
        (changed("name", value="Orders"), "name: 'Orders' must be 1 to 63 lower-case letters"),
        (changed("name", value="a" * 64), "must be 1 to 63 lower-case letters"),
        (changed("name", value="a\n"), "must be 1 to 63 lower-case letters"),
        (changed("name", value=5), "name: must be text, not 5; put it in quotes"),
        (changed("name", value=None), "name: must be text, but is empty; leave the key out"),
        (changed("source", value="orders"), "source: must be a mapping, not 'orders'"),
        (changed("source", value={}), "source.topic: is required"),
        (changed("source", "topic", value="a b"), "source.topic: 'a b' is no topic name"),
        (changed("source", "topic", value="a" * 250), "is no topic name"),
        (changed("source", "topic", value=".."), "source.topic: '..' is no topic name"),
        (changed("target", "topic", value="__consumer_offsets"), "target.topic: __consumer_offsets belongs to the broker"),
        (changed("source", "format", value="jsno"), "source.format: must be one of json, avro, protobuf, string, bytes; not 'jsno', did you mean 'json'?"),
        (changed("source", "start", value="yesterday"), "source.start: must be earliest, latest or a time with its zone"),
        (changed("source", "start", value="2026-01-31T12:00:00"), "source.start: must be earliest, latest or a time"),
        (changed("source", "start", value="2026-01-31"), "source.start: must be earliest, latest or a time"),
        (changed("source", "schema", value={}), "source.schema: give exactly one of subject and file"),
        (changed("target", "schema", value={"subject": "s", "file": "f"}), "target.schema: give exactly one of"),
        (changed("source", value={"topic": "t", "format": "string", "schema": {"file": "f"}}), "source.schema: nothing of format string can be checked; use json, avro or protobuf"),
        (changed("target", "schema", value={"file": "f", "message": "m"}), "target.schema.message: belongs to protobuf; the format here is json"),
        (changed("source", "schema", value={"subject": "s", "version": "newest"}), "source.schema.version: 'newest' must be a number or 'latest'"),
        (changed("source", "schema", value={"subject": "s", "version": 0}), "source.schema.version: must be at least 1"),
        (changed("source", "schema", value={"file": "s", "version": 1}), "source.schema.version: belongs to a subject"),
        (changed("target", "topic", value="in"), "target.topic: is the source topic 'in': events would go round"),
        (changed("dead_letter", value="in"), "dead_letter: is the source topic 'in'"),
        (changed("dead_letter", value="out"), "dead_letter: is the target topic 'out'"),
        (changed("steps", value=[{"filter": "f", "filtered": "in"}]), "steps[0].filtered: is the source topic"),
        (changed("steps", value=[{"filter": "f", "dead_letter": "in"}]), "steps[0].dead_letter: is the source topic"),
        (changed("on_error", value="dead_letter"), "on_error: dead_letter needs a topic"),
        (changed("on_error", value="ignore"), "on_error: must be one of dead_letter, drop, stop; not 'ignore'"),
        (changed("steps", value=[{"filter": "f", "on_error": "dead_letter"}]), "steps[0].on_error: dead_letter needs a topic"),
        (changed("steps", value={}), "steps: must be a list, not a mapping"),
        (changed("steps", value=["f"]), "steps[0]: must be a mapping, not 'f'"),
        (changed("steps", value=[{}]), "steps[0]: give exactly one of transformation and filter"),
        (changed("steps", value=[{"filter": "f", "transformation": "t"}]), "steps[0]: give exactly one of"),
        (changed("steps", value=[{"filter": "f.js"}]), "steps[0].filter: leave the ending out: f"),
        (changed("steps", value=[{"filter": "../f"}]), "steps[0].filter: '../f' must be the file's path inside its folder"),
        (changed("steps", value=[{"filter": "a", "name": "x"}, {"filter": "b", "name": "x"}]), "steps[1].name: 'x' is the name of steps[0] already"),
        (changed("steps", value=[{"filter": "f"}] * 101), "steps: must have at most 100 entries"),
        (changed("guarantee", value="exactly-once"), "guarantee: must be one of exactly_once, at_least_once; not 'exactly-once', did you mean 'exactly_once'?"),
        (changed("stamp", value="yes"), "stamp: must be true or false, not 'yes'"),
        (changed("workers", value={"min": 3, "max": 2}), "workers.min: is 3, more than max (2)"),
        (changed("workers", value={"min": 5}), "workers.min: is 5, more than max (4)"),
        (changed("workers", value={"max": 0}), "workers.max: must be at least 1, not 0"),
        (changed("workers", value={"min": True}), "workers.min: must be a whole number, not true"),
        (changed("workers", value={"min": 1.5}), "workers.min: must be a whole number, not 1.5"),
        (changed("batch", value={"max_events": 10**30}), "batch.max_events: must be at most 100000"),
        (changed("limits", value={"memory_mb": 1}), "limits.memory_mb: must be at least 16, not 1"),
        (changed("labels", value={"a": 5}), "labels.a: must be text, not 5; put it in quotes"),
        (changed("tests", value=[{"name": "t", "expect": {"outcome": "failed"}}]), "tests[0]: give exactly one of event and event_file"),
        (changed("tests", value=[{"name": "", "event": 1, "expect": {"outcome": "failed"}}]), "tests[0].name: must not be empty"),
        (changed("tests", value=[{"name": "t", "event": 1, "expect": {}}]), "tests[0].expect.outcome: is required"),
        (changed("tests", value=[{"name": "t", "event": 1, "expect": {"outcome": "failed", "event": 1, "events": []}}]), "tests[0].expect: give only one of event and events"),
        ({"name": "p"}, "source: is required"),
        ([], "must be a mapping, not a list"),
    ],
)  # fmt: skip
def test_every_fault_has_its_path_and_mend(document: Any, fault: str) -> None:
    found = faults_of(document)
    assert len(found) >= 1
    assert any(fault in line for line in found), found


def test_all_faults_are_told_at_once() -> None:
    document = {"name": "P", "source": 5, "steps": [{"filtr": "a"}, {"filter": "x.js"}], "workers": {"min": 9}, "x": 1}
    paths = {line.split(":")[0] for line in faults_of(document)}
    assert paths >= {"name", "source", "target", "steps[0].filtr", "steps[0]", "steps[1].filter", "workers.min", "x"}


def test_a_refusal_names_the_pipeline() -> None:
    with pytest.raises(RefusedError) as caught:
        parse_pipeline({**LEAST, "stamp": 1})
    assert caught.value.subject == "p"
    assert caught.value.faults == [Fault("stamp", "must be true or false, not 1")]
    assert str(caught.value) == "p: stamp: must be true or false, not 1"


def test_canonical_leaves_defaults_out_and_orders_keys() -> None:
    document = {
        "target": {"format": "json", "topic": "out", "create": {}},
        "workers": {"max": 4, "min": 1},
        "labels": {},
        "steps": [{"params": {}, "filter": "f", "on_error": "dead_letter"}],
        "on_error": "dead_letter",
        "dead_letter": "d",
        "source": {"start": "earliest", "topic": "in", "schema": {"version": "latest", "subject": "s"}},
        "name": "p",
    }
    found = canonical(document)
    assert found == {
        "name": "p",
        "source": {"topic": "in", "schema": {"subject": "s"}},
        "steps": [{"filter": "f"}],
        "target": {"topic": "out", "create": {}},
        "dead_letter": "d",
    }
    assert list(found) == ["name", "source", "steps", "target", "dead_letter"]


def test_canonical_means_the_same() -> None:
    for document in (LEAST, WHOLE):
        assert parse_pipeline(canonical(document)) == parse_pipeline(document)
        assert canonical(canonical(document)) == canonical(document)


def test_canonical_keeps_a_policy_that_differs_from_what_would_be_chosen() -> None:
    steps = [{"filter": "f", "on_error": "drop"}]
    document = {**LEAST, "dead_letter": "d", "on_error": "stop", "steps": steps}
    assert canonical(document)["on_error"] == "stop"
    assert canonical(document)["steps"] == steps
