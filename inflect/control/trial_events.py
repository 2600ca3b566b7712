"""Events for a trial as the source topic would hold them: made from its schema, or given as values and encoded.

User-written schemas decide how long that takes, so it happens in the sandbox's child process, with bounds.
"""

import base64
import json
import random
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inflect.control.schemas import SchemaRegistry
from inflect.engine.sandbox import SandboxError, run_in_sandbox
from inflect.errors import Fault, NotFoundError, RefusedError, UsageError
from inflect.model.event import Batch, Failure
from inflect.model.pipeline import Format, Pipeline, Source, Target
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema
from inflect.processing.chain import Chain
from inflect.processing.trial import TrialEvent
from inflect.schemas.samples import generate

_ENCODED: tuple[Format, ...] = ("avro", "protobuf")
_TIMEOUT_S = 60.0
_MEMORY_MB = 256
_SEEDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Unfit:
    """The value of an event, as JSON, that the source's schema refuses: the event fails as one that breaks it."""

    text: str
    failure: Failure


def draw_seed() -> int:
    """Return a seed for who gave none: short, to be typed again."""
    return random.randrange(_SEEDS)  # noqa: S311  no secret


def generated(revision: Revision, count: int, seed: int) -> list[dict[str, Any]]:
    """Return events made from the source's schema: `value` as a function gets it, `raw` as the topic would hold it.

    UsageError where the source names no schema, RefusedError where no event satisfies it.
    """
    source, pinned = revision.pipeline.source, revision.source_schema
    if pinned is None:
        raise UsageError(
            f"{revision.pipeline.name}: events are generated from the source's schema, and it names none: add "
            "`source.schema`, or take a sample of the topic's newest events, or give events of your own"
        )
    answer = _in_sandbox(str(pinned), generate_here, pinned, source.format, count, seed)
    raws = (base64.b64decode(raw) for raw in answer["raws"])
    return [{"value": value, "raw": raw} for value, raw in zip(answer["values"], raws, strict=True)]


def generate_here(pinned: PinnedSchema, source_format: Format, count: int, seed: int) -> dict[str, Any]:
    """The same in this process, as JSON: `values`, and `raws` in base64; or the `faults` of the schema."""
    try:
        values = generate(pinned, count, seed)
    except RefusedError as error:
        return {"faults": [(fault.path, fault.message) for fault in error.faults]}
    texts = [json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in values]
    if source_format not in _ENCODED:
        return {"values": values, "raws": [base64.b64encode(text.encode()).decode() for text in texts]}
    answer = encode_here(pinned, source_format, texts)
    if "faults" in answer:
        return answer
    if answer["refused"]:
        return {"faults": [("", f"an event made from it does not fit: {answer['refused'][0][1]}")]}
    return {"values": values, "raws": answer["raws"]}


def encode_here(pinned: PinnedSchema, source_format: Format, texts: Sequence[str]) -> dict[str, Any]:
    """Encode JSON texts as a topic of this format holds them, with the wire prefix where the schema has an id.

    `raws` in base64; `refused`, of those that do not fit, the position, the reason and the place; or the schema's
    `faults`.
    """
    pipeline = Pipeline("trial", Source("given"), Target("encoded", source_format), on_error="drop")
    raws: list[str] = []
    refused: list[tuple[int, str, str | None]] = []
    try:
        with Chain(Revision(0, pipeline, {}, (), target_schema=pinned), max_record_bytes={}) as chain:
            for index, text in enumerate(texts):
                batch = Batch("given", [text.encode()], [None], [None], [-1], [0], [index])
                settled = chain.settle(batch, now=datetime.now(UTC))
                if failure := settled.failures.get(0):
                    refused.append((index, failure.message, failure.path))
                value = settled.records[0][0].value if 0 in settled.records else settled.values[0]
                raws.append(base64.b64encode(value if isinstance(value, bytes) else b"").decode())
    except RefusedError as error:
        return {"faults": [(fault.path, fault.message) for fault in error.faults]}
    return {"raws": raws, "refused": refused}


