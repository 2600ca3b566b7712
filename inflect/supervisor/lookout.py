"""Looks out for what changes elsewhere and nobody tells: newer schemas in the registry, ends of topics nobody reads.

A process of its own beside the pools (a companion): a registry that hangs must hold up neither the workers nor their
supervisor, and the supervisor holds no Kafka client (see `position`).
"""

import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import wait
from typing import Any, Final

from inflect import lifecycle, logs
from inflect.control.follow import Followed, follow_schemas
from inflect.control.lag import refresh_lag, resting_topics
from inflect.control.verdicts import Verdicts
from inflect.errors import InflectError
from inflect.kafka.admin import Admin
from inflect.schemas.registry import Registry
from inflect.settings import Settings
from inflect.store.database import Database

EVERY_S: Final = 10.0
END_S: Final = 0.5
AUTHOR: Final = "supervisor"
_ANSWER_S: Final = 5.0

_log = logs.get("lookout")


def look_out(connection: Any, settings: Settings) -> None:
    """Look every few seconds until `connection` ends or SIGTERM comes; the target of a companion process.

    The looks have a thread of their own: a server that takes its time must not delay the end.
    """
    logs.configure(settings.log_format)
    stop = threading.Event()
    thread = threading.Thread(target=_look_until, args=(stop, settings), name="looks", daemon=True)
    with lifecycle.StopSignals() as signals:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the supervisor says when
        thread.start()
        wait((connection.fileno(), signals.fileno()))
        stop.set()
        thread.join(END_S)


def _look_until(stop: threading.Event, settings: Settings) -> None:
    verdicts = Verdicts()
    with Database(settings.database_url, max_connections=1) as db:
        watched = [
            Watched("schemas", lambda: follow(db, settings, verdicts)),
            Watched("lag", lambda: look_at_lag(db, settings)),
        ]
        while not stop.is_set():
            for one in watched:
                one.look()
            stop.wait(EVERY_S)


class Watched:
    """One thing to look at; trouble with it is said when it begins, when it changes and when it ends."""

    def __init__(self, what: str, look: Callable[[], None]) -> None:
        self._what = what
        self._look = look
        self._trouble = ""

    def look(self) -> None:
        """Look once; whatever goes wrong is tried again the next time."""
        trouble = ""
        try:
            self._look()
        except InflectError as error:
            trouble = str(error)
        except Exception:  # noqa: BLE001  one thing that cannot be looked at must not hide the other
            _log.exception("a look failed", what=self._what)
            return
        if trouble and trouble != self._trouble:
            _log.warning("cannot be looked at; what is known stays", what=self._what, why=trouble)
        elif self._trouble and not trouble:
            _log.info("can be looked at again", what=self._what)
        self._trouble = trouble


def follow(db: Database, settings: Settings, verdicts: Verdicts | None = None) -> None:
    """Follow the newest versions of schemas, where there is a registry; `verdicts` of the looks before, if any."""
    access = settings.registry()
    if access is None:
        return
    with Registry(access) as registry:
        _tell(follow_schemas(db, registry, author=AUTHOR, verdicts=verdicts))


def look_at_lag(db: Database, settings: Settings) -> None:
    """Ask the brokers for the ends of topics that no worker reads just now."""
    if topics := resting_topics(db):
        with Admin(settings.kafka, timeout_s=_ANSWER_S) as admin:
            refresh_lag(db, topics, admin.ends)


def _tell(followed: Followed) -> None:
    for name, number in followed.revisions.items():
        _log.info("schemas followed", pipeline=name, revision=number)
    for one in followed.refusals:
        _log.warning(
            "schema not followed; the pinned one goes on",
            pipeline=one.pipeline,
            end=one.side,
            subject=one.subject,
            version=one.version,
            why=one.reason,
        )
