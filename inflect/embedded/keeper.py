"""Starts what should run and does not: servers that died, and those that nobody waited for.

A thread of its own, because a start takes seconds and a download minutes, and the loop that looks after workers must
not wait for either. A server that keeps dying rests longer each time. It comes back under its old address or not at
all: its clients know no other.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from inflect import logs
from inflect.embedded.server import EmbeddedServer
from inflect.errors import InflectError

LOOK_S: Final = 0.25
FIRST_REST_S: Final = 0.5
LONGEST_REST_S: Final = 30.0
SOUND_S: Final = 60.0
"""A server that lived so long begins again with the shortest rest."""

_log = logs.get("embedded")


@dataclass(slots=True)
class _Charge:
    server: EmbeddedServer
    started_at: float | None
    not_before: float = 0.0
    rest_s: float = FIRST_REST_S
    complaint: str = ""


class Keeper:
    """Keeps servers running until `end`. `on_start` is called, in its thread, whenever one has been started."""

    def __init__(self, servers: Sequence[EmbeddedServer], on_start: Callable[[], None]) -> None:
        """Begin at once: those that do not run are started, those that do are looked after."""
        now = time.monotonic()
        self._charges = [_Charge(server, now if server.is_running else None) for server in servers]
        for server in servers:
            server.keep_port()
        self._on_start = on_start
        self._over = threading.Event()
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="embedded-keeper", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Start nothing from now on; the servers that run are left to the caller. Idempotent."""
        self._over.set()
        with self._starting:
            pass  # a launch under way is over in a moment, a download is not waited for

    def _run(self) -> None:
        while not self._over.wait(LOOK_S):
            for charge in self._charges:
                if not charge.server.is_running and time.monotonic() >= charge.not_before and not self._over.is_set():
                    self._start(charge)

    def _start(self, charge: _Charge) -> None:
        server, again = charge.server, charge.started_at is not None
        if again:
            _log.warning("an embedded server has ended; it is started again", server=server.TITLE)
        self._rest(charge)
        try:
            server.stop()  # what is left of the dead one
            server.fetch()
            with self._starting:
                if self._over.is_set():
                    return
                server.launch()
            server.wait_ready()
        except InflectError as error:
            self._complain(charge, str(error))
        else:
            charge.started_at, charge.complaint = time.monotonic(), ""
            if again:
                _log.warning("an embedded server is back", server=server.TITLE, address=server.address)
            self._on_start()

    def _rest(self, charge: _Charge) -> None:
        """Let the next start wait, longer each time unless this one had been sound."""
        now = time.monotonic()
        sound = charge.started_at is not None and now - charge.started_at >= SOUND_S
        charge.rest_s = FIRST_REST_S if sound else min(2 * charge.rest_s, LONGEST_REST_S)
        charge.not_before = now + charge.rest_s

    def _complain(self, charge: _Charge, why: str) -> None:
        if why != charge.complaint and not self._over.is_set():
            charge.complaint = why
            _log.error("an embedded server does not start; it is tried again", server=charge.server.TITLE, why=why)
