"""Documents into the database and topics into Kafka: the whole set, or nothing."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inflect.control import operate
from inflect.control.apply import Plan, apply, plan
from inflect.control.show import show, show_all
from inflect.embedded.kafka import KafkaServer
from inflect.errors import ConflictError, NotFoundError, RefusedError, UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec, TopicInfo
from inflect.model.processor import ProcessorVersion, content_hash
from inflect.store import audit, pipelines, processors
from inflect.store.database import Database
from tests.waiting import eventually

Documents = Callable[..., dict[str, Any]]


@pytest.fixture
def admin(kafka: KafkaServer) -> Iterator[Admin]:
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        yield admin


@pytest.fixture
def topic(admin: Admin, topic_name: Callable[[str], str]) -> str:
    name = topic_name("orders")
    admin.create_topics([NewTopicSpec(name, 3)])
    eventually(lambda: all_there(admin, name), why="brokers learn of new topics a moment later")
    return name


@pytest.fixture
def document(topic: str) -> Documents:
    """A valid document; keys replace or add."""

    def make(name: str = "p", **keys: Any) -> dict[str, Any]:
        target = {"topic": f"{topic}-{name}", "create": {"partitions": 2, "config": {"retention.ms": 60000}}}
        return {"name": name, "source": {"topic": topic}, "target": target, **keys}

    return make


def version(path: str, source: str = "1", *requires: str) -> ProcessorVersion:
    kind, name = path.removesuffix(".js").split("/", 1)
    kinds = {"filters": "filter", "transformations": "transformation", "lib": "library"}
    return ProcessorVersion(path, kinds[kind], name, content_hash(source), source, source, requires)  # type: ignore[arg-type]  # the table's values


def record(db: Database, *versions: ProcessorVersion) -> None:
    processors.record_versions(db, {v.path: v for v in versions}, [], author="t")


def do(db: Database, admin: Admin, *documents: dict[str, Any], prune: bool = False) -> Plan:
    return apply(db, admin, documents, author="t", origin="cli", prune=prune)


def all_there(admin: Admin, *names: str) -> dict[str, TopicInfo]:
    """Return the topics once all of them are known to the broker that answers, before that nothing."""
    found = admin.describe(names)
    return found if len(found) == len(names) else {}


def actions(plan: Plan) -> dict[str, str]:
    return {change.name: change.action for change in plan.changes}


def refusal(db: Database, admin: Admin, *documents: dict[str, Any]) -> list[str]:
    with pytest.raises(RefusedError) as caught:
        do(db, admin, *documents)
    assert pipelines.list_pipelines(db) == []
    return str(caught.value).splitlines()


def test_a_pipeline_is_created_with_its_topics_and_pins(database: Database, admin: Admin, document: Documents) -> None:
    record(database, version("filters/paid.js", "1", "lib/a.js"), version("lib/a.js"), version("lib/unused.js"))
    wanted = document(steps=[{"filter": "paid", "filtered": "unpaid-p"}], dead_letter="dlq-p")
    done = do(database, admin, wanted)
    assert actions(done) == {"p": "created"}
    assert done.changes[0].revision == 1
    made = (wanted["target"]["topic"], "dlq-p", "unpaid-p")
    topics = eventually(lambda: all_there(admin, *made), why="brokers learn of new topics a moment later")
    assert [topics[name].partitions for name in made] == [2, 3, 3]
    assert admin.topic_configs([wanted["target"]["topic"]])[wanted["target"]["topic"]]["retention.ms"] == "60000"
    stored = pipelines.get_revision(database, "p", 1)
    assert set(stored.pins) == {"filters/paid.js", "lib/a.js"}
    assert stored.entries == ["filters/paid.js"]
    assert stored.document == wanted
    assert pipelines.load_revision(database, "p", 1).pipeline.steps[0].filtered == "unpaid-p"


def test_a_dead_letter_topic_takes_the_largest_event_with_its_headers(
    database: Database, admin: Admin, document: Documents, topic: str
) -> None:
    dead = f"{topic}-dlq"
    do(database, admin, document(dead_letter=dead))
    eventually(lambda: all_there(admin, dead), why="brokers learn of new topics a moment later")
    limits = admin.max_record_bytes([topic, dead])
    assert limits[dead] > limits[topic]


def test_a_dead_letter_topic_forgets_nothing_by_itself(
    database: Database, admin: Admin, document: Documents, topic: str
) -> None:
    """Letters keep their events' times: those of old events would be gone within minutes."""
    dead, kept = f"{topic}-dlq", f"{topic}-kept"
    record(database, version("filters/paid.js"))
    do(database, admin, document(steps=[{"filter": "paid", "filtered": kept}], dead_letter=dead))
    eventually(lambda: all_there(admin, dead, kept), why="brokers learn of new topics a moment later")
    retention = {name: found["retention.ms"] for name, found in admin.topic_configs([dead, kept]).items()}
    assert retention == {dead: "-1", kept: "604800000"}


