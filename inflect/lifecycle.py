"""The life of a process: how it is asked to end, what its exit code means, how it ends with its parent.

Signal handlers here only set a flag and wake a loop: an exception raised from a handler inside a Kafka call
would destroy the messages that call had already fetched. Nothing here knows of pipelines.
"""

import os
import resource
import select
import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Final, Protocol, Self

EXIT_OK: Final = 0
"""Stopped as asked: the batch in flight is committed."""

EXIT_CANNOT_RUN: Final = 78
"""This revision cannot run at all (code, topic, rights): no restart until the next one (EX_CONFIG)."""

EXIT_HALTED: Final = 79
"""An event met `on_error: stop`: it is kept, its pipeline stops before it. Other codes ask for a restart."""

EXIT_ORPHANED: Final = 80
"""The parent died and the process did not finish by itself within its bound."""


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return what asks for an end: SIGTERM, Ctrl-C, and a terminal that closes unless that is ignored (`nohup`)."""
    hang_up = () if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else (signal.SIGHUP,)
    return (signal.SIGTERM, signal.SIGINT, *hang_up)


class HasFileno(Protocol):
    """Anything `select` can watch: a connection, a socket, a listener."""

    def fileno(self) -> int:
        """Return the descriptor to watch."""


class StopSignals:
    """Counts stop signals while entered, and makes `fileno()` readable so that a waiting loop wakes.

    Enter it in the main thread only (Python's rule for handlers). The first signal asks for an orderly stop,
    a second one (`count > 1`) for an immediate one; what that means is the loop's choice.
    """

    def __init__(self) -> None:
        self._count = 0
        self._read_fd = -1
        self._write_fd = -1
        self._old_wakeup_fd = -1
        self._old_handlers: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._old_wakeup_fd = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        self._old_handlers = {number: signal.signal(number, self._note) for number in stop_signals()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._old_wakeup_fd)
        os.close(self._read_fd)
        os.close(self._write_fd)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._count += 1

    @property
    def stop_requested(self) -> bool:
        """Whether a stop signal has come since the block was entered."""
        return self._count > 0

    @property
    def count(self) -> int:
        """How many stop signals have come."""
        return self._count

    def fileno(self) -> int:
        """Return the descriptor that turns readable with a signal; `drain` makes it quiet again."""
        return self._read_fd

    def drain(self) -> None:
        """Forget that a signal woke the loop (the count stays), so that the next wait sleeps."""
        try:
            while os.read(self._read_fd, 4096):
                pass
        except BlockingIOError:
            return


def hard_exit_when_orphaned(connection: HasFileno, after_s: float) -> None:
    """End this process `after_s` seconds after the other end of `connection` closed, whatever it does then.

    The orderly way (read the end-of-file, finish the batch, stop) is the loop's own; this is the bound behind
    it, for a loop that is stuck in user code or in a library. A daemon thread watches a duplicate of the
    descriptor for hang-up alone: it consumes no data, and closing `connection` does not disturb it.
    """
    watched_fd = os.dup(connection.fileno())
    threading.Thread(target=_exit_after_hangup, args=(watched_fd, after_s), name="orphan-watch", daemon=True).start()


def _exit_after_hangup(watched_fd: int, after_s: float) -> None:
    poller = select.poll()
    poller.register(watched_fd, select.POLLRDHUP)  # POLLHUP is always reported; POLLIN would wake for data
    poller.poll()
    time.sleep(after_s)
    os._exit(EXIT_ORPHANED)


def raise_open_files_limit() -> None:
    """Let this process and its children open as many files as the system allows them; each child costs a few."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def quiet_core_dumps() -> None:
    """Leave no core file when V8 aborts the process: user code must not fill a disk.

    A limit of one byte, not zero: the kernel ignores zero where cores are piped to a helper program, core(5).
    """
    _soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    limit = 1 if hard == resource.RLIM_INFINITY else min(1, hard)
    resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
