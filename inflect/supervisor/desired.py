"""What should run, read from the store into the words of `reconcile`.

A revision is immutable, so it is loaded once. One pipeline that cannot be read is held with the reason;
the others are as they were.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from inflect.errors import InflectError, UnreachableError
from inflect.model.revision import Revision
from inflect.store import pipelines
from inflect.store.database import Database
from inflect.store.pipelines import DesiredPipeline
from inflect.supervisor.position import Position
from inflect.supervisor.reconcile import DesiredPool, Hold


@dataclass(frozen=True, slots=True)
class Halt:
    """A worker met `on_error: stop` under `revision`. `at` (monotonic seconds) tells it from the next of the kind."""

    revision: int
    reason: str
    at: float


@dataclass(frozen=True, slots=True)
class Desired:
    """All pools as they should be, by pipeline.

    `revisions` has the current one of every pool without a hold; `recorded` the halts that the store has
    taken over.
    """

    pools: Mapping[str, DesiredPool] = field(default_factory=dict)
    revisions: Mapping[str, Revision] = field(default_factory=dict)
    resumes: Mapping[str, int] = field(default_factory=dict)
    recorded: Mapping[str, Halt] = field(default_factory=dict)


class DesiredReader:
    """Reads what should run, again and again; `position` sets a group's first offsets or says why that must wait."""

    def __init__(self, db: Database, position: Position) -> None:
        self._db = db
        self._position = position
        self._revisions: dict[str, Revision] = {}
        self._positioned: dict[str, str] = {}

    def read(self, recorded: Mapping[str, Halt]) -> Desired:
        """Return the whole desired state; raises UnreachableError when Postgres is away."""
        rows = pipelines.desired(self._db)
        self._forget_all_but({row.name for row in rows})
        pools = dict(self._pools(rows))
        running = {name: self._revisions[name] for name, pool in pools.items() if pool.hold is None}
        return Desired(pools, running, {row.name: row.resumes for row in rows}, dict(recorded))

    def _pools(self, rows: list[DesiredPipeline]) -> Iterator[tuple[str, DesiredPool]]:
        brokers_away: Hold | None = None
        for row in rows:
            pool = self._pool(row)
            if pool.hold is None and self._needs_position(row.name):
                hold = brokers_away or self._first_position(row.name)
                brokers_away = hold if hold is not None and hold.state == "starting" else None
                pool = DesiredPool(pool.revision, pool.workers, pool.restart_token, hold)
            yield row.name, pool

    def _pool(self, row: DesiredPipeline) -> DesiredPool:
        if row.paused:
            return DesiredPool(row.revision, hold=Hold("paused", row.halted or ""))
        if row.halted is not None:
            return DesiredPool(row.revision, hold=Hold("stopped", row.halted))
        try:
            pipeline = self._revision(row).pipeline
        except UnreachableError:
            raise
        except InflectError as error:
            return DesiredPool(row.revision, hold=Hold("failed", str(error)))
        except Exception as error:  # noqa: BLE001  a row edited by hand holds anything; the other pipelines run on
            return DesiredPool(row.revision, hold=Hold("failed", f"revision {row.revision} is damaged: {error!r}"))
        token = (pipeline.source.topic, pipeline.guarantee)
        return DesiredPool(row.revision, max(0, pipeline.workers.min), token)

    def _revision(self, row: DesiredPipeline) -> Revision:
        known = self._revisions.get(row.name)
        if known is None or known.number != row.revision:
            known = pipelines.load_revision(self._db, row.name, row.revision)
            self._revisions[row.name] = known
        return known

    def _needs_position(self, name: str) -> bool:
        """Whether the group's first offsets are still to be set: `start` is not the earliest event."""
        source = self._revisions[name].pipeline.source
        return source.start != "earliest" and self._positioned.get(name) != source.topic

    def _first_position(self, name: str) -> Hold | None:
        pipeline = self._revisions[name].pipeline
        hold = self._position(pipeline)
        if hold is None:
            self._positioned[name] = pipeline.source.topic
        return hold

    def _forget_all_but(self, names: set[str]) -> None:
        for cache in (self._revisions, self._positioned):
            for name in cache.keys() - names:
                del cache[name]
