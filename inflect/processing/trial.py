"""Tries events out: the same chain as in a worker, with a trace, in a child process that may loop or die.

Behind the test page, `inflect test` and the API; the result of an event is the document the contract describes.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from inflect.engine.sandbox import SandboxError, run_in_sandbox
from inflect.errors import Fault, RefusedError
from inflect.model.event import Batch, Failure, Headers, Record
from inflect.model.pipeline import Pipeline
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema, Schema
from inflect.processing.chain import Chain, Settled
from inflect.schemas.writers import WriterSchemas

_START_S = 15.0
_MOST_S = 300.0
_DEEPEST = 200


@dataclass(frozen=True, slots=True)
class TrialEvent:
    """An event to try: raw bytes as they would stand in the source topic; a `value` of None is a tombstone.

    `failure`: why the value that was given could not become such bytes; the event fails by it.
    """

    value: bytes | None
    key: bytes | None = None
    headers: Headers = ()
    timestamp: int = -1
    failure: Failure | None = None


def try_events(
    revision: Revision,
    events: Sequence[TrialEvent],
    *,
    max_record_bytes: Mapping[str, int] | None = None,
    known: Mapping[int, Schema] | None = None,
) -> list[dict[str, Any]]:
    """The result of each event. Raises RefusedError when a processor or a schema cannot be loaded at all.

    `known` are the schemas of ids that events name, beside those that the revision pins; None: there is no registry.
    """
    limits = revision.pipeline.limits
    timeout_s = min(_MOST_S, _START_S + len(events) * (2 * limits.timeout_ms / 1000 + 0.1))
    arguments = (revision, list(events), dict(max_record_bytes or {}), known)
    try:
        answer = run_in_sandbox(try_here, *arguments, timeout_s=timeout_s, memory_mb=limits.memory_mb)
    except SandboxError as error:
        if len(events) <= 1:
            return [_lost_result(revision.pipeline, error) for _ in events]
        middle = len(events) // 2  # one of them took the child along: halves find it in few more children
        halves = (events[:middle], events[middle:])
        return [
            result
            for half in halves
            for result in try_events(revision, half, max_record_bytes=max_record_bytes, known=known)
        ]
    if "faults" in answer:
        raise RefusedError(answer["subject"], [Fault(*fault) for fault in answer["faults"]])
    results: list[dict[str, Any]] = answer["results"]
    return results


def try_here(
    revision: Revision,
    events: Sequence[TrialEvent],
    max_record_bytes: Mapping[str, int],
    known: Mapping[int, Schema] | None = None,
) -> dict[str, Any]:
    """The same in this process: `results`, or the `faults` that stop the processors from loading."""
    now = datetime.now(UTC)
    try:
        with (
            _writers(revision, known) as writers,
            Chain(revision, max_record_bytes=max_record_bytes, writers=writers, trace=True) as chain,
        ):
            return {"results": [_try_one(chain, revision, index, event, now) for index, event in enumerate(events)]}
    except RefusedError as error:
        return {"subject": error.subject, "faults": [(fault.path, fault.message) for fault in error.faults]}


def _writers(revision: Revision, known: Mapping[int, Schema] | None) -> AbstractContextManager[WriterSchemas | None]:
    if known is None:
        return nullcontext()
    return WriterSchemas(
        None, None, [*revision.pinned, *(PinnedSchema(schema, id=number) for number, schema in known.items())]
    )


def _try_one(chain: Chain, revision: Revision, index: int, event: TrialEvent, now: datetime) -> dict[str, Any]:
    topic, failures = revision.pipeline.source.topic, {0: event.failure} if event.failure else {}
    batch = Batch(topic, [event.value], [event.key], [event.headers], [event.timestamp], [0], [index], failures)
    settled = chain.settle(batch, now=now)
    failure = settled.failures.get(0)
    step, reason = settled.filtered_by.get(0, (None, None))
    delivered = failure is None and (bool(settled.values[0]) or _is_delivered(settled))
    name = revision.pipeline.steps[step].name if step is not None else None
    result: dict[str, Any] = {
        "outcome": "failed" if failure else "delivered" if delivered else "filtered",
        "stage": failure.stage if failure else None if delivered else "step" if name else "decode",
        "step": failure.step if failure else name,
        "index": _step_index(revision.pipeline, failure.step if failure else name),
        "reason": failure.message if failure and failure.kind == "rejected" else reason,
        "outputs": _outputs(revision.pipeline, batch, settled) if delivered else [],
        "trace": _trace(chain, revision, event, settled),
        "error": _error(failure),
    }
    return result


def _is_delivered(settled: Settled) -> bool:
    return any(counts.delivered for counts in settled.counts.values())


def _step_index(pipeline: Pipeline, name: str | None) -> int | None:
    return next((index for index, step in enumerate(pipeline.steps) if step.name == name), None)


def _outputs(pipeline: Pipeline, batch: Batch, settled: Settled) -> list[dict[str, Any]]:
    plain = Record(pipeline.target.topic, settled.values[0], batch.keys[0], batch.headers[0], -1)
    return [_output(pipeline, record) for record in settled.records.get(0, (plain,))]


def _output(pipeline: Pipeline, record: Record) -> dict[str, Any]:
    output: dict[str, Any] = {"value": _value(pipeline, record.value)}
    key, binary = _text(record.key)
    output["key"] = key
    if binary is not None:
        output["keyBinary"] = binary
    texts: dict[str, Any] = {}
    binaries: dict[str, Any] = {}
    for name, data in record.headers or ():
        text, encoded = _text(data)
        _add(texts if encoded is None else binaries, name, text if encoded is None else encoded)
    output["headers"] = texts
    if binaries:
        output["headersBinary"] = binaries
    output["topic"] = record.topic
    return output


def _add(headers: dict[str, Any], name: str, value: Any) -> None:
    before = headers.get(name)
    headers[name] = value if name not in headers else [*before, value] if isinstance(before, list) else [before, value]


def _text(data: bytes | None) -> tuple[str | None, str | None]:
    try:
        return (None if data is None else data.decode()), None
    except UnicodeDecodeError:
        return None, base64.b64encode(data or b"").decode()


def _value(pipeline: Pipeline, value: str | bytes | None) -> Any:
    if value is None:
        return None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if pipeline.target.format in {"string", "bytes"} else _parsed(value)


def _parsed(text: str) -> Any:
    """JSON as an object; nesting too deep for JSON in Python stays text."""
    if text.count("[") + text.count("{") > _DEEPEST:
        try:
            return json.loads(json.dumps(json.loads(text)))
        except RecursionError:
            return text
    return json.loads(text)


def _trace(chain: Chain, revision: Revision, event: TrialEvent, settled: Settled) -> list[dict[str, Any]]:
    """The stages in order: the schemas where there are any, and the steps between them."""
    failure, stages = settled.failures.get(0), _steps_trace(revision.pipeline, settled.trace, settled.failures.get(0))
    stage = failure.stage if failure else None
    if revision.source_schema is not None or chain.names_schema(event.value):
        skipped = event.value is None or stage == "decode"
        status = "failed" if stage == "incoming_schema" else "skipped" if skipped else "ok"
        stages.insert(0, _check("incoming_schema", status, settled.check_s[0]))
    if revision.target_schema is not None:
        passed = stage == "produce" or (failure is None and _has_values(settled))
        status = "failed" if stage == "outgoing_schema" else "ok" if passed else "skipped"
        stages.append(_check("outgoing_schema", status, settled.check_s[1]))
    return stages


def _check(stage: str, status: str, took_s: float) -> dict[str, Any]:
    """A check of V8 takes part of the time of reading and writing there, and has no clock of its own."""
    return {"stage": stage, "status": status} | ({} if status == "skipped" else {"duration_ms": round(took_s * 1e3, 3)})


def _has_values(settled: Settled) -> bool:
    return bool(settled.values[0]) or any(record.value is not None for record in settled.records.get(0, ()))


def _steps_trace(
    pipeline: Pipeline, seen: Sequence[Mapping[str, Any]], failure: Failure | None
) -> list[dict[str, Any]]:
    trace: list[dict[str, Any]] = []
    failed_at = _step_index(pipeline, failure.step) if failure else None
    for index, step in enumerate(pipeline.steps):
        head: dict[str, Any] = {"stage": "step", "step": step.name, "index": index}
        entries = [head | _entry(entry) for entry in seen if entry["step"] == index]
        if not entries:  # an isolate that was lost took its trace along
            known = failed_at is not None and index <= failed_at
            entries = [head | {"status": ("failed" if index == failed_at else "ok") if known else "skipped"}]
        trace.extend(entries)
    return trace


def _entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    before, after = (None if entry[side] is None else _parsed(entry[side]) for side in ("before", "after"))
    return {
        "status": entry["status"],
        "before": before,
        "after": after,
        "logs": entry["logs"],
        "duration_ms": entry["duration"],
    }


def _error(failure: Failure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    place = failure.location
    return {
        "kind": failure.kind,
        "message": failure.message,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "column": place.column if place else None,
        "source_line": place.source_line if place else None,
        "path": failure.path,
    }


def _lost_result(pipeline: Pipeline, error: SandboxError) -> dict[str, Any]:
    failure = Failure("step", "timeout" if "no answer" in str(error) else "memory", str(error))
    skipped = [{"stage": "step", "step": s.name, "index": i, "status": "skipped"} for i, s in enumerate(pipeline.steps)]
    return {
        "outcome": "failed", "stage": "step", "step": None, "index": None, "reason": None, "outputs": [],
        "trace": skipped, "error": _error(failure),
    }  # fmt: skip


def check_expectation(result: Mapping[str, Any], expect: Mapping[str, Any]) -> list[str]:
    """What of `expect` the result misses, a sentence each; empty when it holds.

    `outcome`, `stage`, `step`, `reason` are compared; `event` with the only output's value, `events` with all of them;
    `key` and `headers` with the first output's; `error` must stand in the error's message or be its kind.
    """
    found: dict[str, Any] = {name: result[name] for name in ("outcome", "stage", "step", "reason")}
    outputs = result["outputs"]
    found["events"] = [output["value"] for output in outputs]
    found["event"] = outputs[0]["value"] if len(outputs) == 1 else found["events"]
    found["key"] = outputs[0]["key"] if outputs else None
    found["headers"] = outputs[0]["headers"] if outputs else None
    missed = [
        _difference(name, wanted, found[name])
        for name, wanted in expect.items()
        if name in found and found[name] != wanted
    ]
    if "error" in expect:
        error = result["error"] or {"kind": None, "message": ""}
        if expect["error"] != error["kind"] and str(expect["error"]) not in error["message"]:
            missed.append(_difference("error", expect["error"], error["message"] or None))
    unknown = set(expect) - set(found) - {"error"}
    missed.extend(f"{name}: is not something that can be expected" for name in sorted(unknown))
    if missed and result["error"] and "error" not in expect:
        missed.append(f"the event failed: {result['error']['message']}")
    return missed


def _difference(name: str, wanted: Any, found: Any) -> str:
    return f"{name}: expected {json.dumps(wanted, ensure_ascii=False)}, was {json.dumps(found, ensure_ascii=False)}"
