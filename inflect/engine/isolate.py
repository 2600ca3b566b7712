"""One V8 isolate that has loaded a program: runs batches under a time limit and a memory limit.

mini-racer ends a call by terminating JavaScript and keeps its heap, so what was settled before is still there and the
run goes on behind the guilty event. Two things it cannot end: a heap that is full, and a loop in a microtask (after an
`await`), which runs outside any call. Then the isolate is lost: `IsolateLostError` says how far it came, read from
memory shared with the isolate, and the owner replaces it (`engine.runner`).

Calling a JavaScript function asks the isolate for an array first, without any time limit: never call one while the
isolate may be busy with microtasks; `_await_idle` asks in a way that can be given up.
"""

import math
import threading
import time
from functools import cache
from importlib import resources
from types import TracebackType
from typing import Any, Self

import orjson
from py_mini_racer import JSEvalException, JSFunction, JSTimeoutException

from inflect.engine.program import Program, schema_document
from inflect.engine.racer import OpenRacer
from inflect.engine.vendored import vendored
from inflect.errors import Fault, RefusedError
from inflect.model.schema import Schema

_HARNESS = ("values", "context", "world", "settle", "run")
# What formats with a schema add in front: the script of others that reads schemas, and our files that use it.
_BYTES = ("bytes", "ends")
_CODECS = {
    "avro": ("avsc", ("avro/schemas", "avro/reading", "avro/writing")),
    "protobuf": (
        "protobufjs",
        (
            "protobuf/schemas",
            "protobuf/descriptors",
            "protobuf/scalars",
            "protobuf/reading",
            "protobuf/writing",
            "protobuf/known",
        ),
    ),
}

# How long V8 may take to notice that it was told to stop: its own long strokes (sort, fill) cannot be interrupted.
GRACE_S = 3.0
_LOAD_TIMEOUT_S = 10.0
_CLOSE_S = 5.0
_SPURIOUS_ENDINGS = 5
# What a call costs around the events: the way into V8 and back. A limit of 1 ms is meant for the event alone.
_CALL_S = 0.01
# Microtasks run for `ASYNC_SLICE_MS` at a time (see the harness), whatever the limit of an event is.
_SLICE_S = 0.25
_LEAST_PATIENCE_S = 1.0

_FUNCTIONS = ("run", "poll", "interrupted", "inspect", "teach")
_DELICATE = 1
_TIMED = 2
_WAITS = 1
_NOT_TAKEN = -1


class IsolateLostError(Exception):
    """The isolate can run nothing more. `event` and `step` are where it was; `kind` is memory or timeout.

    `finished`: no event was running any more, the answer was being put together; not `started`: none of them was run,
    the isolate was lost to an earlier run.
    """

    def __init__(self, kind: str, event: int, step: int, *, finished: bool) -> None:
        super().__init__(f"isolate lost: {kind} at event {event}, step {step}")
        self.kind = kind
        self.event = event
        self.step = step
        self.finished = finished
        self.started = True


class FramingError(Exception):
    """The text does not split into as many events as it was said to hold: one of them holds a U+001E."""


@cache
def _harness(codecs: tuple[str, ...]) -> str:
    """The half of the engine that lives inside V8, as one expression; its files share one scope."""
    folder = resources.files("inflect.engine").joinpath("harness")
    scripts = [vendored(_CODECS[codec][0]) for codec in codecs]
    names = [*_HARNESS[:1], *(_BYTES if codecs else ())]
    for codec in codecs:
        names += _CODECS[codec][1]
    names += _HARNESS[1:]
    parts = [folder.joinpath(f"{name}.js").read_text(encoding="utf-8") for name in names]
    return "\n".join(["(() => {", "'use strict'", *scripts, *parts, "})()", "//# sourceURL=inflect:harness"])


