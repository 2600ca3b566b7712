"""The door to prometheus_client: every metric of Inflect, declared once, accumulated per worker and rendered.

Names and labels are frozen: dashboards and alerts hold on to them. There are three kinds of origin:

* `worker`: increments that workers send with their reports. They accumulate in one series per pipeline and slot and get
  a `worker` label, so a restarted slot goes on where its predecessor was; slots that are gone are folded into
  `worker="gone"` and sums stay true. What a worker measured and had not reported when it was killed is missing.
* `supervisor`: increments that the supervisor makes itself; series of their own, without a `worker` label.
* `figures`: computed from rows at the moment of rendering. The counters of events are among them, because they ride in
  Kafka's offset commits and so survive any kill exactly; they belong to the pipeline, not to a worker.

Nothing here reads a clock, a database or a socket.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate as running_sum
from typing import Any, Literal

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from inflect.model.event import Counts, StepCounts
from inflect.model.status import MetricSample

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
GONE = "gone"
SUPERVISOR = ""
"""The `worker` of series that the supervisor makes itself."""

Kind = Literal["counter", "gauge", "histogram"]
Origin = Literal["worker", "supervisor", "figures"]
Labels = tuple[tuple[str, str], ...]
SeriesKey = tuple[str, str]
"""Pipeline and worker (a slot's number as text, `GONE` or `SUPERVISOR`)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: `labels` are the contract's (a `worker` label comes on top on one box); buckets are upper bounds."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    origin: Origin
    help: str
    buckets: tuple[float, ...] = ()


_STEP_S = (1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)
_LATENCY_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 86400.0)
_DURATION_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_EVENTS = (1.0, 10.0, 50.0, 100.0, 500.0, 1000.0, 2500.0, 5000.0, 10_000.0, 50_000.0, 100_000.0)

METRICS: tuple[Metric, ...] = (
    Metric(
        "inflect_events_consumed_total",
        "counter",
        ("pipeline",),
        "figures",
        "Source events settled in committed transactions.",
    ),
    Metric(
        "inflect_events_total",
        "counter",
        ("pipeline", "outcome"),
        "figures",
        "Source events by their one outcome: delivered, filtered, dead_lettered, dropped.",
    ),
    Metric(
        "inflect_step_events_total",
        "counter",
        ("pipeline", "step", "outcome"),
        "figures",
        "Source events that passed a step (ok), were filtered by it, or failed in it.",
    ),
    Metric(
        "inflect_step_duration_seconds",
        "histogram",
        ("pipeline", "step"),
        "worker",
        "Seconds one event takes in a step: the mean over a sampled batch, one observation a sample.",
        _STEP_S,
    ),
    Metric(
        "inflect_event_latency_seconds",
        "histogram",
        ("pipeline",),
        "worker",
        "Source timestamp to commit, of the oldest and newest event of each transaction.",
        _LATENCY_S,
    ),
    Metric(
        "inflect_batch_events",
        "histogram",
        ("pipeline",),
        "worker",
        "Source events of one transaction.",
        _EVENTS,
    ),
    Metric(
        "inflect_transactions_total",
        "counter",
        ("pipeline", "result"),
        "worker",
        "Transactions by result: committed, aborted.",
    ),
    Metric(
        "inflect_transaction_duration_seconds",
        "histogram",
        ("pipeline",),
        "worker",
        "Seconds from the begin of a transaction to its commit.",
        _DURATION_S,
    ),
    Metric(
        "inflect_consumer_lag_events",
        "gauge",
        ("pipeline",),
        "figures",
        "Source events not yet settled; absent while unknown.",
    ),
    Metric(
        "inflect_consumer_lag_seconds",
        "gauge",
        ("pipeline",),
        "figures",
        "Age of the newest settled event of the slowest partition with lag, 0 without lag; absent while unknown.",
    ),
    Metric("inflect_workers", "gauge", ("pipeline", "state"), "figures", "Live workers by state."),
    Metric(
        "inflect_worker_restarts_total",
        "counter",
        ("pipeline",),
        "supervisor",
        "Workers started again after one ended unasked.",
    ),
    Metric(
        "inflect_unaccounted_events",
        "gauge",
        ("pipeline",),
        "figures",
        "Settled events without an outcome; anything but 0 is a defect.",
    ),
    Metric(
        "inflect_last_commit_timestamp_seconds",
        "gauge",
        ("pipeline",),
        "figures",
        "When a transaction was last seen committed, in seconds since 1970; absent before the first.",
    ),
    Metric(
        "inflect_revision_info",
        "gauge",
        ("pipeline", "revision"),
        "figures",
        "1 for the revision that should run.",
    ),
    Metric("inflect_build_info", "gauge", ("version",), "figures", "1 for the version that answers."),
)

