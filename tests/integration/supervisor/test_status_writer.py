"""Metrics that go on, and states that are written when they change."""

from datetime import UTC, datetime

from inflect.model.status import MetricSample
from inflect.store import pipelines, workers
from inflect.store.database import Database
from inflect.store.pipelines import NewRevision
from inflect.store.workers import WorkerRow
from inflect.supervisor.status import Status
from inflect.supervisor.status_writer import StatusWriter

COMMITTED = MetricSample("inflect_transactions_total", (("result", "committed"),), 1.0)


def save(db: Database, name: str) -> None:
    document = {"name": name, "source": {"topic": "in"}, "target": {"topic": "out"}}
    pipelines.save_revisions(db, [NewRevision(name, None, document, {}, ())], author="test", origin="cli")


def totals(db: Database) -> dict[tuple[str, str], float]:
    return {key: sum(total.value for total in one.values()) for key, one in workers.load_metrics(db).items()}


def test_increments_add_up_on_what_an_earlier_supervisor_kept(database: Database) -> None:
    save(database, "orders")
    for expected in (2.0, 4.0):
        writer = StatusWriter(database)
        writer.add([(("orders", "0"), (COMMITTED,)), (("orders", "0"), (COMMITTED,))])
        writer.write_metrics({"orders": 1})
        assert totals(database) == {("orders", "0"): expected}


def test_a_slot_that_is_not_wanted_any_more_is_folded_into_gone(database: Database) -> None:
    save(database, "orders")
    writer = StatusWriter(database)
    writer.add([(("orders", str(slot)), (COMMITTED,)) for slot in range(3)])
    writer.write_metrics({"orders": 1})
    assert totals(database) == {("orders", "0"): 1.0, ("orders", "gone"): 2.0}


def test_the_slots_of_a_held_pool_keep_their_series(database: Database) -> None:
    save(database, "orders")
    writer = StatusWriter(database)
    writer.add([(("orders", str(slot)), (COMMITTED,)) for slot in range(2)])
    writer.write_metrics({"orders": None})
    assert totals(database) == {("orders", "0"): 1.0, ("orders", "1"): 1.0}


def test_a_deleted_pipeline_takes_its_series_along(database: Database) -> None:
    save(database, "orders")
    writer = StatusWriter(database)
    writer.add([(("orders", "0"), (COMMITTED,)), (("deleted", "0"), (COMMITTED,))])
    writer.write_metrics({"orders": 1})
    assert totals(database) == {("orders", "0"): 1.0}


def test_a_state_written_by_somebody_else_is_put_right_after_a_full_read(database: Database) -> None:
    save(database, "orders")
    writer = StatusWriter(database)
    status = Status(states={"orders": ("running", "")}, slots={"orders": 1})
    writer.write(status)
    pipelines.set_state(database, {"orders": ("failed", "by hand")})
    writer.write(status)
    assert pipelines.get_pipeline(database, "orders").state == "failed"
    writer.forget_states()
    writer.write(status)
    assert pipelines.get_pipeline(database, "orders").state == "running"


def test_a_worker_of_a_pipeline_deleted_meanwhile_stops_no_report(database: Database) -> None:
    save(database, "orders")
    now = datetime.now(UTC)
    rows = tuple(
        WorkerRow(name, 0, f"{name}-0", 1, "here", "running", "", (0,), 1, 0, 0, now, now)
        for name in ("orders", "deleted")
    )
    StatusWriter(database).write(Status(rows, states={"deleted": ("running", "")}, slots={"orders": 1}))
    assert [row.pipeline for row in workers.workers(database)] == ["orders"]
