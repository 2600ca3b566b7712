"""A walk over a JSON Schema (drafts 4 to 2020-12) that draws a value where most demands are met on purpose.

What cannot be aimed at (`not` of something large, exactly one of many, an `if` that happens to hold) is left to the
dice: `schemas.samples` checks the event and has the place that is wrong thrown again.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from inflect.schemas.sampling import members, patterns, scalars, words
from inflect.schemas.sampling.branches import JsonSchema, Spot, gather
from inflect.schemas.sampling.references import Part, inside
from inflect.schemas.sampling.walk import (
    ImpossibleError,
    Place,
    Walk,
    below,
    named_trail,
    recast,
    top,
)

_KINDS = ("object", "array", "string", "integer", "number", "boolean", "null")
_CLUES = {
    "object": ("properties", "required", "patternProperties", "additionalProperties", "propertyNames",
               "minProperties", "maxProperties", "unevaluatedProperties", "dependentRequired", "dependentSchemas"),
    "array": ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"),
    "string": ("pattern", "format", "minLength", "maxLength", "contentEncoding", "contentMediaType"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}  # fmt: skip
_SILENT = {"$schema", "$id", "id", "$comment", "$defs", "definitions", "title", "description"}
_TRIES = 20
_STUBBORN = 12
_NULLS = 0.1
_HALF = 0.5
_EXAMPLES = 0.9
_DEFAULTS = 0.5
_LONGEST = 200


def draw_event(schema: JsonSchema, walk: Walk) -> Any:
    """Draw a value for the whole schema; ImpossibleError where the choices made lead nowhere."""
    root = schema.documents.root
    if root.schema is True or (isinstance(root.schema, dict) and set(root.schema) <= _SILENT):
        root = Part({"type": "object", "required": ["id", "name"]})  # anything goes: an event people would send
    return _draw(schema, walk, top(walk), [root])


def _draw(schema: JsonSchema, walk: Walk, place: Place, parts: Sequence[Part]) -> Any:
    spot = Spot(schema, walk, place, place.dice())
    gather(spot, parts)
    kinds = _kinds(spot)
    given = _given(spot, kinds)
    if given:
        full = [value for value in given if value is not None]
        return spot.rng.choice(full if full and spot.rng.random() > _NULLS else given)
    if (found := _example(spot)) is not None:
        return found
    kind = _kind(spot, kinds)
    marks = {id(part.schema) for part in (*parts, *spot.held)}
    spot.place = named_trail(place, *marks)
    if kind == "object":
        return _object(spot)
    return _array(spot) if kind == "array" else _scalar(spot, kind)


def _scalar(spot: Spot, kind: str) -> Any:
    place, schemas, rng = spot.place, spot.schemas, spot.rng
    denied = {_mark(value) for value in _denied(schemas)}
    value: Any = None
    for _ in range(_TRIES):
        match kind:
            case "string":
                value = scalars.text(place, schemas, rng)
            case "integer" | "number":
                value = scalars.number(place, schemas, rng, integer=kind == "integer")
            case "boolean":
                value = rng.random() < _HALF
        if _mark(value) not in denied:
            return value
    raise ImpossibleError(place.path, f"every {kind} that was tried is one that `not` forbids")


def _mark(value: Any) -> str:
    """What makes two JSON values the same: 1 is 1.0, but neither is true."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _names_of(kinds: Any) -> set[str]:
    named = {kinds} if isinstance(kinds, str) else set(kinds)
    return named | ({"integer"} if "number" in named else set())


def _kinds(spot: Spot) -> list[str]:
    """The types that all allow."""
    allowed = set(_KINDS)
    for schema in spot.schemas:
        if "type" in schema:
            allowed &= _names_of(schema["type"])
        denied = schema.get("not")
        if isinstance(denied, dict) and set(denied) == {"type"}:
            allowed -= _names_of(denied["type"])
    if not allowed:
        raise ImpossibleError(spot.place.path, "the types asked for exclude each other")
    return [kind for kind in _KINDS if kind in allowed]


def _kind(spot: Spot, kinds: list[str]) -> str:
    """Choose a type: one that the keywords speak of; null now and then, and where nothing more should follow."""
    schemas, rng = spot.schemas, spot.rng
    if not any("type" in schema for schema in schemas):
        clues = [kind for kind, keys in _CLUES.items() if any(key in s for s in schemas for key in keys)]
        if spot.tries > (_STUBBORN if clues else 0):  # keywords speak of one type and hold for it alone
            return rng.choice(kinds)
        return next(kind for kind in (*clues, "string", *kinds) if kind in kinds)
    if "number" in kinds:
        kinds = [kind for kind in kinds if kind != "integer"]
    simple = [kind for kind in kinds if kind not in ("object", "array")]
    if spot.tight and simple:
        return "null" if "null" in simple else simple[0]
    full = [kind for kind in kinds if kind != "null"]
    if not full or ("null" in kinds and not spot.walk.first and rng.random() < _NULLS):
        return "null"
    return full[0] if spot.walk.first and not spot.tries else rng.choice(full)


def _given(spot: Spot, kinds: list[str]) -> list[Any]:
    """The values to choose from, where the schemas name them; none: they do not."""
    schemas = spot.schemas
    lists = [schema["enum"] for schema in schemas if "enum" in schema]
    lists += [[schema["const"]] for schema in schemas if "const" in schema]
    if not lists:
        return []
    denied = {_mark(value) for value in _denied(schemas)}
    common = set.intersection(*({_mark(value) for value in values} for values in lists)) - denied
    found = [value for value in lists[0] if _mark(value) in common and _kind_of(value) in kinds]
    if not found:
        raise ImpossibleError(spot.place.path, "no value is in all the lists (`enum`, `const`) that must hold")
    return found


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    return {dict: "object", list: "array", str: "string", int: "integer"}.get(type(value), "null")


