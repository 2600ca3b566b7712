"""What `not` leaves over, as a schema of its own: one of the demands of what it denies, broken.

Which one is a throw of the dice. The opposite may leave out values that would do as well, and it may clash with what
else holds; then the dice are thrown again.
"""

from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

from inflect.schemas.sampling.references import REFERENCES, Documents, Part, follow

# What `not` says directly about a value is read where the value is drawn.
_PLAIN = frozenset({"const", "enum", "type"})
_SILENT = frozenset({"type", "title", "description", "$comment"})
_BOUNDS = {
    "minimum": "exclusiveMaximum",
    "maximum": "exclusiveMinimum",
    "exclusiveMinimum": "maximum",
    "exclusiveMaximum": "minimum",
}
_OFTEN = 3
_LENGTHS = {
    "minLength": ("maxLength", -1),
    "maxLength": ("minLength", 1),
    "minItems": ("maxItems", -1),
    "maxItems": ("minItems", 1),
    "minProperties": ("maxProperties", -1),
    "maxProperties": ("minProperties", 1),
}


def says_plainly(schema: Any) -> bool:
    """Whether a denied schema is a list of values or types, and no more."""
    return isinstance(schema, dict) and bool(schema) and set(schema) <= _PLAIN


def opposite(documents: Documents, part: Part, rng: Random) -> Any:
    """Return a schema of values that another does not allow; `{}` where that is left to the dice."""
    schema = part.schema
    if not isinstance(schema, dict):
        return not schema
    ways = [*_members(schema, rng), *_values(schema), *_choices(documents, part, rng)]
    return rng.choice(_OFTEN * ways + [{}]) if schema else False


def _members(schema: Mapping[str, Any], rng: Random) -> Iterator[Any]:
    properties: Mapping[str, Any] = schema.get("properties", {})
    for name, wanted in properties.items():
        yield {"required": [name], "properties": {name: {"not": wanted}}}
    if isinstance(required := schema.get("required"), list) and required:
        yield {"properties": {rng.choice(required): False}}


def _values(schema: Mapping[str, Any]) -> Iterator[Any]:
    for keyword, value in schema.items():
        if keyword in ("const", "enum"):
            yield {"not": {keyword: value}}
        elif keyword in _BOUNDS and not isinstance(value, bool):
            yield {_BOUNDS[keyword]: value}
        elif keyword in _LENGTHS:
            other, step = _LENGTHS[keyword]
            yield {other: value + step}
    if "type" in schema and set(schema) <= _SILENT:
        yield {"not": {"type": schema["type"]}}


def _choices(documents: Documents, part: Part, rng: Random) -> Iterator[Any]:
    schema = part.schema
    for keyword in REFERENCES:
        if isinstance(schema.get(keyword), str):
            target = follow(documents, part, keyword, schema[keyword])
            if target.schema is not schema:
                yield {"not": target.schema}
    if schema.get("allOf"):
        yield {"not": rng.choice(schema["allOf"])}
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            yield {"allOf": [{"not": one} for one in schema[keyword]]}
    if "not" in schema:
        yield schema["not"]
