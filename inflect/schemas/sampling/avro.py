"""A walk over an Avro schema that draws a value in the shapes a JavaScript function gets.

A record is an object; a union is the plain value where its branches are distinct JavaScript types, else an object that
names the branch; bytes and fixed are base64, decimals text, dates and times the integers they are written as.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from inflect.errors import Fault, RefusedError
from inflect.model.schema import Schema
from inflect.schemas.sampling import scalars, words
from inflect.schemas.sampling.walk import Place, Walk, below, is_present, is_tight, named_trail, presence, recast, top

_PRIMITIVES = {
    "null": "null", "boolean": "boolean", "int": "number", "long": "number", "float": "number", "double": "number",
    "string": "string", "bytes": "string",
}  # fmt: skip
_NAMED = {"record": "object", "error": "object", "enum": "string", "fixed": "string"}
_SCRIPT = {**_PRIMITIVES, **_NAMED, "array": "array", "map": "object"}
_INT = {"minimum": -(2**31), "maximum": 2**31 - 1}
_DAY_S = 86_400
_PER_SECOND = {"millis": 1_000, "micros": 1_000_000, "nanos": 1_000_000_000}
_ENDLESS = 99
_BUDGET = 24
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class AvroType:
    """A type as it is written, with the namespace it stands in."""

    text: Any
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class AvroSchema:
    """A schema with every type that has a name, by its full name."""

    root: AvroType
    types: dict[str, AvroType] = field(default_factory=dict)
    heights: dict[tuple[str, int], int] = field(default_factory=dict)


def read_avro(schema: Schema) -> AvroSchema:
    """Read a schema and what it refers to; RefusedError where that is no Avro."""
    types: dict[str, AvroType] = {}
    texts = [*schema.references.values(), schema.text]
    try:
        read = [json.loads(text) for text in texts]
    except (ValueError, RecursionError) as error:
        raise RefusedError("schema", [Fault("", f"is not JSON: {error}")]) from error
    for text in read:
        _collect(AvroType(text), types)
    return AvroSchema(AvroType(read[-1]), types)


def _collect(avro: AvroType, types: dict[str, AvroType]) -> None:
    text, namespace = avro.text, avro.namespace
    if isinstance(text, list):
        for branch in text:
            _collect(AvroType(branch, namespace), types)
    if not isinstance(text, dict):
        return
    if text.get("type") in _NAMED and isinstance(text.get("name"), str):
        name = _full_name(text["name"], text.get("namespace", namespace))
        namespace = name.rpartition(".")[0]
        types[name] = AvroType(text, namespace)
    for inner in (text.get("type"), text.get("items"), text.get("values")):
        _collect(AvroType(inner, namespace), types)
    for member in text.get("fields", ()):
        _collect(AvroType(member.get("type"), namespace), types)


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def draw_avro(schema: AvroSchema, walk: Walk) -> Any:
    """Draw a value for the whole schema; ImpossibleError where every one would be without end."""
    return _draw(schema, walk, top(walk), schema.root)


def _known(schema: AvroSchema, avro: AvroType) -> tuple[str, AvroType]:
    """The name of a type's kind or its own full name, and what it says: `{"type": "string"}` is `"string"`."""
    text = avro.text
    if isinstance(text, dict) and not isinstance(text.get("type"), str):
        return _known(schema, AvroType(text.get("type"), avro.namespace))
    name = text if isinstance(text, str) else text["type"]
    if name in _NAMED:
        return _full_name(text["name"], text.get("namespace", avro.namespace)), avro
    if name in _SCRIPT:
        return name, avro if isinstance(text, dict) else AvroType({"type": name}, avro.namespace)
    for full in (_full_name(name, avro.namespace), name):
        if full in schema.types:
            return full, schema.types[full]
    raise RefusedError("schema", [Fault("", f"refers to {name!r}, which is neither in it nor among its references")])


def _draw(schema: AvroSchema, walk: Walk, place: Place, avro: AvroType) -> Any:
    if isinstance(avro.text, list):
        return _union(schema, walk, place, avro)
    name, avro = _known(schema, avro)
    text, rng = avro.text, place.dice()
    match text["type"]:
        case "record" | "error":
            place = named_trail(place, name)
            namespace = name.rpartition(".")[0]
            return {
                member["name"]: _draw(
                    schema,
                    walk,
                    below(walk, place, member["name"], member["name"]),
                    AvroType(member["type"], namespace),
                )
                for member in text["fields"]
            }
        case "array":
            return _array(schema, walk, place, AvroType(text["items"], avro.namespace))
        case "map":
            count = _how_many(schema, walk, place, AvroType(text["values"], avro.namespace), rng)
            names = sorted({words.word(rng) for _ in range(count)})
            inner = AvroType(text["values"], avro.namespace)
            return {name: _draw(schema, walk, below(walk, place, name, name), inner) for name in names}
        case "enum":
            return rng.choice(text["symbols"])
    return _scalar(place, text, rng)


