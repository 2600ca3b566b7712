"""What a trial says of schemas: the stages of the trace, where a schema was broken, and values as people read them."""

import json
from dataclasses import replace
from typing import Any

from inflect.engine.codec import Codec
from inflect.model.event import Failure
from inflect.model.pipeline import Format
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema
from inflect.processing.trial import TrialEvent, try_here
from tests.unit.processing.chains import revision

ID = {"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}
AVRO = json.dumps({"type": "record", "name": "Order", "fields": [{"name": "id", "type": "long"}]})
PROTO = 'syntax = "proto3"; message Order { int64 id = 1; }'
THROUGH = "module.exports = event => event"


def pin(kind: Any, text: str, schema_id: int = 7) -> PinnedSchema:
    return PinnedSchema(Schema(kind, text), subject="orders-value", version=1, id=schema_id)


def checked(*codes: str, formats: tuple[Format, Format] = ("json", "json")) -> Revision:
    texts = {"json": json.dumps(ID), "avro": AVRO, "protobuf": PROTO}
    source, target = (pin(kind, texts[kind], number) for kind, number in zip(formats, (7, 8), strict=True))
    return replace(revision(*codes, formats=formats), source_schema=source, target_schema=target)


def tried(base: Revision, event: TrialEvent, known: dict[int, Schema] | None = None) -> dict[str, Any]:
    (result,) = try_here(base, [event], {}, known)["results"]
    return dict(result)


def stages(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(entry["stage"], entry["status"]) for entry in result["trace"]]


def encoded(kind: Any, text: str, value: str, schema_id: int = 7) -> bytes:
    with Codec(Schema(kind, text)) as codec:
        (data,) = codec.encode([value])
    assert isinstance(data, bytes)
    return b"\x00" + schema_id.to_bytes(4, "big") + (b"\x00" if kind == "protobuf" else b"") + data


def test_the_schemas_stand_around_the_steps() -> None:
    result = tried(checked(THROUGH), TrialEvent(b'{"id":1}'))
    assert stages(result) == [("incoming_schema", "ok"), ("step", "ok"), ("outgoing_schema", "ok")]
    assert result["trace"][0]["duration_ms"] >= 0
    assert result["trace"][2]["duration_ms"] >= 0


def test_what_breaks_the_source_schema_runs_no_step() -> None:
    result = tried(checked(THROUGH), TrialEvent(b'{"id":"x"}'))
    assert stages(result) == [("incoming_schema", "failed"), ("step", "skipped"), ("outgoing_schema", "skipped")]
    assert (result["outcome"], result["stage"]) == ("failed", "incoming_schema")
    assert (result["error"]["kind"], result["error"]["path"]) == ("schema", "/id")


def test_what_breaks_the_target_schema_has_passed_the_steps() -> None:
    result = tried(checked("module.exports = () => ({ id: 'x' })"), TrialEvent(b'{"id":1}'))
    assert stages(result) == [("incoming_schema", "ok"), ("step", "ok"), ("outgoing_schema", "failed")]
    assert result["error"]["path"] == "/id"
    assert result["outputs"] == []


def test_a_filtered_event_is_not_held_against_the_target_schema() -> None:
    result = tried(checked("module.exports = () => null"), TrialEvent(b'{"id":1}'))
    assert stages(result) == [("incoming_schema", "ok"), ("step", "filtered"), ("outgoing_schema", "skipped")]


def test_a_tombstone_skips_everything() -> None:
    result = tried(checked(THROUGH), TrialEvent(None))
    assert stages(result) == [("incoming_schema", "skipped"), ("step", "skipped"), ("outgoing_schema", "skipped")]


def test_without_schemas_there_are_no_such_stages() -> None:
    assert stages(tried(revision(THROUGH), TrialEvent(b"1"))) == [("step", "ok")]


def test_a_schema_that_only_the_event_names_is_a_stage_too() -> None:
    event = TrialEvent(b"\x00\x00\x00\x00\x09" + b'{"id":"x"}')
    result = tried(revision(THROUGH), event, {9: Schema("json", json.dumps(ID))})
    assert stages(result) == [("incoming_schema", "failed"), ("step", "skipped")]
    unknown = tried(revision(THROUGH), event, {})
    assert stages(unknown) == [("incoming_schema", "skipped"), ("step", "skipped")]
    assert "has no schema id 9" in unknown["error"]["message"]


def test_values_of_binary_formats_are_shown_as_json() -> None:
    binary: tuple[tuple[Format, str], ...] = (("avro", AVRO), ("protobuf", PROTO))
    for kind, text in binary:
        base = checked("module.exports = e => ({ id: e.id + 1 })", formats=(kind, kind))
        result = tried(base, TrialEvent(encoded(kind, text, '{"id":1}')))
        assert result["outputs"][0]["value"] == {"id": 2}
        assert stages(result) == [("incoming_schema", "ok"), ("step", "ok"), ("outgoing_schema", "ok")]
        broken = tried(
            checked("module.exports = e => ({ id: 'x' })", formats=(kind, kind)),
            TrialEvent(encoded(kind, text, '{"id":1}')),
        )
        assert (broken["stage"], broken["error"]["path"]) == ("outgoing_schema", "/id")
        assert stages(broken)[-1] == ("outgoing_schema", "failed")


def test_a_json_value_with_a_wire_prefix_is_shown_without_it() -> None:
    base = checked(THROUGH)
    base = replace(base, pipeline=replace(base.pipeline, target=replace(base.pipeline.target, wire_prefix=True)))
    assert tried(base, TrialEvent(b'{"id":1}'))["outputs"][0]["value"] == {"id": 1}


def test_a_given_value_that_does_not_fit_fails_as_incoming() -> None:
    failure = Failure("incoming_schema", "schema", 'at /id: "x" is not a long', path="/id")
    result = tried(checked(THROUGH, formats=("avro", "json")), TrialEvent(b"{}", failure=failure))
    assert (result["outcome"], result["stage"], result["error"]["path"]) == ("failed", "incoming_schema", "/id")
    assert stages(result)[0] == ("incoming_schema", "failed")
