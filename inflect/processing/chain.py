"""A batch through a pipeline's chain: every event of the settled prefix gets exactly one outcome.

Framing, the checks before the steps, and the steps in V8; `settlement` turns what they say into outcomes. Stages run in
the order decode, incoming schema, steps, encode, outgoing schema, produce. No Kafka and no wall clock here; the schema
registry is asked before anything of a batch is settled, and only for ids that nobody here knows.
"""

import time
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import Self

from inflect.engine.isolate import FramingError
from inflect.engine.program import build_program
from inflect.engine.runner import Lines, Part, Runner
from inflect.model.event import Batch, Failure
from inflect.model.revision import Revision
from inflect.model.schema import Schema
from inflect.model.status import MetricSample
from inflect.processing.dead_letter import Occasion
from inflect.processing.framing import Frame, columns, frame, single_out
from inflect.processing.incoming import Incoming
from inflect.processing.outputs import value_encoder
from inflect.processing.sampling import StepSampler
from inflect.processing.settlement import HaltError, LogLine, Means, Settled, Settlement
from inflect.schemas.writers import WriterSchemas

__all__ = ["Chain", "LogLine", "Settled"]

# How long one batch may take before its settled prefix is handed back: in V8, and for checks on either side of it.
BUDGET_S = 20.0
CHECK_S = 5.0
# All of it together, however often the steps run again: a worker that is silent for a minute is taken to be dead.
WHOLE_S = 40.0

_UNLIMITED = 1 << 62


class Chain:
    """A revision's chain, with its isolate. Raises RefusedError when a processor or a schema cannot be loaded."""

    def __init__(
        self,
        revision: Revision,
        *,
        max_record_bytes: Mapping[str, int],
        writers: WriterSchemas | None = None,
        trace: bool = False,
    ) -> None:
        """`writers` finds the schemas that events name by id; None where no registry is configured. It stays open."""
        self._revision = revision
        self._program = build_program(revision, trace=trace)
        self._sampler = StepSampler(tuple(step.name for step in revision.pipeline.steps))
        encode = value_encoder(revision, trace=trace)
        self._means = Means(self._program, max_record_bytes, encode, self._sampler, trace)
        self._incoming = Incoming(revision, writers, self._teach)
        self._runner = Runner(self._program)
        self._most_events = _UNLIMITED

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the isolate. When `needs_replacement` is true afterwards, only `os._exit` ends this process for sure."""
        self._runner.close()

    @property
    def needs_replacement(self) -> bool:
        """An isolate could not be stopped: commit this batch, then leave the process by `os._exit`."""
        return self._runner.stuck

    def take_samples(self) -> tuple[MetricSample, ...]:
        """Seconds per event of each step since the last call, from the batches that were sampled."""
        return self._sampler.take()

    def settle(self, batch: Batch, *, now: datetime) -> Settled:
        """Give every event of a prefix of `batch` its outcome. Never empty, unless its first event halts.

        Raises `SchemaAwayError` where the schema of an event cannot be known now, and `CannotRunError` where it can
        never be known rightly; nothing is settled then.
        """
        started = time.monotonic()
        framed = frame(batch, self._revision.pipeline.source.format)
        reach = min(self._incoming.read(batch, framed, started + CHECK_S), self._most_events)
        checked_s = time.monotonic() - started
        occasion = Occasion(self._revision, now)
        end, halted = self._first_halt(framed, reach)
        patience_s = CHECK_S
        while True:
            try:
                parts = self._run(batch, framed, end, started + WHOLE_S)
                settled = Settlement(self._means, batch, framed, occasion, patience_s).settle(parts, end, halted)
            except (FramingError, UnicodeDecodeError):
                framed = single_out(framed)
                end, halted = self._first_halt(framed, reach)
            except HaltError as halt:
                end, halted = halt.index, halt.failure
                if halted is None:  # what was in time shall be settled now, and no more be tried the next time
                    self._most_events, patience_s = end, _UNLIMITED
            else:
                if patience_s == CHECK_S and self._most_events < _UNLIMITED:
                    self._most_events = min(_UNLIMITED, 2 * self._most_events)
                settled.check_s = (checked_s, settled.check_s[1])
                return settled

    def names_schema(self, value: bytes | None) -> bool:
        """Whether an event's value brings the id of its schema along."""
        return self._incoming.names_schema(value)

    def _first_halt(self, framed: Frame, end: int) -> tuple[int, Failure | None]:
        """Up to where events may run: the first that cannot be read halts where failures stop the pipeline."""
        if self.stops and framed.settled:
            settled = framed.settled.items()
            faults = [(index, fault) for index, fault in settled if index < end and isinstance(fault, Failure)]
            if faults:
                return min(faults, key=lambda item: item[0])
        return end, None

    @property
    def stops(self) -> bool:
        """Whether a failure outside the steps halts."""
        return self._program.stop

    def _teach(self, schemas: Mapping[int, Schema]) -> None:
        self._runner.teach(schemas)

    def _run(self, batch: Batch, framed: Frame, end: int, latest: float) -> list[Part]:
        lines = Lines(framed.lines, lambda first, last: columns(batch, first, last))
        deadline = min(time.monotonic() + BUDGET_S, latest)
        return self._runner.run(lines, 0, end, deadline=deadline, timed=self._sampler.wants_sample())
