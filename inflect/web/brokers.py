"""What pages ask the brokers themselves: do they answer, which topics are there.

Rarely, briefly, and once for all viewers.
"""

import threading
import time

from inflect.errors import InflectError, UnreachableError
from inflect.kafka.admin import Admin
from inflect.settings import Settings
from inflect.store import topics
from inflect.store.database import Database
from inflect.store.topics import TopicRow

KEPT_S = 5.0
ANSWER_S = 2.0
OK = "ok"


class Brokers:
    """Remembers for a few seconds what the brokers said, however many requests want to know."""

    def __init__(self, settings: Settings) -> None:
        self._kafka = settings.kafka
        self._lock = threading.Lock()
        self._words = ""
        self._words_until = 0.0
        self._topics_until = 0.0

    def words(self) -> str:
        """`ok`, or why the brokers cannot be reached."""
        with self._lock:
            if time.monotonic() >= self._words_until:
                self._words = self._ask()
                self._words_until = time.monotonic() + KEPT_S
            return self._words

    def require(self) -> None:
        """Raise UnreachableError when the brokers do not answer: sooner than a longer question to them would."""
        words = self.words()
        if words != OK:
            raise UnreachableError(words)

    def topics(self, db: Database) -> list[TopicRow]:
        """The cluster's topics now, and as they were last seen while the brokers are away."""
        with self._lock:
            if time.monotonic() >= self._topics_until:
                self._look(db)
                self._topics_until = time.monotonic() + KEPT_S
        return topics.list_topics(db)

    def _ask(self) -> str:
        try:
            with Admin(self._kafka, timeout_s=ANSWER_S) as admin:
                admin.cluster()
        except InflectError as error:
            return str(error)
        return OK

    def _look(self, db: Database) -> None:
        try:
            with Admin(self._kafka, timeout_s=ANSWER_S) as admin:
                found = admin.topics()
        except InflectError:  # what was seen last is better than a page that fails; `readyz` says it
            return
        topics.save_topics(db, found.values())
