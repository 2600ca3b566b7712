"""The thread that speaks to Postgres for the supervisor, from the first connection to the last status.

It starts the schema, waits for its turn to be *the* supervisor, and then runs the control loop. Whatever goes wrong
for good is left in the mailbox; the main thread decides what that means for the workers.
"""

import selectors
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from inflect import logs
from inflect.errors import UnreachableError
from inflect.settings import Settings
from inflect.store.database import Database
from inflect.store.migrations import migrate
from inflect.store.notifier import Listener
from inflect.supervisor.control_loop import ControlLoop
from inflect.supervisor.mailbox import Mailbox
from inflect.supervisor.position import Position
from inflect.supervisor.watch import DirectoryWatch

TURN_S: Final = 0.5
REMIND_S: Final = 30.0
_JOIN_S: Final = 8.0

_log = logs.get("supervisor")


class StoreThread:
    """Runs while the block is entered; leaving it writes the last status, if the database answers in time."""

    def __init__(self, settings: Settings, mailbox: Mailbox, position: Position) -> None:
        self._settings = settings
        self._mailbox = mailbox
        self._position = position
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._mailbox.stop.set()
        self._mailbox.for_store.ring()
        self._thread.join(_JOIN_S)

    def _run(self) -> None:
        try:
            self._follow()
        except Exception as error:  # noqa: BLE001  it crosses to the main thread, which raises it
            self._mailbox.fail(error)

    def _follow(self) -> None:
        with Database(self._settings.database_url) as db:
            if not self._until(lambda: _migrated(db), "Postgres does not answer; waiting for it"):
                return
            with Listener(self._settings.database_url) as listener:
                waiting = "another supervisor holds this database; waiting for it to end"
                if self._until(lambda: _locked(listener), waiting):
                    self._serve(db, listener)

    def _until(self, done: Callable[[], str | None], waiting: str) -> bool:
        """Repeat until `done` gives no reason to wait; log why every 30 s; False when told to stop meanwhile."""
        next_word = 0.0
        while (why := done()) is not None:
            if time.monotonic() >= next_word:
                _log.warning(waiting, why=why)
                next_word = time.monotonic() + REMIND_S
            if self._mailbox.stop.wait(TURN_S):
                return False
        return not self._mailbox.stop.is_set()

    def _serve(self, db: Database, listener: Listener) -> None:
        loop = ControlLoop(db, listener, self._settings.processors, self._position, self._mailbox)
        self._mailbox.want_sync()
        with DirectoryWatch(self._settings.processors, self._mailbox.want_sync):
            while not self._mailbox.stop.is_set():
                loop.turn()
                self._wait(listener)
        loop.finish()

    def _wait(self, listener: Listener) -> None:
        """Wait for a notification, for the main thread, or for time to pass."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._mailbox.for_store, selectors.EVENT_READ)
            selector.register(listener, selectors.EVENT_READ)
            selector.select(TURN_S)
        self._mailbox.for_store.hush()


def _migrated(db: Database) -> str | None:
    """Bring the schema up to date; return why that has to wait. A database newer than this program raises."""
    try:
        migrate(db)
    except UnreachableError as error:
        return str(error)
    return None


def _locked(listener: Listener) -> str | None:
    listener.check(time.monotonic())
    if not listener.connected:
        return listener.problem
    return None if listener.try_lock() else "its lock is taken"
