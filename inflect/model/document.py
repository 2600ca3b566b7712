"""A pipeline as a document (what a user wrote) and its typed reading.

The one place that knows what a pipeline file may say, without asking any server: shape by the JSON Schema,
then the rules that join several keys. All faults are collected before any is told, each with its path and
its mend. What needs a broker, the processors or a registry is checked in `control`.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any

import jsonschema_rs
import msgspec

from inflect.errors import Fault, RefusedError
from inflect.model.grammar import JSON_SCHEMA, PATTERN_RULES
from inflect.model.pipeline import (
    BatchLimits,
    Limits,
    OnError,
    Partitions,
    Pipeline,
    Source,
    Step,
    StepKind,
    Target,
    Workers,
)
from inflect.model.reader import read_documents

__all__ = ["JSON_SCHEMA", "canonical", "parse_pipeline", "read_documents", "rfc3339", "salvage"]

_VALIDATOR = jsonschema_rs.Draft202012Validator(JSON_SCHEMA)
_KINDS: tuple[StepKind, ...] = ("transformation", "filter")
_BACKBONE = ("name", "source", "steps", "target")
_BROKER_TOPICS = ("__consumer_offsets", "__transaction_state")
_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}


def parse_pipeline(document: Mapping[str, Any]) -> Pipeline:
    """Read a document into a Pipeline with every default filled in; RefusedError names all faults."""
    faults = [*_shape_faults(document), *_rule_faults(document)]
    if faults:
        name = document.get("name") if isinstance(document, dict) else None
        raise RefusedError(name if isinstance(name, str) and name else "pipeline", faults)
    return _build(document)


def salvage(document: Mapping[str, Any], faults: list[Fault]) -> Pipeline | None:
    """Return what a document with these faults means without the keys they are about, so that the rest of it can be
    checked too; None where name, ends or steps are not whole.
    """
    faulty = {re.split(r"[.\[]", fault.path)[0] for fault in faults}
    known: dict[str, Any] = _tidy(document, JSON_SCHEMA)
    try:
        return parse_pipeline({k: v for k, v in known.items() if k in _BACKBONE or k not in faulty})
    except RefusedError:
        return None


def canonical(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a valid document with its keys in the grammar's order and without what repeats a default."""
    tidy: dict[str, Any] = _tidy(document, JSON_SCHEMA)
    if tidy.get("on_error") == _default_on_error(tidy):
        del tidy["on_error"]
    for step in tidy.get("steps", ()):
        if step.get("on_error") == _step_default_on_error(step, tidy):
            del step["on_error"]
    return tidy


