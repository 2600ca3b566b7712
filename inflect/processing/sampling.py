"""Mean seconds per event of each step, from every so-many-th batch.

V8's clock ticks in milliseconds here, far coarser than a step. The sum of the ticks seen over thousands of events is
an unbiased measure all the same: a step of 0.2 us is hit by a tick in one of 5,000 events. So ticks are collected over
sampled batches until there are enough of them, and only then is one mean per step observed.
"""

from inflect.model.status import MetricSample

METRIC = "inflect_step_duration_seconds"
_EVERY_BATCHES = 16
_ENOUGH_TICKS = 20
_ENOUGH_EVENTS = 50_000
_TICK_S = 0.001


class StepSampler:
    """Decides which batches are timed and turns their ticks into observations."""

    def __init__(self, steps: tuple[str, ...]) -> None:
        self._steps = steps
        self._batches = 0
        self._events = 0
        self._ticks = [0] * len(steps)
        self._observations: dict[str, list[float]] = {name: [] for name in steps}

    def wants_sample(self) -> bool:
        """Whether the next batch is timed: the first, then every 16th."""
        self._batches += 1
        return bool(self._steps) and self._batches % _EVERY_BATCHES == 1

    def add(self, events: int, ticks: list[int]) -> None:
        """A timed run: `ticks` are the milliseconds seen in each step over `events` events."""
        self._events += events
        self._ticks = [before + seen for before, seen in zip(self._ticks, ticks, strict=True)]
        if sum(self._ticks) >= _ENOUGH_TICKS or self._events >= _ENOUGH_EVENTS:
            for name, total in zip(self._steps, self._ticks, strict=True):
                self._observations[name].append(total * _TICK_S / self._events)
            self._events, self._ticks = 0, [0] * len(self._steps)

    def take(self) -> tuple[MetricSample, ...]:
        """The observations since the last call."""
        samples = tuple(
            MetricSample(METRIC, (("step", name),), observations=tuple(seen))
            for name, seen in self._observations.items()
            if seen
        )
        self._observations = {name: [] for name in self._steps}
        return samples
