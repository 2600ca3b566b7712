"""Metrics: frozen names, sums that stay true, an exposition that Prometheus reads."""

import json

import pytest
from prometheus_client.parser import text_string_to_metric_families

from inflect.metrics import (
    GONE,
    METRICS,
    SUPERVISOR,
    PipelineFigures,
    Series,
    SeriesKey,
    accumulate,
    fold_gone,
    read_series,
    render,
    write_series,
)
from inflect.model.event import Counts, StepCounts
from inflect.model.status import MetricSample

# Copied from the contract. Dashboards and alerts hold on to these: never edit a line, only add.
FROZEN = """
inflect_events_consumed_total{pipeline}
inflect_events_total{pipeline,outcome}
inflect_step_events_total{pipeline,step,outcome}
inflect_step_duration_seconds{pipeline,step}
inflect_event_latency_seconds{pipeline}
inflect_batch_events{pipeline}
inflect_transactions_total{pipeline,result}
inflect_transaction_duration_seconds{pipeline}
inflect_consumer_lag_events{pipeline}
inflect_consumer_lag_seconds{pipeline}
inflect_workers{pipeline,state}
inflect_worker_restarts_total{pipeline}
inflect_unaccounted_events{pipeline}
inflect_last_commit_timestamp_seconds{pipeline}
inflect_revision_info{pipeline,revision}
inflect_build_info{version}
"""

FIGURES = PipelineFigures(
    name="orders",
    revision=7,
    counts=Counts(consumed=10, delivered=4, filtered=3, dead_lettered=2, dropped=1),
    steps={"only-paid": StepCounts(ok=5, filtered=3, failed=2)},
    workers={"running": 2},
    lag_events=12,
    lag_s=1.5,
    last_commit_s=1_700_000_000.25,
)

Sample = tuple[str, frozenset[tuple[str, str]]]


def committed(amount: float) -> MetricSample:
    return MetricSample("inflect_transactions_total", (("result", "committed"),), amount=amount)


def sizes(*observations: float) -> MetricSample:
    return MetricSample("inflect_batch_events", observations=observations)


def durations(step: str, *observations: float) -> MetricSample:
    return MetricSample("inflect_step_duration_seconds", (("step", step),), observations=observations)


def series(*samples: MetricSample) -> Series:
    made: Series = {}
    accumulate(made, samples)
    return made


