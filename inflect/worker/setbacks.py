"""What is learnt from transactions that failed: a rival under the same id, and records that Kafka will never take.

Pure memory, no Kafka. A record is found by trying ever smaller batches: the broker names no record, and one that it
refuses fails its whole transaction. Alone in a batch it is guilty, and fails by the rules of its pipeline.
"""

from collections import deque
from dataclasses import dataclass, replace
from time import monotonic

from inflect.errors import CannotRunError
from inflect.model.event import Batch, Failure

MOST_FENCES = 3
FENCES_WITHIN_S = 60.0
_NARROWER = 10
_WIDE = 1_000_000

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Setback:
    """A transaction that failed, in words; see `kafka.producer.TransactionFailedError`."""

    why: str
    fenced: bool = False
    record_refused: bool = False
    unclear: bool = False


class Setbacks:
    """The memory of one worker. `in_a_row` counts failures since the last commit."""

    def __init__(self) -> None:
        self.in_a_row = 0
        self._fenced_at: deque[float] = deque(maxlen=MOST_FENCES)
        self._most_events = 0
        self._suspects = 0
        self._refused: dict[Place, Failure] = {}

    def most_events(self, limit: int) -> int:
        """How many events the next batch may have, where a pipeline allows `limit`."""
        return min(limit, self._most_events or limit)

    def rival(self) -> bool:
        """Count a fencing; whether they come so often that another process must hold the transactional id."""
        self._fenced_at.append(monotonic())
        return len(self._fenced_at) == MOST_FENCES and self._fenced_at[-1] - self._fenced_at[0] < FENCES_WITHIN_S

    def learn(self, batch: Batch, setback: Setback) -> None:
        """Look closer when Kafka refuses a record; raises `CannotRunError` when it refuses the dead letter too."""
        if setback.record_refused and len(batch) == 1:
            self._convict(batch, setback.why)
        elif setback.record_refused or setback.unclear:
            self._suspects = len(batch)
            self._most_events = max(1, len(batch) // _NARROWER)

    def _convict(self, batch: Batch, why: str) -> None:
        place = batch.partitions[0], batch.offsets[0]
        if place in self._refused:
            raise CannotRunError(
                f"Kafka takes neither event {batch.topic}:{place[0]}:{place[1]} nor its dead letter: {why}"
            )
        self._refused[place] = Failure("produce", "rejected", f"Kafka refuses what the event became: {why}")

    def marked(self, batch: Batch) -> Batch:
        """The batch with the events that are known to be refused as failed."""
        if not self._refused:
            return batch
        places = enumerate(zip(batch.partitions, batch.offsets, strict=True))
        found = {index: self._refused[place] for index, place in places if place in self._refused}
        return replace(batch, failures={**batch.failures, **found})

    def committed(self, batch: Batch) -> None:
        """A batch went well: once all suspects have passed, the next may be larger."""
        self.in_a_row = 0
        self._suspects = max(0, self._suspects - len(batch))
        if not self._suspects:
            self._most_events = self._most_events * _NARROWER if self._most_events < _WIDE else 0
        if self._refused:
            for place in zip(batch.partitions, batch.offsets, strict=True):
                self._refused.pop(place, None)