def _array(schema: AvroSchema, walk: Walk, place: Place, items: AvroType) -> list[Any]:
    name = words.singular(place.name)
    places = [below(walk, place, n, name) for n in range(_how_many(schema, walk, place, items, place.dice()))]
    return [_draw(schema, walk, recast(at, at.key), items) for at in places]


def _how_many(schema: AvroSchema, walk: Walk, place: Place, items: AvroType, rng: Random) -> int:
    names = [] if isinstance(items.text, list) else [_known(schema, items)[0]]
    if is_tight(walk, place, *names):
        return 0
    return 2 if walk.first else rng.randint(0, 3)


def _union(schema: AvroSchema, walk: Walk, place: Place, union: AvroType) -> Any:
    branches = [AvroType(branch, union.namespace) for branch in union.text]
    known = [_known(schema, branch) for branch in branches]
    full = [n for n, (name, _) in enumerate(known) if name != "null"]
    tight = is_tight(walk, place, *(name for name, _ in known))
    if tight:
        chosen = min(range(len(branches)), key=lambda n: _height(schema, branches[n], _BUDGET))
    elif len(full) < len(known) and not is_present(place, "null", presence(walk, place, tight=False)):
        chosen = next(n for n, (name, _) in enumerate(known) if name == "null")
    elif not full:
        return None
    else:
        chosen = full[0] if walk.first else place.dice().choice(full)
    value = _draw(schema, walk, place, branches[chosen])
    kinds = [_SCRIPT[avro.text["type"]] for _, avro in known]
    return value if known[chosen][0] == "null" or len(set(kinds)) == len(kinds) else {known[chosen][0]: value}


def _height(schema: AvroSchema, avro: AvroType, budget: int) -> int:
    """How many levels a value needs at least."""
    if isinstance(avro.text, list):
        return min((_height(schema, AvroType(branch, avro.namespace), budget) for branch in avro.text), default=0)
    name, avro = _known(schema, avro)
    if budget <= 0:
        return _ENDLESS
    if avro.text["type"] not in ("record", "error"):
        return 1 if avro.text["type"] in ("array", "map") else 0
    if (name, budget) not in schema.heights:
        namespace = name.rpartition(".")[0]
        inner = (_height(schema, AvroType(m["type"], namespace), budget - 1) for m in avro.text["fields"])
        schema.heights[name, budget] = 1 + max(inner, default=0)
    return schema.heights[name, budget]


def _scalar(place: Place, text: Mapping[str, Any], rng: Random) -> Any:
    kind, logical = text["type"], text.get("logicalType")
    value: Any = None
    match kind:
        case "int" | "long" | "float" | "double":
            moment = _moment(logical, rng) if isinstance(logical, str) and kind in ("int", "long") else None
            bounds = [_INT if kind == "int" else {}]
            whole = kind in ("int", "long")
            value = scalars.number(place, bounds, rng, integer=whole) if moment is None else moment
        case "bytes" | "fixed":
            value = _decimal(place, text, rng) or words.raw_bytes(rng, int(text.get("size", 12)))
        case "string":
            uuid = words.formatted("uuid", rng, place.cast) if logical == "uuid" else None
            value = uuid or words.text(place.name, rng, place.cast)
        case "boolean":
            value = rng.random() < _HALF
    return value


def _moment(logical: str, rng: Random) -> int | None:
    """A date or time as the integer it is written as; None where the logical type is none of those."""
    seconds = int(words.moment(rng).timestamp())
    name, _, unit = logical.removeprefix("local-").partition("-")
    if logical == "date":
        return seconds // _DAY_S
    if unit not in _PER_SECOND or name not in ("time", "timestamp"):
        return None
    return (seconds if name == "timestamp" else seconds % _DAY_S) * _PER_SECOND[unit]


def _decimal(place: Place, text: Mapping[str, Any], rng: Random) -> str | None:
    """A decimal as text, `12.50`; None where the type is not a valid one."""
    precision, scale = text.get("precision"), text.get("scale", 0)
    if text.get("logicalType") != "decimal" or not isinstance(precision, int) or not isinstance(scale, int):
        return None
    if not 0 <= scale <= precision or precision == 0:
        return None
    first, last, _ = words.span(place.name)
    most = min(10**precision - 1, 2 ** (8 * int(text["size"]) - 1) - 1 if "size" in text else 10**precision)
    unscaled = rng.randint(min(max(first, 0) * 10**scale, most), min(last * 10**scale, most))
    digits = str(unscaled).rjust(scale + 1, "0")
    return f"{digits[: len(digits) - scale]}.{digits[len(digits) - scale :]}" if scale else digits
