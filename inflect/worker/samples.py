"""What a worker measures between two reports."""

from collections import Counter
from collections.abc import Iterable

from inflect.model.event import Batch
from inflect.model.status import MetricSample


class Measurements:
    """Increments since the last report; taken and emptied by `take`."""

    def __init__(self) -> None:
        self._results: Counter[str] = Counter()
        self._durations: list[float] = []
        self._sizes: list[float] = []
        self._latencies: list[float] = []
        self._other: list[MetricSample] = []

    def committed(self, batch: Batch, count: int, duration_s: float, now_ms: int) -> None:
        """One transaction of `count` events took `duration_s` from its begin to its commit."""
        self._results["committed"] += 1
        self._durations.append(duration_s)
        self._sizes.append(count)
        known = [
            t for t in (min(batch.timestamps[:count], default=-1), max(batch.timestamps[:count], default=-1)) if t >= 0
        ]
        self._latencies += [max(0, now_ms - t) / 1000 for t in known]

    def aborted(self) -> None:
        """One transaction did not end well."""
        self._results["aborted"] += 1

    def add(self, samples: Iterable[MetricSample]) -> None:
        """Samples made elsewhere (the chain's step durations)."""
        self._other += samples

    def take(self) -> tuple[MetricSample, ...]:
        """Everything since the last call."""
        samples = [
            *(
                MetricSample("inflect_transactions_total", (("result", result),), amount=number)
                for result, number in self._results.items()
            ),
            MetricSample("inflect_transaction_duration_seconds", observations=tuple(self._durations)),
            MetricSample("inflect_batch_events", observations=tuple(self._sizes)),
            MetricSample("inflect_event_latency_seconds", observations=tuple(self._latencies)),
            *self._other,
        ]
        self.__init__()  # type: ignore[misc]  # empty again is what new is
        return tuple(s for s in samples if s.amount or s.observations)
