"""What an isolate is given to run: the steps, the modules they reach, formats and limits, as one JSON document.

A program is plain text and numbers, so that it crosses a pipe to the sandbox's child process. Nothing is compiled here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from inflect.model.pipeline import Step
from inflect.model.revision import Revision

# Output of one call in characters, after which the isolate settles what it has and stops (the rest is fetched again).
OUTPUT_CHARACTERS = 16 << 20

_PROMISES = re.compile(r"\b(?:async|await|Promise|then|import\s*\()")


@dataclass(frozen=True, slots=True)
class Program:
    """`config` is the document the harness loads; `modules` are kept beside it to show source lines."""

    config: str
    modules: Mapping[str, str]
    entries: tuple[str, ...]
    timeout_ms: int
    memory_mb: int
    promises: bool
    stopping: tuple[bool, ...]
    stop: bool

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
        "targetFormat": pipeline.target.format,
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
    )


def _step(step: Step, entry: str, *, trace: bool) -> dict[str, object]:
    return {
        "name": step.name,
        "entry": entry,
        "kind": step.kind,
        "params": step.params,
        "stop": step.on_error == "stop" and not trace,
        "keep": step.filtered is not None,
    }
