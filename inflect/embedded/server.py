"""The life that all embedded servers share: launched, waited for until it answers, stopped or killed, started again.

What differs is what a server says of itself: how its process is begun, how it is asked whether it serves, and by which
words in its log it tells that its port was taken.
"""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, Protocol, Self

from inflect.embedded.download import Progress
from inflect.embedded.ports import LOOPBACK, choose_port, is_free
from inflect.embedded.process import ServerProcess, log_tail
from inflect.errors import InflectError, UnreachableError

START_TIMEOUT_S: Final = 60.0
_ATTEMPTS = 3
_POLL_S = 0.05


class EmbeddedServer(Protocol):
    """A server in a directory; a context manager around its life.

    One thread at a time may call it; `stop` and `kill` may also come from another while one waits in `wait_ready`.
    """

    TITLE: ClassVar[str]
    PORT_TAKEN: ClassVar[str]
    _directory: Path
    _logs: tuple[Path, ...]
    _port: int | None
    _keeps_port: bool = False
    _progress: Progress
    _process: ServerProcess | None = None

    def fetch(self) -> None:
        """Get what the server is made of, which may take minutes; `launch` does so where nobody did."""
        ...

    def _begin(self) -> ServerProcess:
        """Start the process; its directory exists."""
        ...

    def _serves(self) -> bool:
        """Ask once."""
        ...

    @property
    def address(self) -> str:
        """Host and port; the same after a restart unless something else took the port meanwhile."""
        return f"{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._process is None:
            raise InflectError(f"the embedded {self.TITLE} is not running; start it first")
        return self._process.pid

    @property
    def running_pid(self) -> int | None:
        """Process id while the process lives; None for one that died or was stopped."""
        process = self._process
        return process.pid if process is not None and process.exit_code is None else None

    @property
    def is_running(self) -> bool:
        """Whether its process lives."""
        return self.running_pid is not None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and return when it answers; UnreachableError with the last log lines when it does not."""
        self.launch()
        self.wait_ready()

    def launch(self) -> None:
        """Start the process without waiting; `wait_ready` completes the start."""
        if self.is_running:
            return
        self.fetch()
        self._progress(f"{self.TITLE}: starting", 0, 0)
        self._directory.mkdir(parents=True, exist_ok=True)
        self._process = self._begin()

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S, launch: Callable[[], object] | None = None) -> None:
        """Wait until the server answers. Where its port was taken it is launched again, by `launch` if that is given:
        whoever may have to give up meanwhile launches nothing then.
        """
        deadline = time.monotonic() + timeout_s
        for attempt in range(1, _ATTEMPTS + 1):
            if self._answers(deadline):
                self._progress(f"{self.TITLE}: serving at {self.address}", 1, 1)
                return
            # Between the look for a free port and the server's bind another process can take it.
            if attempt == _ATTEMPTS or self.PORT_TAKEN not in self._tail():
                break
            self.stop()
            (launch or self.launch)()
        tail = self._tail()
        self.stop()
        raise UnreachableError(
            f"the embedded {self.TITLE} in {self._directory} did not start; its log ends with:\n{tail}"
        )

    def ask_to_stop(self) -> None:
        """Ask it to stop without waiting, so that several stop side by side; `stop` completes it."""
        if self._process is not None:
            self._process.ask_to_stop()

    def stop(self) -> None:
        """Stop the server cleanly, by force when it takes too long. Idempotent; the data stays."""
        process, self._process = self._process, None
        if process is not None:
            process.stop()

    def kill(self) -> None:
        """End the server with SIGKILL; `start` brings it back with all it had acknowledged."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()

    def keep_port(self) -> None:
        """Serve where it serves now and nowhere else: its address has been given away. Chosen here where it was not."""
        self._port = choose_port(self._port) if self._port is None or not self.is_running else self._port
        self._keeps_port = True

    def _choose_port(self, *remembered: int | None) -> int:
        """Return the port to listen on; UnreachableError when it must be one that is taken."""
        if not self._keeps_port or self._port is None:
            return choose_port(self._port, *remembered)
        if not is_free(self._port):
            raise UnreachableError(f"the port of the embedded {self.TITLE}, {self._port}, is taken by another program")
        return self._port

    def _answers(self, deadline: float) -> bool:
        while self.is_running and time.monotonic() < deadline:
            if self._serves():
                return True
            time.sleep(_POLL_S)
        return False

    def _tail(self) -> str:
        return log_tail(*self._logs)
