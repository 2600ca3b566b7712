"""Looking at dead letters: the newest of a pipeline, one with its whole story, all of them by what they died of.

For terminal, API and pages alike; nothing here changes anything. Open letters are those that have not been redriven.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

import orjson

from inflect.control.causes import shape
from inflect.control.letters import Box, Letter, Positions, find_letters, newest_first, open_box, read_letters
from inflect.control.schemas import SchemaRegistry
from inflect.control.trial_events import named
from inflect.errors import DeniedError, NotFoundError, RefusedError, UnreachableError, UsageError
from inflect.kafka.admin import Admin
from inflect.kafka.browse import Browser
from inflect.model.document import parse_pipeline
from inflect.model.pipeline import Pipeline, Target
from inflect.model.revision import Revision
from inflect.processing.trial import TrialEvent, try_events
from inflect.store import pipelines as store
from inflect.store.database import Database

MOST_CAUSES = 1_000
OTHER_CAUSES = "other"
_TOLD_EVERY = 10_000
_BINARY = ("avro", "protobuf")


@dataclass(frozen=True, slots=True)
class Page:
    """Letters, newest first, and where the next page begins (`before`); None behind the last one."""

    letters: list[dict[str, Any]]
    next: str | None


def list_letters(  # noqa: PLR0913  where to look, and what for
    db: Database,
    kafka: Mapping[str, str],
    name: str,
    *,
    limit: int,
    before: str | None = None,
    cause: str | None = None,
    redriven: bool = False,
) -> Page:
    """The newest open letters of a pipeline, of one cause or of all; with `redriven` also those that were redriven.

    NotFoundError without the pipeline, UsageError for a `before` that is none, UnreachableError without the servers.
    """
    pipeline = pipeline_of(db, name)
    positions = positions_of(before)
    with opened(kafka, pipeline) as (browser, box):
        return page_of(browser, box, positions, limit=limit, cause=cause, redriven=redriven)


def page_of(  # noqa: PLR0913  where to look, and what for
    browser: Browser, box: Box, before: Positions, *, limit: int, cause: str | None = None, redriven: bool = False
) -> Page:
    """The same of a box that is open."""

    def keep(letter: Letter) -> bool:
        return (redriven or box.mark(letter) is None) and cause in {None, letter.cause}

    found = newest_first(browser, box, before, keep=keep)
    page = list(islice(found, limit))
    more = next(found, None) is not None
    return Page([describe(letter, box) for letter, _ in page], _cursor(page[-1][1]) if page and more else None)


def group_letters(
    db: Database, kafka: Mapping[str, str], name: str, *, progress: Callable[[int], None] = lambda _count: None
) -> list[dict[str, Any]]:
    """What the open letters of a pipeline died of, the most frequent first: cause, stage, step, kind, shape, count,
    times of the first and the last, and the newest one as an example. Reads all of them; `progress` is told how many.

    Past a thousand causes the rest are one, `other`. Raises as `list_letters` does.
    """
    with opened(kafka, pipeline_of(db, name)) as (browser, box):
        return causes_in(browser, box, progress)


def causes_in(
    browser: Browser, box: Box, progress: Callable[[int], None] = lambda _count: None
) -> list[dict[str, Any]]:
    """The same of a box that is open."""
    groups: dict[str, dict[str, Any]] = {}
    for count, letter in enumerate(read_letters(browser, box), 1):
        if box.mark(letter) is None:
            _count_in(groups, letter)
        if count % _TOLD_EVERY == 0:
            progress(count)
    return sorted(groups.values(), key=lambda group: (-group["count"], group["cause"]))


def show_letter(
    db: Database, kafka: Mapping[str, str], name: str, letter_id: str, registry: SchemaRegistry | None = None
) -> dict[str, Any]:
    """One letter, redriven or not: its story, key, headers and value as JSON, text, or base64 where they are neither.

    Avro and Protobuf are read by the schemas that the pipeline or `registry` has; `unreadable` says why they cannot be.
    NotFoundError where there is no such letter, UsageError for an id that is none; else as `list_letters`.
    """
    revision = store.load_revision(db, name, store.get_pipeline(db, name).revision)
    with opened(kafka, revision.pipeline) as (browser, box):
        _, letter = next(find_letters(browser, box, [letter_id]))
    if letter is None:
        raise NotFoundError(f"there is no dead letter {letter_id} of {name}; retention may have removed it")
    return describe(letter, box) | _content(letter, revision, registry)


def pipeline_of(db: Database, name: str) -> Pipeline:
    """The pipeline as it is now; NotFoundError where there is none."""
    return parse_pipeline(store.get_pipeline(db, name).document)


@contextmanager
def opened(kafka: Mapping[str, str], pipeline: Pipeline) -> Iterator[tuple[Browser, Box]]:
    """A pipeline's box with a reader for it."""
    with Admin(kafka) as admin, Browser(kafka) as browser:
        yield browser, open_box(admin, browser, pipeline)


