"""Pipelines and revisions: whole or nothing, immutable, and announced."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from inflect.errors import ConflictError, InflectError, NotFoundError, UsageError
from inflect.store.audit import recent
from inflect.store.database import Database
from inflect.store.pipelines import (
    NewRevision,
    desired,
    get_pipeline,
    get_revision,
    history,
    list_pipelines,
    load_revision,
    save_revisions,
    set_halted,
    set_paused,
    set_state,
)
from inflect.store.processors import record_versions
from tests.integration.store.samples import FILTER, document, revision, save, version


@contextmanager
def listening(url: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("listen inflect")
        yield connection


def heard(connection: psycopg.Connection[tuple[object, ...]]) -> list[str]:
    """Everything announced so far: NOTIFY of a committed transaction precedes the answer to a later query."""
    connection.execute("select 1")
    return [notification.payload for notification in connection.notifies(timeout=0)]


def test_a_saved_pipeline_is_read_back_as_it_was_written(database: Database) -> None:
    written = document(description="Paid orders", params={"z": 1, "a": 2})
    new = NewRevision("orders-clean", None, written, {FILTER: version().hash}, (FILTER,))
    assert save(database, new) == {"orders-clean": 1}
    row = get_pipeline(database, "orders-clean")
    assert (row.name, row.revision, row.document) == ("orders-clean", 1, written)
    assert list(row.document) == list(written)
    assert list(row.document["params"]) == ["z", "a"]
    assert (row.paused, row.halted, row.state, row.reason) == (False, None, "starting", "")
    assert (row.author, row.origin) == ("ada", "cli")
    assert row.created_at.utcoffset() is not None
    assert list_pipelines(database) == [row]


def test_numbers_in_documents_keep_every_digit(database: Database) -> None:
    numbers = {"huge": 123456789012345678901234567890, "exact": 9007199254740993, "float": 1.0, "small": 1e-7}
    save(database, revision(params=numbers))
    kept = get_pipeline(database, "orders-clean").document["params"]
    assert kept == numbers
    assert [type(value) for value in kept.values()] == [int, int, float, float]


def test_what_json_cannot_hold_is_refused_and_nothing_saved(database: Database) -> None:
    with pytest.raises(UsageError):
        save(database, revision("fine"), revision(params={"minimum": float("nan")}))
    assert list_pipelines(database) == []


def test_a_pipeline_that_is_not_there_is_named(database: Database) -> None:
    for ask in (
        lambda: get_pipeline(database, "nobody"),
        lambda: history(database, "nobody"),
        lambda: get_revision(database, "nobody", 1),
        lambda: set_paused(database, "nobody", paused=True, author="ada"),
        lambda: save(database, delete=("nobody",)),
    ):
        with pytest.raises(NotFoundError, match="nobody"):
            ask()


def test_history_comes_in_pages(database: Database) -> None:
    save(database, revision("p"))
    for expected in range(1, 5):
        save(database, revision("p", expected))
    assert [row.number for row in history(database, "p", limit=2)] == [5, 4]
    assert [row.number for row in history(database, "p", limit=2, before=4)] == [3, 2]
    assert history(database, "p", before=1) == []


def test_a_stale_change_conflicts_and_nothing_of_its_set_is_saved(database: Database) -> None:
    save(database, revision("one"), revision("two"))
    with pytest.raises(ConflictError, match="two is at revision 1, not 7"):
        save(database, revision("one", expected=1), revision("three"), revision("two", expected=7))
    assert [(row.name, row.revision) for row in list_pipelines(database)] == [("one", 1), ("two", 1)]
    assert len(history(database, "one")) == 1


def test_a_pipeline_that_exists_is_not_created_again(database: Database) -> None:
    save(database, revision())
    with pytest.raises(ConflictError, match="exists already"):
        save(database, revision())


def test_a_change_to_a_deleted_pipeline_conflicts(database: Database) -> None:
    save(database, revision())
    save(database, delete=("orders-clean",))
    with pytest.raises(ConflictError, match="deleted meanwhile"):
        save(database, revision(expected=1))


def test_a_pipeline_named_twice_in_one_change_is_refused(database: Database) -> None:
    with pytest.raises(ConflictError, match="twice: orders-clean"):
        save(database, revision(), revision())


def test_of_two_writers_at_once_one_wins_and_the_other_is_told(database: Database) -> None:
    save(database, revision())
    results: list[object] = []
    together = threading.Barrier(2)

    def write(comment: str) -> None:
        together.wait()
        try:
            change = [revision(expected=1)]
            results.append(save_revisions(database, change, author="ada", origin="web", comment=comment))
        except ConflictError as error:
            results.append(error)

    threads = [threading.Thread(target=write, args=(name,)) for name in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(type(result).__name__ for result in results) == ["ConflictError", "dict"]
    assert get_pipeline(database, "orders-clean").revision == 2


def test_unknown_pins_are_refused(database: Database) -> None:
    stranger = NewRevision("orders-clean", None, document(), {FILTER: "0" * 64}, (FILTER,))
    with pytest.raises(ConflictError, match=re.escape(FILTER)):
        save(database, stranger)
    assert list_pipelines(database) == []


def test_numbers_go_on_after_a_pipeline_was_deleted_and_made_again(database: Database) -> None:
    save(database, revision())
    save(database, revision(expected=1))
    save(database, delete=("orders-clean",))
    assert list_pipelines(database) == []
    assert save(database, revision()) == {"orders-clean": 3}
    assert [row.number for row in history(database, "orders-clean")] == [3, 2, 1]


def test_a_revision_brings_the_code_it_pinned_not_the_newest(database: Database) -> None:
    save(database, revision())
    newer = version(source="module.exports = () => true")
    record_versions(database, {FILTER: newer}, (), author="ada")
    loaded = load_revision(database, "orders-clean", 1)
    assert (loaded.number, loaded.pipeline.name, loaded.entries) == (1, "orders-clean", (FILTER,))
    assert loaded.modules == {FILTER: version().code}


def test_code_that_was_lost_is_named(database: Database) -> None:
    save(database, revision())
    with database.connection() as connection:
        connection.execute("delete from processors")
        connection.execute("delete from processor_versions")
    with pytest.raises(InflectError, match=re.escape(FILTER)):
        load_revision(database, "orders-clean", 1)


def test_revisions_refuse_to_be_changed(database: Database) -> None:
    save(database, revision())
    with (
        pytest.raises(InflectError, match="UPDATE on revisions is refused"),
        database.connection() as connection,
    ):
        connection.execute("update revisions set author = 'eve'")


def test_each_change_is_announced_once_with_the_name(database: Database, database_url: str) -> None:
    with listening(database_url) as listener:
        save(database, revision("one"), revision("two"))
        assert sorted(heard(listener)) == ["one", "two"]
        save(database, revision("one", expected=1))
        assert heard(listener) == ["one"]
        set_paused(database, "one", paused=True, author="ada")
        assert heard(listener) == ["one"]
        set_halted(database, "two", "event 5 failed")
        assert heard(listener) == ["two"]
        save(database, delete=("one",))
        assert heard(listener) == ["one"]


def test_status_is_never_announced(database: Database, database_url: str) -> None:
    save(database, revision())
    with listening(database_url) as listener:
        set_state(database, {"orders-clean": ("running", "2 workers")})
        assert heard(listener) == []
    row = get_pipeline(database, "orders-clean")
    assert (row.state, row.reason) == ("running", "2 workers")


@pytest.mark.row("D07")
def test_a_change_that_is_rolled_back_never_happened(database: Database, database_url: str) -> None:
    with listening(database_url) as listener:
        with pytest.raises(ConflictError):
            save(database, revision("one"), revision("two", expected=4))
        assert heard(listener) == []
    assert list_pipelines(database) == []
    assert [entry.action for entry in recent(database)] == ["processor added"]


def test_pause_and_resume_are_kept_and_asking_twice_changes_nothing(database: Database, database_url: str) -> None:
    save(database, revision())
    set_paused(database, "orders-clean", paused=True, author="ada")
    assert get_pipeline(database, "orders-clean").paused
    with listening(database_url) as listener:
        set_paused(database, "orders-clean", paused=True, author="ada")
        assert heard(listener) == []
    set_paused(database, "orders-clean", paused=False, author="ada")
    set_paused(database, "orders-clean", paused=False, author="ada")
    assert not get_pipeline(database, "orders-clean").paused
    assert [entry.action for entry in recent(database, "orders-clean")] == ["resumed", "paused", "created"]


def test_a_resume_lifts_what_halted_a_pipeline(database: Database, database_url: str) -> None:
    save(database, revision())
    assert set_halted(database, "orders-clean", "event 5 failed", revision=1)
    assert not set_halted(database, "orders-clean", "event 5 failed again", revision=1)
    halted = get_pipeline(database, "orders-clean")
    assert (halted.halted, halted.state) == ("event 5 failed", "stopped")
    with listening(database_url) as listener:
        set_paused(database, "orders-clean", paused=False, author="ada")
        assert heard(listener) == ["orders-clean"]
    resumed = get_pipeline(database, "orders-clean")
    assert (resumed.halted, resumed.state, resumed.reason) == (None, "starting", "")


def test_a_resume_of_a_failed_pipeline_is_a_change_the_supervisor_sees(database: Database, database_url: str) -> None:
    save(database, revision())
    set_state(database, {"orders-clean": ("failed", "a topic is missing")})
    (before,) = desired(database)
    with listening(database_url) as listener:
        set_paused(database, "orders-clean", paused=False, author="ada")
        assert heard(listener) == ["orders-clean"]
    (after,) = desired(database)
    assert after.resumes == before.resumes + 1


def test_what_an_old_revision_met_does_not_stop_its_successor(database: Database) -> None:
    save(database, revision())
    save(database, revision(expected=1))
    assert not set_halted(database, "orders-clean", "event 5 failed", revision=1)
    assert get_pipeline(database, "orders-clean").halted is None


def test_a_new_revision_lifts_the_halt_and_keeps_the_pause(database: Database) -> None:
    save(database, revision())
    set_halted(database, "orders-clean", "event 5 failed")
    set_paused(database, "orders-clean", paused=True, author="ada")
    save(database, revision(expected=1))
    row = get_pipeline(database, "orders-clean")
    assert (row.paused, row.halted, row.revision) == (True, None, 2)


def test_desired_holds_what_the_supervisor_follows(database: Database) -> None:
    save(database, revision("one"), revision("two"))
    set_paused(database, "two", paused=True, author="ada")
    found = [(each.name, each.revision, each.paused, each.document) for each in desired(database)]
    assert found == [("one", 1, False, document("one")), ("two", 1, True, document("two"))]


def test_history_says_who_came_from_where_and_why(database: Database) -> None:
    save(database, revision())
    (row,) = history(database, "orders-clean")
    assert (row.number, row.author, row.origin, row.comment) == (1, "ada", "cli", "a change")
    assert (row.pins, row.entries) == ({FILTER: version().hash}, [FILTER])
    assert get_revision(database, "orders-clean", 1) == row