def read(page: bytes) -> dict[Sample, float]:
    """What Prometheus would take in."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def value(page: dict[Sample, float], name: str, **labels: str) -> float:
    return page[name, frozenset(labels.items())]


def shown(kept: dict[SeriesKey, Series], *, worker_label: bool = True) -> dict[Sample, float]:
    return read(render([FIGURES], kept, version="1.2.3", worker_label=worker_label))


def test_names_and_labels_are_frozen() -> None:
    declared = [f"{metric.name}{{{','.join(metric.labels)}}}" for metric in METRICS]
    assert declared == FROZEN.split()


def test_the_page_shows_the_frozen_names_and_labels_and_no_other() -> None:
    samples = [committed(1), sizes(3), durations("only-paid", 0.1)]
    samples += [
        MetricSample(name, observations=(1.0,))
        for name in ("inflect_event_latency_seconds", "inflect_transaction_duration_seconds")
    ]
    restarted = series(MetricSample("inflect_worker_restarts_total", amount=1))
    page = render(
        [FIGURES],
        {("orders", "0"): series(*samples), ("orders", SUPERVISOR): restarted},
        version="1.2.3",
        worker_label=False,
    )
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(page.decode()):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = {label for sample in family.samples for label in sample.labels} - {"le"}
    assert found == {metric.name: set(metric.labels) for metric in METRICS}


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_explained_and_histograms_have_rising_buckets(metric: object) -> None:
    described = next(each for each in METRICS if each is metric)
    assert described.help.endswith(".")
    assert (described.kind == "histogram") == bool(described.buckets)
    assert list(described.buckets) == sorted(set(described.buckets))


def test_counts_of_events_are_the_exact_ones_of_the_pipeline() -> None:
    page = shown({})
    assert value(page, "inflect_events_consumed_total", pipeline="orders") == 10
    outcomes = {"delivered": 4, "filtered": 3, "dead_lettered": 2, "dropped": 1}
    for outcome, count in outcomes.items():
        assert value(page, "inflect_events_total", pipeline="orders", outcome=outcome) == count
    for outcome, count in {"ok": 5, "filtered": 3, "failed": 2}.items():
        found = value(page, "inflect_step_events_total", pipeline="orders", step="only-paid", outcome=outcome)
        assert found == count
    assert value(page, "inflect_unaccounted_events", pipeline="orders") == 0


def test_gauges_are_what_the_rows_said() -> None:
    page = shown({})
    assert value(page, "inflect_consumer_lag_events", pipeline="orders") == 12
    assert value(page, "inflect_consumer_lag_seconds", pipeline="orders") == 1.5
    assert value(page, "inflect_workers", pipeline="orders", state="running") == 2
    assert value(page, "inflect_last_commit_timestamp_seconds", pipeline="orders") == 1_700_000_000.25
    assert value(page, "inflect_revision_info", pipeline="orders", revision="7") == 1
    assert value(page, "inflect_build_info", version="1.2.3") == 1


def test_an_event_without_an_outcome_shows() -> None:
    broken = PipelineFigures("orders", 1, Counts(consumed=3, delivered=2))
    page = read(render([broken], {}, version="1"))
    assert value(page, "inflect_unaccounted_events", pipeline="orders") == 1


def test_what_is_not_known_is_absent_rather_than_zero() -> None:
    page = read(render([PipelineFigures("orders", 1)], {}, version="1"))
    names = {name for name, _ in page}
    assert not names & {
        "inflect_consumer_lag_events",
        "inflect_consumer_lag_seconds",
        "inflect_last_commit_timestamp_seconds",
    }


def test_each_slot_has_a_series_of_its_own_on_one_box() -> None:
    page = shown({("orders", "0"): series(committed(3)), ("orders", "1"): series(committed(4))})
    labels = {"pipeline": "orders", "result": "committed"}
    assert value(page, "inflect_transactions_total", **labels, worker="0") == 3
    assert value(page, "inflect_transactions_total", **labels, worker="1") == 4


def test_a_pod_shows_its_one_worker_without_a_label() -> None:
    page = shown({("orders", "0"): series(committed(3))}, worker_label=False)
    assert value(page, "inflect_transactions_total", pipeline="orders", result="committed") == 3


def test_restarts_belong_to_the_pipeline() -> None:
    restarts = series(*[MetricSample("inflect_worker_restarts_total", amount=1)] * 2)
    page = shown({("orders", SUPERVISOR): restarts})
    assert value(page, "inflect_worker_restarts_total", pipeline="orders") == 2


def test_histograms_count_each_observation_in_every_bucket_it_fits() -> None:
    page = shown({("orders", "0"): series(sizes(1, 7, 1000), sizes(1e9))})
    labels = {"pipeline": "orders", "worker": "0"}
    buckets = {
        bound: value(page, "inflect_batch_events_bucket", **labels, le=bound)
        for bound in ("1.0", "10.0", "500.0", "1000.0", "100000.0", "+Inf")
    }
    assert buckets == {"1.0": 1, "10.0": 2, "500.0": 2, "1000.0": 3, "100000.0": 3, "+Inf": 4}
    assert value(page, "inflect_batch_events_count", **labels) == 4
    assert value(page, "inflect_batch_events_sum", **labels) == 1_000_001_008


def test_steps_are_told_apart() -> None:
    page = shown({("orders", "0"): series(durations("a", 0.5), durations("b", 0.25, 0.25))})
    labels = {"pipeline": "orders", "worker": "0"}
    assert value(page, "inflect_step_duration_seconds_sum", **labels, step="a") == 0.5
    assert value(page, "inflect_step_duration_seconds_count", **labels, step="b") == 2


def test_a_restarted_slot_goes_on_where_it_was() -> None:
    kept = read_series(json.loads(json.dumps(write_series(series(committed(3), sizes(5))))))
    accumulate(kept, [committed(2), sizes(5)])
    assert kept == series(committed(5), sizes(5, 5))


@pytest.mark.row("E16")
def test_slots_that_are_gone_are_folded_and_sums_stay() -> None:
    kept: dict[SeriesKey, Series] = {
        ("orders", "0"): series(committed(1)),
        ("orders", "1"): series(committed(2), sizes(5)),
        ("orders", "2"): series(committed(4), sizes(5, 50_000)),
        ("orders", SUPERVISOR): series(MetricSample("inflect_worker_restarts_total", amount=1)),
    }
    folded = fold_gone(kept, {("orders", "0")})
    assert folded == {
        ("orders", "0"): series(committed(1)),
        ("orders", GONE): series(committed(6), sizes(5, 5, 50_000)),
        ("orders", SUPERVISOR): kept["orders", SUPERVISOR],
    }
    assert fold_gone(folded, set())["orders", GONE] == series(committed(7), sizes(5, 5, 50_000))
    assert kept["orders", "1"] == series(committed(2), sizes(5))


def test_folding_leaves_other_pipelines_alone() -> None:
    kept: dict[SeriesKey, Series] = {("a", "0"): series(committed(1)), ("b", "0"): series(committed(2))}
    assert fold_gone(kept, {("a", "0")}) == {("a", "0"): series(committed(1)), ("b", GONE): series(committed(2))}


def test_series_of_a_pipeline_that_is_gone_are_not_shown() -> None:
    page = shown({("deleted", "0"): series(committed(3))})
    assert not [labels for _, labels in page if ("pipeline", "deleted") in labels]


def test_a_metric_that_is_not_declared_is_a_defect() -> None:
    with pytest.raises(KeyError):
        series(MetricSample("inflect_surprise_total", amount=1))


def test_what_another_version_kept_differently_starts_anew() -> None:
    odd = [["inflect_batch_events", {}, 3.0, [1, 2]], ["inflect_surprise_total", {}, 1.0, []]]
    assert read_series([*odd, *write_series(series(committed(1)))]) == series(committed(1))


def test_a_label_value_cannot_break_the_page() -> None:
    odd = 'a"b\\c\nd'
    page = shown({("orders", "0"): series(durations(odd, 1.0))})
    assert value(page, "inflect_step_duration_seconds_count", pipeline="orders", worker="0", step=odd) == 1
