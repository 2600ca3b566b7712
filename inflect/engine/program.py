"""What an isolate is given to run: the steps, the modules they reach, formats and limits, as one JSON document.

A program is plain text and numbers, so that it crosses a pipe to the sandbox's child process. Nothing is compiled here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from inflect.model.pipeline import Format, Source, Step, Target
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema

# Output of one call in characters, after which the isolate settles what it has and stops (the rest is fetched again).
OUTPUT_CHARACTERS = 16 << 20

# The formats that are read and written in V8 with a schema.
CODECS: frozenset[str] = frozenset({"avro", "protobuf"})

_PROMISES = re.compile(r"\b(?:async|await|Promise|then|import\s*\()")


@dataclass(frozen=True, slots=True)
class Program:
    """`config` is the document the harness loads; `modules` are kept beside it to show source lines.

    `codecs` are the formats whose code the isolate has to load: of `avro` and `protobuf`, those at either end.
    """

    config: str
    modules: Mapping[str, str]
    entries: tuple[str, ...]
    timeout_ms: int
    memory_mb: int
    promises: bool
    stopping: tuple[bool, ...]
    stop: bool
    codecs: tuple[str, ...] = ()

    def stops(self, step: int) -> bool:
        """Whether a failure in step `step` (-1: outside the steps) halts the pipeline."""
        return self.stopping[step] if step >= 0 else self.stop

    def source_line(self, file: str, line: int) -> str | None:
        """Line `line` (from 1) of a module, without surrounding blanks; None where there is none."""
        lines = self.modules.get(file, "").split("\n")
        return lines[line - 1].strip()[:300] if 0 < line <= len(lines) else None


def build_program(revision: Revision, *, trace: bool = False) -> Program:
    """The program of a revision; with `trace` each step reports its event before and after, for the test page."""
    pipeline = revision.pipeline
    config = {
        "pipeline": pipeline.name,
        "revision": revision.number,
        "steps": [
            _step(step, entry, trace=trace) for step, entry in zip(pipeline.steps, revision.entries, strict=True)
        ],
        "modules": dict(revision.modules),
        "source": _source(pipeline.source, revision.source_schema),
        "target": _target(pipeline.target, revision.target_schema),
        "stop": pipeline.on_error == "stop" and not trace,
        "memoryBytes": pipeline.limits.memory_mb << 20,
        "outputCharacters": OUTPUT_CHARACTERS,
        "trace": trace,
    }
    return Program(
        config=orjson.dumps(config).decode(),
        modules=dict(revision.modules),
        entries=revision.entries,
        timeout_ms=pipeline.limits.timeout_ms,
        memory_mb=pipeline.limits.memory_mb,
        promises=any(_PROMISES.search(code) for code in revision.modules.values()),
        stopping=tuple(step.on_error == "stop" and not trace for step in pipeline.steps),
        stop=pipeline.on_error == "stop" and not trace,
        codecs=tuple(sorted({pipeline.source.format, pipeline.target.format} & CODECS)),
    )


def schema_document(schema: Schema) -> dict[str, object]:
    """A schema as the harness reads it."""
    return {"kind": schema.kind, "text": schema.text, "references": list(schema.references.items())}


def _source(source: Source, pinned: PinnedSchema | None) -> dict[str, object]:
    """A source line is base64 of the whole value. `raw`: it is read without a wire prefix first, even if it has one."""
    return {
        "format": source.format,
        "schema": _pinned(source.format, pinned),
        "raw": pinned is not None and pinned.file is not None,
    }


def _target(target: Target, pinned: PinnedSchema | None) -> dict[str, object]:
    """An output is base64 of the whole value, with the wire prefix where `prefix`."""
    registered = pinned is not None and pinned.id is not None
    return {
        "format": target.format,
        "schema": _pinned(target.format, pinned),
        "prefix": registered if target.wire_prefix is None else target.wire_prefix,
    }


def _pinned(end: Format, pinned: PinnedSchema | None) -> dict[str, object] | None:
    """Only the schemas of formats that V8 reads and writes; JSON Schema is checked in Python."""
    if pinned is None or end not in CODECS:
        return None
    return {**schema_document(pinned.schema), "message": pinned.message, "id": pinned.id}


def _step(step: Step, entry: str, *, trace: bool) -> dict[str, object]:
    return {
        "name": step.name,
        "entry": entry,
        "kind": step.kind,
        "params": step.params,
        "stop": step.on_error == "stop" and not trace,
        "keep": step.filtered is not None,
    }
