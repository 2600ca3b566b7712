"""Schemas from document to revision: pinned, compared, followed, carried over, and looked at."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inflect.control import catalogue, operate
from inflect.control.apply import Plan, apply, plan
from inflect.control.follow import Followed, follow_schemas
from inflect.control.schemas import SchemaSources
from inflect.control.verdicts import Verdicts
from inflect.embedded.kafka import KafkaServer
from inflect.errors import ConflictError, Fault, NotFoundError, RefusedError, UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.model.schema import PinnedSchema, Schema
from inflect.store import audit, pipelines, schemas
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision
from tests.unit.control.shelf import TEXTS, Shelf
from tests.waiting import eventually

LATEST = {"subject": "orders-value"}


@pytest.fixture
def admin(kafka: KafkaServer) -> Iterator[Admin]:
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        yield admin


@pytest.fixture
def topic(admin: Admin, topic_name: Callable[[str], str]) -> str:
    name = topic_name("orders")
    admin.create_topics([NewTopicSpec(name, 1)])
    eventually(lambda: name in admin.topics(), why="brokers learn of new topics a moment later")
    return name


def document(topic: str = "in", schema: Any = None, **keys: Any) -> dict[str, Any]:
    source = {"topic": topic, **({"schema": schema} if schema else {})}
    return {"name": "p", "source": source, "target": {"topic": f"{topic}-out", "create": {}}, **keys}


def do(db: Database, admin: Admin, shelf: Shelf | None, one: dict[str, Any]) -> Plan:
    return apply(db, admin, [one], author="t", origin="cli", schemas=SchemaSources(shelf))


def version_of(db: Database, side: Any = "source") -> int | None:
    row = pipelines.get_pipeline(db, "p")
    pin = pipelines.get_revision(db, "p", row.revision).schemas.get(side)
    return pin.version if pin else None


def stored(db: Database, schema: Any, version: int, *, expected: int | None = None, text: str = "{}") -> None:
    """A revision that pins a version, as `apply` leaves it."""
    pinned = PinnedSchema(Schema("json", text), "orders-value", version, 100 + version)
    new = NewRevision("p", expected, document(schema=schema), {}, (), {"source": pinned})
    pipelines.save_revisions(db, [new], author="t", origin="cli")


def follow(db: Database, shelf: Shelf) -> Followed:
    return follow_schemas(db, shelf, author="supervisor")


def test_a_document_is_applied_with_its_schema_and_again_without_a_change(
    database: Database, admin: Admin, topic: str
) -> None:
    shelf = Shelf().add("orders-value")
    assert do(database, admin, shelf, document(topic, LATEST)).changes[0].action == "created"
    assert version_of(database) == 1
    assert do(database, admin, shelf, document(topic, {**LATEST, "version": "latest"})).is_empty
    loaded = pipelines.load_revision(database, "p", 1)
    assert loaded.source_schema == PinnedSchema(Schema("json", TEXTS["json"]), "orders-value", 1, 101)


def test_a_newer_version_shows_as_a_difference_of_the_schema(database: Database, admin: Admin, topic: str) -> None:
    shelf = Shelf().add("orders-value")
    do(database, admin, shelf, document(topic, LATEST))
    shelf.add("orders-value", text="{}")
    [change] = plan(database, admin, [document(topic, LATEST)], schemas=SchemaSources(shelf)).changes
    [difference] = change.differences
    assert (difference.path, difference.before, difference.after) == (
        "source.schema",
        "orders-value 1",
        "orders-value 2",
    )
    fixed = plan(database, admin, [document(topic, {**LATEST, "version": 2})], schemas=SchemaSources(shelf))
    assert [one.path for one in fixed.changes[0].differences] == ["source.schema.version"]


def test_a_faulty_schema_is_told_beside_all_other_faults(database: Database, admin: Admin, topic: str) -> None:
    faulty = document(topic, {"subject": "nobody"}, steps=[{"filter": "missing"}])
    with pytest.raises(RefusedError) as caught:
        do(database, admin, Shelf(), faulty)
    assert {fault.path for fault in caught.value.faults} == {"source.schema.subject", "steps[0].filter"}
    with pytest.raises(RefusedError) as caught:  # what is wrong here comes before what is away elsewhere
        do(database, admin, Shelf().away(), faulty)
    assert {fault.path for fault in caught.value.faults} == {"steps[0].filter"}


def test_while_the_registry_is_away_a_pipeline_can_be_changed_but_not_its_schema(
    database: Database, admin: Admin, topic: str
) -> None:
    shelf = Shelf().add("orders-value")
    do(database, admin, shelf, document(topic, LATEST))
    shelf.away()
    changed = do(database, admin, shelf, document(topic, LATEST, description="changed"))
    assert changed.changes[0].revision == 2
    assert "orders-value version 1 is kept" in changed.notes[0]
    assert version_of(database) == 1
    with pytest.raises(UnreachableError):
        do(database, admin, shelf, document(topic, {"subject": "other"}))


def test_a_pipeline_that_must_be_new_is_not_changed(database: Database, admin: Admin, topic: str) -> None:
    do(database, admin, None, document(topic))
    with pytest.raises(ConflictError, match="exists already"):
        apply(database, admin, [document(topic, description="x")], author="t", origin="api", create=True)
    assert pipelines.get_pipeline(database, "p").revision == 1


def test_a_rollback_brings_the_old_schema_back_without_a_registry(database: Database) -> None:
    stored(database, LATEST, 1)
    stored(database, LATEST, 2, expected=1)
    assert operate.rollback(database, "p", 1, author="t") == 3
    assert version_of(database) == 1


@pytest.mark.row("C11")
def test_a_newer_version_is_followed_by_a_revision_that_says_so(database: Database) -> None:
    shelf = Shelf().add("orders-value").add("orders-value")
    stored(database, LATEST, 1, text=TEXTS["json"])
    assert follow(database, shelf).revisions == {"p": 2}
    made = pipelines.get_revision(database, "p", 2)
    assert (made.origin, made.comment) == ("registry", "source.schema: orders-value from version 1 to 2")
    assert version_of(database) == 2
    assert follow(database, shelf) == Followed()


def test_a_fixed_version_follows_nothing(database: Database) -> None:
    shelf = Shelf().add("orders-value").add("orders-value")
    stored(database, {**LATEST, "version": 1}, 1)
    assert follow(database, shelf) == Followed()
    assert shelf.asked == 0


@pytest.mark.parametrize(
    ("kind", "text", "reason"),
    [("avro", "", "is a schema for avro"), ("json", '{"type": "nonsense"}', "")],
    ids=["of another kind", "not to be used"],
)
def test_a_version_that_cannot_be_used_is_refused_once_and_the_old_one_goes_on(
    database: Database, kind: Any, text: str, reason: str
) -> None:
    shelf = Shelf().add("orders-value").add("orders-value", kind, text)
    stored(database, LATEST, 1, text=TEXTS["json"])
    [refusal] = follow(database, shelf).refusals
    assert (refusal.version, refusal.side) == (2, "source")
    assert reason in refusal.reason
    assert follow(database, shelf) == Followed()
    assert version_of(database) == 1
    assert [one.version for one in schemas.refusals(database)] == [2]
    assert audit.recent(database, "p")[0].action == "schema not followed"
    shelf.add("orders-value")
    assert follow(database, shelf).revisions == {"p": 2}
    assert (version_of(database), schemas.refusals(database)) == (3, [])


def test_who_rolled_back_is_not_overruled_until_there_is_something_new(database: Database) -> None:
    shelf = Shelf().add("orders-value").add("orders-value")
    stored(database, LATEST, 1)
    stored(database, LATEST, 2, expected=1)
    operate.rollback(database, "p", 1, author="t")
    followed = follow(database, shelf)
    assert (followed.revisions, len(followed.refusals)) == ({}, 1)
    assert followed.refusals[0].reason.startswith("the pipeline had it and went back to version 1")
    assert follow(database, shelf) == Followed()
    shelf.add("orders-value")
    assert follow(database, shelf).revisions == {"p": 4}
    assert version_of(database) == 3


def test_a_version_that_cannot_be_used_is_not_tried_out_at_every_look(database: Database) -> None:
    tried: list[PinnedSchema] = []

    def refuse(pinned: PinnedSchema) -> list[Fault]:
        tried.append(pinned)
        return [Fault("", "cannot be used")]

    stored(database, LATEST, 1)
    shelf, verdicts = Shelf().add("orders-value").add("orders-value"), Verdicts(trial=refuse)
    looks = [follow_schemas(database, shelf, author="t", verdicts=verdicts) for _ in range(3)]
    assert [len(look.refusals) for look in looks] == [1, 0, 0]
    assert [one.reason for one in schemas.refusals(database)] == ["cannot be used"]
    assert len(tried) == 1


def test_a_version_that_is_not_wanted_back_is_not_tried_out(database: Database) -> None:
    def unexpected(pinned: PinnedSchema) -> list[Fault]:
        raise AssertionError(f"{pinned} was tried out")

    stored(database, LATEST, 1)
    stored(database, LATEST, 2, expected=1)
    operate.rollback(database, "p", 1, author="t")
    shelf, verdicts = Shelf().add("orders-value").add("orders-value"), Verdicts(trial=unexpected)
    assert len(follow_schemas(database, shelf, author="t", verdicts=verdicts).refusals) == 1


def test_a_subject_that_the_registry_lost_leaves_what_is_pinned(database: Database) -> None:
    stored(database, LATEST, 3)
    assert follow(database, Shelf()) == Followed()
    with pytest.raises(UnreachableError):
        follow(database, Shelf().away())


def test_the_catalogue_has_what_the_registry_has_and_what_is_used(database: Database) -> None:
    stored(database, LATEST, 1)
    found = catalogue.entries(database, Shelf().add("clicks-value"))
    assert [(entry.subject, [use.pipeline for use in entry.used_by]) for entry in found] == [
        ("clicks-value", []),
        ("orders-value", ["p"]),
    ]
    assert [entry.subject for entry in catalogue.entries(database, None)] == ["orders-value"]


def test_a_subject_in_use_can_be_read_while_the_registry_is_away(database: Database) -> None:
    shelf = Shelf().add("orders-value").add("orders-value")
    stored(database, LATEST, 1, text='{"title": "one"}')
    live = catalogue.subject(database, shelf, "orders-value")
    assert (live.version, live.versions, live.away) == (2, (1, 2), "")
    shelf.away()
    kept = catalogue.subject(database, shelf, "orders-value")
    assert (kept.version, kept.versions, kept.schema.text) == (1, (1,), '{"title": "one"}')
    assert "does not answer" in kept.away
    with pytest.raises(UnreachableError):
        catalogue.subject(database, shelf, "orders-value", 2)
    with pytest.raises(NotFoundError):
        catalogue.subject(database, None, "nobody")
