"""One child process: started from a clean forkserver, spoken to by a pipe, known by a process descriptor.

Nothing here waits for a child. The process descriptor (pidfd) names this very process for ever: a signal
never hits a stranger that got the same number, and its end is seen even when the forkserver that would
tell it has died. The child holds its end of the pipe alone, so the supervisor's death, however sudden, is
its end-of-file.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Concatenate, Final

import multiprocess  # type: ignore[import-untyped]  # ships no types
from multiprocess import forkserver, resource_tracker
from multiprocess.connection import Connection  # type: ignore[import-untyped]  # ships no types

from inflect.supervisor.wire import Inbox, encode

PRELOAD: Final = ("inflect.supervisor.preload",)
_READ_BYTES: Final = 256 * 1024
_REAP_S: Final = 1.0
_starting = threading.Lock()

Target = Callable[Concatenate[Connection, ...], None]


def start_forkserver(preload: tuple[str, ...] = PRELOAD) -> Any:
    """Start the process that children are forked from and return its context.

    To be called before the first client of this process exists. The forkserver ends by itself when this process and
    all children are gone. A terminal that closes tells all of them; the supervisor alone acts on it.
    """
    context = multiprocess.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGHUP, before)
    return context


def end_forkserver() -> None:
    """End the forkserver and its companion, and wait for both: nothing is left when this process exits.

    To be called when all children have ended. Without it both end by themselves, but a moment later, and where
    nobody reaps orphans, as in many containers, they stay behind as zombies.
    """
    forkserver._forkserver._stop()  # noqa: SLF001  there is no public way
    resource_tracker._resource_tracker._stop()  # noqa: SLF001  the same


class Child:
    """A live process and the supervisor's end of its pipe; `close` when it has ended.

    `target(connection, *args)` runs in the child; it and `args` must be importable there.
    """

    def __init__(self, context: Any, name: str, target: Target, *args: Any) -> None:
        """Start the process; raises OSError or EOFError when the machine cannot."""
        self._connection, theirs = context.Pipe(duplex=True)
        try:
            self._process = context.Process(name=name, target=_live, args=(target, theirs, *args))
            start_quietly(self._process)
            self.pid: int = self._process.pid
            self._pidfd = _open_pidfd(self.pid)
        except BaseException:
            self._connection.close()
            raise
        finally:
            theirs.close()
        os.set_blocking(self._connection.fileno(), False)
        self._inbox = Inbox()
        self._outgoing = bytearray()
        self.hung_up = False

    @property
    def pipe_fd(self) -> int:
        """The descriptor of the pipe, to wait on for reading, and for writing while `wants_to_write`."""
        return int(self._connection.fileno())

    @property
    def end_fd(self) -> int:
        """The descriptor that turns readable when the process has ended; -1: it had ended at once."""
        return self._pidfd

    @property
    def wants_to_write(self) -> bool:
        """Whether part of a message still waits for room in the pipe."""
        return bool(self._outgoing) and not self.hung_up

    def send(self, message: object) -> None:
        """Queue a message and write what there is room for; the rest goes with later `flush` calls."""
        self._outgoing += encode(message)
        self.flush()

    def flush(self) -> None:
        """Write what the pipe takes now. A pipe the child has closed swallows the rest: its end is near."""
        try:
            while self._outgoing:
                written = os.write(self.pipe_fd, self._outgoing)
                del self._outgoing[:written]
        except BlockingIOError:
            return
        except OSError:
            self._outgoing.clear()

    def receive(self) -> Iterator[Any]:
        """Yield the messages that have arrived; raises `wire.GarbageError`. Sets `hung_up` at end-of-file."""
        while not self.hung_up:
            try:
                data = os.read(self.pipe_fd, _READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self.hung_up = not data
            yield from self._inbox.feed(data)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process; one that has ended is no error."""
        if self._pidfd < 0:
            return
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except ProcessLookupError:
            return

    def exit_code(self) -> int | None:
        """Return the ended process's code (minus the signal), None when the forkserver is silent."""
        self._process.join(_REAP_S)
        code: int | None = self._process.exitcode
        return code

    def close(self) -> None:
        """Give back the descriptors. A child that still lives reads end-of-file and ends by it."""
        self._connection.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


def start_quietly(process: Any) -> None:
    """Start a process without making it import the program we are: it needs nothing of it, and that costs seconds.

    `multiprocess.spawn` has every child run `sys.modules["__main__"]` again, whatever the forkserver has preloaded.
    One thread at a time, because that entry is swapped meanwhile.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            process.start()
        finally:
            sys.modules["__main__"] = main


def _open_pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:  # it has ended and been reaped before we looked
        return -1


def _live(target: Target, connection: Connection, *args: Any) -> None:
    """Run the target in the child. Ctrl-C reaches the whole terminal; the supervisor is who acts on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    target(connection, *args)