def rfc3339(text: str) -> datetime | None:
    """Read a time with its offset from UTC, `2026-01-31T12:00:00Z`; None when it is none."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo and "T" in text.upper() else None


def _tidy(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_tidy(entry, schema.get("items", {})) for entry in value]
    if not isinstance(value, dict):
        return value
    properties: Mapping[str, Any] = schema.get("properties", {})
    if not properties:
        return dict(value)
    tidy = {key: _tidy(value[key], properties[key]) for key in properties if key in value}
    return {k: v for k, v in tidy.items() if "default" not in properties[k] or v != properties[k]["default"]}


# Shape: the JSON Schema's findings in words for people.


def _shape_faults(document: Any) -> Iterator[Fault]:
    for error in _VALIDATOR.iter_errors(document):
        yield from _reword(error)


def _reword(error: jsonschema_rs.ValidationError) -> Iterator[Fault]:
    kind, path = error.kind, _path(error.instance_path)
    kinds = jsonschema_rs.ValidationErrorKind
    if isinstance(kind, kinds.AdditionalProperties):
        known = list(_schema_at(error.schema_path[:-1])["properties"])
        for key in kind.unexpected:
            yield Fault(_join(path, key), f"unknown key{_did_you_mean(key, known)}; known here: {', '.join(known)}")
    elif isinstance(kind, kinds.Required):
        yield Fault(_join(path, kind.property), "is required")
    elif isinstance(kind, kinds.Type):
        yield Fault(path, _wrong_type(_schema_at(error.schema_path[:-1]), error.instance))
    elif isinstance(kind, kinds.Enum):
        known = list(_schema_at(error.schema_path))
        hint = _did_you_mean(error.instance, known)
        yield Fault(path, f"must be one of {', '.join(known)}; not {_shown(error.instance)}{hint}")
    elif isinstance(kind, kinds.Pattern):
        yield Fault(path, f"{_shown(error.instance)} {PATTERN_RULES[kind.pattern]}")
    else:
        yield Fault(path, _bound_words(kind, error))


def _bound_words(kind: Any, error: jsonschema_rs.ValidationError) -> str:
    kinds = jsonschema_rs.ValidationErrorKind
    match kind:
        case kinds.Minimum():
            return f"must be at least {kind.limit}, not {_shown(error.instance)}"
        case kinds.Maximum():
            return f"must be at most {kind.limit}, not {_shown(error.instance)}"
        case kinds.MinLength():
            return "must not be empty"
        case kinds.MaxLength():
            return f"must be at most {kind.limit} characters long"
        case kinds.MaxItems() | kinds.MaxProperties():
            return f"must have at most {kind.limit} entries"
        case _:
            return error.message


def _wrong_type(schema: Mapping[str, Any], value: Any) -> str:
    wanted = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = " or ".join(_TYPE_WORDS[name] for name in wanted)
    if value is None:
        return f"must be {words}, but is empty; leave the key out"
    quotes = "; put it in quotes" if "string" in wanted and isinstance(value, bool | int | float) else ""
    return f"must be {words}, not {_shown(value)}{quotes}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"  # noqa: PLR2004  a line's worth


def _schema_at(path: list[str | int]) -> Any:
    schema: Any = JSON_SCHEMA
    for part in path:
        schema = schema[part]
    return schema


def _path(parts: list[str | int]) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _join(path, part)
    return path


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _did_you_mean(word: Any, known: list[str]) -> str:
    close = get_close_matches(str(word), known, n=1)
    return f", did you mean {close[0]!r}?" if close else ""


# Rules that join keys. Each stands on its own and looks only at what has the right shape.


def _rule_faults(document: Any) -> Iterator[Fault]:
    if not isinstance(document, dict):
        return
    yield from _source_rules(document)
    yield from _topic_rules(document)
    yield from _on_error_rules(document)
    yield from _step_rules(document)
    yield from _bound_rules(document)
    yield from _test_rules(document)


def _at(document: Any, *path: str) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _steps(document: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return every step that is a mapping, with its path."""
    steps = document.get("steps")
    found = enumerate(steps) if isinstance(steps, list) else ()
    return [(f"steps[{index}]", step) for index, step in found if isinstance(step, dict)]


def _source_rules(document: Mapping[str, Any]) -> Iterator[Fault]:
    start = _at(document, "source", "start")
    if isinstance(start, str) and start not in ("earliest", "latest") and not rfc3339(start):
        yield Fault(
            "source.start",
            f"must be earliest, latest or a time with its zone such as 2026-01-31T12:00:00Z; not {_shown(start)}",
        )
    for side in ("source", "target"):
        yield from _schema_rules(side, _at(document, side, "schema"), _at(document, side, "format") or "json")


def _schema_rules(side: str, schema: Any, value_format: Any) -> Iterator[Fault]:
    if not isinstance(schema, dict):
        return
    if ("subject" in schema) == ("file" in schema):
        yield Fault(f"{side}.schema", "give exactly one of subject and file")
    if "file" in schema and "version" in schema:
        yield Fault(f"{side}.schema.version", "belongs to a subject; a file has none")
    if value_format in ("string", "bytes"):
        yield Fault(f"{side}.schema", f"nothing of format {value_format} can be checked; use json, avro or protobuf")
    if "message" in schema and value_format != "protobuf":
        yield Fault(f"{side}.schema.message", f"belongs to protobuf; the format here is {value_format}")


def _topic_rules(document: Mapping[str, Any]) -> Iterator[Fault]:
    source, target = _at(document, "source", "topic"), _at(document, "target", "topic")
    named = [("source.topic", source), ("target.topic", target), ("dead_letter", document.get("dead_letter"))]
    named += [
        (f"{path}.{key}", step.get(key)) for path, step in _steps(document) for key in ("dead_letter", "filtered")
    ]
    for path, topic in named:
        if topic in (".", ".."):
            yield Fault(path, f"{_shown(topic)} is no topic name")
        elif topic in _BROKER_TOPICS:
            yield Fault(path, f"{topic} belongs to the broker; name another topic")
        elif isinstance(topic, str) and topic == source and path != "source.topic":
            yield Fault(path, f"is the source topic {topic!r}: events would go round in a cycle; name another topic")
        elif isinstance(topic, str) and topic == target and path.endswith("dead_letter"):
            yield Fault(path, f"is the target topic {topic!r}: readers would meet failed events; name another topic")


