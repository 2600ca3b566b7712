"""From a dead letter back to the event it was, byte for byte, and to the step it may go on from.

What cannot be restored is refused with the reason: a redrive never delivers half an event.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from inflect.control.letters import Letter
from inflect.errors import InflectError
from inflect.kafka.admin import Admin
from inflect.kafka.browse import Browser, Span, spans
from inflect.kafka.records import UNREADABLE_HEADERS
from inflect.model.event import Batch, Headers
from inflect.model.revision import Revision

_BEFORE_STEPS = frozenset({"decode", "incoming_schema"})
_AFTER_STEPS = frozenset({"outgoing_schema", "encode", "produce"})


class NotRestorableError(InflectError):
    """This letter cannot be redriven as it was asked for; the message says why and what can be done."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it stood at its place in the source, and which attempt the next one is."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None
    attempt: int

    @property
    def bytes(self) -> int:
        """What it weighs in memory, roughly."""
        held = sum(len(name) + len(value or b"") for name, value in self.headers or ())
        return len(self.key or b"") + len(self.value or b"") + held


class Restorer:
    """Restores letters, fetching from the source topic what a letter had no room for."""

    def __init__(self, admin: Admin, browser: Browser) -> None:
        self._admin = admin
        self._browser = browser
        self._kept: dict[str, dict[int, Span]] = {}

    def event(self, letter: Letter) -> Event:
        """The original event. Raises NotRestorableError where parts of it are gone."""
        story = letter.story
        if story.truncated or story.message == UNREADABLE_HEADERS.message:
            return self._fetched_back(letter)
        topic, partition, offset = letter.topic, letter.partition, letter.offset
        if story.topic is not None and story.partition is not None and story.offset is not None:
            topic, partition, offset = story.topic, story.partition, story.offset
        timestamp = letter.timestamp if story.timestamp is None else story.timestamp
        headers = tuple(story.headers) or None
        return Event(topic, partition, offset, timestamp, letter.key, letter.value, headers, _next_attempt(letter))

    def _fetched_back(self, letter: Letter) -> Event:
        story = letter.story
        if story.topic is None or story.partition is None or story.offset is None:
            raise NotRestorableError("the letter does not hold the whole event, and does not say where it came from")
        place = f"{story.topic}:{story.partition}:{story.offset}"
        span = self._spans(story.topic).get(story.partition)
        found: Batch | None = None
        if span is not None and span.first <= story.offset < span.end:
            wanted = Span(story.topic, story.partition, story.offset, story.offset + 1)
            found = next(iter(list(self._browser.read([wanted]))), None)
        if found is None:
            raise NotRestorableError(f"the letter does not hold the whole event, and {place} is not there any more")
        if story.timestamp is not None and found.timestamps[0] != story.timestamp:
            raise NotRestorableError(f"the letter does not hold the whole event, and another one is at {place} now")
        if found.failures:
            raise NotRestorableError(f"event {place} cannot be read whole: {found.failures[0].message}")
        return Event(
            story.topic,
            story.partition,
            story.offset,
            found.timestamps[0],
            found.keys[0],
            found.values[0],
            found.headers[0],
            _next_attempt(letter),
        )

    def _spans(self, topic: str) -> dict[int, Span]:
        if topic not in self._kept:
            there = self._admin.describe([topic])
            self._kept[topic] = {span.partition: span for span in spans(self._admin, there)}
        return self._kept[topic]


def _next_attempt(letter: Letter) -> int:
    """Other tools' attempts count as one: the guard against loops is about ours."""
    return letter.story.attempt + 1 if letter.story.dialect == "inflect" else 2


def failed_step(revision: Revision, letter: Letter) -> int | None:
    """The step of `revision` that a letter goes on from when it starts at the step that failed; None: all of it.

    An event that failed before the steps has all of them before it. Raises NotRestorableError where there is no step.
    """
    story = letter.story
    if story.dialect == "inflect" and story.stage in _BEFORE_STEPS:
        return None
    if story.dialect == "inflect" and story.stage in _AFTER_STEPS:
        raise NotRestorableError(f"it failed behind the steps, at {story.stage}; redrive it from the source")
    names = [step.name for step in revision.pipeline.steps]
    if story.dialect != "inflect" or story.step not in names:
        what = f"step {story.step}" if story.step else "the step it failed in"
        raise NotRestorableError(f"{what} is none of revision {revision.number}; redrive it from the source")
    return names.index(story.step)


def beginning_at(revision: Revision, step: int | None) -> Revision:
    """The revision without the steps before `step`, and without the check of what comes in; None: as it is.

    Avro and Protobuf cannot be read without their schema, so there the check stays.
    """
    if step is None:
        return revision
    pipeline = replace(revision.pipeline, steps=revision.pipeline.steps[step:])
    shortened = replace(revision, pipeline=pipeline, entries=revision.entries[step:])
    if pipeline.source.format in {"avro", "protobuf"}:
        return shortened
    unchecked = replace(pipeline, source=replace(pipeline.source, schema=None))
    return replace(shortened, pipeline=unchecked, source_schema=None)


def batch_of_events(events: Sequence[Event]) -> Batch:
    """Events of one topic as a batch for the chain."""
    return Batch(
        topic=events[0].topic,
        values=[event.value for event in events],
        keys=[event.key for event in events],
        headers=[event.headers for event in events],
        timestamps=[event.timestamp for event in events],
        partitions=[event.partition for event in events],
        offsets=[event.offset for event in events],
        attempts={index: event.attempt for index, event in enumerate(events)},
    )
