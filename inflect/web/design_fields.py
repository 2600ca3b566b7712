"""Between a pipeline document and the fields of a form: what each field shows, and what changing one makes of it.

A field's name is the path of its value, as faults name it (`source.schema.subject`, `steps[1].params.minimum`), so
that a problem is shown beside the field it is about. The document stays the truth: only fields whose text was changed
touch it, and what no field shows (labels, tests) is left as it is. Text that is no number where one belongs is kept as
it was typed: the grammar then says what is wrong with it. Pure.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from inflect.model.grammar import JSON_SCHEMA

Document = dict[str, Any]
Schema = Mapping[str, Any]
ParamsOf = Callable[[str], Schema | None]
"""A processor's path (`filters/only-paid`) to the JSON Schema of its params."""

FOLDERS = {"transformation": "transformations", "filter": "filters"}
SWITCHES = ("target.create", "stamp")

_SCHEMA = ("schema.subject", "schema.version", "schema.file", "schema.message")
NAMES = (
    *("name", "description"),
    *(f"source.{key}" for key in ("topic", "format", *_SCHEMA, "start", "tombstones")),
    *(f"target.{key}" for key in ("topic", "create", "create.partitions", "format", *_SCHEMA)),
    *("dead_letter", "on_error", "guarantee", "stamp"),
    *("workers.min", "workers.max", "workers.lag_per_worker"),
    *("batch.max_events", "batch.max_wait_ms", "limits.timeout_ms", "limits.memory_mb"),
)
STEP_NAMES = ("processor", "name", "filtered", "dead_letter", "on_error")
_SMALLEST = ("workers", "batch", "limits")
_IN_STEP = re.compile(r"steps\[(\d{1,4})\]\.(params\.)?(.+)", re.DOTALL)


def grammar_of(name: str) -> Schema:
    """What the grammar says of a field's value; {} where it says nothing."""
    schema: Any = JSON_SCHEMA
    for key in re.sub(r"\[\d+\]", ".[]", name).split("."):
        schema = schema.get("items", {}) if key == "[]" else schema.get("properties", {}).get(key, {})
    found: Schema = schema
    return found


def steps_of(document: Mapping[str, Any]) -> list[Any]:
    """The entries of `steps`, whatever they are; none where it is no list."""
    steps = document.get("steps")
    return steps if isinstance(steps, list) else []


def processor_of(step: Any) -> str:
    """The path of a step's processor, as its field shows it: `filters/only-paid`; empty where there is none."""
    given = [kind for kind in FOLDERS if isinstance(step, dict) and isinstance(step.get(kind), str)]
    return f"{FOLDERS[given[0]]}/{step[given[0]]}" if given else ""


def properties_of(schema: Schema | None) -> dict[str, Schema] | None:
    """The params that get a field each; None where the schema does not list them: then one field holds them all."""
    listed = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(listed, Mapping) or not listed:
        return None
    return {str(key): one if isinstance(one, Mapping) else {} for key, one in listed.items()}


def fields_of(document: Mapping[str, Any], params_of: ParamsOf) -> dict[str, str]:
    """Every field of a document by name, with the text it shows."""
    fields = {name: _shown(_at(document, name.split(".")), name) for name in NAMES}
    for index, step in enumerate(steps_of(document)):
        fields |= dict(_step_fields(f"steps[{index}]", step if isinstance(step, dict) else {}, params_of))
    return fields


def _step_fields(place: str, step: Mapping[str, Any], params_of: ParamsOf) -> Iterator[tuple[str, str]]:
    yield f"{place}.processor", processor_of(step)
    for key in STEP_NAMES[1:]:
        yield f"{place}.{key}", text_of(step.get(key))
    properties, params = properties_of(params_of(processor_of(step))), step.get("params")
    if properties is None or not isinstance(params, dict | None):
        yield f"{place}.params", text_of(params)
        return
    for key in properties:
        yield f"{place}.params.{key}", text_of((params or {}).get(key))


