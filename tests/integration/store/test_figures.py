"""The metrics page from what the database holds."""

import time

from inflect.metrics import Series, SeriesKey, accumulate
from inflect.model.status import MetricSample
from inflect.store.database import Database
from inflect.store.figures import exposition
from inflect.store.workers import save_metrics, save_reports
from tests.integration.store.samples import revision, save
from tests.integration.store.test_workers import at, worker


def test_the_page_holds_counts_workers_and_series(database: Database) -> None:
    save(database, revision("busy"), revision("quiet"))
    save_reports(database, [worker(pipeline="busy")], {"busy": {0: at(40), 1: at(2)}})
    series: dict[SeriesKey, Series] = {("busy", "0"): {}}
    accumulate(series["busy", "0"], [MetricSample("inflect_transactions_total", (("result", "aborted"),), amount=2)])
    save_metrics(database, series)
    page = exposition(database, now_s=time.time(), version="1.2.3").decode().splitlines()
    assert 'inflect_events_consumed_total{pipeline="busy"} 42.0' in page
    assert 'inflect_events_consumed_total{pipeline="quiet"} 0.0' in page
    assert 'inflect_workers{pipeline="busy",state="running"} 1.0' in page
    assert 'inflect_transactions_total{pipeline="busy",result="aborted",worker="0"} 2.0' in page
    assert 'inflect_revision_info{pipeline="quiet",revision="1"} 1.0' in page
