"""Redrives that were begun from a page: each in a thread that waits for its own process, with what it has done so far.

Kept in memory, the newest ones: what came of a redrive for good stands in the audit and in the topics. When this
process ends, the children finish the transaction they are in and stop; what is left stays open.
"""

import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from inflect import logs
from inflect.control.selection import Order
from inflect.errors import ConflictError, InflectError, NotFoundError, RefusedError

MOST_KEPT = 50
_LOG = logs.get(__name__)

Told = Callable[[dict[str, Any]], None]


class _StopError(InflectError):
    """Somebody asked for the end; what is under way is finished first."""


@dataclass(slots=True)
class Redrive:
    """One redrive: what was ordered, `expected` letters (None: not counted), the tally so far, how it ended.

    `error` is why it ended before its end; `ended_at` None while it runs.
    """

    id: str
    pipeline: str
    order: Order
    author: str
    expected: int | None
    began_at: datetime
    tally: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""
    ended_at: datetime | None = None
    stopping: bool = False


class Redrives:
    """Those that run and those that ended lately; `gate` bounds how many run at once, whoever asked for them."""

    def __init__(self, gate: threading.BoundedSemaphore) -> None:
        self._gate = gate
        self._lock = threading.Lock()
        self._known: dict[str, Redrive] = {}

    def begin(
        self, pipeline: str, order: Order, author: str, expected: int | None, run: Callable[[Told], dict[str, Any]]
    ) -> Redrive:
        """Run in a thread of its own; `run` is given whom to tell the progress. ConflictError when too many run."""
        if not self._gate.acquire(blocking=False):
            raise ConflictError("other redrives are running already; begin this one when one of them has ended")
        one = Redrive(secrets.token_hex(6), pipeline, order, author, expected, datetime.now(UTC))
        with self._lock:
            self._known[one.id] = one
            for old in list(self._known)[:-MOST_KEPT]:
                if self._known[old].ended_at is not None:
                    del self._known[old]
        threading.Thread(target=self._run, args=(one, run), name=f"redrive-{one.id}", daemon=True).start()
        return one

    def get(self, pipeline: str, redrive_id: str) -> Redrive:
        """NotFoundError for one that this process does not know, or no longer."""
        one = self._known.get(redrive_id)
        if one is None or one.pipeline != pipeline:
            raise NotFoundError(
                "this redrive is not known here any more: the server was started again, or it is long ago. "
                "The audit says what came of it; letters that it did not reach are still open."
            )
        return one

    def stop(self, pipeline: str, redrive_id: str) -> Redrive:
        """Ask for its end: the transaction under way is finished first."""
        one = self.get(pipeline, redrive_id)
        one.stopping = True
        return one

    def _run(self, one: Redrive, run: Callable[[Told], dict[str, Any]]) -> None:
        def told(tally: dict[str, Any]) -> None:
            one.tally = tally
            if one.stopping:
                raise _StopError("stopped; letters that were not reached are still open")

        try:
            one.tally = run(told)
        except RefusedError as error:
            one.error = "; ".join(str(fault) for fault in error.faults)
        except InflectError as error:
            one.error = str(error)
        except Exception:  # noqa: BLE001  whoever waits on the page must be told, whatever it was
            _LOG.exception("a redrive failed", id=one.id, pipeline=one.pipeline)
            one.error = f"something in Inflect is broken; the log has more under {one.id}"
        finally:
            one.ended_at = datetime.now(UTC)
            self._gate.release()