def _at(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _shown(value: Any, name: str) -> str:
    if name in SWITCHES:
        return "yes" if isinstance(value, Mapping) or value is True else "no"
    schema = grammar_of(name)
    return str(schema.get("default", "")) if value is None and "enum" in schema else text_of(value)


def text_of(value: Any) -> str:
    """A value as a field shows it: text as it is, anything else as JSON, nothing as nothing."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# Changes.


def with_fields(document: Document, changed: Mapping[str, str], params_of: ParamsOf) -> Document:
    """The document after these fields were given these texts; an empty one takes the value away."""
    made = deepcopy(document)
    for name, text in changed.items():
        inside = _IN_STEP.fullmatch(name)
        if inside is not None:
            _change_step(made, int(inside[1]), inside[3], text, params_of if inside[2] else None)
        elif name in NAMES:
            _change(made, name, text)
    for side in ("source", "target"):
        if any(name.startswith(f"{side}.schema.") for name in changed):
            _tidy_schema(made[side])
    for key in _SMALLEST:
        if made.get(key) == {}:
            del made[key]
    return made


def _change(document: Document, name: str, text: str) -> None:
    *above, last = name.split(".")
    if name == "target.create.partitions" and not text and not isinstance(_at(document, above), dict):
        return
    parent, place = document, JSON_SCHEMA
    for key in above:
        if not isinstance(parent.get(key), dict):
            put(parent, key, {}, place)
        parent, place = parent[key], place["properties"][key]
    schema = grammar_of(name)
    value = _read_switch(name, text, parent.get(last)) if name in SWITCHES else read_text(text, schema)
    put(parent, last, None if "enum" in schema and value == schema.get("default") else value, place)


def _read_switch(name: str, text: str, before: Any) -> Any:
    on: Any = True if name == "stamp" else before if isinstance(before, dict) else {}
    return on if text == "yes" else None


def _tidy_schema(end: Document) -> None:
    """A reference that names neither a subject nor a file any more is none."""
    schema = end.get("schema")
    if isinstance(schema, dict) and not {"subject", "file"} & set(schema):
        del end["schema"]
    elif isinstance(schema, dict) and "subject" not in schema:
        schema.pop("version", None)


def _change_step(document: Document, index: int, key: str, text: str, params_of: ParamsOf | None) -> None:
    steps = steps_of(document)
    if index >= len(steps) or not isinstance(steps[index], dict):
        return
    step, grammar = steps[index], grammar_of("steps[0]")
    if params_of is not None:
        schema = (properties_of(params_of(processor_of(step))) or {}).get(key, {})
        params = step.get("params") if isinstance(step.get("params"), dict) else {}
        put(params, key, read_text(text, schema), {})
        put(step, "params", params or None, grammar)
    elif key == "params":
        put(step, key, read_text(text, {}), grammar)
    elif key == "processor":
        steps[index] = made_step(text, {k: v for k, v in step.items() if k != "params"})
    elif key in STEP_NAMES:
        put(step, key, text or None, grammar)


def made_step(path: str, others: Mapping[str, Any] | None = None) -> Document:
    """A step that uses this processor, with what it had `others`. Without a folder it is a transformation."""
    path = re.sub(r"\.(js|mjs|cjs)$", "", path)
    folder, _, name = path.partition("/")
    kind = next((kind for kind, known in FOLDERS.items() if known == folder and name), "")
    kept = {key: value for key, value in (others or {}).items() if key not in FOLDERS}
    return {kind or "transformation": name if kind else path, **kept}


def put(mapping: Document, key: str, value: Any, schema: Schema) -> None:
    """Set a key (None: take it away); a new one goes where the grammar's order has it."""
    if value is None:
        mapping.pop(key, None)
    elif key in mapping:
        mapping[key] = value
    else:
        order = list(schema.get("properties", ()))
        behind = order[order.index(key) + 1 :] if key in order else []
        later = {k: mapping.pop(k) for k in list(mapping) if k in behind}
        mapping[key] = value
        mapping.update(later)


def read_text(text: str, schema: Schema) -> Any:
    """The value that a text means where this JSON Schema holds; None for an empty one, the text where it means none."""
    text = text.strip() if "\n" not in text else text
    if not text:
        return None
    choices = schema.get("enum")
    if isinstance(choices, list):
        return next((choice for choice in choices if text_of(choice) == text), text)
    given = schema.get("type")
    types = set(given if isinstance(given, list) else [given] if isinstance(given, str) else [])
    if "integer" in types and re.fullmatch(r"[-+]?[0-9]{1,18}", text):
        return int(text)
    if types and not types - {"string"}:
        return text
    return _read_json(text, types)


def _read_json(text: str, types: set[str]) -> Any:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return text if "string" in types and not isinstance(value, bool | int | float | None) else value


# The order of steps.


def with_edit(document: Document, edit: str, added: str) -> Document:
    """The document with a step added at the end (`add`), taken away (`remove-1`), or moved (`up-1 down-1 move-3-0`)."""
    made = deepcopy(document)
    steps = list(steps_of(made))
    verb, *rest = edit.split("-")
    places = [int(word) for word in rest if word.isdecimal() and len(word) < 5]  # noqa: PLR2004  more steps than there can be
    if verb == "add" and added:
        steps.append(made_step(added))
    elif places and places[0] < len(steps):
        step = steps.pop(places[0])
        target = edited_place(edit)
        if target is not None:
            steps.insert(target, step)
    put(made, "steps", steps or None, JSON_SCHEMA)
    return made


def edited_place(edit: str) -> int | None:
    """Where a step that was moved stands now; None for what moves none."""
    verb, *rest = edit.split("-")
    places = [int(word) for word in rest if word.isdecimal()]
    if verb == "up" and places:
        return max(0, places[0] - 1)
    if verb == "down" and places:
        return places[0] + 1
    return places[1] if verb == "move" and len(places) == 2 else None  # noqa: PLR2004  from and to
