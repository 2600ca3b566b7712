"""New revisions under load: live within two seconds, at one offset of each partition, nobody restarted for it."""

import time
from collections import defaultdict

import pytest

from tests.e2e.scene import Scene
from tests.e2e.traffic import Found, Load, Tail
from tests.waiting import eventually

PARTITIONS = 4
LIVE_WITHIN_S = 2.0
MORE = "module.exports = (event) => ({ ...event, more: true })\n"
MARK = "module.exports = (event) => ({{ ...event, mark: '{}' }})\n"


@pytest.mark.row("E15")
def test_a_changed_pipeline_is_live_within_two_seconds_with_a_clean_seam(scene: Scene) -> None:
    functions = {"transformations/mark.js": MARK.format("old"), "transformations/more.js": MORE}
    steps = [{"transformation": "mark"}]
    flow = scene.flow("orders", functions, partitions=PARTITIONS, stamp=True, steps=steps, workers={"min": 2, "max": 4})
    other = scene.flow("other", {"transformations/mark.js": MARK.format("old")})
    before = {name: sorted(scene.running(*who)) for name, who in {"orders": (flow, 2), "other": (other, 1)}.items()}

    with (
        Load(scene.broker, flow.source, PARTITIONS, events_per_second=2000) as load,
        Tail(scene.broker, flow.target) as tail,
    ):
        eventually(lambda: tail.arrivals, 20)
        scene.installation.apply({**flow.document, "steps": [*steps, {"transformation": "more"}]})
        applied = time.time()
        live = first_arrival(tail, "2")
        written = load.stop()
    scene.settled(flow, written)

    assert live - applied <= LIVE_WITHIN_S
    records = scene.broker.read(flow.target)
    assert sorted(found.document["n"] for found in records) == list(range(written))
    assert_one_seam_a_partition(records)
    assert all(found.document.get("more", False) == (found.added["inflect.revision"] == "2") for found in records)
    assert sorted(scene.running(flow, 2)) == before["orders"]
    assert sorted(scene.running(other, 1)) == before["other"]


def first_arrival(tail: Tail, revision: str) -> float:
    """When the revision's first output could be read."""

    def arrived() -> float | None:
        return next((at for at, found in tail.arrivals if found.added["inflect.revision"] == revision), None)

    at = eventually(arrived, 20, why=f"an output of revision {revision}")
    assert at is not None
    return at


def assert_one_seam_a_partition(records: list[Found]) -> None:
    """Every source partition is in order, and passes once from revision 1 to 2."""
    seen: dict[int, list[tuple[int, str]]] = defaultdict(list)
    for found in records:
        n = found.document["n"]
        seen[n % PARTITIONS].append((n, found.added["inflect.revision"]))
    assert set(seen) == set(range(PARTITIONS))
    for pairs in seen.values():
        assert pairs == sorted(pairs)
        revisions = [revision for _, revision in pairs]
        assert set(revisions) == {"1", "2"}
        assert revisions == sorted(revisions)