BY_NAME: Mapping[str, Metric] = {metric.name: metric for metric in METRICS}


@dataclass(frozen=True, slots=True)
class Total:
    """What one labelled series holds: a counter's value, or a histogram's sum and its counts per bucket (+Inf last)."""

    value: float = 0.0
    buckets: tuple[int, ...] = ()


Series = dict[tuple[str, Labels], Total]
"""Everything one worker slot has accumulated, by metric name and the labels beside `pipeline` and `worker`."""


@dataclass(frozen=True, slots=True)
class PipelineFigures:
    """What is computed of one pipeline at the moment of rendering; None leaves a gauge out, because it is not known."""

    name: str
    revision: int
    counts: Counts = field(default_factory=Counts)
    steps: Mapping[str, StepCounts] = field(default_factory=dict)
    workers: Mapping[str, int] = field(default_factory=dict)
    lag_events: int | None = None
    lag_s: float | None = None
    last_commit_s: float | None = None


def accumulate(series: Series, samples: Iterable[MetricSample]) -> None:
    """Add increments to a series in place; KeyError for a metric that is not declared."""
    for sample in samples:
        key = (sample.name, sample.labels)
        series[key] = _increased(BY_NAME[sample.name], series.get(key, Total()), sample)


def _increased(metric: Metric, total: Total, sample: MetricSample) -> Total:
    if metric.kind == "counter":
        return Total(total.value + sample.amount)
    counts = list(total.buckets or (0,) * (len(metric.buckets) + 1))
    for observation in sample.observations:
        counts[bisect_left(metric.buckets, observation)] += 1
    return Total(total.value + sum(sample.observations), tuple(counts))


def fold_gone(series: Mapping[SeriesKey, Series], live: Iterable[SeriesKey]) -> dict[SeriesKey, Series]:
    """Return the series with those of slots that are not `live` added to their pipeline's `GONE`; sums stay."""
    kept = {*live}
    folded: dict[SeriesKey, Series] = {}
    for (pipeline, worker), one in series.items():
        stays = worker in (GONE, SUPERVISOR) or (pipeline, worker) in kept
        _add(folded.setdefault((pipeline, worker if stays else GONE), {}), one)
    return folded


def _add(into: Series, other: Series) -> None:
    for key, total in other.items():
        held = into.get(key)
        into[key] = total if held is None else _sum(held, total)


def _sum(left: Total, right: Total) -> Total:
    return Total(left.value + right.value, tuple(a + b for a, b in zip(left.buckets, right.buckets, strict=True)))


def write_series(series: Series) -> list[list[Any]]:
    """Return a series as JSON values, for keeping."""
    return [[name, dict(labels), total.value, list(total.buckets)] for (name, labels), total in series.items()]


def read_series(kept: Iterable[Sequence[Any]]) -> Series:
    """Return what `write_series` wrote; a metric that this version declares otherwise starts anew."""
    return {
        (name, tuple(labels.items())): Total(value, tuple(buckets))
        for name, labels, value, buckets in kept
        if name in BY_NAME and len(buckets) == _bucket_count(BY_NAME[name])
    }


def _bucket_count(metric: Metric) -> int:
    return len(metric.buckets) + 1 if metric.kind == "histogram" else 0


