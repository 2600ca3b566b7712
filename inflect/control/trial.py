"""Trying events on a pipeline without writing anything: the test page, `inflect test`, and the tests in a file.

The same chain as in a worker runs in a child process with bounds. Events are given, taken from the source topic, or
stand beside the expectations in a pipeline file. Nothing here commits, produces or stores.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from inflect.control.checks import param_faults, unsupported
from inflect.control.code import Files, missing_processors, revision_of
from inflect.control.schemas import Before, SchemaRegistry, SchemaSources, before_of, resolve
from inflect.control.trial_events import Unfit, draw_seed, generated, in_source_format, named, shown
from inflect.errors import Fault, RefusedError, UsageError
from inflect.kafka.admin import Admin
from inflect.model.document import parse_pipeline
from inflect.model.event import Batch, Failure
from inflect.model.pipeline import Format
from inflect.model.revision import Revision
from inflect.processing.trial import TrialEvent, check_expectation, try_events
from inflect.store import pipelines, processors
from inflect.store.database import Database
from inflect.store.schemas import Side

MAX_EVENTS = 1000


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """What to try: given events, so many of the newest of the source topic, or so many made from the schema.

    `pipeline` is a draft to be tried in the place of what is stored.
    """

    events: tuple[Mapping[str, Any], ...] = ()
    generate: int = 0
    sample: int = 0
    seed: int | None = None
    pipeline: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One test of a pipeline file: what became of its event, and every way in which that was not expected."""

    pipeline: str
    name: str
    result: Mapping[str, Any] = field(default_factory=dict)
    mismatches: tuple[str, ...] = ()


def read_request(body: Mapping[str, Any]) -> TrialRequest:
    """Read the JSON body of a test; RefusedError names all faults."""
    known = ("events", "generate", "sample", "seed", "pipeline")
    faults = [Fault(key, f"unknown key; known here: {', '.join(known)}") for key in body if key not in known]
    events = body.get("events", [])
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        faults.append(Fault("events", "must be a list of objects with value, key and headers"))
        events = []
    faults += [fault for index, event in enumerate(events) for fault in _event_faults(event, f"events[{index}]")]
    for key in ("generate", "sample", "seed"):
        number = body.get(key, 0)
        if not isinstance(number, int) or isinstance(number, bool) or (key != "seed" and not 0 <= number <= MAX_EVENTS):
            faults.append(Fault(key, f"must be a whole number from 0 to {MAX_EVENTS}"))
    draft = body.get("pipeline")
    if draft is not None and not isinstance(draft, dict):
        faults.append(Fault("pipeline", "must be a pipeline as an object"))
    if faults:
        raise RefusedError("test", faults)
    return TrialRequest(tuple(events), body.get("generate", 0), body.get("sample", 0), body.get("seed"), draft)


def run_trial(
    db: Database,
    admin: Admin | None,
    name: str | None,
    request: TrialRequest,
    schemas: SchemaSources | None = None,
) -> dict[str, Any]:
    """Try events on the stored pipeline `name`, or on the request's draft; `{"results": [...]}`, one per event, and the
    `seed` of those that were generated.

    `admin` may be None when nothing is sampled. NotFoundError without the pipeline, RefusedError for a draft or
    events with faults, UnreachableError without the servers.
    """
    if request.pipeline is not None:
        row = next((row for row in pipelines.list_pipelines(db) if row.name == name), None)
        before = before_of(db, row) if row else {}
        revision = draft_revision(request.pipeline, processors.current(db), schemas, before)
    elif name is not None:
        revision = pipelines.load_revision(db, name, pipelines.get_pipeline(db, name).revision)
    else:
        raise UsageError("name a pipeline or give a draft")
    request = seeded(request)
    registry = schemas.registry if schemas is not None else None
    return {"results": try_request(revision, admin, request, registry)} | (
        {"seed": request.seed} if request.generate else {}
    )


def seeded(request: TrialRequest) -> TrialRequest:
    """Return a request with a seed: its own, or a new one that can be told and given again."""
    return request if request.seed is not None else replace(request, seed=draw_seed())


def try_request(
    revision: Revision, admin: Admin | None, request: TrialRequest, registry: SchemaRegistry | None = None
) -> list[dict[str, Any]]:
    """Try the request's events on a revision: those given, then generated, then sampled ones.

    Each result says under `event` what went in. `registry` is asked for the schemas that events name.
    """
    source = revision.pipeline.source
    asked = len(request.events) + request.generate + request.sample
    if asked > MAX_EVENTS:
        raise UsageError(f"{asked} events are too many for one test; at most {MAX_EVENTS}")
    events = _events_of(revision, request.events, "events")
    values = [event.get("value") for event in request.events]
    if request.generate:
        made = generated(revision, request.generate, request.seed or 0)
        events += [TrialEvent(one["raw"]) for one in made]
        values += [one["value"] for one in made]
    if request.sample:
        if admin is None:
            raise UsageError("a sample needs Kafka; set INFLECT_KAFKA_BOOTSTRAP_SERVERS")
        taken = sampled(admin.sample(source.topic, request.sample))
        events += taken
        values += [event.value for event in taken]
    known = named(revision, events, registry)
    results = try_events(revision, events, max_record_bytes=_limits(revision, admin), known=known) if events else []
    return [
        {**result, "event": shown(event, value)} for result, event, value in zip(results, events, values, strict=True)
    ]


