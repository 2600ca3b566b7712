"""The fields of the design form as they are drawn: words, choices, and the problems beside each.

Words for people stand here; what a value may be stands in the grammar and is taken from there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from inflect.errors import Fault
from inflect.store.processors import ProcessorRow
from inflect.web import design_fields
from inflect.web.design_fields import Document, Schema

_LABELS = {
    "name": "Name",
    "description": "Description",
    "topic": "Topic",
    "format": "Format",
    "schema.subject": "Schema subject",
    "schema.version": "Version",
    "schema.file": "or schema file",
    "schema.message": "Message",
    "start": "Begin at",
    "tombstones": "Events without a value",
    "create": "Create the topic if it is missing",
    "create.partitions": "Partitions when created",
    "dead_letter": "Dead letter topic",
    "on_error": "When an event fails",
    "guarantee": "Guarantee",
    "stamp": "Stamp events with the revision",
    "workers.min": "Workers",
    "workers.max": "Most workers",
    "workers.lag_per_worker": "Lag a worker carries",
    "batch.max_events": "Events in a batch",
    "batch.max_wait_ms": "Wait for a batch, ms",
    "limits.timeout_ms": "Time for an event, ms",
    "limits.memory_mb": "Memory, MB",
    "processor": "Step",
    "filtered": "Topic for filtered events",
    "params": "Params, as JSON",
}
_WORDS = {
    "dead_letter": "goes to the dead letter topic",
    "drop": "is counted and dropped",
    "stop": "the pipeline stops before it",
    "exactly_once": "exactly once",
    "at_least_once": "at least once",
    "deliver": "are delivered",
    "filter": "are filtered",
}
_LISTS = {
    "topic": "topics",
    "dead_letter": "topics",
    "filtered": "topics",
    "subject": "subjects",
    "processor": "processors",
}
_HINTS = {
    "name": "Lower-case letters, digits and hyphens. It names the consumer group, too.",
    "dead_letter": "Created when missing.",
    "filtered": "Empty: counted, not kept.",
    "schema.file": "A path in the project, for teams without a registry.",
    "start": "earliest, latest, or a time such as 2026-01-31T12:00:00Z.",
}
_REQUIRED = ("name", "source.topic", "target.topic")
_STEP_HINTS = {"name": "Empty: the processor's name.", "dead_letter": "Empty: the pipeline's."}


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field. `kind` is text, long, code, choice or switch; `list` names suggestions; `choices` are (value, word).

    `faults` are about its value; `missing` says that it is empty and must not be, which is no mistake yet.
    """

    name: str
    id: str
    label: str
    value: str
    kind: str = "text"
    hint: str = ""
    placeholder: str = ""
    list: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    numeric: bool = False
    required: bool = False
    faults: tuple[str, ...] = ()
    missing: bool = False


@dataclass(frozen=True, slots=True)
class StepView:
    """One step: its fields by their last name, those of its params in order, and the file it runs (None: unknown)."""

    index: int
    fields: Mapping[str, FieldView]
    params: tuple[FieldView, ...]
    file: ProcessorRow | None
    kind: str
    faults: tuple[str, ...]
    open: bool


@dataclass(frozen=True, slots=True)
class FormView:
    """The whole form: fields by name, steps in order, problems that belong to no field, and how many there are."""

    fields: Mapping[str, FieldView]
    steps: tuple[StepView, ...]
    others: tuple[str, ...]
    count: int
    missing: int
    links: tuple[tuple[str, str, str], ...]
    """Of every problem that a field has: the field's id, its label, the message."""


Placed = Mapping[str, Sequence[str]]


def form_view(document: Document, processors: Sequence[ProcessorRow], faults: Sequence[Fault]) -> FormView:
    """The form of a document with these faults. `processors` are the files that steps can run."""
    by_path = {_stem(row.path): row for row in processors}
    params_of = params_from(processors)
    values = design_fields.fields_of(document, params_of)
    steps = range(len(design_fields.steps_of(document)))
    placed = place_faults(faults, [*values, *(f"steps[{index}]" for index in steps)])
    fields = {name: _field(name, value, placed) for name, value in values.items() if not name.startswith("steps[")}
    views = tuple(_step(document, index, values, by_path, placed) for index in steps)
    drawn = [*fields.values(), *(field for step in views for field in (*step.fields.values(), *step.params))]
    missing = sum(field.missing for field in drawn)
    links = tuple((field.id, _called(field), text) for field in drawn if not field.missing for text in field.faults)
    links += tuple((f"steps-{step.index}", f"Step {step.index + 1}", text) for step in views for text in step.faults)
    others = tuple(placed.get("", ()))
    return FormView(fields, views, others, len(links) + len(others), missing, links)


def _called(field: FieldView) -> str:
    """A field's label where its place on the page is not seen: with the end or the step it belongs to."""
    step, end = re.match(r"steps\[(\d+)\]\.(?!processor$)", field.name), field.name.partition(".")[0]
    if step is not None:
        return f"Step {int(step[1]) + 1}, {field.label}"
    return f"{end.capitalize()}, {field.label}" if end in ("source", "target") else field.label


def params_from(processors: Iterable[ProcessorRow]) -> design_fields.ParamsOf:
    """Where the params' schema of a processor is found by its path."""
    found = {_stem(row.path): row.params for row in processors if row.kind != "library"}
    return found.get


