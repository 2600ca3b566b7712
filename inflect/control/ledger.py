"""The ledger of redriven dead letters: a compacted topic that says of each what became of it.

A mark is written in the transaction that redrives its letter, so a letter with a mark has been redriven exactly once,
and one without never. Group offsets could not say that of letters picked here and there. Nothing else is kept.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from inflect.errors import InflectError
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.browse import Browser, Place, Span
from inflect.model.event import Outcome, Record

TOPIC = "inflect-redriven"
_MOST_READ = 1_000


@dataclass(frozen=True, slots=True)
class Mark:
    """When a letter was redriven, by which revision, and what became of it."""

    time: str
    outcome: Outcome
    revision: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """The marks of one pipeline's letters. `topic_ids` tell a topic from another one of the same name before it."""

    pipeline: str
    topic_ids: Mapping[str, str]
    _marks: dict[Place, dict[int, Mark]] = field(default_factory=dict)
    _read: dict[bytes, tuple[object, Mark]] = field(default_factory=dict)

    def mark(self, place: Place, offset: int) -> Mark | None:
        """What became of a letter; None while it is open."""
        return self._marks.get(place, {}).get(offset)

    def add(self, key: bytes | None, value: bytes | None) -> None:
        """Take a record of the ledger's topic; those of other pipelines and topics are passed."""
        name, _, letter = (key or b"").decode("utf-8", "replace").partition("|")
        topic, partition, offset = [*letter.rsplit(":", 2), "", ""][:3]
        if name != self.pipeline or topic not in self.topic_ids or not (partition + offset).isdecimal():
            return
        marks = self._marks.setdefault((topic, int(partition)), {})
        topic_id, mark = self._said(value or b"")
        if topic_id == self.topic_ids[topic]:
            marks[int(offset)] = mark
        else:
            marks.pop(int(offset), None)

    def _said(self, value: bytes) -> tuple[object, Mark]:
        """What a record says. Those of one transaction say the same: it is read once and kept once."""
        if value not in self._read:
            if len(self._read) >= _MOST_READ:
                self._read.clear()
            told = _told(value)
            self._read[value] = told.get("topic_id"), _mark(told)
        return self._read[value]

    def record(self, place: Place, offset: int, mark: Mark) -> Record:
        """The record that marks a letter."""
        topic, partition = place
        key = f"{self.pipeline}|{topic}:{partition}:{offset}"
        value = {"time": mark.time, "outcome": mark.outcome, "revision": mark.revision}
        told = orjson.dumps(value | {"topic_id": self.topic_ids[topic]})
        return Record(TOPIC, told, key.encode(), None, int(datetime.fromisoformat(mark.time).timestamp() * 1000))


def make_ledger(admin: Admin) -> None:
    """Create the topic when it is missing; InflectError where one of that name forgets what it was told."""
    if TOPIC not in admin.describe([TOPIC]):
        admin.create_topics([NewTopicSpec(TOPIC, 1, config={"cleanup.policy": "compact"})])
    policy = admin.topic_configs([TOPIC])[TOPIC]["cleanup.policy"]
    if policy != "compact":
        raise InflectError(
            f"topic {TOPIC} has cleanup.policy={policy}, so marks of redriven letters would be lost and letters "
            "delivered twice. Set cleanup.policy=compact."
        )


def read_ledger(admin: Admin, browser: Browser, pipeline: str, topic_ids: Mapping[str, str]) -> Ledger:
    """Every mark that is committed, or is about to be: transactions that are still open are waited for.

    Not only up to the last stable offset: another pipeline's open transaction would hide marks that stand behind it.
    """
    ledger = Ledger(pipeline, topic_ids)
    if TOPIC in admin.describe([TOPIC]):
        for batch in browser.read(_everything(admin)):
            for key, value in zip(batch.keys, batch.values, strict=True):
                ledger.add(key, value)
    return ledger


def _everything(admin: Admin) -> Iterator[Span]:
    starts = admin.starts(TOPIC)
    for partition, end in admin.written_ends(TOPIC).items():
        yield Span(TOPIC, partition, starts[partition], end)


def _told(value: bytes) -> dict[str, Any]:
    """What a record says; one that somebody else wrote into the topic says nothing."""
    try:
        told = orjson.loads(value)
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _mark(told: Mapping[str, Any]) -> Mark:
    revision = told.get("revision")
    outcome = told.get("outcome", "delivered")
    return Mark(str(told.get("time", "")), outcome, revision if isinstance(revision, int) else 0)
