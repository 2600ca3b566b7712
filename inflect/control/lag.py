"""Where the topics of pipelines end that have no worker just now: while one is paused or stopped, its lag grows.

A worker sees the ends of its partitions with every fetch; without one the brokers have to be asked.
"""

from collections.abc import Callable, Mapping

from inflect.errors import InflectError, UnreachableError
from inflect.store import workers
from inflect.store.database import Database


def resting_topics(db: Database) -> dict[str, str]:
    """Return {pipeline: source topic} of pipelines that have settled events and have no live worker."""
    live = {row.pipeline for row in workers.workers(db)}
    return {row.pipeline: row.topic for row in workers.progress(db) if row.current and row.pipeline not in live}


def refresh_lag(db: Database, topics: Mapping[str, str], ends: Callable[[str], Mapping[int, int]]) -> None:
    """Ask for the ends of these topics (by pipeline) and keep them; of one that is gone the last seen end stays.

    `ends` is `kafka.admin.Admin.ends`. UnreachableError when a server does not answer.
    """
    known = {topic: found for topic in set(topics.values()) if (found := _ends_of(ends, topic)) is not None}
    workers.save_ends(db, {name: (topic, known[topic]) for name, topic in topics.items() if topic in known})


def _ends_of(ends: Callable[[str], Mapping[int, int]], topic: str) -> Mapping[int, int] | None:
    try:
        return ends(topic)
    except UnreachableError:
        raise
    except InflectError:  # gone, or not ours to see; what was seen last is as good as anything
        return None
