from dataclasses import replace
from datetime import timedelta
from typing import Any

from inflect.model.event import Counts
from inflect.web import overview
from inflect.web.figures import Track
from inflect.web.views import PipelineView
from tests.unit.web.samples import NOON, audit_row, pipeline_row, progress_row, worker_row


def view(counts: Counts | None = None, worker: dict[str, Any] | None = None, **changes: Any) -> PipelineView:
    row = pipeline_row(**changes)
    progress = [progress_row() if counts is None else progress_row(counts=counts)]
    track = Track()
    track.add(overview.sample(row, progress, 0))
    workers = [worker_row(**(worker or {}))]
    model = overview.read_pipeline(row.document)
    return overview.assemble(row, model, workers, progress, track.figures(), NOON)


def test_all_is_well_when_all_run() -> None:
    verdict = overview.health([view()])
    assert (verdict.level, verdict.sentence) == ("well", "All is well: 1 running")


def test_the_health_line_names_the_pipeline_that_stopped_and_why() -> None:
    verdict = overview.health([view(), view(name="clicks", state="stopped", reason="bad event at clicks[0]@5")])
    assert verdict.level == "trouble"
    assert verdict.sentence == "clicks stopped: bad event at clicks[0]@5"
    assert verdict.href == "/pipelines/clicks"


def test_books_that_do_not_balance_are_trouble_whatever_the_state() -> None:
    verdict = overview.health([view(counts=Counts(10, 9, 0, 0, 0))])
    assert (verdict.level, verdict.unaccounted) == ("trouble", 1)


def test_a_silent_worker_is_not_counted_and_said() -> None:
    silent = view(worker={"heartbeat_at": NOON - timedelta(seconds=30)})
    assert silent.workers_alive == 0
    assert overview.health([silent]).sentence == "No word from the workers of orders-clean"


def test_a_paused_pipeline_is_no_trouble() -> None:
    assert overview.health([view(paused=True, state="paused")]).level == "well"


def test_lag_counts_known_partitions_only() -> None:
    row = pipeline_row()
    unknown = progress_row(partition=1, end=-1)
    assert overview.sample(row, [progress_row(), unknown], 0).lag == 20
    assert overview.sample(row, [unknown], 0).lag is None
    assert overview.partition(unknown).lag is None


def test_a_document_that_cannot_be_read_is_reduced_to_its_ends() -> None:
    model = overview.read_pipeline({"name": "old", "source": {"topic": "a"}, "strange": 1})
    assert (model.source.topic, model.target.topic, model.steps) == ("a", "?", ())


def test_the_detail_of_a_change_leaves_out_what_is_empty() -> None:
    row = replace(audit_row(), detail={"revision": 3, "before": None, "comment": "", "hash": "a" * 64})
    assert overview.change(row).detail == "revision 3, aaaaaaaa"