def describe(letter: Letter, box: Box) -> dict[str, Any]:
    """A letter as scripts see it, without its content."""
    story, mark = letter.story, box.mark(letter)
    return {
        "id": letter.id,
        "cause": letter.cause,
        "dialect": story.dialect,
        "writer": story.writer,
        "revision": story.revision,
        "stage": story.stage,
        "step": story.step,
        "kind": story.kind,
        "message": story.message,
        "location": story.location,
        "origin": {
            "topic": story.topic,
            "partition": story.partition,
            "offset": story.offset,
            "timestamp": letter.timestamp if story.timestamp is None else story.timestamp,
        },
        "time": story.time,
        "attempt": story.attempt,
        "truncated": story.truncated,
        "redriven": None if mark is None else asdict(mark),
    }


def _count_in(groups: dict[str, dict[str, Any]], letter: Letter) -> None:
    story, cause = letter.story, letter.cause
    if cause not in groups and len(groups) >= MOST_CAUSES:
        cause = OTHER_CAUSES
    group = groups.setdefault(
        cause,
        {
            "cause": cause,
            "stage": story.stage,
            "step": story.step,
            "kind": story.kind,
            "shape": shape(story.message or ""),
            "count": 0,
            "first": None,
            "last": None,
            "example": None,
        },
    )
    if cause == OTHER_CAUSES:
        group |= {"stage": None, "step": None, "kind": None, "shape": "more causes than can be told apart"}
    group["count"] += 1
    if story.time is not None:
        group["first"] = min(group["first"] or story.time, story.time)
    if group["example"] is None or (story.time or "") >= (group["last"] or ""):
        group["last"] = story.time or group["last"]
        group["example"] = {"id": letter.id, "message": story.message, "location": story.location}


# The content, for people.


def _content(letter: Letter, revision: Revision, registry: SchemaRegistry | None) -> dict[str, Any]:
    content: dict[str, Any] = {"key": None, "value": None, "headers": {}}
    for name, data in (("key", letter.key), ("value", letter.value)):
        text, binary = _told(data)
        content[name] = text
        if binary is not None:
            content[f"{name}Binary"] = binary
    for name, data in letter.story.headers:
        text, binary = _told(data)
        headers = content.setdefault("headers" if binary is None else "headersBinary", {})
        said = text if binary is None else binary
        headers[name] = [*_listed(headers[name]), said] if name in headers else said
    source_format = revision.pipeline.source.format
    if source_format in _BINARY or (source_format == "json" and letter.value and letter.value[0] == 0):
        return content | _decoded(letter, revision, registry)
    if source_format == "json" and content["value"] is not None:
        content["value"] = _parsed(content["value"])
    return content


def _decoded(letter: Letter, revision: Revision, registry: SchemaRegistry | None) -> dict[str, Any]:
    """The value as a first step would get it, by way of a pipeline without steps; or why there is none."""
    if letter.value is None:
        return {}
    pipeline = revision.pipeline
    pipeline = replace(pipeline, steps=(), target=Target(pipeline.target.topic), on_error="drop", stamp=False)
    bare = replace(revision, pipeline=pipeline, entries=(), modules={}, target_schema=None)
    events = [TrialEvent(letter.value, letter.key, letter.story.headers, letter.timestamp)]
    try:
        (result,) = try_events(bare, events, known=named(bare, events, registry))
    except (RefusedError, UnreachableError, DeniedError) as error:
        return {"unreadable": str(error)}
    if result["error"]:
        return {"unreadable": result["error"]["message"]}
    return {"value": result["outputs"][0]["value"] if result["outputs"] else None}


def _told(data: bytes | None) -> tuple[str | None, str | None]:
    """Bytes as text, or as base64 where they are none."""
    try:
        return (None if data is None else data.decode()), None
    except UnicodeDecodeError:
        return None, base64.b64encode(data or b"").decode()


def _listed(said: Any) -> list[Any]:
    return said if isinstance(said, list) else [said]


def _parsed(text: str) -> Any:
    """JSON with every digit of its numbers; what is none, or too deep, stays text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


# Pages.


def _cursor(positions: Positions) -> str:
    told = [[topic, partition, offset] for (topic, partition), offset in positions.items()]
    return base64.urlsafe_b64encode(orjson.dumps(told)).decode().rstrip("=")


def positions_of(cursor: str | None) -> dict[tuple[str, int], int]:
    """Where a page begins, from `Page.next`; UsageError for what is none."""
    if cursor is None:
        return {}
    try:
        told = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return {(str(topic), int(partition)): max(0, int(offset)) for topic, partition, offset in told}
    except (ValueError, TypeError, binascii.Error) as error:
        raise UsageError("the page must be the one that an earlier answer named as its next") from error
