"""What became of one event in a test, drawn: its walk along the strip, a row a stage, what it left, and why.

Pure: from a result as the contract describes it to what the template is fed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from inflect.model.pipeline import Pipeline
from inflect.web.json_text import Line, bounded, changed_lines, shown

Status = Literal["ok", "filtered", "failed", "skipped"]

_CHECKS = {"incoming_schema": "incoming schema", "outgoing_schema": "outgoing schema"}
_LATE = {"encode": "Encoding", "produce": "Delivery"}
_PLACES = {
    "decode": "it could not be read",
    "incoming_schema": "it breaks the incoming schema",
    "outgoing_schema": "what came out breaks the outgoing schema",
    "encode": "what came out cannot be written",
    "produce": "what came out cannot be delivered",
}
_HINTS = {
    "timeout": "Look for a loop that does not end, or raise limits.timeout_ms in the pipeline. The server stops such a "
    "step by itself; no other event was affected.",
    "memory": "Look for something that grows without end, or raise limits.memory_mb in the pipeline.",
}


@dataclass(frozen=True, slots=True)
class StopView:
    """One stop of the walk; `kind` chooses the shape, `word` is the quiet word over its name."""

    kind: str
    name: str
    word: str
    status: Status


@dataclass(frozen=True, slots=True)
class ErrorView:
    """Why an event failed: `place` is `file:line:column`, `caret` marks the column under `source_line`.

    `pointer` is where the schema was broken, `rule` the rule it broke.
    """

    kind: str
    message: str
    place: str
    href: str
    source_line: str
    pointer: str
    rule: str
    hint: str


@dataclass(frozen=True, slots=True)
class RowView:
    """One stage: its difference, what it printed, its error. `same`: the event left as it came.

    `body` is the event where there is no difference to show; `took_ms` None where it has no clock of its own.
    """

    title: str
    word: str
    kind: str
    href: str
    status: Status
    took_ms: float | None
    note: str = ""
    lines: Sequence[Line] = ()
    same: bool = False
    body: str = ""
    logs: Sequence[Mapping[str, str]] = ()
    error: ErrorView | None = None


@dataclass(frozen=True, slots=True)
class OutputView:
    """One event that would be written."""

    topic: str
    key: str | None
    headers: Sequence[tuple[str, str]]
    value: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """What became of one event. `missed` None: nothing was expected; empty: all as expected."""

    outcome: str
    sentence: str
    stops: Sequence[StopView]
    rows: Sequence[RowView]
    outputs: Sequence[OutputView]
    took_ms: float
    test: str = ""
    missed: Sequence[str] | None = None
    tried: str = ""


def view(
    pipeline: Pipeline,
    result: Mapping[str, Any],
    *,
    test: str = "",
    missed: Sequence[str] | None = None,
    tried: str = "",
) -> ResultView:
    """One result drawn; `tried` is the event's mark, `test` and `missed` say what was expected of it."""
    return ResultView(
        outcome=result["outcome"],
        sentence=sentence(pipeline, result),
        stops=list(_stops(pipeline, result)),
        rows=list(_rows(pipeline, result)),
        outputs=[_output(output) for output in result["outputs"]],
        took_ms=sum(entry.get("duration_ms") or 0 for entry in result["trace"]),
        test=test,
        missed=missed,
        tried=tried,
    )


def sentence(pipeline: Pipeline, result: Mapping[str, Any]) -> str:
    """How it ended, where and why, in one line."""
    stage, step, reason = result["stage"], result["step"], result["reason"]
    if result["outcome"] == "delivered":
        count = len(result["outputs"])
        return f"Delivered to {pipeline.target.topic}" + (f" as {count} events" if count > 1 else "")
    if result["outcome"] == "filtered":
        by = f"by {step}" if step else "as a tombstone: source.tombstones is filter"
        return f"Filtered {by}" + (f": {reason}" if reason else "")
    return f"Failed in {step}" if step else f"Failed: {_PLACES.get(stage, 'a step took the process along')}"


def _stops(pipeline: Pipeline, result: Mapping[str, Any]) -> Iterator[StopView]:
    failed_reading = result["outcome"] == "failed" and result["stage"] == "decode"
    yield StopView("source", pipeline.source.topic, pipeline.source.format, "failed" if failed_reading else "ok")
    for entry in _worst(result["trace"]):
        if entry["stage"] == "step":
            kind = pipeline.steps[entry["index"]].kind
            yield StopView(kind, entry["step"], kind, entry["status"])
        else:
            yield StopView("check", _CHECKS[entry["stage"]], "schema check", entry["status"])
    arrived: Status = "ok" if result["outcome"] == "delivered" else "skipped"
    if result["stage"] in _LATE and result["outcome"] == "failed":
        arrived = "failed"
    yield StopView("target", pipeline.target.topic, pipeline.target.format, arrived)