def draft_revision(
    document: Mapping[str, Any],
    files: Files,
    schemas: SchemaSources | None = None,
    before: Mapping[Side, Before] | None = None,
) -> Revision:
    """Return the revision a document would be with these files and schemas; RefusedError names all faults.

    `before` are the schemas of the revision it would follow, for when the registry is away: else UnreachableError.
    """
    pipeline = parse_pipeline(document)
    resolved = resolve(pipeline, schemas or SchemaSources(), before or {})
    faults = [*unsupported(pipeline), *missing_processors(pipeline, files), *param_faults(pipeline, files)]
    faults += resolved.faults
    if faults:
        raise RefusedError(pipeline.name, faults)
    return revision_of(pipeline, files, resolved.pins)


def run_file_tests(revision: Revision, folder: Path | None) -> list[Verdict]:
    """Run the `tests:` of a pipeline; `folder` is where its file lies, None when it came from the database."""
    pipeline = revision.pipeline
    given: list[dict[str, Any]] = []
    faults: list[Fault] = []
    for test in pipeline.tests:
        try:
            given.append(_with_value(test, folder))
        except RefusedError as error:
            faults += error.faults
    if faults:
        raise RefusedError(pipeline.name, faults)
    events = _events_of(revision, given, "tests")
    results = try_events(revision, events) if events else []
    results = [
        {**result, "event": shown(event, one["value"])}
        for result, event, one in zip(results, events, given, strict=True)
    ]
    return [
        Verdict(pipeline.name, test["name"], result, tuple(check_expectation(result, test["expect"])))
        for test, result in zip(pipeline.tests, results, strict=True)
    ]


def _events_of(revision: Revision, given: Sequence[Mapping[str, Any]], place: str) -> list[TrialEvent]:
    """Return events as the source topic holds them; RefusedError names all that cannot be."""
    paths = [f"{place}[{index}]" for index in range(len(given))]
    events: list[TrialEvent] = []
    faults: list[Fault] = []
    for event, path in zip(in_source_format(revision, given, [f"{p}.value" for p in paths]), paths, strict=True):
        try:
            events.append(event_of(event, revision.pipeline.source.format, path))
        except RefusedError as error:
            faults += error.faults
    if faults:
        raise RefusedError(revision.pipeline.name, faults)
    return events


def event_of(event: Mapping[str, Any], source_format: Format, path: str) -> TrialEvent:
    """Return an event with its value encoded as the source topic holds it; a null value is a tombstone."""
    faults = _event_faults(event, path)
    value = event.get("value")
    encoded: bytes | None = None
    failure: Failure | None = None
    if isinstance(value, bytes) or value is None:
        encoded = value
    elif isinstance(value, Unfit):
        encoded, failure = value.text.encode(), value.failure
    elif source_format == "json":
        encoded = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    elif not isinstance(value, str):
        faults.append(Fault(f"{path}.value", f"must be text: the source's format is {source_format}"))
    elif source_format == "bytes":
        encoded = _from_base64(value, f"{path}.value", faults)
    else:
        encoded = value.encode()
    if faults:
        raise RefusedError("test", faults)
    key = event.get("key")
    headers = _headers(event.get("headers"))
    return TrialEvent(encoded, None if key is None else key.encode(), headers, failure=failure)


def sampled(batch: Batch) -> list[TrialEvent]:
    """Return the events of a batch as they are in the topic."""
    return [
        TrialEvent(value=value, key=key, headers=headers or (), timestamp=timestamp)
        for value, key, headers, timestamp in zip(
            batch.values, batch.keys, batch.headers, batch.timestamps, strict=True
        )
    ]


def _limits(revision: Revision, admin: Admin | None) -> dict[str, int]:
    """Return how large an event the target takes, so that one that is too large fails here as it would there."""
    if admin is None:
        return {}
    return admin.max_record_bytes(admin.describe([revision.pipeline.target.topic]))


def _event_faults(event: Mapping[str, Any], path: str) -> list[Fault]:
    faults = [
        Fault(f"{path}.{key}", "unknown key; known here: value, key, headers")
        for key in event
        if key not in ("value", "key", "headers")
    ]
    if "value" not in event:
        faults.append(Fault(f"{path}.value", "is required; null is a tombstone"))
    if not isinstance(event.get("key"), str | None):
        faults.append(Fault(f"{path}.key", "must be text or null"))
    headers = event.get("headers")
    if headers is None:
        return faults
    if not isinstance(headers, dict) or not all(_is_header(value) for value in headers.values()):
        faults.append(Fault(f"{path}.headers", "must be an object of names to text or lists of text"))
    return faults


def _is_header(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(text, str) for text in value))


def _headers(headers: Mapping[str, str | Sequence[str]] | None) -> list[tuple[str, bytes | None]]:
    pairs = [(name, [value] if isinstance(value, str) else value) for name, value in (headers or {}).items()]
    return [(name, text.encode()) for name, texts in pairs for text in texts]


def _from_base64(text: str, path: str, faults: list[Fault]) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        faults.append(Fault(path, f"must be base64: the source's format is bytes ({error})"))
        return None


def _with_value(test: Mapping[str, Any], folder: Path | None) -> dict[str, Any]:
    """Return a test's event with its value, read from its file where it names one (raw bytes, as in the topic)."""
    event = {key: test[key] for key in ("key", "headers") if key in test}
    if "event" in test:
        return event | {"value": test["event"]}
    if folder is None:
        raise RefusedError("test", [Fault(f"test {test['name']!r}", "event_file can only be read beside the file")])
    try:
        return event | {"value": (folder / test["event_file"]).read_bytes()}
    except OSError as error:
        raise RefusedError("test", [Fault(f"test {test['name']!r}", f"event_file cannot be read: {error}")]) from error
