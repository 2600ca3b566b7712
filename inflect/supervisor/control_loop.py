"""The supervisor's side of the database: follow what should run, take the directory in, write what is.

Runs in a thread of its own (`store_thread`), so that a database that is slow or away holds up no process. NOTIFY is
a hint; every few seconds everything is read afresh, also after each reconnect.
"""

import random
import time
from pathlib import Path
from typing import Final

from inflect import logs
from inflect.control.setbacks import Setbacks
from inflect.control.sync import SyncResult, sync_directory
from inflect.errors import ConflictError, Fault, InflectError, UnreachableError
from inflect.store import pipelines
from inflect.store.database import Database
from inflect.store.notifier import Listener
from inflect.supervisor.desired import DesiredReader, Halt
from inflect.supervisor.mailbox import Mailbox
from inflect.supervisor.position import Position
from inflect.supervisor.status_writer import StatusWriter
from inflect.supervisor.watch import Fingerprint, fingerprint

RESYNC_S: Final = 5.0
STATUS_S: Final = 1.0
LOCK_PATIENCE_S: Final = 3.0
AUTHOR: Final = "supervisor"

_log = logs.get("supervisor")


class ReplacedError(ConflictError):
    """Another supervisor holds the lock now."""


class ControlLoop:
    """One turn at a time; `turn` never raises but when this supervisor has been replaced."""

    def __init__(self, db: Database, listener: Listener, directory: Path, position: Position, mailbox: Mailbox) -> None:
        self._db = db
        self._listener = listener
        self._directory = directory
        self._mailbox = mailbox
        self._reader = DesiredReader(db, position)
        self._writer = StatusWriter(db)
        self._recorded: dict[str, Halt] = {}
        self._seen: Fingerprint | None = None
        self._setbacks = Setbacks()
        self._told: frozenset[Fault] = frozenset()
        self._next_read = 0.0
        self._next_write = 0.0
        self._written = mailbox.status
        self._away = ""
        self._without_lock_since: float | None = None

    def turn(self) -> None:
        """Do what is due; raises ReplacedError when another supervisor took over."""
        now = time.monotonic()
        self._follow_listener(now)
        self._writer.add(self._mailbox.take_samples())
        try:
            self._do_what_is_due(now)
        except UnreachableError as error:
            self._note_away(str(error))
            self._next_read = max(self._next_read, now + 1.0)
            self._next_write = max(self._next_write, now + 1.0)
        except InflectError as error:
            self._note_failed(str(error), now)
        except Exception as error:  # noqa: BLE001  the workers must not end for a defect here, or a row nobody foresaw
            _log.exception("control step failed")
            self._note_failed(repr(error), now)

    def _follow_listener(self, now: float) -> None:
        """Keep the session that listens and holds the lock; a notification makes a read due."""
        self._listener.check(now)
        if not self._listener.connected:
            return
        if self._listener.drain() or self._listener.resync:
            self._listener.resync = False
            self._next_read = now
        self._hold_lock(now)

    def _hold_lock(self, now: float) -> None:
        """Take the lock again after a reconnect; give way when somebody else keeps it.

        Not at once: a session that was just ended may hold it a moment longer, and a connection that dies in the
        middle of asking says nothing about other supervisors.
        """
        if self._listener.holds_lock or self._listener.try_lock():
            self._without_lock_since = None
        elif self._listener.connected:
            self._without_lock_since = self._without_lock_since or now
            if now - self._without_lock_since >= LOCK_PATIENCE_S:
                raise ReplacedError("another supervisor has taken over this database; this one stops its workers")

    def _do_what_is_due(self, now: float) -> None:
        full = now >= self._next_read
        if self._mailbox.take_sync() or (full and self._directory_changed()):
            self._sync()
            full = True
        spoke = self._record_halts() or full
        if spoke:
            self._read(now)
        if now >= self._next_write and self._mailbox.status is not self._written:
            self._write(now)
            spoke = True
        if spoke:
            self._note_back()

    def _read(self, now: float) -> None:
        desired = self._reader.read(self._recorded)
        if desired != self._mailbox.desired:
            self._mailbox.publish(desired)
        self._next_read = now + RESYNC_S * random.uniform(0.8, 1.2)  # noqa: S311  jitter, not a secret
        self._writer.forget_states()

    def _write(self, now: float) -> None:
        status = self._mailbox.status
        if status is not None:
            self._writer.write(status)
        self._written = status
        self._next_write = now + STATUS_S

    def _record_halts(self) -> bool:
        """Hand halts over to the store, where `resume` finds them; return whether there was one."""
        halts = self._mailbox.status.halts if self._mailbox.status is not None else {}
        new = {name: halt for name, halt in halts.items() if self._recorded.get(name) != halt}
        for name, halt in new.items():
            pipelines.set_halted(self._db, name, halt.reason, revision=halt.revision, actor=AUTHOR)
            self._recorded[name] = halt
        return bool(new)

    def _directory_changed(self) -> bool:
        return fingerprint(self._directory) != self._seen

    def _sync(self) -> None:
        """Take the processors directory in. What is wrong with it is logged; the old versions run on."""
        self._seen = fingerprint(self._directory)
        try:
            self._tell(sync_directory(self._db, self._directory, author=AUTHOR, setbacks=self._setbacks))
        except UnreachableError:
            self._mailbox.want_sync()
            raise
        except InflectError as error:
            _log.warning("processors not synced", why=str(error))

    def _tell(self, result: SyncResult) -> None:
        """Log what a sync did; a fault once, for as long as it lasts."""
        for fault in result.faults:
            if fault not in self._told:
                runs_on = fault.path.partition(":")[0] in {*result.outdated, *result.kept}
                words = "its old version runs on" if runs_on else "no version of it can run"
                _log.warning(f"processor refused; {words}", where=fault.path, why=fault.message)
        self._told = frozenset(result.faults)
        if not result.is_empty:
            revisions = dict(result.revisions)
            _log.info("processors synced", changed=result.changed, removed=result.removed, revisions=revisions)

    def finish(self) -> None:
        """Write the last status, once; what cannot be written now is found out by its age."""
        status = self._mailbox.status
        if status is None or status is self._written:
            return
        try:
            self._record_halts()
            self._writer.add(self._mailbox.take_samples())
            self._writer.write(status)
            self._writer.write_metrics(status.slots)
        except InflectError as error:
            _log.warning("last status not written", why=str(error))

    def _note_failed(self, why: str, now: float) -> None:
        _log.warning("control step failed; it is repeated", why=why)
        self._next_read = self._next_write = now + RESYNC_S

    def _note_away(self, why: str) -> None:
        if not self._away:
            _log.warning("Postgres is away; workers go on, changes and status wait", why=why)
        self._away = why

    def _note_back(self) -> None:
        if self._away:
            _log.info("Postgres is back")
        self._away = ""
