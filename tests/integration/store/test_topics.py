"""Topics as last seen."""

from datetime import UTC, datetime

from inflect.store.database import Database
from inflect.store.topics import TopicRow, list_topics, save_topics


def topic(name: str, partitions: int = 1) -> TopicRow:
    return TopicRow(name, partitions, internal=False, topic_id=f"id-{name}", seen_at=datetime.now(UTC))


def test_what_is_saved_replaces_what_was_known(database: Database) -> None:
    save_topics(database, [topic("orders"), topic("clicks", 4)])
    save_topics(database, [topic("clicks", 8), topic("sensors")])
    assert [(row.name, row.partitions, row.topic_id) for row in list_topics(database)] == [
        ("clicks", 8, "id-clicks"),
        ("sensors", 1, "id-sensors"),
    ]
    save_topics(database, [])
    assert list_topics(database) == []
