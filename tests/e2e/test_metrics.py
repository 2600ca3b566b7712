"""/metrics after real runs: the contract's names, and sums that stay true when workers are killed."""

import json
import os
import signal
from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.scene import Flow, Scene
from tests.e2e.traffic import Event
from tests.waiting import eventually

NAMES = {
    "inflect_events_consumed_total", "inflect_events_total", "inflect_step_events_total",
    "inflect_step_duration_seconds_count", "inflect_event_latency_seconds_count", "inflect_batch_events_sum",
    "inflect_transactions_total", "inflect_transaction_duration_seconds_sum", "inflect_consumer_lag_events",
    "inflect_consumer_lag_seconds", "inflect_workers", "inflect_worker_restarts_total", "inflect_unaccounted_events",
    "inflect_last_commit_timestamp_seconds", "inflect_revision_info", "inflect_build_info",
}  # fmt: skip
FUNCTIONS = {
    "filters/even.js": "module.exports = (event) => event.n % 2 === 0\n",
    "transformations/picky.js": """\
module.exports = (event) => {
  if (event.n % 10 === 0) throw new Error('no tens')
  for (const start = Date.now(); Date.now() === start; );  // long enough to be measured
  return event
}
""",
}
EVENTS = 1000


class Exposition:
    """A parsed /metrics page of one pipeline."""

    def __init__(self, scene: Scene, flow: Flow) -> None:
        self.names: set[str] = set()
        self._totals: dict[tuple[str, frozenset[str]], float] = defaultdict(float)
        for family in text_string_to_metric_families(scene.metrics()):
            for sample in family.samples:
                if sample.labels.get("pipeline", flow.name) != flow.name:
                    continue
                self.names.add(sample.name)
                rest = frozenset(value for label, value in sample.labels.items() if label not in {"pipeline", "worker"})
                self._totals[sample.name, rest] += sample.value

    def sum(self, name: str, *labels: str) -> float:
        """The sum over workers of a series, told by the values of its other labels."""
        return self._totals[name, frozenset(labels)]


def assert_true(page: Exposition, events: int) -> None:
    """Everything counted is what `events` of the test's numbers must give."""
    counted = {
        ("inflect_events_consumed_total",): events,
        ("inflect_events_total", "delivered"): events * 4 // 10,
        ("inflect_events_total", "filtered"): events // 2,
        ("inflect_events_total", "dead_lettered"): events // 10,
        ("inflect_events_total", "dropped"): 0,
        ("inflect_step_events_total", "even", "ok"): events // 2,
        ("inflect_step_events_total", "even", "filtered"): events // 2,
        ("inflect_step_events_total", "even", "failed"): 0,
        ("inflect_step_events_total", "picky", "ok"): events * 4 // 10,
        ("inflect_step_events_total", "picky", "filtered"): 0,
        ("inflect_step_events_total", "picky", "failed"): events // 10,
        ("inflect_unaccounted_events",): 0,
        ("inflect_consumer_lag_events",): 0,
        ("inflect_consumer_lag_seconds",): 0,
    }
    assert {key: page.sum(*key) for key in counted} == counted


def write(scene: Scene, flow: Flow, first: int) -> None:
    scene.broker.write(
        flow.source, [Event(json.dumps({"n": n}).encode(), partition=n % 2) for n in range(first, first + EVENTS)]
    )


def test_metrics_hold_the_contracts_names_and_sums_that_survive_a_kill(scene: Scene) -> None:
    flow = scene.flow("measured", FUNCTIONS, partitions=2, workers={"min": 2, "max": 2})
    pids = scene.running(flow, 2)
    write(scene, flow, 0)
    scene.settled(flow, EVENTS)

    def page() -> Exposition:
        read = Exposition(scene, flow)
        assert read.sum("inflect_batch_events_sum") == read.sum("inflect_events_consumed_total")
        return read

    before = eventually(page, 10, why="what was measured is reported")
    assert_true(before, EVENTS)
    assert before.sum("inflect_transactions_total", "committed") > 0
    assert before.sum("inflect_revision_info", "1") == 1
    assert before.sum("inflect_workers", "running") == 2

    os.kill(pids[0], signal.SIGKILL)
    eventually(lambda: set(scene.running(flow, 2)) - set(pids), 30, why="the slot has a new process")
    write(scene, flow, EVENTS)
    scene.settled(flow, 2 * EVENTS)

    after = eventually(page, 10, why="what was measured is reported")
    assert_true(after, 2 * EVENTS)
    assert after.sum("inflect_worker_restarts_total") == 1
    committed = ("inflect_transactions_total", "committed")
    assert after.sum(*committed) > before.sum(*committed)
