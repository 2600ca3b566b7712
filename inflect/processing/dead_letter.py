"""Records for events that do not go on: dead letters and kept filtered events, each the original with headers added.

Byte for byte the original: key, value, headers and timestamp stay, what happened is told in headers only.
"""

from dataclasses import dataclass
from datetime import datetime

from inflect.model.event import Batch, Failure, Headers, Record
from inflect.model.pipeline import Step
from inflect.model.revision import Revision

# What a record batch of one record costs beside key, value and headers, and what each header costs beside its text.
RECORD_OVERHEAD_BYTES = 128
HEADER_OVERHEAD_BYTES = 12


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is the same for all records of one settled batch."""

    revision: Revision
    now: datetime


def record_bytes(value: str | bytes | None, key: bytes | None, headers: Headers | None) -> int:
    """The size a broker will compare with `max.message.bytes`, rounded up a little."""
    body = 0 if value is None else len(value) if isinstance(value, bytes) or value.isascii() else len(value.encode())
    return RECORD_OVERHEAD_BYTES + body + (0 if key is None else len(key)) + headers_bytes(headers)


def headers_bytes(headers: Headers | None) -> int:
    """Bytes of a record's headers."""
    return sum(len(name.encode()) + len(value or b"") + HEADER_OVERHEAD_BYTES for name, value in headers or ())


def dead_letter(batch: Batch, index: int, failure: Failure, topic: str, limit_bytes: int, occasion: Occasion) -> Record:  # noqa: PLR0913, PLR0917  one record has this many sources
    """The dead letter of event `index`; the value is left out where the topic could not hold it."""
    key, value = batch.keys[index], batch.values[index]
    original = tuple(batch.headers[index] or ())
    added = _error_headers(batch, index, failure, occasion)
    if record_bytes(value, key, (*original, *added)) > limit_bytes:
        value = None
        added = (*added, ("inflect.error.truncated", b"true"))
        if record_bytes(value, key, (*original, *added)) > limit_bytes:
            original = ()
        if record_bytes(value, key, added) > limit_bytes:
            key = None
    return Record(topic, value, key, (*original, *added), batch.timestamps[index])


def _error_headers(batch: Batch, index: int, failure: Failure, occasion: Occasion) -> tuple[tuple[str, bytes], ...]:
    facts = {
        "pipeline": occasion.revision.pipeline.name,
        "revision": occasion.revision.number,
        "stage": failure.stage,
        "step": failure.step,
        "kind": failure.kind,
        "message": failure.message,
        "location": failure.location,
        "topic": batch.topic,
        "partition": batch.partitions[index],
        "offset": batch.offsets[index],
        "timestamp": batch.timestamps[index],
        "time": occasion.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "attempt": batch.attempts.get(index, 1),
    }
    return tuple((f"inflect.error.{name}", _text(fact)) for name, fact in facts.items() if fact is not None)


def filtered_record(batch: Batch, index: int, step: Step, topic: str, reason: str | None, revision: Revision) -> Record:  # noqa: PLR0913, PLR0917  one record has this many sources
    """A filtered event as it was in the source, with who filtered it and why."""
    facts = {"pipeline": revision.pipeline.name, "revision": revision.number, "step": step.name, "reason": reason}
    added = tuple((f"inflect.filtered.{name}", _text(fact)) for name, fact in facts.items() if fact is not None)
    headers = (*(batch.headers[index] or ()), *added)
    return Record(topic, batch.values[index], batch.keys[index], headers, batch.timestamps[index])


def _text(fact: object) -> bytes:
    return str(fact).encode("utf-8", "replace")
