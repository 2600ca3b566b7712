"""Runs lines through isolates and finds the event that breaks one: replaces a lost isolate, halves the range, goes on.

The answer is always complete for a prefix of what was asked: every event in it passed, was filtered or failed with a
reason. Results come back in the order of the events. Nothing here knows what a record is.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson

from inflect.engine.isolate import Isolate, IsolateLostError
from inflect.engine.program import OUTPUT_CHARACTERS, Program
from inflect.model.schema import Schema

SEPARATOR = "\x1e"

# Input of one call; a batch of large events becomes several calls, so that the batch itself never fills the heap.
CALL_BYTES = 2 << 20


@dataclass(slots=True)
class Lines:
    """The input of a run: lines as bytes (`b""`: settled elsewhere) and what is needed beside them.

    A line is JSON; for avro and protobuf the base64 of the whole value with its wire prefix (`b" "`: an empty value).

    `columns(first, end)` gives the context's columns of a range as JSON; it is asked only when a step may read them.
    """

    values: Sequence[bytes]
    columns: Callable[[int, int], str]

    def sizes(self) -> list[int]:
        """Bytes per event."""
        return list(map(len, self.values))


@dataclass(slots=True)
class Part:
    """What a range of events became; indexes inside are relative to `first`. See `result` in `harness/run.js`."""

    first: int
    outputs: list[str]
    meta: dict[str, Any]
    characters: int = 0

    @property
    def end(self) -> int:
        """The first event behind the range."""
        return self.first + len(self.outputs)


# Digits become zeros, so that two searches tell whether a batch holds long integers or large exponents.
_ZEROS = bytes.maketrans(b"0123456789E+", b"0000000000ee")
_LONG_INTEGER = b"0" * 16
_LARGE_EXPONENT = b"e000"


def is_delicate(text: bytes) -> bool:
    """Whether JSON text may hold an integer past 2^53 or a number past what a double holds (strings count too)."""
    zeros = text.translate(_ZEROS)
    return _LONG_INTEGER in zeros or _LARGE_EXPONENT in zeros


class Runner:
    """Isolates for one program, one at a time. `stuck` is true when one could not be freed: the process has to go."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._taught: dict[int, Schema] = {}
        self._unusable: dict[int, str] = {}
        self._isolate: Isolate | None = Isolate(program)
        self._uses_context = self._isolate.uses_context
        self.stuck = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the isolate. Safe to call twice."""
        isolate, self._isolate = self._isolate, None
        if isolate is not None and not isolate.close():
            self.stuck = True

    def teach(self, schemas: Mapping[int, Schema]) -> dict[int, str]:
        """Make writers' schemas known by wire id, here and to every isolate to come; known ids cost nothing.

        Answers the ids whose events cannot be read, and why; each of their events fails saying so.
        """
        for number, schema in schemas.items():
            if number in self._taught:
                continue
            try:
                reason = self._open().teach(number, schema)
            except IsolateLostError as lost:
                self.close()
                reason = f"reading it takes more {'memory' if lost.kind == 'memory' else 'time'} than it may"
            self._taught[number] = schema
            if reason is not None:
                self._unusable[number] = reason
        return {number: self._unusable[number] for number in schemas if number in self._unusable}

    def _open(self) -> Isolate:
        if self._isolate is None:
            self._isolate = Isolate(self._program)
            for number, schema in self._taught.items():
                self._isolate.teach(number, schema, self._unusable.get(number, ""))
        return self._isolate

    def run(self, lines: Lines, first: int, end: int, *, deadline: float, timed: bool = False) -> list[Part]:
        """Settle `first` to `end`; only a prefix when one halts, output is large or `deadline` (monotonic) has passed.

        Raises FramingError when an event holds U+001E: nothing is settled then.
        """
        parts: list[Part] = []
        ranges = self._calls(lines, first, end)
        characters = 0
        while ranges:
            low, high = ranges.pop()
            if parts and time.monotonic() > deadline:
                break
            try:
                part = self._run_range(lines, low, high, timed=timed, deadline=deadline)
            except IsolateLostError as lost:
                self.close()
                if not lost.started:
                    ranges.append((low, high))
                    continue
                if high - low == 1:
                    part = self._convict(low, lost)
                else:
                    ranges.extend(_suspects(low, high, lost))
                    continue
            parts.append(part)
            characters += part.characters
            if part.end < high or characters > OUTPUT_CHARACTERS:
                break
        return parts

    def _run_range(self, lines: Lines, first: int, end: int, *, timed: bool, deadline: float) -> Part:
        isolate = self._open()
        joined = b"\x1e".join(lines.values[first:end])
        text = isolate.run(
            joined.decode(),
            end - first,
            lines.columns(first, end) if self._uses_context else "",
            delicate=is_delicate(joined),
            timed=timed,
            deadline=deadline,
        )
        outputs = text.split(SEPARATOR)
        meta = orjson.loads(outputs.pop())
        if not meta["done"] == len(outputs) <= end - first:
            raise RuntimeError(f"{len(outputs)} outputs of {end - first} events, {meta['done']} done; this is a defect")
        return Part(first, outputs, meta, len(text))

    def _convict(self, event: int, lost: IsolateLostError) -> Part:
        """The event broke an isolate of its own: it fails, alone."""
        count = len(self._program.entries)
        step = lost.step if 0 <= lost.step < count else -1
        stage = "step" if step >= 0 else "decode" if lost.step < 0 else "encode"
        limit = f"{self._program.memory_mb} MB (limits.memory_mb)"
        message = (
            f"more than {limit}"
            if lost.kind == "memory"
            else f"more than {self._program.timeout_ms} ms (limits.timeout_ms)"
        )
        entry = self._program.entries[step] if step >= 0 else None
        failure = [0, stage, lost.kind, step, message, entry, None, None, None]
        steps = [[int(s < step or stage == "encode"), 0, int(s == step)] for s in range(count)]
        halted = self._program.stops(step)
        meta = {
            "halted": halted,
            "filtered": 0,
            "failures": [failure],
            "steps": [[0, 0, 0]] * count if halted else steps,
        }
        return Part(event, [] if halted else [""], meta)

    def _calls(self, lines: Lines, first: int, end: int) -> list[tuple[int, int]]:
        """The ranges to run, last first: as few calls as the size of the input allows."""
        sizes = lines.sizes()
        if first < end and sum(sizes) <= CALL_BYTES:
            return [(first, end)]
        ranges: list[tuple[int, int]] = []
        low, taken = first, 0
        for index, size in enumerate(sizes[first:end], first):
            if taken + size > CALL_BYTES and index > low:
                ranges.append((low, index))
                low, taken = index, 0
            taken += size
        if low < end:
            ranges.append((low, end))
        ranges.reverse()
        return ranges


def _suspects(low: int, high: int, lost: IsolateLostError) -> list[tuple[int, int]]:
    """A range that broke an isolate, cut so that the suspect runs alone; last first."""
    suspect = low + lost.event
    if lost.finished or not low <= suspect < high:
        middle = (low + high) // 2
        return [(middle, high), (low, middle)]
    cuts = [(suspect + 1, high), (suspect, suspect + 1), (low, suspect)]
    return [cut for cut in cuts if cut[0] < cut[1]]
