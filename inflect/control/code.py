"""Which processor files a pipeline reaches: from its steps through everything they require.

Works on `{path: ProcessorVersion}`, whoever provides it: the database, or a directory that was just compiled.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Literal

from inflect.errors import Fault
from inflect.model.pipeline import STEP_FOLDERS, Pipeline, Step
from inflect.model.processor import ProcessorVersion
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema

Files = Mapping[str, ProcessorVersion]
Schemas = Mapping[Literal["source", "target"], PinnedSchema]


def entry_of(step: Step, files: Files) -> str | None:
    """Return the path of the file a step runs, with its ending; None when there is no such file."""
    found = [path for path, file in files.items() if file.kind == step.kind and file.name == step.processor]
    return min(found, default=None)


def entries_of(pipeline: Pipeline, files: Files) -> tuple[str, ...]:
    """Return the path of every step's file, in order; KeyError names a processor that is not there."""
    return tuple(_present(entry_of(step, files), step) for step in pipeline.steps)


def _present(entry: str | None, step: Step) -> str:
    if entry is None:
        raise KeyError(step.path)
    return entry


def reached(entries: tuple[str, ...], files: Files) -> tuple[str, ...]:
    """Return all files the entries reach, themselves first; paths that are not in `files` are included."""
    seen = dict.fromkeys(entries)
    waiting = list(seen)
    while waiting:
        path = waiting.pop()
        for required in files[path].requires if path in files else ():
            if required not in seen:
                seen[required] = None
                waiting.append(required)
    return tuple(seen)


def pins_of(entries: tuple[str, ...], files: Files) -> dict[str, str]:
    """Return `{path: hash}` of all files the entries reach; KeyError names one that is not there."""
    return {path: files[path].hash for path in reached(entries, files)}


def revision_of(pipeline: Pipeline, files: Files, schemas: Schemas | None = None) -> Revision:
    """Return the revision a pipeline would be with these files and schemas; its number 0 says that it is a draft."""
    entries = entries_of(pipeline, files)
    modules = {path: files[path].code for path in reached(entries, files)}
    pinned = schemas or {}
    return Revision(0, pipeline, modules, entries, pinned.get("source"), pinned.get("target"))


def missing_processors(pipeline: Pipeline, files: Files) -> list[Fault]:
    """Return a fault per step whose file, or a file it requires, is not there."""
    faults = []
    for index, step in enumerate(pipeline.steps):
        entry = entry_of(step, files)
        path = f"steps[{index}].{step.kind}"
        if entry is None:
            faults.append(Fault(path, _unknown(step, files)))
            continue
        lost = [name for name in reached((entry,), files) if name not in files]
        faults += [Fault(path, f"{entry} requires {name}, which is not there; run `inflect sync`") for name in lost]
    return faults


def _unknown(step: Step, files: Files) -> str:
    known = sorted(file.name for file in files.values() if file.kind == step.kind)
    other = [file.kind for file in files.values() if file.kind != step.kind and file.name == step.processor]
    close = get_close_matches(step.processor, known, n=1)
    if other and other[0] != "library":
        return f"there is no {step.kind} {step.processor!r}, but a {other[0]} of that name; write `{other[0]}:`"
    if close:
        return f"there is no {step.kind} {step.processor!r}, did you mean {close[0]!r}?"
    folder = STEP_FOLDERS[step.kind]
    return f"there is no {step.kind} {step.processor!r}; add {folder}/{step.processor}.js and run `inflect sync`"
