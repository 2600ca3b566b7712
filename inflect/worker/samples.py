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
        timestamps = batch.timestamps[:count]
        if timestamps:
            extremes = (min(timestamps), max(timestamps))
            self._latencies += [max(0, now_ms - t) / 1000 for t in extremes if t >= 0]

    def aborted(self) -> None:
        """One transaction did not end well."""
        self._results["aborted"] += 1

    def add(self, samples: Iterable[MetricSample]) -> None:
        """Samples made elsewhere (the chain's step durations)."""
        self._other += samples

    def take(self) -> tuple[MetricSample, ...]:
        """Everything since the last call."""
        results, observed, other = self._results, self._observed(), self._other
        self._results, self._other = Counter(), []
        self._durations, self._sizes, self._latencies = [], [], []
        counters = (MetricSample("inflect_transactions_total", (("result", r),), amount=n) for r, n in results.items())
        return (*counters, *observed, *other)

    def _observed(self) -> list[MetricSample]:
        observations = {
            "inflect_transaction_duration_seconds": self._durations,
            "inflect_batch_events": self._sizes,
            "inflect_event_latency_seconds": self._latencies,
        }
        return [MetricSample(name, observations=tuple(seen)) for name, seen in observations.items() if seen]
