"""Processor files: every version kept, one current, nothing half."""

import pytest

from inflect.errors import InflectError, UsageError
from inflect.model.processor import ProcessorVersion, content_hash
from inflect.store.audit import recent
from inflect.store.database import Database
from inflect.store.processors import current, list_processors, record_versions, versions
from tests.integration.store.samples import FILTER, revision, save, version

LIBRARY = "lib/money.js"


def sync(db: Database, *changed: ProcessorVersion, removed: tuple[str, ...] = ()) -> None:
    record_versions(db, {each.path: each for each in changed}, removed, author="ada")


def test_a_version_is_read_back_whole(database: Database) -> None:
    whole = ProcessorVersion(
        path=FILTER,
        kind="filter",
        name="only-paid",
        hash=content_hash("source"),
        source="source",
        code="code",
        requires=(LIBRARY,),
        title="Only paid",
        description="Lets paid orders pass",
        params={"type": "object", "properties": {"minimum": {"default": 0.1}}},
    )
    sync(database, whole)
    assert current(database) == {FILTER: whole}


def test_an_edit_makes_a_version_current_and_keeps_the_one_before(database: Database) -> None:
    old, new = version(), version(source="module.exports = () => true")
    sync(database, old)
    sync(database, new)
    assert current(database) == {FILTER: new}
    assert [(row.hash, row.current) for row in versions(database, FILTER)] == [(new.hash, True), (old.hash, False)]


def test_an_edit_taken_back_makes_the_old_version_current_again(database: Database) -> None:
    old, new = version(), version(source="module.exports = () => true")
    for each in (old, new, old):
        sync(database, each)
    assert current(database) == {FILTER: old}
    assert len(versions(database, FILTER)) == 2


def test_a_removed_file_is_gone_but_its_versions_stay(database: Database) -> None:
    sync(database, version())
    sync(database, removed=(FILTER, "filters/never-there.js"))
    assert current(database) == {}
    assert [row.current for row in versions(database, FILTER)] == [False]


def test_a_file_says_which_pipelines_use_it_now(database: Database) -> None:
    sync(database, version(), version(LIBRARY))
    save(database, revision("one"), revision("two"))
    assert {row.path: row.used_by for row in list_processors(database)} == {FILTER: ["one", "two"], LIBRARY: []}
    save(database, delete=("one",))
    assert {row.path: row.used_by for row in list_processors(database)} == {FILTER: ["two"], LIBRARY: []}


def test_what_changed_is_audited_and_what_did_not_is_not(database: Database) -> None:
    sync(database, version())
    sync(database, version())
    sync(database, version(source="other"))
    sync(database, removed=(FILTER,))
    actions = [entry.action for entry in recent(database, FILTER)]
    assert actions == ["processor removed", "processor changed", "processor added"]


def test_a_sync_with_a_value_that_cannot_be_stored_changes_nothing(database: Database) -> None:
    with pytest.raises(UsageError, match="NUL"):
        sync(database, version("filters/a.js"), version("filters/b.js", source="nul \0 inside"))
    assert current(database) == {}


def test_versions_refuse_to_be_changed(database: Database) -> None:
    sync(database, version())
    with (
        pytest.raises(InflectError, match="UPDATE on processor_versions is refused"),
        database.connection() as connection,
    ):
        connection.execute("update processor_versions set code = 'evil'")
