"""The chains of a redrive: one for each step that letters begin at, made when the first such letter comes."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from inflect.control.restore import beginning_at
from inflect.errors import InflectError
from inflect.model.event import Batch
from inflect.model.revision import Revision
from inflect.processing.chain import Chain, Settled
from inflect.schemas.writers import WriterSchemas

MOST_STUCK = 3


class Chains:
    """Chains of one revision; RefusedError when a processor cannot be loaded. `writers` stays open."""

    def __init__(self, revision: Revision, limits: Mapping[str, int], writers: WriterSchemas | None) -> None:
        self._revision = revision
        self._limits = limits
        self._writers = writers
        self._open: dict[int | None, Chain] = {}
        self._stuck = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for chain in self._open.values():
            chain.close()

    def settle(self, begin: int | None, batch: Batch) -> Settled:
        """Settle a prefix of the batch, from step `begin` on (None: from the source)."""
        if begin not in self._open:
            shortened = beginning_at(self._revision, begin)
            self._open[begin] = Chain(shortened, max_record_bytes=self._limits, writers=self._writers)
        chain = self._open[begin]
        settled = chain.settle(batch, now=datetime.now(UTC))
        if chain.needs_replacement:  # its isolate cannot be ended and keeps a core busy until this process ends
            del self._open[begin]
            self._stuck += 1
        return settled

    def check(self) -> None:
        """Raise when too many isolates loop for ever; to be asked when nothing that is settled can be lost."""
        if self._stuck >= MOST_STUCK:
            raise InflectError(
                f"user code looped for ever in {self._stuck} events and could not be ended; "
                "mend the step, then redrive the rest"
            )
