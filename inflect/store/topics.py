"""Topics as the cluster was last seen to have them, so that pages can show them without waiting for the cluster."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from psycopg.types.json import Jsonb

from inflect.store.database import Database
from inflect.store.statements import execute, rows


class Topic(Protocol):
    """What is kept of a topic; `kafka.admin.TopicInfo` has it."""

    @property
    def name(self) -> str:
        """The topic's name."""

    @property
    def partitions(self) -> int:
        """How many partitions it has."""

    @property
    def internal(self) -> bool:
        """Whether it is Kafka's own."""

    @property
    def topic_id(self) -> str:
        """The cluster's id for it: another one after it was deleted and made again."""


@dataclass(frozen=True, slots=True)
class TopicRow:
    """One topic, and when the cluster was last seen to have it."""

    name: str
    partitions: int
    internal: bool
    topic_id: str
    seen_at: datetime


def save_topics(db: Database, topics: Iterable[Topic]) -> None:
    """Replace what is known: these are all topics of the cluster."""
    found = {topic.name: topic for topic in topics}
    records = [
        {"name": name, "partitions": one.partitions, "internal": one.internal, "topic_id": one.topic_id}
        for name, one in found.items()
    ]
    with db.transaction() as connection:
        execute(connection, "topics.delete_others", {"names": list(found)})
        execute(connection, "topics.put", {"rows": Jsonb(records)})


def list_topics(db: Database) -> list[TopicRow]:
    """Return all topics by name."""
    with db.connection() as connection:
        return rows(connection, TopicRow, "topics.list")
