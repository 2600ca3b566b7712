"""Operating pipelines: pause, resume, halt, drop, roll back, delete."""

import json
import re

import psutil
import pytest

from tests.e2e.scene import Scene
from tests.e2e.traffic import Event, Load, Tail, numbered
from tests.waiting import eventually

PASS = {"transformations/same.js": "module.exports = (event) => event\n"}
PICKY = {
    "transformations/picky.js": """\
module.exports = (event) => {
  if (event.bad) throw new Error('bad')
  return event
}
"""
}
MENDED = {"transformations/picky.js": "module.exports = (event) => event\n"}
SHOWN = {"name", "state", "reason", "revision", "workers", "counts", "lag"}
COUNTED = {"consumed", "delivered", "filtered", "dead_lettered", "dropped", "unaccounted"}


@pytest.fixture
def scene(shared_scene: Scene) -> Scene:
    """These tests disturb nobody."""
    return shared_scene


def with_bad(count: int, *bad: int) -> list[Event]:
    """Numbered events, some of them bad."""
    return [Event(json.dumps({"n": n, **({"bad": True} if n in bad else {})}).encode()) for n in range(count)]


@pytest.mark.row("B33")
def test_stop_halts_before_the_event_and_resume_goes_on_after_the_fix(scene: Scene) -> None:
    flow = scene.flow("careful", PICKY, dead_letter=None)
    scene.broker.write(flow.source, with_bad(1000, 600))

    shown = scene.state(flow, "stopped", within_s=30)

    assert f"{flow.source}:0:600" in shown["reason"]
    assert "transformations/picky.js:2:" in shown["reason"]
    eventually(lambda: scene.installation.show("careful")["workers"] == [], 15)
    assert scene.broker.numbers(flow.target) == list(range(600))
    assert scene.counts(flow)["consumed"] == 600

    scene.installation.write_processors(MENDED)
    eventually(lambda: scene.installation.show("careful")["revision"] == 2, 10)
    scene.installation.must("resume", "careful")
    assert scene.settled(flow, 1000)["delivered"] == 1000
    assert scene.broker.numbers(flow.target) == list(range(1000))


def test_drop_loses_only_the_failed_event_and_counts_it(scene: Scene) -> None:
    flow = scene.flow("careless", PICKY, on_error="drop", dead_letter=None)
    scene.broker.write(flow.source, with_bad(500, 7, 400))

    counts = scene.settled(flow, 500)

    assert (counts["delivered"], counts["dropped"], counts["dead_lettered"]) == (498, 2, 0)
    assert scene.broker.numbers(flow.target) == [n for n in range(500) if n not in {7, 400}]


def test_a_paused_pipeline_keeps_its_place_and_a_deleted_one_ends_its_workers(scene: Scene) -> None:
    flow = scene.flow("paused", PASS, partitions=2)
    with Load(scene.broker, flow.source, 2, events_per_second=2000) as load:
        eventually(lambda: scene.counts(flow)["delivered"] > 1000, 20)
        pids = scene.running(flow)
        scene.installation.must("pause", "paused")
        scene.state(flow, "paused")
        eventually(lambda: scene.installation.show("paused")["workers"] == [], 10)
        assert not any(map(psutil.pid_exists, pids))
        settled = scene.counts(flow)["consumed"]
        assert len(scene.broker.read(flow.target)) == settled
        scene.installation.must("resume", "paused")
        eventually(lambda: scene.counts(flow)["consumed"] > settled, 20)
        written = load.stop()
    scene.settled(flow, written)
    assert sorted(scene.broker.numbers(flow.target)) == list(range(written))

    listed = json.loads(scene.installation.must("list", "--json"))
    shown = json.loads(scene.installation.must("show", "paused", "--json"))
    assert [one["name"] for one in listed] == ["paused"]
    for one in (*listed, shown):
        assert set(one) == SHOWN
        assert set(one["counts"]) == COUNTED
        assert set(one["lag"]) == {"events", "seconds"}
        assert {"id", "pid", "host", "state", "partitions", "revision"} == set(one["workers"][0])
    assert (shown["lag"], shown["workers"][0]["partitions"]) == ({"events": 0, "seconds": 0.0}, [0, 1])

    pids = scene.running(flow)
    refused = scene.installation.inflect("delete", "paused", given="")
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    scene.installation.must("delete", "paused", "--yes")
    eventually(lambda: not any(map(psutil.pid_exists, pids)), 15, why="the workers of a deleted pipeline end")
    assert json.loads(scene.installation.must("list", "--json")) == []


def test_a_rollback_makes_a_new_revision_with_the_old_content_live(scene: Scene) -> None:
    old, new = (f"module.exports = (event) => ({{ ...event, mark: '{word}' }})\n" for word in ("old", "new"))
    flow = scene.flow("back", {"transformations/mark.js": old}, stamp=True)
    scene.installation.write_processors({"transformations/mark.js": new})
    eventually(lambda: scene.installation.show("back")["revision"] == 2, 10)
    with Load(scene.broker, flow.source, events_per_second=200) as load, Tail(scene.broker, flow.target) as tail:

        def last() -> tuple[str, str]:
            found = tail.arrivals[-1][1]
            return found.document["mark"], found.added["inflect.revision"]

        eventually(lambda: tail.arrivals and last() == ("new", "2"), 20)
        said = scene.installation.must("rollback", "back", "1")
        eventually(lambda: last() == ("old", "3"), 10)
        written = load.stop()

    assert re.search("revision 3", said)
    scene.settled(flow, written)
    assert scene.broker.numbers(flow.target) == list(range(written))


def test_a_paused_pipeline_takes_a_change_and_runs_it_when_resumed(scene: Scene) -> None:
    flow = scene.flow("later", PASS, stamp=True)
    scene.installation.must("pause", "later")
    scene.broker.write(flow.source, numbered(10))
    scene.installation.apply({**flow.document, "description": "changed while paused"})
    assert scene.state(flow, "paused")["revision"] == 2
    assert scene.counts(flow)["consumed"] == 0

    scene.installation.must("resume", "later")
    scene.settled(flow, 10)
    assert {found.added["inflect.revision"] for found in scene.broker.read(flow.target)} == {"2"}
