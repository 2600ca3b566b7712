"""Where faults are played: a pipeline with the soak's reference, workers of its own, and the soak's verdict.

Most faults are waited for, not worked for (a session that must end, a transaction that must time out), so the scenes of
one module are played at the same time, and each test waits for its own.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Any

import pytest
from confluent_kafka.cimpl import NewPartitions

from inflect.errors import UnreachableError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from inflect.model.pipeline import BatchLimits
from inflect.supervisor.process import Child
from inflect.worker.main import run_local
from tests.faults.defects import run_defective
from tests.integration.worker.crew import Crew, Hand
from tests.soak import reference
from tests.soak.verdict import Subject, Verdict, judge
from tests.waiting import eventually

BATCH = BatchLimits(max_events=200, max_wait_ms=50)
AT_ONCE = 6

# The soak's steps in one file: a tenth is filtered, one in 500 fails.
STEPS = """
module.exports = (event) => {
  if (!event.paid) return null
  if (event.items === null) throw new TypeError(`order ${event.n} has no items`)
  event.email = event.email.toLowerCase()
  event.total = event.items.reduce((sum, item) => sum + item, 0)
  event.name = event.name.toUpperCase()
  event.seen = true
  return event
}
"""


class Scene:
    """One pipeline under faults: `crew` has its workers; `written` events so far."""

    def __init__(self, crew: Crew) -> None:
        self.crew = crew
        self.written = 0

    def write(self, count: int) -> None:
        """Write the next `count` events of the reference."""
        producer = plain_producer(self.crew.kafka | {"message.timeout.ms": "0"})
        for n in range(self.written, self.written + count):
            key, value = reference.event(n)
            producer.produce(self.crew.source, value, key)
        assert producer.flush(60) == 0
        self.written += count

    def start(self, slot: int = 0, *sown: str, kafka: Mapping[str, str] | None = None) -> Hand:
        """A worker, with the faults and defects `sown` into it by name; `kafka` are more client settings."""
        crew = self.crew
        args = (slot, crew.kafka | dict(kafka or {}), "json")
        target: Any = run_defective if sown else run_local
        hand = Hand(Child(crew.context, f"{crew.name}-{slot}", target, *args, *sown), crew.revision())
        crew.hands.append(hand)
        return hand

    def add_partitions(self, topic: str, to: int) -> None:
        """Let a topic grow, and wait until those who ask are told so."""
        admin = self.crew.admin()
        admin.create_partitions([NewPartitions(topic, to)])[topic].result(10)
        with Admin(self.crew.kafka) as asking:
            eventually(lambda: asking.topics()[topic].partitions == to, within_s=10)

    def settled(self, within_s: float = 40) -> None:
        """Wait until the workers say that all events written have an outcome."""
        eventually(lambda: self.crew.settled(self.written), within_s, why=f"{self.written} events are settled")

    def verdict(self, stable_within_s: float = 25) -> Verdict:
        """What the topics and the books say; the last markers of the source have a moment to be passed."""
        crew = self.crew
        with suppress(AssertionError):
            eventually(self.caught_up, within_s=3)
        group = f"inflect-{crew.name}"
        subject = Subject(crew.source, crew.target, crew.dead_letter, group, self.written)
        return judge(crew.servers, subject, stable_within_s)

    def caught_up(self) -> bool:
        """Whether all of the source is committed, markers included."""
        with Admin(self.crew.kafka) as admin:
            try:
                progress = admin.committed(f"inflect-{self.crew.name}", self.crew.source)
            except UnreachableError:  # offsets of an open transaction are not told
                return False
            ends = admin.ends(self.crew.source)
        return all(end == 0 or (p in progress and progress[p].offset == end) for p, end in ends.items())

    def passes(self) -> None:
        """Everything is settled, and nothing is wrong."""
        self.settled()
        verdict = self.verdict()
        assert verdict.clean, verdict


@contextmanager
def scene(servers: str, context: Any, *, partitions: int = 3, **options: Any) -> Iterator[Scene]:
    """A scene with new topics; its workers are gone when the block ends."""
    name = f"scene-{secrets.token_hex(4)}"
    options = {"batch": BATCH, **options}
    crew = Crew(servers, f"{name}-in", f"{name}-out", f"{name}-dlq", name, STEPS, context, options=options)
    with Admin(crew.kafka) as admin:
        admin.create_topics([NewTopicSpec(t, partitions) for t in (crew.source, crew.target, crew.dead_letter)])
    try:
        yield Scene(crew)
    finally:
        crew.dismiss()


class Played:
    """The scenes of one module, all begun when the first test asks."""

    def __init__(self, bodies: list[Callable[..., None]], servers: str, context: Any) -> None:
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._futures: dict[str, Future[None]] = {
            body.__name__: self._pool.submit(body, servers, context) for body in bodies
        }

    def end(self, name: str) -> None:
        """Wait for a scene and raise what it raised."""
        self._futures[name].result()

    def close(self) -> None:
        """Begin no further scene, wait for those that play."""
        self._pool.shutdown(cancel_futures=True)


def together(body: Callable[..., None]) -> Callable[[Played], None]:
    """Make a test of a scene `body(servers, context)`, which plays beside the module's other scenes."""

    @wraps(body)
    def test(played: Played) -> None:
        played.end(body.__name__)

    del test.__wrapped__  # pytest would take its arguments for fixtures
    test.body = body  # type: ignore[attr-defined]  # the fixture `played` begins it
    return test


def bodies_of(items: list[pytest.Item], module: object) -> list[Callable[..., None]]:
    """The scenes among the tests that run now."""
    found = [item.function.body for item in items if isinstance(item, pytest.Function) and item.module is module
             and hasattr(item.function, "body")]  # fmt: skip
    return list(found)
