"""Events for trials: made from the source's schema, or given and encoded by it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from inflect.control.trial import TrialRequest, run_file_tests, seeded, try_request
from inflect.control.trial_events import generated, in_source_format, named, shown
from inflect.errors import RefusedError, UsageError
from inflect.model.pipeline import Format, Pipeline, Source, Target
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema
from inflect.processing.trial import TrialEvent, try_events
from tests.unit.control.shelf import Shelf

AVRO = (
    '{"type": "record", "name": "Order",'
    ' "fields": [{"name": "id", "type": "long"}, {"name": "paid", "type": "boolean"}]}'
)
PROTO = 'syntax = "proto3"; message Note { string text = 1; } message Order { int64 id = 1; bool paid = 2; }'
JSON = '{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer", "minimum": 1}}}'

CASES: list[tuple[Format, PinnedSchema]] = [
    ("json", PinnedSchema(Schema("json", JSON), file="order.json")),
    ("avro", PinnedSchema(Schema("avro", AVRO), file="order.avsc")),
    ("avro", PinnedSchema(Schema("avro", AVRO), subject="orders-value", version=2, id=300)),
    ("protobuf", PinnedSchema(Schema("protobuf", PROTO), file="order.proto", message="Order")),
    ("protobuf", PinnedSchema(Schema("protobuf", PROTO), subject="orders-value", version=2, id=300, message="Order")),
]


def revision(value_format: Format, pinned: PinnedSchema | None) -> Revision:
    pipeline = Pipeline("p", Source("orders", value_format), Target("copies", "json"), on_error="drop")
    return Revision(1, pipeline, {}, (), pinned)


@pytest.mark.parametrize(("value_format", "pinned"), CASES)
def test_generated_events_pass_the_source_of_their_pipeline(value_format: Format, pinned: PinnedSchema) -> None:
    made = revision(value_format, pinned)
    events = generated(made, 20, seed=5)
    assert generated(made, 20, seed=5) == events
    results = try_events(made, [TrialEvent(event["raw"]) for event in events])
    assert [result["error"] for result in results] == [None] * 20
    assert [result["outputs"][0]["value"]["id"] for result in results] == [event["value"]["id"] for event in events]


@pytest.mark.parametrize(("value_format", "pinned"), CASES[1:])
def test_a_value_that_is_given_as_json_is_encoded(value_format: Format, pinned: PinnedSchema) -> None:
    made = revision(value_format, pinned)
    value = {"id": 2**60, "paid": True}
    given: list[dict[str, Any]] = [{"value": value}, {"value": json.dumps(value).encode()}, {"value": None}]
    encoded = in_source_format(made, given, ["a", "b", "c"])
    assert encoded[0]["value"] == encoded[1]["value"]
    assert encoded[2] == {"value": None}
    assert in_source_format(made, encoded, ["a", "b", "c"]) == encoded
    [result] = try_events(made, [TrialEvent(encoded[0]["value"])])
    assert result["outputs"][0]["value"] == value


def test_a_value_that_does_not_fit_fails_as_one_that_breaks_the_schema() -> None:
    events: tuple[dict[str, Any], ...] = (
        {"value": {"id": 1}},
        {"value": {"id": 1, "paid": False}},
        {"value": {"id": "x", "paid": True}},
    )
    results = try_request(revision(*CASES[1]), None, TrialRequest(events=events))
    assert [result["outcome"] for result in results] == ["failed", "delivered", "failed"]
    assert [result["stage"] for result in results] == ["incoming_schema", None, "incoming_schema"]
    assert [result["trace"][0]["status"] for result in results] == ["failed", "ok", "failed"]
    assert results[2]["error"]["path"] == "/id"
    assert results[2]["event"]["value"] == {"id": "x", "paid": True}


def test_the_schemas_that_events_name_are_asked_of_the_registry() -> None:
    older = AVRO.replace(', {"name": "paid", "type": "boolean"}', "")
    shelf = Shelf().add("order", "avro", older)
    pipeline = Pipeline("p", Source("in", "avro"), Target("out"), on_error="drop")
    base = Revision(1, pipeline, {}, ())
    events = [TrialEvent(b"\x00" + number.to_bytes(4, "big") + b"\x02") for number in (101, 109)]
    known = named(base, events, shelf)
    assert known is not None
    assert list(known) == [101]
    read, unknown = try_events(base, events, known=known)
    assert read["outputs"][0]["value"] == {"id": 1}
    assert "the registry has no schema id 109" in unknown["error"]["message"]
    assert named(base, events, None) is None


def test_without_a_schema_it_is_said_how_to_get_events() -> None:
    with pytest.raises(UsageError, match=r"add `source\.schema`, or take a sample .* or give events"):
        generated(revision("json", None), 1, seed=1)
    with pytest.raises(RefusedError, match=r"events\[0\]\.value: needs `source\.schema`"):
        in_source_format(revision("avro", None), [{"value": {"id": 1}}], ["events[0].value"])
    with pytest.raises(RefusedError) as caught:
        in_source_format(
            revision("avro", None), [{"value": b"\x00"}, {"value": {"id": 1}}, {}, {"value": {}}], ["a", "b", "c", "d"]
        )
    assert [fault.path for fault in caught.value.faults] == ["b", "d"]


def test_a_schema_that_no_event_satisfies_is_named() -> None:
    never = replace(CASES[0][1], schema=Schema("json", '{"type": "string", "minLength": 3, "maxLength": 2}'))
    with pytest.raises(RefusedError, match=r"order\.json: no event was found that satisfies it"):
        generated(revision("json", never), 1, seed=1)


def test_results_say_what_went_in() -> None:
    request = TrialRequest(events=({"value": {"id": 7, "paid": True}, "key": "k"},), generate=3, seed=9)
    results = try_request(revision(*CASES[2]), None, request)
    assert results[0]["event"] == {"value": {"id": 7, "paid": True}, "key": "k", "headers": {}}
    assert [result["event"]["value"] for result in results[1:]] == [
        event["value"] for event in generated(revision(*CASES[2]), 3, seed=9)
    ]
    assert [result["outcome"] for result in results] == ["delivered"] * 4


def test_bytes_are_shown_as_json_text_or_base64() -> None:
    headers = [("a", b"1"), ("a", b"2"), ("b", b"\xff"), ("c", None)]
    assert shown(TrialEvent(b"", b"\xff", headers), b'{"a": 1}') == {
        "value": {"a": 1},
        "keyBinary": "/w==",
        "headers": {"a": ["1", "2"], "c": None},
        "headersBinary": {"b": "/w=="},
    }
    assert shown(TrialEvent(b""), b"no json")["value"] == "no json"
    assert shown(TrialEvent(b""), b"\xff")["valueBinary"] == "/w=="
    assert shown(TrialEvent(None), None)["value"] is None


def test_a_seed_is_drawn_where_none_is_given() -> None:
    assert seeded(TrialRequest(seed=0)).seed == 0
    assert seeded(TrialRequest()).seed is not None


def test_file_tests_run_on_encoded_formats_with_events_as_json() -> None:
    tests = (
        {"name": "paid", "event": {"id": 1, "paid": True}, "expect": {"outcome": "delivered", "event": {"id": 1}}},
        {"name": "gone", "event": None, "expect": {"outcome": "delivered"}},
    )
    made = revision(*CASES[1])
    verdicts = run_file_tests(replace(made, pipeline=replace(made.pipeline, tests=tests)), None)
    assert verdicts[0].mismatches == ('event: expected {"id": 1}, was {"id": 1, "paid": true}',)
    assert verdicts[1].mismatches == ()
    assert verdicts[0].result["event"]["value"] == {"id": 1, "paid": True}


def test_bytes_that_are_json_too_deep_to_read_stay_bytes() -> None:
    given = [{"value": b'{"a":' * 200_000}]
    assert in_source_format(revision("avro", CASES[1][1]), given, ["a"]) == given
