"""References to pins: what a subject or a file means now, what is refused, and what is kept while nobody answers."""

from pathlib import Path
from typing import Any

import pytest

from inflect.control.schemas import Before, Resolved, SchemaSources, resolve
from inflect.errors import DeniedError, UnreachableError
from inflect.model.document import parse_pipeline
from inflect.model.pipeline import SchemaReference
from inflect.model.schema import PinnedSchema, Schema
from inflect.store.schemas import Side
from tests.unit.control.shelf import TEXTS, Shelf

PINNED = PinnedSchema(Schema("json", TEXTS["json"]), "orders-value", 3, 103)


def resolved(
    sources: SchemaSources, before: dict[Side, Before] | None = None, *, target: Any = None, **source: Any
) -> Resolved:
    document = {"name": "p", "source": {"topic": "in", **source}, "target": {"topic": "out", **(target or {})}}
    return resolve(parse_pipeline(document), sources, before or {})


def faults(sources: SchemaSources, **keys: Any) -> list[str]:
    return [str(fault) for fault in resolved(sources, **keys).faults]


def before(reference: SchemaReference, pinned: PinnedSchema = PINNED) -> dict[Side, Before]:
    return {"source": Before(reference, pinned)}


def test_the_latest_version_is_pinned_to_the_one_of_today() -> None:
    shelf = Shelf().add("orders-value").add("orders-value", text='{"title": "two"}')
    found = resolved(SchemaSources(shelf), schema={"subject": "orders-value"})
    assert found.faults == ()
    assert found.pins == {"source": PinnedSchema(Schema("json", '{"title": "two"}'), "orders-value", 2, 102)}
    fixed = resolved(SchemaSources(shelf), schema={"subject": "orders-value", "version": 1})
    assert fixed.pins["source"].version == 1


def test_a_pipeline_without_schemas_asks_nobody() -> None:
    shelf = Shelf().away()
    assert resolved(SchemaSources(shelf)) == Resolved()
    assert shelf.asked == 0


def test_an_unknown_subject_is_refused_with_the_closest_names() -> None:
    shelf = Shelf().add("orders-value").add("clicks-value")
    [fault] = faults(SchemaSources(shelf), schema={"subject": "order-value"})
    assert fault == "source.schema.subject: the registry has no subject 'order-value'; did you mean 'orders-value'?"
    [fault] = faults(SchemaSources(shelf), schema={"subject": "zzz"})
    assert fault.endswith("'zzz'; it has clicks-value, orders-value")
    [fault] = faults(SchemaSources(Shelf()), schema={"subject": "zzz"})
    assert fault.endswith("'zzz'; it is empty")


def test_an_unknown_version_is_refused_with_those_there_are() -> None:
    shelf = Shelf().add("orders-value").add("orders-value")
    [fault] = faults(SchemaSources(shelf), schema={"subject": "orders-value", "version": 9})
    assert fault == "source.schema.version: orders-value has no version 9; it has 1, 2"


def test_a_subject_of_another_kind_than_the_format_is_refused() -> None:
    [fault] = faults(SchemaSources(Shelf().add("o", "avro")), schema={"subject": "o"})
    assert "o version 1 is a schema for avro, the format here is json" in fault


def test_a_schema_that_cannot_be_used_is_refused_before_it_is_pinned() -> None:
    shelf = Shelf().add("o", text='{"type": "nonsense"}')
    [fault, *_] = faults(SchemaSources(shelf), schema={"subject": "o"})
    assert fault.startswith("source.schema: o version 1: ")


def test_all_faults_of_both_ends_are_told_at_once() -> None:
    shelf = Shelf().add("o", "avro")
    target = {"schema": {"subject": "x"}, "wire_prefix": True}
    assert len(faults(SchemaSources(shelf), schema={"subject": "o"}, target=target)) == 2


