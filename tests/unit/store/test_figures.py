"""Figures of a pipeline from its rows."""

from datetime import UTC, datetime

from inflect.model.event import Counts, StepCounts
from inflect.store.figures import lag_events, lag_s, pipeline_figures
from inflect.store.pipelines import PipelineRow
from inflect.store.workers import ProgressRow

NOW_S = 1_700_000_100.0


def part(partition: int, offset: int, end: int, last_timestamp: int = 1_700_000_000_000) -> ProgressRow:
    return ProgressRow(
        pipeline="orders",
        partition=partition,
        offset=offset,
        end=end,
        revision=1,
        counts=Counts(consumed=offset, delivered=offset),
        steps={"a": StepCounts(ok=offset)},
        last_timestamp=last_timestamp,
        updated_at=datetime.fromtimestamp(NOW_S - partition, UTC),
    )


def test_lag_is_summed_over_partitions_whose_end_is_known() -> None:
    assert lag_events([part(0, 5, 10), part(1, 10, 10), part(2, 3, -1)]) == 5
    assert lag_events([part(0, 12, 10)]) == 0
    assert lag_events([part(0, 5, -1)]) is None
    assert lag_events([]) is None


def test_lag_in_seconds_is_the_slowest_partitions() -> None:
    slow, quick = part(0, 5, 10, 1_700_000_040_000), part(1, 5, 10, 1_700_000_090_000)
    assert lag_s([slow, quick], NOW_S) == 60.0
    assert lag_s([part(0, 10, 10)], NOW_S) == 0.0
    assert lag_s([part(0, 5, 10, 1_700_000_200_000)], NOW_S) == 0.0


def test_lag_in_seconds_is_unknown_without_a_settled_event_or_an_end() -> None:
    assert lag_s([part(0, 0, 10, -1), part(1, 5, 10)], NOW_S) is None
    assert lag_s([part(0, 5, -1)], NOW_S) is None
    assert lag_s([], NOW_S) is None


def test_a_pipelines_figures_are_sums_over_its_partitions() -> None:
    then = datetime.fromtimestamp(0, UTC)
    row = PipelineRow(
        "orders", 3, {}, paused=False, halted=None, state="running", reason="", author="ada", origin="cli",
        created_at=then, updated_at=then,
    )  # fmt: skip
    figures = pipeline_figures(row, [], [part(0, 5, 10), part(1, 7, 7)], NOW_S)
    assert (figures.name, figures.revision, figures.lag_events, figures.lag_s) == ("orders", 3, 5, 100.0)
    assert figures.counts == Counts(consumed=12, delivered=12)
    assert figures.steps == {"a": StepCounts(ok=12)}
    assert figures.last_commit_s == NOW_S
    assert pipeline_figures(row, [], [], NOW_S).last_commit_s is None