def test_the_same_again_changes_nothing(database: Database, admin: Admin, document: Documents) -> None:
    do(database, admin, document())
    again = do(database, admin, document(on_error="stop", labels={}))
    assert actions(again) == {"p": "unchanged"}
    assert again.is_empty
    assert len(pipelines.history(database, "p")) == 1


def test_a_change_is_a_new_revision_with_its_differences(database: Database, admin: Admin, document: Documents) -> None:
    do(database, admin, document())
    changed = do(database, admin, document(on_error="drop"), document("q"))
    assert actions(changed) == {"p": "changed", "q": "created"}
    [difference] = changed.changes[0].differences
    assert (difference.path, difference.before, difference.after) == ("on_error", None, "drop")
    assert changed.changes[0].revision == 2


def test_a_plan_writes_nothing(database: Database, admin: Admin, document: Documents) -> None:
    planned = plan(database, admin, [document(dead_letter="never-made")])
    assert actions(planned) == {"p": "created"}
    assert [spec.name for spec in planned.topics][-1] == "never-made"
    assert "never-made" not in admin.topics()
    assert pipelines.list_pipelines(database) == []


def test_one_fault_keeps_the_whole_set_out(database: Database, admin: Admin, document: Documents, topic: str) -> None:
    lines = refusal(
        database,
        admin,
        document("good", dead_letter=f"{topic}-never"),
        document("bad", source={"topic": topic[:-1]}, steps=[{"filter": "nix"}]),
        document("worse", target={"topic": "nowhere"}),
    )
    assert lines == [
        f"pipelines: bad: source.topic: there is no topic '{topic[:-1]}' (did you mean '{topic}'?); create it first",
        "pipelines: bad: steps[0].filter: there is no filter 'nix'; add filters/nix.js and run `inflect sync`",
        "pipelines: worse: target.topic: there is no topic 'nowhere'; create it, or let Inflect do it: `create: {}`",
    ]
    assert f"{topic}-never" not in admin.topics()


def test_faults_of_the_documents_themselves_come_together(
    database: Database, admin: Admin, document: Documents
) -> None:
    lines = refusal(database, admin, document(stamp=5), {"nmae": "x"}, document("twice"), document("twice"))
    assert any(line.startswith("pipelines: p: stamp: must be true or false") for line in lines)
    assert any(line.startswith("pipelines: document 2: nmae: unknown key, did you mean 'name'?") for line in lines)
    assert "pipelines: twice: name: is given to two pipelines" in lines


def test_faults_of_a_document_and_of_the_world_around_it_come_together(
    database: Database, admin: Admin, document: Documents, topic: str
) -> None:
    steps = [{"filter": "nix", "parms": {}}]
    lines = refusal(database, admin, document(colour="red", stamp=5, steps=steps, target={"topic": f"{topic}-no"}))
    paths = sorted(line.split(": ")[1] for line in lines)
    assert paths == ["colour", "stamp", "steps[0].filter", "steps[0].parms", "target.topic"]


def test_faults_of_a_document_are_told_without_a_broker(database: Database, document: Documents) -> None:
    with Admin({"bootstrap.servers": "127.0.0.1:9"}, timeout_s=1) as away, pytest.raises(RefusedError, match="colour"):
        do(database, away, document(colour="red"))


def test_a_pipeline_may_read_what_another_one_of_the_set_creates(
    database: Database, admin: Admin, document: Documents
) -> None:
    first = document("first")
    between = first["target"]["topic"]
    second = document("second", source={"topic": between}, target={"topic": f"{between}-end", "create": {}})
    do(database, admin, second, first)
    assert eventually(lambda: all_there(admin, f"{between}-end"))[f"{between}-end"].partitions == 2


def test_prune_deletes_what_is_not_in_the_set(database: Database, admin: Admin, document: Documents) -> None:
    do(database, admin, document("a"), document("b"))
    pruned = do(database, admin, document("a"), prune=True)
    assert actions(pruned) == {"a": "unchanged", "b": "deleted"}
    assert [row.name for row in pipelines.list_pipelines(database)] == ["a"]


def test_a_start_other_than_earliest_is_committed_once(
    database: Database, admin: Admin, document: Documents, topic: str
) -> None:
    do(database, admin, document(source={"topic": topic, "start": "latest"}))
    assert sorted(admin.committed("inflect-p", topic)) == [0, 1, 2]


