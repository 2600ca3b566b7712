"""What passes between the main thread, which has the processes, and the thread that has the database.

Each side leaves its latest word and wakes the other; a later word replaces an earlier one, so nothing piles up
while one side is busy. Only increments of metrics queue: each counts once.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Iterator

from inflect.metrics import SeriesKey
from inflect.model.status import MetricSample
from inflect.supervisor.desired import Desired
from inflect.supervisor.status import Status


class Bell:
    """Something to wait on that any thread can ring."""

    def __init__(self) -> None:
        self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        """Return the descriptor that is readable while the bell rings."""
        return self._fd

    def ring(self) -> None:
        """Wake whoever waits."""
        os.eventfd_write(self._fd, 1)

    def hush(self) -> None:
        """Make it quiet again."""
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._fd)

    def close(self) -> None:
        """Give back the descriptor."""
        os.close(self._fd)


class Mailbox:
    """The latest desired state for the main thread, the latest status and a wish to sync for the other one."""

    def __init__(self) -> None:
        self.for_main = Bell()
        self.for_store = Bell()
        self.stop = threading.Event()
        self._sync_wanted = threading.Event()
        self.desired: Desired | None = None
        self.failure: Exception | None = None
        self.status: Status | None = None
        self._samples: queue.SimpleQueue[tuple[SeriesKey, tuple[MetricSample, ...]]] = queue.SimpleQueue()

    def hand_over(self, status: Status) -> None:
        """Leave what is for the store to show; it is fetched when it is due."""
        self.status = status

    def count(self, key: SeriesKey, samples: tuple[MetricSample, ...]) -> None:
        """Leave increments of metrics for the store's thread."""
        self._samples.put((key, samples))

    def take_samples(self) -> Iterator[tuple[SeriesKey, tuple[MetricSample, ...]]]:
        """Yield the increments left since the last call."""
        while not self._samples.empty():
            yield self._samples.get()

    def publish(self, desired: Desired) -> None:
        """Leave what should run for the main thread."""
        self.desired = desired
        self.for_main.ring()

    def fail(self, failure: Exception) -> None:
        """Tell the main thread that the supervisor must not go on."""
        self.failure = failure
        self.for_main.ring()

    def want_sync(self) -> None:
        """Ask for the processors directory to be looked at; from any thread."""
        self._sync_wanted.set()
        self.for_store.ring()

    def take_sync(self) -> bool:
        """Return whether a sync was asked for since the last call."""
        wanted = self._sync_wanted.is_set()
        self._sync_wanted.clear()
        return wanted

    def close(self) -> None:
        """Give back the descriptors, once neither thread uses them."""
        self.for_main.close()
        self.for_store.close()
