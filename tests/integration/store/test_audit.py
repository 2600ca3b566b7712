"""The audit only grows."""

import pytest

from inflect.errors import InflectError
from inflect.store.audit import recent, record
from inflect.store.database import Database


def write(db: Database, *subjects: str) -> None:
    with db.transaction() as connection:
        for subject in subjects:
            record(connection, "ada", "looked at", subject, {"why": "to see"})


def test_entries_come_newest_first_and_page_by_page(database: Database) -> None:
    write(database, "a", "b", "c")
    newest = recent(database, limit=2)
    assert [entry.subject for entry in newest] == ["c", "b"]
    assert [entry.subject for entry in recent(database, before=newest[-1].id)] == ["a"]
    assert (newest[0].actor, newest[0].action, newest[0].detail) == ("ada", "looked at", {"why": "to see"})


def test_one_subject_can_be_asked_for(database: Database) -> None:
    write(database, "a", "b", "a")
    assert [entry.subject for entry in recent(database, "a")] == ["a", "a"]


@pytest.mark.parametrize("statement", ["update audit set actor = 'eve'", "delete from audit", "truncate audit"])
def test_entries_are_neither_changed_nor_removed(database: Database, statement: str) -> None:
    write(database, "a")
    with pytest.raises(InflectError, match="on audit is refused"), database.connection() as connection:
        connection.execute(statement.encode())
    assert len(recent(database)) == 1
