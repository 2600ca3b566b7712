"""Status: live workers only, progress that never steps back by mistake, metrics that go on."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from psycopg.types.json import Json

from inflect.metrics import GONE, Series, SeriesKey, accumulate
from inflect.model.event import Counts, StepCounts
from inflect.model.status import MetricSample, PartitionProgress
from inflect.store.database import Database
from inflect.store.figures import lag_events
from inflect.store.migrations import KNOWN, migrate
from inflect.store.pipelines import get_pipeline, set_state
from inflect.store.workers import (
    LIVE_S,
    WorkerRow,
    load_metrics,
    progress,
    remove_worker,
    save_ends,
    save_metrics,
    save_report,
    save_reports,
    workers,
)
from tests.integration.store.samples import revision, save

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def worker(slot: int = 0, pipeline: str = "orders-clean", **more: object) -> WorkerRow:
    plain = WorkerRow(
        pipeline=pipeline,
        slot=slot,
        id=f"{pipeline}-{slot}",
        pid=4711,
        host="box",
        state="running",
        detail="",
        partitions=(0, 2),
        revision=1,
        restarts=3,
        rss_bytes=5_000_000_000,
        started_at=NOW,
        heartbeat_at=NOW,
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # each test names real fields


def at(offset: int, assigned_at_ms: int = 1000, *, consumed: int | None = None) -> PartitionProgress:
    count = offset if consumed is None else consumed
    return PartitionProgress(
        offset=offset,
        end=1000,
        revision=1,
        counts=Counts(consumed=count, delivered=count),
        steps={"only-paid": StepCounts(ok=count)},
        last_timestamp=1_700_000_000_000,
        assigned_at_ms=assigned_at_ms,
    )


def report(db: Database, said: PartitionProgress) -> int:
    """Report on partition 0; the offset that is known then."""
    save_reports(db, [worker()], {"orders-clean": {0: said}})
    (row,) = progress(db)
    return row.offset


def test_a_worker_is_read_back_whole(database: Database) -> None:
    save(database, revision())
    save_reports(database, [worker(0), worker(1, pid=None, detail="waiting for the broker")], {})
    assert workers(database, "orders-clean") == [worker(0), worker(1, pid=None, detail="waiting for the broker")]
    assert workers(database, "another") == []


def test_a_later_status_replaces_the_earlier_one(database: Database) -> None:
    save(database, revision())
    save_reports(database, [worker(0), worker(1)], {})
    save_reports(database, [worker(1, pid=5, partitions=())], {})
    assert workers(database) == [worker(1, pid=5, partitions=())]
    save_reports(database, [], {})
    assert workers(database) == []


def test_a_pod_writes_and_removes_only_its_own_row(database: Database) -> None:
    save(database, revision())
    save_report(database, worker(0), {0: at(5)})
    save_report(database, worker(1, id="pod-b"), {1: at(7)})
    remove_worker(database, "orders-clean", 1, "pod-a")
    assert [row.slot for row in workers(database)] == [0, 1]
    remove_worker(database, "orders-clean", 1, "pod-b")
    assert [row.slot for row in workers(database)] == [0]
    assert [(row.partition, row.offset) for row in progress(database)] == [(0, 5), (1, 7)]


def test_a_row_that_nobody_writes_any_more_is_no_live_worker(database: Database) -> None:
    save(database, revision())
    save_reports(database, [worker()], {})
    with database.connection() as connection:
        connection.execute("update workers set written_at = now() - make_interval(secs => %s)", [LIVE_S + 1])
    assert workers(database) == []


def test_progress_is_read_back_whole(database: Database) -> None:
    save(database, revision())
    save_reports(database, [], {"orders-clean": {2: at(5), 0: at(2**40)}})
    first, second = progress(database, "orders-clean")
    assert (first.partition, first.offset, first.counts.consumed) == (0, 2**40, 2**40)
    assert (second.offset, second.end, second.revision, second.last_timestamp) == (5, 1000, 1, 1_700_000_000_000)
    assert second.counts == Counts(consumed=5, delivered=5)
    assert second.steps == {"only-paid": StepCounts(ok=5)}


def test_a_late_word_of_a_former_owner_changes_nothing(database: Database) -> None:
    save(database, revision())
    assert report(database, at(100, assigned_at_ms=1000)) == 100
    assert report(database, at(150, assigned_at_ms=2000)) == 150
    assert report(database, at(120, assigned_at_ms=1000)) == 150
    assert progress(database)[0].counts.consumed == 150


def test_an_offset_that_an_operator_moved_back_is_taken_over(database: Database) -> None:
    save(database, revision())
    assert report(database, at(100, assigned_at_ms=1000)) == 100
    assert report(database, at(10, assigned_at_ms=2000, consumed=0)) == 10
    assert progress(database)[0].counts == Counts()


def test_an_offset_that_falls_back_under_the_same_owner_is_taken_over(database: Database) -> None:
    save(database, revision())
    assert report(database, at(100)) == 100
    assert report(database, at(3)) == 3


@pytest.mark.row("E19")
def test_a_clock_that_stepped_back_does_not_stop_progress(database: Database) -> None:
    save(database, revision())
    assert report(database, at(100, assigned_at_ms=9000)) == 100
    assert report(database, at(101, assigned_at_ms=1000)) == 101


def test_a_new_end_alone_is_written_and_does_not_look_like_a_commit(database: Database) -> None:
    save(database, revision())
    report(database, at(100))
    (before,) = progress(database)
    report(database, replace(at(100), end=2000))
    (after,) = progress(database)
    assert (after.end, after.updated_at) == (2000, before.updated_at)
    report(database, at(101))
    assert progress(database)[0].updated_at > before.updated_at


def test_a_partition_where_nothing_was_committed_has_no_progress(database: Database) -> None:
    save(database, revision())
    save_reports(database, [], {"orders-clean": {0: at(-1001, consumed=0)}})
    assert progress(database) == []


def test_what_is_said_of_a_deleted_pipeline_is_left_out_and_the_rest_kept(database: Database) -> None:
    save(database, revision("kept"), revision("deleted"))
    both = [worker(pipeline="kept"), worker(pipeline="deleted")]
    save_reports(database, both, {"kept": {0: at(1)}, "deleted": {0: at(1)}})
    save(database, delete=("deleted",))
    assert [row.pipeline for row in workers(database)] == ["kept"]
    save_reports(database, both, {"kept": {0: at(2)}, "deleted": {0: at(2)}})
    save_metrics(database, {("kept", "0"): {}, ("deleted", "0"): {}})
    assert [row.pipeline for row in workers(database)] == ["kept"]
    assert [(row.pipeline, row.offset) for row in progress(database)] == [("kept", 2)]
    assert load_metrics(database) == {("kept", "0"): {}}


def test_status_and_deletion_at_the_same_time_never_deadlock(database: Database) -> None:
    names = [f"p{number}" for number in range(8)]
    stop = threading.Event()

    def report_on_and_on() -> int:
        rounds = 0
        while not stop.is_set():
            rounds += 1
            live = [worker(slot, name) for name in names for slot in range(rounds % 3)]
            save_reports(database, live, {name: {0: at(rounds)} for name in names})
            set_state(database, {name: ("running", str(rounds)) for name in names})
        return rounds

    with ThreadPoolExecutor(1) as threads:
        reporting = threads.submit(report_on_and_on)
        try:
            for _ in range(20):
                save(database, *(revision(name) for name in names))
                save(
                    database,
                    *(revision(name, expected=get_pipeline(database, name).revision) for name in reversed(names)),
                )
                save(database, delete=tuple(reversed(names)))
        finally:
            stop.set()
        assert reporting.result() > 0


def test_metrics_go_on_where_they_were_and_old_slots_leave(database: Database) -> None:
    save(database, revision())
    series: dict[SeriesKey, Series] = {("orders-clean", "0"): {}, ("orders-clean", GONE): {}}
    samples = [
        MetricSample("inflect_transactions_total", (("result", "committed"),), amount=3),
        MetricSample("inflect_batch_events", observations=(1.0, 7.5, 1e9)),
    ]
    accumulate(series["orders-clean", "0"], samples)
    save_metrics(database, series)
    assert load_metrics(database) == series
    save_metrics(database, {("orders-clean", GONE): {}})
    assert load_metrics(database) == {("orders-clean", GONE): {}}


def test_a_pipeline_that_reads_another_topic_keeps_its_totals_and_tells_the_lag_of_the_new_one(
    database: Database,
) -> None:
    save(database, revision())
    save_reports(database, [], {"orders-clean": {("orders", 0): at(900), ("orders", 3): at(50)}})
    save(database, revision(expected=1, source={"topic": "orders-v2"}))
    new = replace(at(10), topic="orders-v2", end=30)
    save_reports(
        database, [], {"orders-clean": {("orders", 0): replace(at(950), topic="orders"), ("orders-v2", 0): new}}
    )
    rows = progress(database, "orders-clean")
    assert [(row.topic, row.partition, row.current) for row in rows] == [
        ("orders-v2", 0, True),
        ("orders", 0, False),
        ("orders", 3, False),
    ]
    assert sum(row.counts.consumed for row in rows) == 10 + 950 + 50
    assert lag_events(rows) == 20


def test_progress_written_before_topics_were_known_belongs_to_the_topic_of_its_revision(
    empty_database_url: str,
) -> None:
    with Database(empty_database_url) as db:
        migrate(db, migrations=KNOWN[:1])
        with db.connection() as connection:
            for number, topic in ((1, "orders"), (2, "v2")):
                connection.execute(
                    "insert into revisions (pipeline, number, document, pins, entries, author, origin)"
                    " values ('p', %s, %s, '{}', '{}', 'a', 'cli')",
                    [number, Json({"source": {"topic": topic}})],
                )
            connection.execute("insert into pipelines (name, revision) values ('p', 2)")
            connection.execute(
                "insert into partition_progress select 'p', n, 5, 9, n, 0, 5, 5, 0, 0, 0, '{}'::jsonb, 1"
                " from generate_series(0, 2) n"
            )
        migrate(db)
        assert [(row.topic, row.partition, row.current) for row in progress(db)] == [
            ("v2", 0, True),  # nobody said which revision committed it
            ("v2", 2, True),
            ("orders", 1, False),
        ]


def test_ends_are_written_for_pipelines_that_nobody_works_on(database: Database) -> None:
    save(database, revision())
    save_reports(database, [], {"orders-clean": {0: at(10), 1: at(20)}})
    save_ends(database, {"orders-clean": ("orders", {0: 5000, 7: 1}), "gone": ("orders", {0: 1})})
    assert [(row.partition, row.end) for row in progress(database)] == [(0, 5000), (1, 1000)]
    save_reports(database, [], {"orders-clean": {0: at(10), 1: at(20)}})
    assert progress(database)[0].end == 5000, "the last word of a pool that rests is repeated"
    save_reports(database, [worker()], {})
    save_ends(database, {"orders-clean": ("orders", {0: 9000})})
    assert progress(database)[0].end == 5000