def _denied(schemas: scalars.Schemas) -> Iterator[Any]:
    for schema in schemas:
        denied = schema.get("not")
        if isinstance(denied, dict) and set(denied) <= {"const", "enum"}:
            yield from denied.get("enum", ())
            if "const" in denied:
                yield denied["const"]


def _example(spot: Spot) -> Any:
    """A value its author gave; not where one has turned out wrong, and not for the event as a whole."""
    schemas, rng, path = spot.schemas, spot.rng, spot.place.path
    if not path or spot.tries or path in spot.walk.disturbed:
        return None
    examples = [one for s in schemas for one in (s["examples"] if isinstance(s.get("examples"), list) else ())]
    examples += [schema["example"] for schema in schemas if schema.get("example") is not None]
    if examples and rng.random() < _EXAMPLES:
        return rng.choice(examples)
    defaults = [schema["default"] for schema in schemas if schema.get("default") not in (None, "", [], {})]
    if defaults and not spot.walk.first and rng.random() < _DEFAULTS:
        return rng.choice(defaults)
    return None


# Objects


def _object(spot: Spot) -> dict[str, Any]:
    used: set[int] = set()
    while True:  # a name may bring schemas along that ask for more names
        names, required = members.names_of(spot)
        brought = [part for part in members.brought_along(spot, names) if id(part.schema) not in used]
        if not brought:
            break
        used |= {id(part.schema) for part in brought}
        gather(spot, brought)
    value: dict[str, Any] = {}
    for name in names:
        try:
            value[name] = _member(spot, name)
        except ImpossibleError:
            if name in required:
                raise
    _add_more(spot, value)
    return value


def _member(spot: Spot, name: str) -> Any:
    return _draw(spot.schema, spot.walk, below(spot.walk, spot.place, name, name), members.held_for_member(spot, name))


def _add_more(spot: Spot, value: dict[str, Any]) -> None:
    """Add members whose names the schema leaves open: as many as it wants, a few where it is a map."""
    schemas = spot.schemas
    least = max((int(s.get("minProperties", 0)) for s in schemas), default=0)
    most = min((int(s["maxProperties"]) for s in schemas if "maxProperties" in s), default=_LONGEST + least)
    named = any(s.get("properties") for s in schemas)
    opened = any(s.get("patternProperties") or isinstance(s.get("additionalProperties"), dict) for s in schemas)
    extra = 0 if spot.tight or named or not opened else 2 if spot.walk.first else spot.rng.randint(1, 3)
    wanted = min(most, max(least, len(value) + extra))
    for attempt in range(_TRIES + 3 * least):
        if len(value) >= wanted:
            return
        name = _new_name(spot, attempt)
        if name not in value and members.may_have(spot, name):
            value[name] = _member(spot, name)
    if len(value) < least:
        raise ImpossibleError(spot.place.path, f"no {least} members are allowed, which `minProperties` asks for")


def _new_name(spot: Spot, attempt: int) -> str:
    rules = [
        inside(spot.schema.documents, p, p.schema["propertyNames"]) for p in spot.held if "propertyNames" in p.schema
    ]
    found = [pattern for schema in spot.schemas for pattern in schema.get("patternProperties", ())]
    if found and attempt % 3 < 2:  # noqa: PLR2004  two of three: a pattern is what was asked for
        return next(patterns.examples(spot.rng.choice(found), spot.rng), words.word(spot.rng))
    if rules:
        at = below(spot.walk, spot.place, f"<name {attempt}>", "")
        return str(_draw(spot.schema, spot.walk, at, [*rules, Part({"type": "string"})]))
    return words.word(spot.rng) if attempt < _TRIES / 2 else f"{words.word(spot.rng)}{attempt}"


# Arrays


def _array(spot: Spot) -> list[Any]:
    contained = [part for part in spot.held if part.schema.get("contains", False) is not False]
    least, most = members.lengths(spot)
    fixed = max((len(members.listed(schema)) for schema in spot.schemas), default=0)
    some = max(fixed, 2) if spot.walk.first else fixed or spot.rng.randint(1, 3)
    some = spot.rng.randint(0, max(fixed, 3)) if spot.tries else some
    unique = any(schema.get("uniqueItems") for schema in spot.schemas)
    items: list[Any] = []
    for index in range(max(least, min(most, 0 if spot.tight else some))):
        inner = members.held_for_item(spot, index)
        inner += [
            inside(spot.schema.documents, part, part.schema["contains"])
            for part in contained
            if index < part.schema.get("minContains", 1)
        ]
        try:
            items.append(_item(spot, inner, index, items if unique else ()))
        except ImpossibleError:
            if len(items) < least:
                raise
            break
    return items


def _item(spot: Spot, inner: Sequence[Part], index: int, others: Sequence[Any]) -> Any:
    taken = {_mark(other) for other in others}
    at = below(spot.walk, spot.place, index, words.singular(spot.place.name))
    for attempt in range(_TRIES):
        value = _draw(spot.schema, spot.walk, recast(at, f"{at.key}*{attempt}"), inner)
        if _mark(value) not in taken:
            return value
    raise ImpossibleError(spot.place.path, "there are not enough different items, which `uniqueItems` asks for")
