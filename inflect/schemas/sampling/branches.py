"""All schemas that hold for one value: references followed, `allOf` taken apart, one way chosen where several lead on.

What comes out has nothing left to choose in place, so that merging is reading a keyword over all of them. The choice
between branches is a throw of the dice: whoever checks the event has it thrown again where it did not fit.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from inflect.schemas.sampling.opposites import opposite, says_plainly
from inflect.schemas.sampling.references import REFERENCES, Documents, Part, follow, inside
from inflect.schemas.sampling.walk import ImpossibleError, Place, Walk, is_tight

_MOST_PARTS = 300
_ENDLESS = 99
_BUDGET = 24
_NULLS = 0.1
_HALF = 0.5


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """A schema ready to be walked as often as events are wanted; `heights` are remembered between them."""

    documents: Documents
    heights: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass(slots=True)
class Spot:
    """The value being drawn: where, with which dice, and everything that holds for it.

    `tight`: only what must be should follow below.
    """

    schema: JsonSchema
    walk: Walk
    place: Place
    rng: Random
    held: list[Part] = field(default_factory=list)
    tight: bool = False

    @property
    def schemas(self) -> list[Mapping[str, Any]]:
        """The schemas that hold, without where they came from."""
        return [part.schema for part in self.held]

    @property
    def tries(self) -> int:
        """How often the value here was found wrong."""
        return self.walk.tries[self.place.path]


def gather(spot: Spot, parts: Sequence[Part]) -> None:
    """Add to a spot what these schemas come to there; ImpossibleError where none can hold."""
    documents = spot.schema.documents
    spot.tight = spot.tight or is_tight(spot.walk, spot.place, *(id(part.schema) for part in parts))
    waiting = list(parts)
    while waiting:
        part = waiting.pop(0)
        schema = part.schema
        if schema is False:
            raise ImpossibleError(spot.place.path, "the schema allows no value here")
        if not isinstance(schema, dict) or not schema:
            continue
        if len(spot.held) > _MOST_PARTS:
            raise ImpossibleError(spot.place.path, "the schema refers to itself without end")
        spot.held.append(part)
        spot.tight = spot.tight or is_tight(spot.walk, spot.place, id(schema))
        waiting += _implied(spot, part)
    if documents.old:  # beside a reference nothing counts
        spot.held = [part for part in spot.held if "$ref" not in part.schema]


def _implied(spot: Spot, part: Part) -> Iterator[Part]:
    schema, documents = part.schema, spot.schema.documents
    for keyword in REFERENCES:
        if isinstance(schema.get(keyword), str):
            yield follow(documents, part, keyword, schema[keyword])
    if documents.old and "$ref" in schema:
        return
    for one in schema.get("allOf", ()):
        yield inside(documents, part, one)
    for keyword in ("anyOf", "oneOf"):
        if branches := schema.get(keyword):
            ways = [inside(documents, part, branch) for branch in branches]
            chosen = _choose(spot, ways)
            yield ways[chosen]
            if keyword == "oneOf" and spot.tries:
                yield from (Part({"not": way.schema}, way.base, way.scope) for n, way in enumerate(ways) if n != chosen)
    if "if" in schema:
        yield from _conditional(spot, part)
    if "not" in schema and not says_plainly(schema["not"]):
        denied = inside(documents, part, schema["not"])
        yield Part(opposite(documents, denied, spot.rng), denied.base, denied.scope)


def _choose(spot: Spot, ways: Sequence[Part]) -> int:
    if spot.tight:
        return min(range(len(ways)), key=lambda n: _height(spot.schema, ways[n], _BUDGET))
    full = [n for n, way in enumerate(ways) if way.schema is not False and not _is_null(way.schema)]
    if spot.walk.first and not spot.tries and full:
        return full[0]
    return spot.rng.choice(full) if full and spot.rng.random() > _NULLS else spot.rng.randrange(len(ways))


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema.get("const", 0) is None)


def _conditional(spot: Spot, part: Part) -> Iterator[Part]:
    schema, documents = part.schema, spot.schema.documents
    condition = inside(documents, part, schema["if"])
    if spot.rng.random() < _HALF:
        yield condition
        yield inside(documents, part, schema.get("then", {}))
    else:
        yield Part({"not": condition.schema}, condition.base, condition.scope)
        yield inside(documents, part, schema.get("else", {}))


def _height(schema: JsonSchema, part: Part, budget: int) -> int:
    """How many levels a value needs at least, so that a tight place chooses the way that ends."""
    text = part.schema
    if not isinstance(text, dict) or "const" in text or "enum" in text:
        return 0
    if budget <= 0:
        return _ENDLESS
    mark, known = (id(text), budget), id(text) in schema.documents.bases
    if known and mark in schema.heights:
        return schema.heights[mark]
    tallest = max(_demands(schema, part, budget - 1), default=0)
    if known:
        schema.heights[mark] = tallest
    return tallest


def _demands(schema: JsonSchema, part: Part, budget: int) -> Iterator[int]:
    text = part.schema

    def of(inner: Any) -> int:
        return _height(schema, inside(schema.documents, part, inner), budget)

    for keyword in REFERENCES:
        if isinstance(text.get(keyword), str):
            yield _height(schema, follow(schema.documents, part, keyword, text[keyword]), budget)
    yield from (of(one) for one in text.get("allOf", ()))
    for keyword in ("anyOf", "oneOf"):
        if text.get(keyword):
            yield min(of(one) for one in text[keyword])
    kinds = {text["type"]} if isinstance(text.get("type"), str) else set(text.get("type", ()))
    if kinds <= {"object", "array"}:
        properties: Mapping[str, Any] = text.get("properties", {})
        required = text.get("required", ())
        names = required if isinstance(required, list) else ()
        yield from (1 + of(properties[name]) for name in names if name in properties)
        if text.get("minItems", 0) and isinstance(text.get("items"), dict):
            yield 1 + of(text["items"])
        yield 1 if kinds else 0
