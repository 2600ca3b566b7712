"""The processors directory into the database, and a new revision for every pipeline that uses a changed file.

A file with a fault keeps its old version and is reported; one that is gone while a pipeline uses it is kept and
reported. Files it cannot read whole and safely (links that lead out, other encodings, endless ones) are faults too.
A pipeline follows its files; one that was rolled back keeps its old code until one of its files changes.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inflect.control.code import Files, entries_of, pins_of, reached
from inflect.control.setbacks import Setbacks, place_of
from inflect.engine.compile import ENDINGS, MAX_FILE_BYTES, Compiled, compile_files
from inflect.errors import ConflictError, Fault, RefusedError, UsageError
from inflect.model.document import parse_pipeline
from inflect.model.processor import ProcessorVersion
from inflect.store import pipelines, processors
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision
from inflect.store.schemas import load_pins

MAX_FILES = 2000
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class SyncResult:
    """What a sync did: paths changed (added ones too), removed and kept though gone; new revisions; what is wrong.

    `outdated` are files with a fault whose old version runs on.
    """

    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()
    revisions: Mapping[str, int] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the database already was as the directory is."""
        return not (self.changed or self.removed or self.revisions)


def read_directory(directory: Path) -> tuple[dict[str, str], list[Fault]]:
    """Return `{path: text}` of every processor file, paths relative with slashes, and a fault per unreadable one.

    UsageError when there is no such directory.
    """
    if not directory.is_dir():
        raise UsageError(f"the processors directory {directory} does not exist; create it or set INFLECT_PROCESSORS")
    files: dict[str, str] = {}
    faults: list[Fault] = []
    for path in _candidates(directory):
        name = path.relative_to(directory).as_posix()
        if not name.isprintable():  # it becomes part of a program, of rows and of messages
            faults.append(Fault(ascii(name), "its name holds a control character or is not UTF-8; rename it"))
            continue
        if len(files) >= MAX_FILES:
            return files, [*faults, Fault(name, f"there are more than {MAX_FILES} files; is this the right directory?")]
        try:
            files[name] = _read(path, directory)
        except (OSError, ValueError) as error:
            faults.append(Fault(name, f"cannot be read: {error}"))
    return files, faults


def compile_directory(directory: Path) -> tuple[dict[str, ProcessorVersion], list[Fault]]:
    """Read and compile a directory: every sound file as a version, every fault with its place."""
    texts, faults = read_directory(directory)
    compiled = compile_files(texts)
    return dict(compiled.versions), [*faults, *compiled.faults]


def sync_directory(db: Database, directory: Path, *, author: str, setbacks: Setbacks | None = None) -> SyncResult:
    """Bring the database to what the directory holds; see the module for what happens to faulty and lost files.

    Who syncs again and again gives `setbacks`: files that failed before are not tried again as they are. Raises
    UsageError without the directory, UnreachableError without the database.
    """
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _sync(db, directory, author, setbacks or Setbacks())
        except ConflictError:  # a pipeline was changed or another sync ran meanwhile: look again
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _compile(texts: Mapping[str, str], setbacks: Setbacks) -> Compiled:
    """Compile what has not failed already as it is."""
    failed = setbacks.known(texts)
    compiled = compile_files({path: text for path, text in texts.items() if path not in failed})
    again = [fault for found in failed.values() for fault in found]
    faults = list(dict.fromkeys([*compiled.faults, *again]))
    setbacks.remember(texts, compiled.versions, faults)
    return Compiled(compiled.versions, faults)


def _sync(db: Database, directory: Path, author: str, setbacks: Setbacks) -> SyncResult:
    texts, faults = read_directory(directory)
    compiled = _compile(texts, setbacks)
    faults += compiled.faults
    current = processors.current(db)
    changed = {p: v for p, v in compiled.versions.items() if p not in current or current[p].hash != v.hash}
    changed = _complete(changed, current, faults)
    new, used = _follow(db, {**current, **changed}, set(changed), faults)
    unread = {fault.path for fault in faults}
    gone = {path for path in current if path not in texts and path not in unread}
    kept, removed = sorted(gone & used), sorted(gone - used)
    faults += [Fault(path, "is gone, but a pipeline uses it: its last version is kept") for path in kept]
    if changed or removed:
        processors.record_versions(db, changed, removed, author=author)
    revisions = pipelines.save_revisions(db, new, author=author, origin="processors") if new else {}
    outdated = sorted({place_of(fault, texts) for fault in faults} & current.keys() - {*kept, *removed})
    return SyncResult(tuple(sorted(changed)), tuple(removed), tuple(kept), tuple(outdated), revisions, tuple(faults))


def _candidates(directory: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "node_modules")
        for name in sorted(names):
            if Path(name).suffix in ENDINGS and not name.startswith("."):
                yield Path(folder, name)


def _read(path: Path, directory: Path) -> str:
    if not path.resolve().is_relative_to(directory.resolve()):
        raise ValueError("it is a link that leads out of the directory")
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ValueError(f"it is larger than {MAX_FILE_BYTES >> 20} MB")
    text = path.read_text(encoding="utf-8")
    if "\0" in text:
        raise ValueError("it holds the character U+0000; is it text?")
    return text


def _complete(changed: dict[str, ProcessorVersion], current: Files, faults: list[Fault]) -> dict[str, ProcessorVersion]:
    """Drop what requires a file that has no sound version, so that every version in the database can run."""
    while True:
        files = {**current, **changed}
        lost = {path: [name for name in reached((path,), files) if name not in files] for path in changed}
        broken = {path: names for path, names in lost.items() if names}
        if not broken:
            return changed
        faults += [Fault(path, f"requires {names[0]}, which has faults") for path, names in broken.items()]
        changed = {path: version for path, version in changed.items() if path not in broken}


def _follow(db: Database, files: Files, changed: set[str], faults: list[Fault]) -> tuple[list[NewRevision], set[str]]:
    """Return the revisions that bring pipelines to these files, and every path some pipeline will use."""
    new: list[NewRevision] = []
    used: set[str] = set()
    for row in pipelines.list_pipelines(db):
        stored = pipelines.get_revision(db, row.name, row.revision)
        pinned = stored.pins
        try:
            entries = entries_of(parse_pipeline(row.document), files)
            pins = pins_of(entries, files)
        except (RefusedError, KeyError) as error:
            faults.append(Fault(f"pipeline {row.name}", f"stays as it is: {_why(error)}"))
            used |= set(pinned)
            continue
        follows = row.origin != "rollback" or changed & {*pinned, *pins}
        if pins != pinned and follows:
            schemas = load_pins(db, stored.schemas, f"revision {row.revision} of {row.name}")
            new.append(NewRevision(row.name, row.revision, row.document, pins, entries, schemas))
        used |= {*pins, *(() if follows else pinned)}
    return new, used


def _why(error: Exception) -> str:
    return f"{error.args[0]} is not in the directory" if isinstance(error, KeyError) else str(error)
