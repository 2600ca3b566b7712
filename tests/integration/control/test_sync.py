"""The processors directory into the database: versions, new revisions, and what happens to faulty and lost files."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from inflect.control import operate
from inflect.control.setbacks import Setbacks
from inflect.control.sync import SyncResult, sync_directory
from inflect.engine.compile import Compiled, compile_files
from inflect.errors import UsageError
from inflect.model.processor import content_hash
from inflect.model.schema import PinnedSchema, Schema
from inflect.store import pipelines, processors
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision

PAID = "const money = require('../lib/money')\nmodule.exports = event => money.cents(event) > 0\n"
FILES = {
    "filters/paid.js": PAID,
    "transformations/lower.mjs": "export const title = 'Lower'\nexport default event => event\n",
    "lib/money.js": "exports.cents = event => event.amount * 100\n",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(tmp_path, FILES)
    return tmp_path


def write(directory: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def sync(db: Database, directory: Path) -> SyncResult:
    return sync_directory(db, directory, author="t")


def add_pipeline(db: Database, name: str, *steps: dict[str, str]) -> None:
    """Store a pipeline at the current versions; its topics do not matter here."""
    files = processors.current(db)
    folders = {"filter": ("filters", ".js"), "transformation": ("transformations", ".mjs")}
    entries = tuple(f"{folders[k][0]}/{v}{folders[k][1]}" for step in steps for k, v in step.items())
    wanted = {path for entry in entries for path in (entry, *files[entry].requires)}
    pins = {path: files[path].hash for path in wanted}
    document = {"name": name, "source": {"topic": "in"}, "target": {"topic": "out"}, "steps": list(steps)}
    pipelines.save_revisions(db, [NewRevision(name, None, document, pins, entries)], author="t", origin="cli")


def test_a_directory_becomes_versions(database: Database, directory: Path) -> None:
    result = sync(database, directory)
    assert result.changed == ("filters/paid.js", "lib/money.js", "transformations/lower.mjs")
    assert result.faults == ()
    current = processors.current(database)
    assert current["filters/paid.js"].requires == ("lib/money.js",)
    assert current["transformations/lower.mjs"].title == "Lower"
    assert current["lib/money.js"].kind == "library"
    assert sync(database, directory).is_empty


def test_a_changed_library_gives_every_pipeline_that_reaches_it_a_revision(database: Database, directory: Path) -> None:
    sync(database, directory)
    add_pipeline(database, "uses", {"filter": "paid"})
    add_pipeline(database, "other", {"transformation": "lower"})
    changed = "exports.cents = event => Math.round(event.amount * 100)\n"
    write(directory, {"lib/money.js": changed})
    result = sync(database, directory)
    assert result.changed == ("lib/money.js",)
    assert result.revisions == {"uses": 2}
    stored = pipelines.get_revision(database, "uses", 2)
    assert stored.pins["lib/money.js"] == content_hash(changed)
    assert stored.origin == "processors"


def test_a_faulty_file_is_named_with_its_place_and_the_old_version_stays(database: Database, directory: Path) -> None:
    sync(database, directory)
    add_pipeline(database, "uses", {"filter": "paid"})
    write(directory, {"filters/paid.js": "module.exports = event => {\n  return event.\n}\n"})
    result = sync(database, directory)
    assert result.is_empty
    [fault] = result.faults
    assert fault.path.startswith("filters/paid.js:3")
    assert "SyntaxError" in fault.message
    assert processors.current(database)["filters/paid.js"].source == PAID
    assert pipelines.get_pipeline(database, "uses").revision == 1


def test_a_faulty_library_keeps_those_that_require_it_as_they_are(database: Database, directory: Path) -> None:
    sync(database, directory)
    add_pipeline(database, "uses", {"filter": "paid"})
    write(directory, {"lib/money.js": "exports.cents = ("})
    result = sync(database, directory)
    assert result.is_empty
    assert any(fault.path.startswith("lib/money.js") for fault in result.faults)
    assert pipelines.get_pipeline(database, "uses").revision == 1


def test_a_good_file_is_taken_beside_a_faulty_one(database: Database, directory: Path) -> None:
    write(directory, {"filters/bad.js": "module.exports = 5"})
    result = sync(database, directory)
    assert "filters/paid.js" in result.changed
    assert [fault.path.partition(":")[0] for fault in result.faults] == ["filters/bad.js"]
    assert "filters/bad.js" not in processors.current(database)


def test_a_removed_file_is_forgotten_unless_a_pipeline_uses_it(database: Database, directory: Path) -> None:
    sync(database, directory)
    add_pipeline(database, "uses", {"filter": "paid"})
    for name in FILES:
        (directory / name).unlink()
    result = sync(database, directory)
    assert result.removed == ("transformations/lower.mjs",)
    assert result.kept == ("filters/paid.js", "lib/money.js")
    assert {fault.path for fault in result.faults} == {"filters/paid.js", "lib/money.js"}
    assert set(processors.current(database)) == {"filters/paid.js", "lib/money.js"}
    assert pipelines.get_pipeline(database, "uses").revision == 1


def test_a_rolled_back_pipeline_keeps_its_code_until_a_file_of_its_own_changes(
    database: Database, directory: Path
) -> None:
    sync(database, directory)
    add_pipeline(database, "uses", {"filter": "paid"})
    write(directory, {"filters/paid.js": f"// new\n{PAID}"})
    assert sync(database, directory).revisions == {"uses": 2}
    assert operate.rollback(database, "uses", 1, author="t") == 3
    write(directory, {"transformations/lower.mjs": "export default event => ({...event})\n"})
    assert sync(database, directory).revisions == {}
    write(directory, {"filters/paid.js": f"// newer\n{PAID}"})
    assert sync(database, directory).revisions == {"uses": 4}


def test_a_sync_that_died_between_versions_and_revisions_is_finished_by_the_next(
    database: Database, directory: Path
) -> None:
    sync(database, directory)
    add_pipeline(database, "uses", {"filter": "paid"})
    newer = processors.current(database)["filters/paid.js"]
    write(directory, {"filters/paid.js": f"// new\n{PAID}"})
    from inflect.control.sync import compile_directory  # noqa: PLC0415  only this test looks inside

    versions, _ = compile_directory(directory)
    processors.record_versions(database, {"filters/paid.js": versions["filters/paid.js"]}, [], author="t")
    assert newer.hash != versions["filters/paid.js"].hash
    assert sync(database, directory).revisions == {"uses": 2}


def test_files_that_cannot_be_read_safely_are_faults(database: Database, directory: Path, tmp_path: Path) -> None:
    secret = tmp_path.parent / "secret.js"
    secret.write_text("module.exports = 'secret'")
    (directory / "lib/link.js").symlink_to(secret)
    (directory / "lib/latin.js").write_bytes(b"// \xe9")
    (directory / "lib/huge.js").write_text("//" + "x" * (1 << 20))
    result = sync(database, directory)
    assert {fault.path for fault in result.faults} == {"lib/link.js", "lib/latin.js", "lib/huge.js"}
    assert not {"lib/link.js", "lib/latin.js", "lib/huge.js"} & set(processors.current(database))


def test_hidden_files_and_installed_packages_are_passed_over(database: Database, directory: Path) -> None:
    write(directory, {".git/x.js": "(", "node_modules/y/z.js": "(", "lib/.swp.js": "(", "README.md": "("})
    assert sync(database, directory).faults == ()


def test_a_directory_that_is_not_there_is_wrong_usage(database: Database, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist; create it or set INFLECT_PROCESSORS"):
        sync(database, tmp_path / "no")


def test_a_file_that_loops_is_tried_once_and_its_fault_told_each_time(
    database: Database, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[set[str]] = []

    def noting(files: Mapping[str, str]) -> Compiled:
        tried.append(set(files))
        return compile_files(files)

    monkeypatch.setattr("inflect.control.sync.compile_files", noting)
    setbacks, loops = Setbacks(), "filters/loops.js"
    write(directory, {loops: "while (true) {}"})
    first = sync_directory(database, directory, author="t", setbacks=setbacks)
    write(directory, {"filters/paid.js": PAID + "\n"})
    second = sync_directory(database, directory, author="t", setbacks=setbacks)
    assert [loops in files for files in tried] == [True, False]
    assert (second.changed, second.faults) == (("filters/paid.js",), first.faults)
    assert [fault.path for fault in first.faults] == [loops]
    write(directory, {loops: "module.exports = event => event"})
    assert sync_directory(database, directory, author="t", setbacks=setbacks).changed == (loops,)


def test_only_a_file_that_was_accepted_before_has_an_old_version_that_runs_on(
    database: Database, directory: Path
) -> None:
    sync(database, directory)
    write(directory, {"filters/paid.js": "module.exports = (", "filters/new.js": "module.exports = ("})
    result = sync(database, directory)
    assert {fault.path.partition(":")[0] for fault in result.faults} == {"filters/paid.js", "filters/new.js"}
    assert result.outdated == ("filters/paid.js",)


def test_changed_code_keeps_the_schemas_of_the_revision(database: Database, directory: Path) -> None:
    sync(database, directory)
    add_pipeline(database, "p", {"filter": "paid"})
    stored = pipelines.get_revision(database, "p", 1)
    pinned = PinnedSchema(Schema("json", "{}"), "orders-value", 3, 103)
    new = NewRevision("p", 1, stored.document, stored.pins, tuple(stored.entries), {"source": pinned})
    pipelines.save_revisions(database, [new], author="t", origin="cli")
    write(directory, {"filters/paid.js": PAID + "\n"})
    assert sync(database, directory).revisions == {"p": 3}
    assert pipelines.load_revision(database, "p", 3).source_schema == pinned