def _in_sandbox(subject: str, function: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = run_in_sandbox(function, *args, timeout_s=_TIMEOUT_S, memory_mb=_MEMORY_MB)
    except SandboxError as error:
        raise RefusedError(
            subject, [Fault("", f"takes too long, or too much memory, to make events by: {error}")]
        ) from error
    if "faults" in answer:
        raise RefusedError(subject, [Fault(*fault) for fault in answer["faults"]])
    return answer


def in_source_format(revision: Revision, events: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> list[Any]:
    """Return events with each value that is JSON encoded by the source's schema, where its format is Avro or Protobuf.

    Bytes that are no JSON object are what the topic would hold already. A value that does not fit becomes `Unfit`.
    RefusedError, by `paths`, where there is no schema to encode with.
    """
    source, pinned = revision.pipeline.source, revision.source_schema
    texts = {index: text for index, event in enumerate(events) if (text := _json_text(event.get("value"))) is not None}
    if source.format not in _ENCODED or not texts:
        return list(events)
    if pinned is None:
        needs = "needs `source.schema`, by which it is encoded"
        raise RefusedError(revision.pipeline.name, [Fault(paths[index], needs) for index in texts])
    answer = _in_sandbox(str(pinned), encode_here, pinned, source.format, list(texts.values()))
    values: dict[int, Any] = dict(zip(texts, map(base64.b64decode, answer["raws"]), strict=True))
    places = list(texts)
    for n, why, path in answer["refused"]:
        values[places[n]] = Unfit(texts[places[n]], Failure("incoming_schema", "schema", why, path=path))
    return [{**event, "value": values[index]} if index in values else event for index, event in enumerate(events)]


def named(
    revision: Revision, events: Sequence[TrialEvent], registry: SchemaRegistry | None
) -> dict[int, Schema] | None:
    """Return the schemas that events name by their ids and the registry has; None without a registry."""
    source, pinned = revision.pipeline.source, revision.source_schema
    if registry is None:
        return None
    if source.format not in {*_ENCODED, "json"} or (pinned is not None and pinned.file is not None):
        return {}
    values = (event.value for event in events if event.value and event.value[0] == 0)
    ids = {int.from_bytes(value[1:5], "big") for value in values if len(value) > 4}  # noqa: PLR2004  a prefix has five
    found: dict[int, Schema] = {}
    for number in sorted(ids - {pinned.id if pinned is not None else None}):
        with suppress(NotFoundError, RefusedError):  # the event fails, and says that its id is not known
            found[number] = registry.by_id(number)
    return found


def shown(event: TrialEvent, value: Any) -> dict[str, Any]:
    """Return what went in, as a person reads it: JSON as it is, else text, else base64 as `valueBinary` and so on."""
    found = _readable("value", value) if isinstance(value, bytes) else {"value": value}
    found |= {**_readable("key", event.key), "headers": {}}
    for name, data in event.headers or ():
        ((kind, text),) = _readable("headers", data).items()
        before = found.setdefault(kind, {}).get(name)
        found[kind][name] = text if before is None else [*before, text] if isinstance(before, list) else [before, text]
    return found


def _readable(name: str, data: bytes | None) -> dict[str, Any]:
    """Bytes under `name` as JSON (values only) or text, else as base64 under `nameBinary`."""
    if data is None:
        return {name: None}
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return {f"{name}Binary": base64.b64encode(data).decode()}
    try:
        return {name: json.loads(text) if name == "value" else text}
    except (ValueError, RecursionError):
        return {name: text}


def _json_text(value: Any) -> str | None:
    if value is None:
        return None
    if not isinstance(value, bytes):
        return json.dumps(value, ensure_ascii=False)
    try:
        text = value.decode()
        return text if isinstance(json.loads(text), dict) else None
    except (ValueError, RecursionError):
        return None
