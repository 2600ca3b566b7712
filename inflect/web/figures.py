"""Figures that move: totals of one pipeline seen about once a second, and the rates between them.

A `Track` keeps five minutes of samples of one pipeline in memory; nothing here reads a clock or a database. Rates are
taken over a few seconds, because totals arrive in whole transactions and would flicker over one.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from inflect.model.event import Counts, StepCounts

KEPT_S = 300
RATE_WINDOW_S = 5.0
CHART_WINDOW_S = 3.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Totals of one pipeline at `at` (seconds, any one clock); `lag` in events, None while not known."""

    at: float
    counts: Counts
    steps: Mapping[str, StepCounts]
    lag: int | None
    revision: int


@dataclass(frozen=True, slots=True)
class StepRates:
    """Events per second that passed, were filtered by and failed in a step."""

    ok: float
    filtered: float
    failed: float


@dataclass(frozen=True, slots=True)
class Point:
    """One point of the charts: `age_s` before now, rates in events/s (None: not known), lag in events."""

    age_s: float
    rate_in: float | None
    rate_out: float | None
    lag: int | None


@dataclass(frozen=True, slots=True)
class Figures:
    """Totals now, rates now and the last five minutes, oldest point first; `deploys` are (age_s, revision)."""

    counts: Counts
    steps: Mapping[str, StepCounts]
    rate_in: float | None = None
    rate_out: float | None = None
    step_rates: Mapping[str, StepRates] = field(default_factory=dict)
    points: Sequence[Point] = ()
    deploys: Sequence[tuple[float, int]] = ()


class Track:
    """The last five minutes of one pipeline. A total that falls (the pipeline was made anew) starts the track again."""

    def __init__(self) -> None:
        self._samples: deque[Sample] = deque()
        self._points: deque[tuple[float, float | None, float | None, int | None]] = deque()

    def add(self, sample: Sample) -> None:
        """Take the newest sample; those older than five minutes are let go."""
        if self._samples and sample.counts.consumed < self._samples[-1].counts.consumed:
            self._samples.clear()
            self._points.clear()
        self._samples.append(sample)
        before = self._before(CHART_WINDOW_S)
        rates = (_rate(before, sample, "consumed"), _rate(before, sample, "delivered"))
        self._points.append((sample.at, *rates, sample.lag))
        while self._samples[0].at < sample.at - KEPT_S:
            self._samples.popleft()
            self._points.popleft()

    def figures(self) -> Figures:
        """Everything shown of this pipeline; at least one sample must have been added."""
        now = self._samples[-1]
        before = self._before(RATE_WINDOW_S)
        return Figures(
            now.counts,
            now.steps,
            _rate(before, now, "consumed"),
            _rate(before, now, "delivered"),
            _step_rates(before, now),
            [Point(now.at - at, rate_in, rate_out, lag) for at, rate_in, rate_out, lag in self._points],
            self._deploys(now.at),
        )

    def _before(self, window_s: float) -> Sample:
        """The newest sample at least `window_s` old, else the oldest."""
        edge = self._samples[-1].at - window_s
        for sample in reversed(self._samples):
            if sample.at <= edge:
                return sample
        return self._samples[0]

    def _deploys(self, now: float) -> list[tuple[float, int]]:
        pairs = zip(self._samples, list(self._samples)[1:], strict=False)
        return [(now - new.at, new.revision) for old, new in pairs if new.revision != old.revision]


def _rate(before: Sample, now: Sample, outcome: str) -> float | None:
    elapsed_s = now.at - before.at
    if elapsed_s <= 0:
        return None
    gained: int = getattr(now.counts, outcome) - getattr(before.counts, outcome)
    return max(0.0, gained / elapsed_s)


def _step_rates(before: Sample, now: Sample) -> dict[str, StepRates]:
    elapsed_s = now.at - before.at
    if elapsed_s <= 0:
        return {}
    rates = {}
    for name, counts in now.steps.items():
        old = before.steps.get(name, StepCounts())
        gained = (counts.ok - old.ok, counts.filtered - old.filtered, counts.failed - old.failed)
        rates[name] = StepRates(*(max(0.0, amount / elapsed_s) for amount in gained))
    return rates