def test_changed_code_is_a_change_of_the_pipeline(database: Database, admin: Admin, document: Documents) -> None:
    record(database, version("filters/paid.js", "1"))
    do(database, admin, document(steps=[{"filter": "paid"}]))
    record(database, version("filters/paid.js", "2"))
    changed = do(database, admin, document(steps=[{"filter": "paid"}]))
    assert actions(changed) == {"p": "changed"}
    [difference] = changed.changes[0].differences
    assert (difference.path, difference.after) == ("filters/paid.js", content_hash("2")[:12])


def test_a_broker_that_is_away_changes_nothing(database: Database, document: Documents) -> None:
    with Admin({"bootstrap.servers": "127.0.0.1:9"}, timeout_s=1) as away, pytest.raises(UnreachableError):
        do(database, away, document())
    assert pipelines.list_pipelines(database) == []


def test_a_rollback_is_a_new_revision_with_the_old_content(
    database: Database, admin: Admin, document: Documents
) -> None:
    record(database, version("filters/paid.js", "1"))
    do(database, admin, document(steps=[{"filter": "paid"}]))
    record(database, version("filters/paid.js", "2"))
    do(database, admin, document(steps=[{"filter": "paid"}], on_error="drop"))
    assert operate.rollback(database, "p", 1, author="t") == 3
    restored = pipelines.get_revision(database, "p", 3)
    assert restored.document == pipelines.get_revision(database, "p", 1).document
    assert restored.pins == {"filters/paid.js": content_hash("1")}
    assert restored.comment == "back to revision 1"
    with pytest.raises(ConflictError, match="is the current one"):
        operate.rollback(database, "p", 3, author="t")
    with pytest.raises(NotFoundError, match="no revision 9"):
        operate.rollback(database, "p", 9, author="t")


def test_pause_resume_and_delete_leave_a_trace(database: Database, admin: Admin, document: Documents) -> None:
    do(database, admin, document())
    operate.pause(database, "p", author="ann")
    assert pipelines.get_pipeline(database, "p").paused
    operate.resume(database, "p", author="ben")
    assert not pipelines.get_pipeline(database, "p").paused
    operate.delete(database, "p", author="cat")
    assert pipelines.list_pipelines(database) == []
    assert [(row.actor, row.action) for row in audit.recent(database, "p")] == [
        ("cat", "deleted"),
        ("ben", "resumed"),
        ("ann", "paused"),
        ("t", "created"),
    ]


def test_the_audit_says_where_a_change_was_asked_for(database: Database, admin: Admin, document: Documents) -> None:
    do(database, admin, document())
    do(database, admin, document(on_error="drop"))
    operate.pause(database, "p", author="ann", origin="web")
    operate.resume(database, "p", author="ann", origin="api")
    operate.rollback(database, "p", 1, author="ann", origin="api")
    assert pipelines.get_revision(database, "p", 3).origin == "rollback"
    asked = [(row.action, row.detail["origin"]) for row in audit.recent(database, "p", 3)]
    assert asked == [("changed", "api"), ("resumed", "api"), ("paused", "web")]


@pytest.mark.parametrize("verb", [operate.pause, operate.resume, operate.delete])
def test_a_pipeline_that_is_not_there_is_not_found(database: Database, verb: Callable[..., None]) -> None:
    with pytest.raises(NotFoundError, match="no pipeline nobody"):
        verb(database, "nobody", author="t")


def test_show_has_the_shape_that_scripts_rely_on(database: Database, admin: Admin, document: Documents) -> None:
    do(database, admin, document())
    shown = show(database, "p")
    assert shown == {
        "name": "p",
        "state": "starting",
        "reason": "",
        "revision": 1,
        "workers": [],
        "counts": dict.fromkeys(("consumed", "delivered", "filtered", "dead_lettered", "dropped", "unaccounted"), 0),
        "lag": {"events": None, "seconds": None},
    }
    assert show_all(database) == [shown]


@pytest.mark.row("A56")
def test_a_pipeline_that_sends_events_back_to_a_stored_one_is_refused(
    database: Database, admin: Admin, document: Documents, topic: str
) -> None:
    there = document("there")
    back = {"name": "back", "source": {"topic": f"{topic}-there"}, "target": {"topic": topic}}
    do(database, admin, there)
    eventually(lambda: all_there(admin, f"{topic}-there"), why="brokers learn of new topics a moment later")
    with pytest.raises(RefusedError, match=f"in a cycle: {topic}-there → {topic} → {topic}-there"):
        do(database, admin, back)
    with pytest.raises(RefusedError, match="cycle"):
        do(database, admin, there, back)
    assert [row.name for row in pipelines.list_pipelines(database)] == ["there"]
    assert actions(do(database, admin, back, prune=True)) == {"back": "created", "there": "deleted"}
