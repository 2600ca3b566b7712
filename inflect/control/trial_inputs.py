"""Events to begin a test with, as text to be edited: made from the schema, the newest, of the file, of a letter."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from inflect.control.dead_letters import opened, pipeline_of
from inflect.control.letters import find_letters
from inflect.control.schemas import SchemaRegistry
from inflect.control.trial import TrialRequest, sampled, try_request
from inflect.control.trial_events import generated
from inflect.errors import InflectError, NotFoundError
from inflect.kafka.admin import Admin
from inflect.model.event import Headers
from inflect.model.pipeline import Format, Pipeline
from inflect.model.revision import Revision
from inflect.store.database import Database

_ENCODED: tuple[Format, ...] = ("avro", "protobuf")
_UNTYPED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_WRITTEN_AS_JSON: tuple[Format, ...] = ("json", *_ENCODED)


@dataclass(frozen=True, slots=True)
class Input:
    """An event: its value as `text`, or as `base64` where it is none; neither: a tombstone.

    `lost` says that the key or a header holds bytes that are no text; they are left out.
    """

    text: str | None = None
    base64: str | None = None
    key: str | None = None
    headers: Mapping[str, str | list[str]] = field(default_factory=dict)
    lost: bool = False


def made(revision: Revision, count: int, seed: int) -> list[Input]:
    """So many events made from the source's schema; raises as `trial_events.generated` does."""
    written = revision.pipeline.source.format
    return [Input(_as_text(one["value"], written)) for one in generated(revision, count, seed)]


def newest(revision: Revision, admin: Admin, count: int, registry: SchemaRegistry | None) -> list[Input]:
    """The newest events of the source topic, the oldest of them first.

    Those of Avro and Protobuf come decoded where the pipeline has steps and a schema to write them with again.
    """
    source = revision.pipeline.source
    events = [
        _read(event.value, event.key, event.headers, source.format)
        for event in sampled(admin.sample(source.topic, count))
    ]
    if source.format not in _ENCODED or revision.source_schema is None or not revision.pipeline.steps:
        return events
    try:
        results = try_request(revision, admin, TrialRequest(sample=count), registry)
    except InflectError:  # steps or schemas that cannot be loaded: the events are there all the same
        return events
    return [_decoded(result, event) for result, event in zip(results, events, strict=False)]


def _decoded(result: Mapping[str, Any], event: Input) -> Input:
    seen = [entry["before"] for entry in result["trace"] if entry.get("before") is not None]
    text = json.dumps(seen[0], ensure_ascii=False) if seen else event.text
    return Input(text, None if seen else event.base64, event.key, event.headers, event.lost)


def of_tests(pipeline: Pipeline) -> Iterator[tuple[str, Input]]:
    """The events of a pipeline's tests by the tests' names; those that lie in files of their own are left out."""
    for test in pipeline.tests:
        if "event" in test:
            text = None if test["event"] is None else _as_text(test["event"], pipeline.source.format)
            yield test["name"], Input(text, None, test.get("key"), test.get("headers") or {})


def of_letter(db: Database, kafka: Mapping[str, str], name: str, letter_id: str) -> Input:
    """The event of a dead letter as it was in the source; raises as `dead_letters.show_letter` does."""
    pipeline = pipeline_of(db, name)
    with opened(kafka, pipeline) as (browser, box):
        _, letter = next(find_letters(browser, box, [letter_id]))
    if letter is None:
        raise NotFoundError(f"there is no dead letter {letter_id} of {name}; retention may have removed it")
    return _read(letter.value, letter.key, letter.story.headers, pipeline.source.format)


def _as_text(value: Any, written: Format) -> str:
    return json.dumps(value, ensure_ascii=False) if written in _WRITTEN_AS_JSON else str(value)


def _read(value: bytes | None, key: bytes | None, headers: Headers | None, written: Format) -> Input:
    """Bytes as text where they are some; the source's format `bytes` is written in base64 as text already."""
    found: dict[str, list[str]] = {}
    lost = key is not None and _decode(key) is None
    for name, data in headers or ():
        text = _decode(data or b"")
        lost = lost or text is None
        found.setdefault(name, []).extend([] if text is None else [text])
    text = None if value is None or written == "bytes" else _typed(value)
    binary = base64.b64encode(value).decode() if value is not None and text is None else None
    return Input(text, binary, None if key is None else _decode(key), {k: v for k, v in found.items() if v}, lost)


def _typed(value: bytes) -> str | None:
    """The text that a form would send back as it was given; None where it would not: control characters."""
    text = _decode(value)
    return None if text is None or _UNTYPED.search(text) else text


def _decode(data: bytes) -> str | None:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
