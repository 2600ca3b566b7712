"""What ties a worker to whoever directs it: orders come in, reports go out.

On one box it is a pipe to the supervisor; its end-of-file means finish the batch in flight and stop. Sending never
blocks the
loop for long: a report is small, and the supervisor reads all the time or is gone.
"""

from typing import Protocol

from multiprocess.connection import Connection  # type: ignore[import-untyped]  # ships no types

from inflect.model.revision import Revision
from inflect.model.status import Halted, Quarantined, Report, Run, Stop

Order = Run | Stop
Word = Report | Halted | Quarantined


class Link(Protocol):
    """Orders in, words out."""

    def orders(self) -> list[Order]:
        """What has arrived since the last call, oldest first; does not wait. A lost director reads as `Stop`."""

    def wait(self, timeout_s: float) -> bool:
        """Wait for an order or the time; False when it is an order to stop, which stays to be read."""

    def say(self, word: Word) -> None:
        """Tell the director; a director that is gone is no error."""


class PipeLink:
    """A pipe to the supervisor."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._received: list[Order] = []

    def first_revision(self) -> Revision | None:
        """Wait for the revision to run; None when told to stop instead."""
        try:
            order = self._connection.recv()
        except (EOFError, OSError):
            return None
        return order.revision if isinstance(order, Run) else None

    def orders(self) -> list[Order]:
        """See `Link`."""
        self._receive()
        received, self._received = self._received, []
        return received

    def wait(self, timeout_s: float) -> bool:
        """See `Link`."""
        if self._connection.poll(timeout_s):
            self._receive()
        return not any(isinstance(order, Stop) for order in self._received)

    def say(self, word: Word) -> None:
        """See `Link`."""
        try:
            self._connection.send(word)
        except OSError:
            return  # the next look at the orders finds the pipe closed and stops

    def _receive(self) -> None:
        try:
            while self._connection.poll():
                self._received.append(self._connection.recv())
        except (EOFError, OSError):
            self._received.append(Stop())