def test_a_subject_without_a_registry_says_which_setting_is_missing() -> None:
    [fault] = faults(SchemaSources(), schema={"subject": "o"})
    assert fault == ("source.schema.subject: o needs a schema registry: set INFLECT_REGISTRY_URL, or name a file")


@pytest.mark.parametrize(
    ("source", "target", "fault"),
    [
        ({"format": "avro"}, {}, "source.schema: avro cannot be read without one"),
        ({"format": "protobuf"}, {}, "source.schema: protobuf cannot be read without one"),
        ({}, {"format": "avro"}, "target.schema: avro cannot be written without one"),
        ({}, {"wire_prefix": True}, "target.wire_prefix: needs target.schema.subject"),
        ({}, {"format": "string", "wire_prefix": True}, "target.wire_prefix: needs target.schema.subject"),
    ],
)
def test_what_a_format_cannot_do_without_is_told(source: dict[str, Any], target: dict[str, Any], fault: str) -> None:
    [found] = faults(SchemaSources(), target=target, **source)
    assert found.startswith(fault)


def test_with_a_registry_the_ids_in_events_are_enough_to_read_avro() -> None:
    assert faults(SchemaSources(Shelf()), format="avro") == []


def test_a_prefix_with_a_schema_from_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "o.json").write_text(TEXTS["json"])
    target = {"schema": {"file": "o.json"}, "wire_prefix": True}
    [fault] = faults(SchemaSources(root=tmp_path), target=target)
    assert fault.startswith("target.wire_prefix: needs target.schema.subject")


def test_a_file_is_pinned_with_its_content(tmp_path: Path) -> None:
    (tmp_path / "o.json").write_text(TEXTS["json"])
    found = resolved(SchemaSources(beside={"p": tmp_path}), schema={"file": "o.json"})
    assert found.pins == {"source": PinnedSchema(Schema("json", TEXTS["json"]), file="o.json")}


def test_a_file_that_lies_elsewhere_keeps_the_content_that_is_pinned(tmp_path: Path) -> None:
    pinned = PinnedSchema(Schema("json", TEXTS["json"]), file="o.json")
    known = before(SchemaReference(file="o.json"), pinned)
    found = resolved(SchemaSources(root=tmp_path), known, schema={"file": "o.json"})
    assert (found.pins, found.faults) == ({"source": pinned}, ())
    assert "the content that is pinned already is kept" in found.notes[0]
    other = resolved(SchemaSources(root=tmp_path), known, schema={"file": "other.json"})
    assert [fault.path for fault in other.faults] == ["source.schema.file"]


def test_while_the_registry_is_away_the_pin_of_the_same_reference_is_kept_with_a_note() -> None:
    known = before(SchemaReference("orders-value", "latest"))
    found = resolved(SchemaSources(Shelf().away()), known, schema={"subject": "orders-value"})
    assert (found.pins, found.faults) == ({"source": PINNED}, ())
    assert found.notes == (
        "p: source.schema: the schema registry at http://registry does not answer; orders-value version 3 is kept",
    )


def test_while_the_registry_is_away_a_pin_of_another_kind_than_the_format_is_not_kept() -> None:
    known = before(SchemaReference("orders-value", "latest"))
    with pytest.raises(UnreachableError):
        resolved(SchemaSources(Shelf().away()), known, schema={"subject": "orders-value"}, format="avro")


@pytest.mark.parametrize("schema", [{"subject": "orders-value", "version": 4}, {"subject": "other"}])
def test_while_the_registry_is_away_nothing_new_can_be_pinned(schema: dict[str, Any]) -> None:
    known = before(SchemaReference("orders-value", "latest"))
    with pytest.raises(UnreachableError):
        resolved(SchemaSources(Shelf().away()), known, schema=schema)


def test_a_registry_that_refuses_us_is_told_apart_from_one_that_is_away() -> None:
    with pytest.raises(DeniedError):
        resolved(SchemaSources(Shelf(trouble=DeniedError("no"))), schema={"subject": "o"})