def _worst(trace: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """One entry a stage: an event that was split passes a step once a part, and what went wrong tells."""
    order = ["skipped", "ok", "filtered", "failed"]
    found: dict[tuple[str, int | None], Mapping[str, Any]] = {}
    for entry in trace:
        key = (entry["stage"], entry.get("index"))
        if key not in found or order.index(entry["status"]) > order.index(found[key]["status"]):
            found[key] = entry
    yield from found.values()


def _rows(pipeline: Pipeline, result: Mapping[str, Any]) -> Iterator[RowView]:
    error = _error(result["error"]) if result["error"] else None
    stage, failed = result["stage"], result["outcome"] == "failed"
    if failed and stage == "decode":
        yield RowView("Reading the event", "failed", "source", "", "failed", None, error=error)
    parts: dict[int, int] = {}
    for entry in result["trace"]:
        told = error if entry["status"] == "failed" else None
        if entry["stage"] != "step":
            yield _check(pipeline, entry, told)
            continue
        parts[entry["index"]] = parts.get(entry["index"], 0) + 1
        yield _step(pipeline, result, entry, told, parts[entry["index"]])
    if failed and stage in _LATE:
        yield RowView(_LATE[stage], "failed", "target", "", "failed", None, error=error)
    if failed and stage == "step" and result["step"] is None:
        yield RowView("The sandbox", "failed", "check", "", "failed", None, error=error)


def _check(pipeline: Pipeline, entry: Mapping[str, Any], error: ErrorView | None) -> RowView:
    end = pipeline.source if entry["stage"] == "incoming_schema" else pipeline.target
    note = (end.schema.subject or end.schema.file or "") if end.schema else "the schema that the event names"
    title = _CHECKS[entry["stage"]].capitalize()
    took = entry.get("duration_ms")
    return RowView(title, _word(entry["status"]), "check", "", entry["status"], took, note, error=error)


def _step(
    pipeline: Pipeline, result: Mapping[str, Any], entry: Mapping[str, Any], error: ErrorView | None, part: int
) -> RowView:
    step, status = pipeline.steps[entry["index"]], entry["status"]
    before, after = entry.get("before"), entry.get("after")
    reason = result["reason"] if status == "filtered" and result["step"] == step.name else None
    differs = status == "ok" and before is not None and after is not None
    same = differs and before == after and type(before) is type(after)
    lines = changed_lines(before, after) if differs and not same else []
    body = "" if lines or before is None else shown(before if status != "ok" or same else after)
    return RowView(
        title=step.name,
        word=_word(status) + (f", part {part}" if part > 1 else ""),
        kind=step.kind,
        href=f"/processors/{step.path}.js",
        status=status,
        took_ms=entry.get("duration_ms"),
        note=bounded(reason or ""),
        lines=lines,
        same=same,
        body=body,
        logs=[{"level": log["level"], "text": bounded(log["text"])} for log in entry.get("logs") or ()],
        error=error,
    )


def _word(status: str) -> str:
    return {"ok": "passed", "skipped": "not reached"}.get(status, status)


def _error(error: Mapping[str, Any]) -> ErrorView:
    file, line, column = error["file"], error["line"], error["column"]
    message, _, rule = error["message"].partition(" (rule: ")
    is_schema = error["kind"] == "schema" and bool(rule)
    return ErrorView(
        kind=error["kind"],
        message=bounded(message.removeprefix(f"at {error['path']}: ") if is_schema else error["message"]),
        place=":".join(str(part) for part in (file, line, column) if part is not None),
        href=f"/processors/{file}" + (f"#L{line}" if line else "") if file else "",
        source_line=error["source_line"] or "",
        pointer=error["path"] or "",
        rule=rule.removesuffix(")") if is_schema else "",
        hint=_HINTS.get(error["kind"], ""),
    )


def _output(output: Mapping[str, Any]) -> OutputView:
    headers = [
        (name, bounded(text))
        for kind in ("headers", "headersBinary")
        for name, said in (output.get(kind) or {}).items()
        for text in (said if isinstance(said, list) else [said])
    ]
    key = output.get("key") if output.get("key") is not None else output.get("keyBinary")
    return OutputView(output["topic"], key, headers, shown(output["value"]))