def _stem(path: str) -> str:
    return path.rpartition(".")[0]


def place_faults(faults: Iterable[Fault], names: Sequence[str]) -> dict[str, list[str]]:
    """Messages by the field they are shown at: the one of that path, else the first inside it, else the one around it.

    Under the empty name stand those of no field, with their path.
    """
    placed: dict[str, list[str]] = {}
    for fault in dict.fromkeys(faults):
        path = re.sub(r"^(steps\[\d+\])\.(filter|transformation)$", r"\1.processor", fault.path)
        inside = [name for name in names if name.startswith((f"{path}.", f"{path}["))] if path else []
        around = [name for name in names if path.startswith((f"{name}.", f"{name}["))]
        name = path if path in names else inside[0] if inside else max(around, key=len, default="")
        exact = name == path or re.sub(r"\.processor$", "", name) == path
        needed = inside and fault.message == "is required"
        text = fault.message if exact or needed or not path else f"{path}: {fault.message}"
        placed.setdefault(name, []).append(text)
    return placed


def _field(name: str, value: str, placed: Placed) -> FieldView:
    key = name.partition(".")[2] if name.startswith(("source.", "target.")) else name
    field = _drawn(name, value, design_fields.grammar_of(name), placed)
    return replace(field, label=_LABELS[key], hint=_HINTS.get(key, ""))


def _drawn(name: str, value: str, schema: Schema, placed: Placed) -> FieldView:
    """A field without its words."""
    faults = placed.get(name, ())
    last = "" if ".params." in name else name.rpartition(".")[2]
    given, choices = schema.get("type"), _choices(schema, value, last)
    types = [one for one in (given if isinstance(given, list) else [given]) if isinstance(one, str)]
    kind = "choice" if choices else "long" if last == "description" else "text"
    return FieldView(
        name,
        re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-"),
        "",
        value,
        "switch" if name in design_fields.SWITCHES else kind,
        placeholder=_placeholder(schema),
        list=_LISTS.get(last, ""),
        choices=choices,
        numeric=bool({"integer", "number"} & set(types)) and "string" not in types,
        required=name in _REQUIRED,
        faults=tuple("is needed" if text == "is required" else text for text in faults),
        missing=not value and bool(faults) and name in _REQUIRED,
    )


def _placeholder(schema: Schema) -> str:
    default = schema.get("default")
    return "" if default in (None, "", {}, []) or "enum" in schema else design_fields.text_of(default)


def _choices(schema: Schema, value: str, last: str) -> tuple[tuple[str, str], ...]:
    """What can be chosen, the text that stands there too; empty for free text."""
    enum = schema.get("enum")
    if isinstance(enum, list):
        values = [design_fields.text_of(one) for one in enum]
    elif schema.get("type") == "boolean":
        values = ["true", "false"]
    else:
        return ()
    choices = [(one, _WORDS.get(one, one)) for one in values]
    if value and value not in values:
        choices.append((value, f"{value}: not possible"))
    default = schema.get("default")
    if last == "on_error":
        return (("", "as the dead letter topic says"), *choices)
    if last in ("format", "guarantee", "tombstones"):
        return tuple(choices)
    return (("", f"not given{f' ({design_fields.text_of(default)})' if default is not None else ''}"), *choices)


def _step(
    document: Document, index: int, values: Mapping[str, str], files: Mapping[str, ProcessorRow], placed: Placed
) -> StepView:
    place = f"steps[{index}]"
    processor = values[f"{place}.processor"]
    file = files.get(processor)
    fields = {key: _step_field(f"{place}.{key}", key, values, placed) for key in design_fields.STEP_NAMES}
    fields["processor"] = replace(fields["processor"], label=f"Step {index + 1}")
    params = tuple(_params(place, values, file.params if file else None, placed))
    more = any(fields[key].value or fields[key].faults for key in design_fields.STEP_NAMES[1:])
    more = more or any(one.kind == "code" and (one.value or one.faults) for one in params)
    raw: Any = design_fields.steps_of(document)[index]
    kind = "filter" if isinstance(raw, dict) and "filter" in raw else "transformation"
    return StepView(index, fields, params, file, kind, tuple(placed.get(place, ())), more)


def _step_field(name: str, key: str, values: Mapping[str, str], placed: Placed) -> FieldView:
    field = _drawn(name, values[name], design_fields.grammar_of(name), placed)
    label = "Step name" if key == "name" else _LABELS[key]
    return replace(field, label=label, hint=_STEP_HINTS.get(key, _HINTS.get(key, "")))


def _params(place: str, values: Mapping[str, str], schema: Schema | None, placed: Placed) -> Iterable[FieldView]:
    whole = f"{place}.params"
    if whole in values:
        note = "This file exports no params: an object for context.params." if schema is None else ""
        field = _drawn(whole, values[whole], {}, placed)
        yield replace(field, label=_LABELS["params"], kind="code", hint=note, placeholder="{}")
        return
    for number, (key, one) in enumerate((design_fields.properties_of(schema) or {}).items()):
        name, title, hint = f"{whole}.{key}", one.get("title"), one.get("description")
        yield replace(
            _drawn(name, values[name], one, placed),
            id=f"{re.sub('[^a-z0-9]+', '-', place).strip('-')}-param-{number}",
            label=title if isinstance(title, str) and title else key,
            hint=hint if isinstance(hint, str) else "",
        )
