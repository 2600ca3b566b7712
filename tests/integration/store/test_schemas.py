"""Schemas in the database: kept by content, pinned by revisions, in use, and refused."""

from typing import Any

import psycopg
import pytest

from inflect.errors import InflectError
from inflect.model.schema import PinnedSchema, Schema
from inflect.store import audit, schemas
from inflect.store.database import Database
from inflect.store.pipelines import get_revision, load_revision, save_revisions
from inflect.store.schemas import SchemaPin, SchemaRefusal, SchemaUse
from tests.integration.store.samples import revision, save, version

SOURCE = PinnedSchema(
    Schema("protobuf", 'import "b.proto"; message A {}', {"c.proto": "message C {}", "b.proto": "message B {}"}),
    "orders-value", 3, 103, message="A",
)  # fmt: skip
TARGET = PinnedSchema(Schema("json", '{"description": "\\u0000 \\\\u0000 é"}'), file="schemas/order.json")


def pinned(db: Database, expected: int | None = None, **pins: PinnedSchema) -> Any:
    base = revision(expected=expected)
    new = type(base)(base.name, base.expected, base.document, base.pins, base.entries, pins)  # type: ignore[arg-type]  # sides by keyword
    return save(db, new)


def test_a_revision_comes_back_with_its_schemas_and_needs_no_registry(database: Database) -> None:
    pinned(database, source=SOURCE, target=TARGET)
    loaded = load_revision(database, "orders-clean", 1)
    assert (loaded.source_schema, loaded.target_schema) == (SOURCE, TARGET)
    assert loaded.source_schema is not None
    assert list(loaded.source_schema.schema.references) == ["c.proto", "b.proto"]
    assert loaded.source_schema.schema.hash == SOURCE.schema.hash
    assert get_revision(database, "orders-clean", 1).schemas == {
        "source": SchemaPin(SOURCE.schema.hash, "orders-value", 3, 103, message="A"),
        "target": SchemaPin(TARGET.schema.hash, file="schemas/order.json"),
    }


def test_a_revision_without_schemas_has_none(database: Database) -> None:
    save(database, revision())
    loaded = load_revision(database, "orders-clean", 1)
    assert (loaded.source_schema, loaded.target_schema) == (None, None)


def test_the_same_content_is_kept_once_and_never_changed(database: Database, database_url: str) -> None:
    pinned(database, source=SOURCE)
    pinned(database, 1, source=SOURCE, target=SOURCE)
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from schema_texts").fetchone() == (1,)
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("update schema_texts set text = ''")


def test_a_lost_text_is_told_by_the_revision_that_pins_it(database: Database, database_url: str) -> None:
    pinned(database, source=SOURCE)
    with psycopg.connect(database_url) as connection:
        connection.execute("delete from schema_texts")
    with pytest.raises(InflectError, match=r"revision 1 of orders-clean pins schemas .* orders-value 3"):
        load_revision(database, "orders-clean", 1)


def test_what_current_revisions_pin_is_in_use(database: Database) -> None:
    pinned(database, source=SOURCE, target=TARGET)
    uses = schemas.in_use(database)
    hashes = SOURCE.schema.hash, TARGET.schema.hash
    assert uses == [
        SchemaUse("orders-clean", "source", hashes[0], "orders-value", 3, 103, None, "A"),
        SchemaUse("orders-clean", "target", hashes[1], None, None, None, "schemas/order.json", None),
    ]
    pinned(database, 1)
    assert schemas.in_use(database) == []


def test_versions_that_were_ever_pinned_are_remembered(database: Database) -> None:
    older = PinnedSchema(Schema("json", "{}"), "orders-value", 2, 102)
    pinned(database, source=SOURCE)
    pinned(database, 1, source=older)
    assert schemas.newest_pinned(database, "orders-clean", "source", "orders-value") == 3
    assert schemas.newest_pinned(database, "orders-clean", "target", "orders-value") == 0
    kept = schemas.kept_versions(database, "orders-value")
    assert {number: one.schema for number, one in kept.items()} == {2: older.schema, 3: SOURCE.schema}
    assert schemas.kept_versions(database, "other") == {}


def test_a_refusal_is_new_once_and_gone_when_it_is_settled(database: Database) -> None:
    save(database, revision())
    refusal = SchemaRefusal("orders-clean", "source", "orders-value", 4, "of another kind")
    stranger = SchemaRefusal("stranger", "source", "orders-value", 4, "no such pipeline")
    assert schemas.save_refusals(database, [refusal, stranger], (), actor="x") == [refusal]
    assert schemas.save_refusals(database, [refusal], (), actor="x") == []
    [kept] = schemas.refusals(database)
    assert (kept.version, kept.reason) == (4, "of another kind")
    actions = [row.action for row in audit.recent(database, "orders-clean")]
    assert actions == ["schema not followed", "created"]
    assert schemas.save_refusals(database, (), [("orders-clean", "source")], actor="x") == []
    assert schemas.refusals(database) == []


def test_a_revision_may_come_from_the_registry(database: Database) -> None:
    save(database, revision())
    save_revisions(database, [revision(expected=1)], author="supervisor", origin="registry", comment="3 to 4")
    assert get_revision(database, "orders-clean", 2).origin == "registry"
    assert version().path in get_revision(database, "orders-clean", 2).pins
