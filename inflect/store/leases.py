"""Leases of slots, for workers that no supervisor numbers (pods): the lowest one nobody holds.

A lease is a session's advisory lock on a connection of its own: it ends with the process, however that ends. It keeps
two workers from one transactional id, which would fence each other in turn; where Postgres restarts and a lease is lost
unnoticed, Kafka's fencing is what still holds.
"""

from collections.abc import Collection
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import Connection

from inflect.errors import InflectError
from inflect.store.database import Database, connection_string
from inflect.store.failures import translated
from inflect.store.statements import tuples
from inflect.store.workers import workers

MOST_SLOTS = 1000


class SlotLease:
    """One slot of a pipeline's pool, held while the block is entered; `slot` says which."""

    def __init__(self, db: Database, pipeline: str) -> None:
        self._db = db
        self._pipeline = pipeline
        self._connection: Connection[Any] | None = None
        self.slot = -1

    def __enter__(self) -> Self:
        seen = {row.slot for row in workers(self._db, self._pipeline)}
        with translated(self._db.server):
            self._connection = psycopg.connect(connection_string(self._db.url), autocommit=True)
            self.slot = self._lowest(self._connection, seen)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()

    def _lowest(self, connection: Connection[Any], seen: Collection[int]) -> int:
        """A slot that a live worker reports is left alone although nobody leases it: a supervisor numbered that one."""
        for slot in range(MOST_SLOTS):
            if slot in seen:
                continue
            ((taken,),) = tuples(connection, "leases.try_slot", {"pipeline": self._pipeline, "slot": slot})
            if taken:
                return slot
        raise InflectError(f"{self._pipeline} has {MOST_SLOTS} workers already; none more can be leased a slot")
