"""Values to the bytes of a schema and back, apart from any pipeline: for pages, trials, generated events and tests.

A value is JSON text in the shapes that steps see; bytes are the value alone, without a wire prefix. The code that runs
is that of a pipeline without steps, so what holds here holds for its events.
"""

import base64
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from inflect.engine.program import Program, build_program
from inflect.engine.runner import Lines, Runner
from inflect.engine.sandbox import SandboxError, run_in_sandbox
from inflect.errors import Fault, RefusedError
from inflect.model.event import Failure
from inflect.model.pipeline import Format, Limits, Pipeline, Source, Target
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema

_TIMEOUT_S = 10.0
_MEMORY_MB = 128
_NO_DEADLINE = float("inf")

Output = TypeVar("Output")


class Codec:
    """Reads and writes values of one Avro or Protobuf schema; isolates open when they are needed."""

    def __init__(self, schema: Schema, message: str | None = None) -> None:
        self._pinned = PinnedSchema(schema, file="schema", message=message)
        self._runners: dict[str, Runner] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the isolates. Safe to call twice."""
        while self._runners:
            self._runners.popitem()[1].close()

    def encode(self, values: Sequence[str]) -> list[bytes | Failure]:
        """The bytes of each JSON text, or why the schema refuses it. RefusedError: the schema cannot be used."""
        return self._run("encode", [value.encode() or b" " for value in values], base64.b64decode)

    def decode(self, values: Sequence[bytes]) -> list[str | Failure]:
        """The JSON text of each value, or why it cannot be read. RefusedError: the schema cannot be used."""
        return self._run("decode", [base64.b64encode(value) or b" " for value in values], str)

    def _run(self, direction: str, lines: Sequence[bytes], convert: Callable[[str], Output]) -> list[Output | Failure]:
        runner = self._runners.get(direction) or self._runners.setdefault(
            direction, Runner(_program(self._pinned, direction))
        )
        found: list[Output | Failure] = []
        while len(found) < len(lines):
            for part in runner.run(Lines(lines, _no_columns), len(found), len(lines), deadline=_NO_DEADLINE):
                failures = {index: _failure(*facts) for index, *facts in part.meta["failures"]}
                found += [failures.get(index) or convert(text) for index, text in enumerate(part.outputs)]
        return found


def check_schema(schema: Schema, message: str | None = None) -> list[Fault]:
    """What is wrong with an Avro or Protobuf schema, or that it has no such message; empty when it can be used.

    Runs in the sandbox's child process; `Fault.path` is empty, the message names the place in the schema.
    """
    try:
        answer = run_in_sandbox(check_here, schema, message, timeout_s=_TIMEOUT_S, memory_mb=_MEMORY_MB)
    except SandboxError as error:
        return [Fault("", f"the schema cannot be read: {error}")]
    return [Fault("", text) for text in answer]


def check_here(schema: Schema, message: str | None) -> list[str]:
    """The same in this process: the messages alone."""
    pinned = PinnedSchema(schema, file="schema", message=message)
    try:
        for direction in ("decode", "encode"):
            Runner(_program(pinned, direction)).close()
    except RefusedError as error:
        return [fault.message for fault in error.faults]
    return []


def _program(pinned: PinnedSchema, direction: str) -> Program:
    """A pipeline without steps, from the schema to JSON or the other way."""
    end: Format = "avro" if pinned.schema.kind == "avro" else "protobuf"
    source, target = (end, "json") if direction == "decode" else ("json", end)
    pipeline = Pipeline(
        "codec",
        Source("in", source),
        Target("out", target, wire_prefix=False),  # type: ignore[arg-type]  # both are formats
        on_error="dead_letter",
        limits=Limits(timeout_ms=round(_TIMEOUT_S * 1000), memory_mb=_MEMORY_MB),
    )
    reads = direction == "decode"
    return build_program(Revision(0, pipeline, {}, (), pinned if reads else None, None if reads else pinned))


def _failure(stage: Any, kind: Any, _step: int, message: str, *rest: Any) -> Failure:
    return Failure(stage, kind, message, path=rest[-1])


def _no_columns(_first: int, _end: int) -> str:
    return ""
