"""Pools of fake workers on a real forkserver."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from inflect.model.revision import Revision
from inflect.model.status import MetricSample
from inflect.supervisor.children import Children
from inflect.supervisor.desired import Desired
from inflect.supervisor.local import LocalPools
from inflect.supervisor.process import start_forkserver
from inflect.supervisor.reconcile import DesiredPool, reconcile
from tests.integration.supervisor import fake_worker
from tests.waiting import eventually


@pytest.fixture(scope="session")
def context() -> Any:
    return start_forkserver(preload=("tests.integration.supervisor.fake_worker",))


@pytest.fixture
def children(context: Any) -> Iterator[Children]:
    with Children(context) as living:
        yield living


class Bench:
    """Local pools with the loop of `serve` around them, turned by hand."""

    def __init__(self, children: Children) -> None:
        self.children = children
        self.samples: list[tuple[str, str]] = []
        self.pools = LocalPools(children, fake_worker.run, on_samples=self._note)
        self.desired = Desired()

    def _note(self, key: tuple[str, str], samples: tuple[MetricSample, ...]) -> None:
        self.samples += [key] * len(samples)

    def running(self, name: str) -> dict[int, int]:
        """Return {slot: revision} as a pipeline's workers last reported it."""
        workers = self.pools.pools[name].workers
        return {slot: one.report.revision for slot, one in workers.items() if one.report is not None}

    def want(self, *revisions: Revision, workers: int = 1, resumes: int = 0) -> None:
        self.desired = Desired(
            {one.pipeline.name: DesiredPool(one.number, workers, (one.pipeline.source.topic,)) for one in revisions},
            {one.pipeline.name: one for one in revisions},
            {one.pipeline.name: resumes for one in revisions},
        )

    def turn(self, later_s: float = 0.0) -> None:
        """Take one turn of the loop, as if it were `later_s` seconds later."""
        self.children.wait(0.02)
        self.pools.forgive(self.desired)
        actions = reconcile(self.desired.pools, self.pools.observe(time.monotonic() + later_s))
        self.pools.carry_out(actions, self.desired)

    def until(self, fact: Callable[[], Any], later_s: float = 0.0, within_s: float = 10) -> Any:
        """Turn until the fact holds."""

        def turned() -> Any:
            self.turn(later_s)
            return fact()

        return eventually(turned, within_s=within_s)

    def pids(self, name: str) -> list[int]:
        """Return the process ids of a pipeline's workers that have reported, by slot."""
        pool = self.pools.pools.get(name)
        workers = pool.workers if pool else {}
        return [workers[slot].child.pid for slot in sorted(workers) if workers[slot].report is not None]


@pytest.fixture
def bench(children: Children) -> Bench:
    return Bench(children)
