"""What an installation costs while it idles and while it works."""

import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import psutil

from tests.e2e.scene import Flow, Scene
from tests.e2e.traffic import Event
from tests.waiting import eventually

MB = 1 << 20
IDLE_WORKER_BYTES = 30 * MB
IDLE_INSTALLATION_BYTES = 1024 * MB
LOADED_WORKER_BYTES = 300 * MB
PIPELINES = 20
STEPS = {
    "transformations/lower.js": "module.exports = (e) => { e.name = e.name.toLowerCase(); return e }\n",
    "filters/all.js": "module.exports = (e) => e.n >= 0\n",
    "transformations/sum.js": "module.exports = (e) => { e.total = e.items.reduce((a, b) => a + b, 0); return e }\n",
    "transformations/mark.js": "module.exports = (e) => ({ ...e, seen: true })\n",
}


class Watched:
    """Samples a figure several times a second while the block runs and keeps the largest."""

    def __init__(self, figure: Callable[[], int]) -> None:
        self.largest = 0
        self._figure = figure
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._done.wait(0.05):
            self.largest = max(self.largest, self._figure())


def event(n: int, padding: int) -> Event:
    document = {"n": n, "name": "Some Customer", "items": [n, 2, 3], "text": "x" * padding}
    return Event(json.dumps(document).encode(), b"key-%d" % (n % 997), partition=n % 2)


def test_idle_workers_are_small_and_twenty_pipelines_fit_in_a_gigabyte(scene: Scene) -> None:
    flows = [
        scene.flow(f"idle-{number}", STEPS, partitions=2) for number in range(PIPELINES)
    ]  # fmt: skip
    pids = [scene.running(flow, within_s=60)[0] for flow in flows]

    def largest_worker() -> bool:
        private = {pid: psutil.Process(pid).memory_full_info().uss // MB for pid in pids}
        assert max(private.values()) <= IDLE_WORKER_BYTES // MB, private
        return True

    eventually(largest_worker, 10, why="idle workers hold little of their own")
    supervisor = psutil.Process(scene.installation.pid)
    parts = [process.memory_full_info().pss for process in (supervisor, *supervisor.children(recursive=True))]
    assert sum(parts) <= IDLE_INSTALLATION_BYTES, [part // MB for part in parts]


def test_a_worker_under_full_load_stays_below_300_mb(scene: Scene) -> None:
    for name, events in {
        "small": [event(n, 90) for n in range(300_000)],
        "large": [event(n, 100_000) for n in range(3_000)],
    }.items():
        source = scene.broker.create(scene.topic_name(name), 2)
        scene.broker.write(source, events)
        flow = scene.flow(name, STEPS, partitions=2, source={"topic": source})
        assert largest_while_settling(scene, flow, len(events)) < LOADED_WORKER_BYTES, name


def largest_while_settling(scene: Scene, flow: Flow, events: int) -> int:
    """Resident bytes of the pipeline's one worker at their highest while it works so many events off."""
    pids = eventually(lambda: scene.installation.workers(flow.name), 20)
    worker = psutil.Process(pids[0])
    with Watched(lambda: worker.memory_info().rss) as memory:
        assert scene.settled(flow, events, within_s=90)["delivered"] == events
    assert scene.running(flow) == pids
    return memory.largest
