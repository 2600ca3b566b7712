"""One guarded server process: started under `guard.py`, stopped with it, and its log at hand when something fails."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from inflect.embedded import guard
from inflect.errors import InflectError

_GUARD = (sys.executable, "-I", "-S", guard.__file__)
_LOG_LINES = 15
_LOCK_WAIT_S = 20.0
_GUARD_EXTRA_S = 10.0


class ServerProcess:
    """A running server and its guard. The lock on its directory is held exactly as long as any process of it lives."""

    def __init__(  # noqa: PLR0913  each is one fact of a process; they are named at the call
        self,
        command: Sequence[str],
        *,
        directory: Path,
        log: Path,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_s: float = 15.0,
        user: str | None = None,
    ) -> None:
        """Start `command` as `user` (None: as we are), stdout and stderr in `log`; `directory` is locked meanwhile."""
        self._grace_s = grace_s
        lock = _lock(directory)
        try:
            with log.open("wb") as output:
                self._guard = subprocess.Popen(  # noqa: S603  the command is ours
                    [*_GUARD, str(int(stop_signal)), str(grace_s), user or "-", *command],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=output,
                    cwd=directory,
                    pass_fds=(lock,),
                    start_new_session=True,  # a Ctrl-C in the terminal is for the owner, who decides on the order
                )
        finally:
            os.close(lock)
        if self._guard.stdout is None or self._guard.stdin is None:
            raise InflectError("a pipe asked for was not made")
        self._word = self._guard.stdin
        with self._guard.stdout as pid:
            self.pid = int(pid.readline() or -1)

    @property
    def exit_code(self) -> int | None:
        """None while the server runs."""
        return self._guard.poll()

    def wait(self, timeout_s: float) -> int:
        """Wait for the server to end by itself; its exit code. TimeoutExpired when it does not."""
        return self._guard.wait(timeout_s)

    def ask_to_stop(self) -> None:
        """Ask the server to stop without waiting for it; `stop` completes it."""
        self._word.close()

    def stop(self) -> None:
        """Stop the server as it wants to be stopped; kill it when it takes longer than the grace. Idempotent."""
        self.ask_to_stop()
        try:
            self._guard.wait(self._grace_s + _GUARD_EXTRA_S)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def kill(self) -> None:
        """End the server with SIGKILL, as a crash would."""
        if not self._word.closed and self.exit_code is None:
            try:
                self._word.write(guard.KILL)
                self._word.flush()
            except BrokenPipeError:
                pass  # it ended on its own in between
        self._guard.wait(self._grace_s + _GUARD_EXTRA_S)
        self.stop()


def log_tail(*logs: Path) -> str:
    """Return the last lines of the logs, for an error message."""
    lines: list[str] = []
    for log in logs:
        if log.exists():
            lines += log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    return "\n".join(lines)


def _lock(directory: Path) -> int:
    """Take the lock on a server's directory; a server of an owner that just died gets time to end."""
    handle = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise InflectError(
                    f"{directory} is in use by another running server; stop it or choose another data directory"
                ) from None
            time.sleep(0.05)
        else:
            return handle