def render(
    pipelines: Iterable[PipelineFigures],
    series: Mapping[SeriesKey, Series],
    *,
    version: str,
    worker_label: bool = True,
) -> bytes:
    """Return the Prometheus text exposition, `CONTENT_TYPE`.

    `series` of pipelines that are not among `pipelines` are left out. `worker_label=False` is for a pod, which
    exposes one worker: the scrape names it.
    """
    return generate_latest(_Exposition(tuple(pipelines), series, version, worker_label))


@dataclass(frozen=True, slots=True)
class _Exposition(Collector):
    """One rendering, in the shape that prometheus_client asks for."""

    pipelines: tuple[PipelineFigures, ...]
    series: Mapping[SeriesKey, Series]
    version: str
    worker_label: bool

    def collect(self) -> Iterator[Family]:
        """Give every declared metric, in the order of declaration."""
        values = _figures(self.pipelines, self.version)
        for metric in METRICS:
            if metric.origin == "figures":
                yield _plain_family(metric, metric.labels, values.get(metric.name, ()))
            else:
                yield self._accumulated(metric)

    def _accumulated(self, metric: Metric) -> Family:
        labelled = self.worker_label and metric.origin == "worker"
        names = (*metric.labels, "worker") if labelled else metric.labels
        samples = [
            (tuple({"pipeline": pipeline, "worker": worker, **dict(labels)}[label] for label in names), total)
            for (pipeline, worker), one in sorted(self._shown().items())
            for (name, labels), total in sorted(one.items())
            if name == metric.name
        ]
        if metric.kind == "histogram":
            return _histogram_family(metric, names, samples)
        return _plain_family(metric, names, [(values, total.value) for values, total in samples])

    def _shown(self) -> dict[SeriesKey, Series]:
        known = {pipeline.name for pipeline in self.pipelines}
        return {key: one for key, one in self.series.items() if key[0] in known}


_Values = tuple[tuple[str, ...], float]


def _figures(pipelines: Iterable[PipelineFigures], version: str) -> dict[str, list[_Values]]:
    """Return {metric: [(label values, value)]} of everything that is computed, in the labels' declared order."""
    values: dict[str, list[_Values]] = {"inflect_build_info": [((version,), 1.0)]}
    for pipeline in pipelines:
        for name, labels, value in _figures_of(pipeline):
            values.setdefault(name, []).append(((pipeline.name, *labels), value))
    return values


def _figures_of(pipeline: PipelineFigures) -> Iterator[tuple[str, tuple[str, ...], float]]:
    counts = pipeline.counts
    yield "inflect_events_consumed_total", (), counts.consumed
    for outcome in ("delivered", "filtered", "dead_lettered", "dropped"):
        yield "inflect_events_total", (outcome,), getattr(counts, outcome)
    for step, passed in pipeline.steps.items():
        for outcome in ("ok", "filtered", "failed"):
            yield "inflect_step_events_total", (step, outcome), getattr(passed, outcome)
    for state, number in pipeline.workers.items():
        yield "inflect_workers", (state,), number
    yield "inflect_unaccounted_events", (), counts.unaccounted
    yield "inflect_revision_info", (str(pipeline.revision),), 1
    for name, value in (
        ("inflect_consumer_lag_events", pipeline.lag_events),
        ("inflect_consumer_lag_seconds", pipeline.lag_s),
        ("inflect_last_commit_timestamp_seconds", pipeline.last_commit_s),
    ):
        if value is not None:
            yield name, (), value


def _plain_family(metric: Metric, labels: Sequence[str], samples: Iterable[_Values]) -> Family:
    made = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = made(metric.name, metric.help, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _histogram_family(
    metric: Metric, labels: Sequence[str], samples: Iterable[tuple[tuple[str, ...], Total]]
) -> Family:
    family = HistogramMetricFamily(metric.name, metric.help, labels=labels)
    bounds = [*(repr(bound) for bound in metric.buckets), "+Inf"]
    for values, total in samples:
        cumulative = list(zip(bounds, running_sum(total.buckets), strict=True))
        family.add_metric(values, cumulative, total.value)
    return family
