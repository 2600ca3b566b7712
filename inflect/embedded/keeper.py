"""Starts what should run and does not: a server that died, or one that nobody waited for.

A thread of its own for each, because a start takes seconds and a download minutes, and neither another server nor the
loop that looks after workers must wait for it. A server that keeps dying rests longer each time. It comes back under
its old address or not at all: its clients know no other.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

from inflect import logs
from inflect.embedded.server import EmbeddedServer
from inflect.errors import InflectError

LOOK_S: Final = 0.25
FIRST_REST_S: Final = 0.5
LONGEST_REST_S: Final = 30.0
SOUND_S: Final = 60.0
"""A server that lived so long is started again without a rest."""

_log = logs.get("embedded")


class Keeper:
    """Keeps one server running until `end`. `on_start` is called, in its thread, when the server has been started."""

    def __init__(self, server: EmbeddedServer, on_start: Callable[[], None]) -> None:
        """Begin at once: a server that does not run is started."""
        self._server = server
        self._on_start = on_start
        self._started_at = time.monotonic() if server.is_running else None
        self._complaint = ""
        self._over = threading.Event()
        self._acting = threading.Lock()
        server.keep_port()
        self._thread = threading.Thread(target=self._run, name=f"keeper of {server.TITLE}", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Start nothing from now on; a server that runs is left to the caller. Idempotent."""
        self._over.set()
        with self._acting:
            pass  # what is being launched or told is over in a moment; a download is not waited for

    def _run(self) -> None:
        rest_s = 0.0
        while not self._over.wait(LOOK_S):
            if self._server.is_running:
                rest_s = 0.0 if self._is_sound() else rest_s
            elif not self._over.wait(rest_s):
                rest_s = longer(rest_s)
                self._start()

    def _is_sound(self) -> bool:
        return self._started_at is not None and time.monotonic() - self._started_at >= SOUND_S

    def _start(self) -> None:
        server, again = self._server, self._started_at is not None
        if again:
            _log.warning("an embedded server has ended; it is started again", server=server.TITLE)
        try:
            server.stop()  # what is left of the dead one
            server.fetch()
            if not self._launch():
                return
            server.wait_ready(launch=self._launch)
        except InflectError as error:
            self._complain(str(error))
            return
        self._started_at, self._complaint = time.monotonic(), ""
        if again:
            _log.warning("an embedded server is back", server=server.TITLE, address=server.address)
        with self._acting:
            if not self._over.is_set():
                self._on_start()

    def _launch(self) -> bool:
        """Launch the server unless this is over: behind `end` nothing may run that nobody would stop."""
        with self._acting:
            if self._over.is_set():
                return False
            self._server.launch()
        return True

    def _complain(self, why: str) -> None:
        if why != self._complaint and not self._over.is_set():
            _log.error("an embedded server does not start; it is tried again", server=self._server.TITLE, why=why)
        self._complaint = why


def longer(rest_s: float) -> float:
    """Return the rest before the next start when this one fails or does not last."""
    return min(max(2 * rest_s, FIRST_REST_S), LONGEST_REST_S)