class Isolate:
    """A loaded program. `uses_context` says whether any step may read the context's columns."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._timeout_s = program.timeout_ms / 1000 + _CALL_S
        self._patience_s = max(_LEAST_PATIENCE_S, self._timeout_s + _SLICE_S)
        self._opened = OpenRacer()
        self._racer = self._opened.__enter__()
        self._racer.set_hard_memory_limit(program.memory_mb << 20)
        api: Any = self._racer.eval(_harness(program.codecs))
        self._progress = memoryview(api["progress"]).cast("i")
        self._functions: dict[str, JSFunction] = {name: api[name] for name in _FUNCTIONS}
        self._count = 0
        self.uses_context = self._load(api["load"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _load(self, load: JSFunction) -> bool:
        try:
            answer = load(self._program.config, timeout_sec=max(_LOAD_TIMEOUT_S, self._timeout_s))
            self._await_idle(self._patience_s)
        except (JSEvalException, IsolateLostError) as error:
            self.close()
            raise RefusedError(
                "processors", [Fault("", f"loading them does not end or takes too much memory: {error}")]
            ) from error
        if answer not in ("", "context"):
            self.close()
            found = orjson.loads(str(answer))
            raise RefusedError("schema" if found["end"] else "processors", [_load_fault(found)])
        return answer == "context"

    def run(  # noqa: PLR0913  a batch and how to run it
        self,
        text: str,
        count: int,
        columns: str,
        *,
        delicate: bool,
        timed: bool = False,
        deadline: float = math.inf,
    ) -> str:
        """Run `count` events, JSON texts joined by U+001E; the answer is the harness's `result()`.

        `columns` is the context's columns as JSON ('' when no step uses it), `delicate` says that numbers past 2^53 may
        be among them. Behind `deadline` (monotonic) the answer is of a prefix, one event at least, as soon as V8 lets
        go of an event: every `timeout_ms`, and more often where promises are awaited. Raises FramingError, and
        IsolateLostError after which only `close` may be called.
        """
        self._count = count
        self._progress[0] = _NOT_TAKEN
        flags = (_DELICATE if delicate else 0) | (_TIMED if timed else 0)
        if self._program.promises:
            self._await_start()
        reply = self._call(deadline, "run", text, count, flags, columns)
        while reply == _WAITS and isinstance(reply, int):
            self._await_idle(self._patience_s)
            reply = self._call(deadline, "poll", time.monotonic() > deadline)
        if not isinstance(reply, str):
            raise FramingError
        return reply

    def teach(self, number: int, schema: Schema, unusable: str = "") -> str | None:
        """Make the schema of a wire id known; why its events cannot be read, if they cannot.

        With `unusable`, a reason found before, its text is not tried again. Raises IsolateLostError where the text
        takes too much time or memory.
        """
        document = "" if unusable else orjson.dumps(schema_document(schema)).decode()
        try:
            answer = self._functions["teach"](number, document, unusable, timeout_sec=_LOAD_TIMEOUT_S)
        except JSTimeoutException as error:
            raise self._lost("timeout") from error
        except JSEvalException as error:
            raise self._lost("memory") from error
        return str(answer) or None

    def inspect(self, path: str, *, function_needed: bool) -> dict[str, Any]:
        """Load one module: `title`, `description`, `params`, `requires`; or `message`, `file`, `line`, `column`."""
        try:
            answer = self._functions["inspect"](path, function_needed, timeout_sec=self._timeout_s)
        except JSTimeoutException as error:
            raise self._lost("timeout") from error
        except JSEvalException as error:
            raise self._lost("memory") from error
        self._await_idle(self._patience_s)
        found: dict[str, Any] = orjson.loads(str(answer))
        return found

    def _call(self, deadline: float, name: str, *arguments: str | int) -> Any:
        """Call into the harness; where a limit cuts the call off, let it say who is guilty and go on behind.

        A cut can come before the first line has run (this process was held up, or the termination was meant for the
        call before). Then the harness still holds the batch before, and must not be asked about it: the call is made
        again.
        """
        wasted = 0
        while True:
            limit_ms = self._program.timeout_ms
            try:
                return self._functions[name](*arguments, timeout_sec=self._timeout_s)
            except JSTimeoutException:
                self._await_idle(GRACE_S)
            except JSEvalException:
                limit_ms = 0
            taken = self._progress[0] != _NOT_TAKEN
            wasted += not (taken and limit_ms)
            if self._racer.was_hard_memory_limit_reached() or (wasted > _SPURIOUS_ENDINGS and not limit_ms):
                raise self._lost("memory")
            answering = name == "interrupted" and self._progress[0] >= self._count
            if limit_ms and (answering or wasted > _SPURIOUS_ENDINGS):
                raise self._lost("timeout")
            if taken:
                name, arguments = "interrupted", (limit_ms, time.monotonic() > deadline)

    def _await_start(self) -> None:
        """A loop that an earlier batch left behind is not the fault of this one."""
        try:
            self._await_idle(self._patience_s)
        except IsolateLostError as lost:
            lost.started = False
            raise

    def _await_idle(self, patience_s: float) -> None:
        try:
            self._racer.eval("0", timeout_sec=patience_s)
        except JSTimeoutException as error:
            raise self._lost("timeout") from error
        except JSEvalException as error:
            if self._racer.was_hard_memory_limit_reached():
                raise self._lost("memory") from error

    def _lost(self, kind: str) -> IsolateLostError:
        event = self._progress[0]
        step = -1 if event == _NOT_TAKEN else self._progress[1]
        return IsolateLostError(kind, event, step, finished=event >= self._count)

    def close(self) -> bool:
        """Free the isolate; False when V8 does not end and the process has to be given up."""
        self._functions.clear()
        closer = threading.Thread(target=self._free, name="isolate-close", daemon=True)
        closer.start()
        closer.join(_CLOSE_S)
        return not closer.is_alive()

    def _free(self) -> None:
        self._opened.__exit__(None, None, None)


def _load_fault(answer: dict[str, Any]) -> Fault:
    if answer["end"]:
        return Fault(f"{answer['end']}.schema", answer["message"])
    place = [answer[part] for part in ("file", "line", "column") if answer[part] is not None]
    return Fault(":".join(str(part) for part in place), answer["message"])