def _on_error_rules(document: Mapping[str, Any]) -> Iterator[Fault]:
    message = "dead_letter needs a topic: give `dead_letter:`, or choose drop or stop"
    dead_letter = document.get("dead_letter")
    if document.get("on_error") == "dead_letter" and not dead_letter:
        yield Fault("on_error", message)
    for path, step in _steps(document):
        if step.get("on_error") == "dead_letter" and not (step.get("dead_letter") or dead_letter):
            yield Fault(f"{path}.on_error", message)


def _step_rules(document: Mapping[str, Any]) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for path, step in _steps(document):
        given = [kind for kind in _KINDS if kind in step]
        if len(given) != 1:
            yield Fault(path, "give exactly one of transformation and filter")
        for kind in given:
            processor = step[kind]
            if isinstance(processor, str) and processor.endswith((".js", ".mjs", ".cjs")):
                yield Fault(f"{path}.{kind}", f"leave the ending out: {processor.rsplit('.', 1)[0]}")
        name = step.get("name")
        if isinstance(name, str) and name in seen:
            yield Fault(f"{path}.name", f"{name!r} is the name of {seen[name]} already; give another")
        elif isinstance(name, str):
            seen[name] = path


def _bound_rules(document: Mapping[str, Any]) -> Iterator[Fault]:
    workers = {"min": Workers().min, "max": Workers().max}
    given = document.get("workers")
    workers |= given if isinstance(given, dict) else {}
    low, high = workers["min"], workers["max"]
    if isinstance(low, int) and isinstance(high, int) and low > high:
        yield Fault("workers.min", f"is {low}, more than max ({high})")


def _test_rules(document: Mapping[str, Any]) -> Iterator[Fault]:
    tests = document.get("tests")
    for index, test in enumerate(tests if isinstance(tests, list) else ()):
        if not isinstance(test, dict):
            continue
        if ("event" in test) == ("event_file" in test):
            yield Fault(f"tests[{index}]", "give exactly one of event and event_file")
        expect = test.get("expect")
        if isinstance(expect, dict) and "event" in expect and "events" in expect:
            yield Fault(f"tests[{index}].expect", "give only one of event and events")


# Building: the document is valid here.


def _default_on_error(document: Mapping[str, Any]) -> OnError:
    return "dead_letter" if document.get("dead_letter") else "stop"


def _step_default_on_error(step: Mapping[str, Any], document: Mapping[str, Any]) -> OnError:
    """Return the policy of a step that gives none: a topic of its own asks for dead letters."""
    if step.get("dead_letter"):
        return "dead_letter"
    policy: OnError = document.get("on_error", _default_on_error(document))
    return policy


def _build(document: Mapping[str, Any]) -> Pipeline:
    parts = {"workers": Workers, "partitions": Partitions, "batch": BatchLimits, "limits": Limits}
    plain = ("description", "dead_letter", "guarantee", "stamp", "labels")
    return Pipeline(
        name=document["name"],
        source=msgspec.convert(document["source"], Source),
        target=_build_target(document["target"]),
        steps=tuple(_build_steps(document)),
        on_error=document.get("on_error", _default_on_error(document)),
        tests=tuple(document.get("tests", ())),
        **{key: msgspec.convert(document[key], kind) for key, kind in parts.items() if key in document},
        **{key: document[key] for key in plain if key in document},
    )


def _build_target(target: Mapping[str, Any]) -> Target:
    create = target.get("create")
    if create and "config" in create:
        config = {key: str(v).lower() if isinstance(v, bool) else str(v) for key, v in create["config"].items()}
        target = {**target, "create": {**create, "config": config}}
    return msgspec.convert(target, Target)


def _build_steps(document: Mapping[str, Any]) -> Iterator[Step]:
    steps = document.get("steps", ())
    taken = {step["name"] for step in steps if "name" in step}
    for step in steps:
        kind: StepKind = "transformation" if "transformation" in step else "filter"
        name = step.get("name") or _free_name(step[kind], taken)
        taken.add(name)
        yield Step(
            name=name,
            kind=kind,
            processor=step[kind],
            params=step.get("params", {}),
            dead_letter=step.get("dead_letter", document.get("dead_letter")),
            filtered=step.get("filtered"),
            on_error=step.get("on_error", _step_default_on_error(step, document)),
        )


def _free_name(processor: str, taken: set[str]) -> str:
    name, number = processor, 2
    while name in taken:
        name, number = f"{processor}-{number}", number + 1
    return name
