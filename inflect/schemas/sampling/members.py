"""Which members and items a value may have, and what holds for each: read off the schemas, nothing is drawn here.

An object's names and a list's length are chosen so that what counts them is satisfied.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from inflect.schemas.sampling import patterns
from inflect.schemas.sampling.branches import Spot
from inflect.schemas.sampling.references import Part, inside
from inflect.schemas.sampling.walk import ImpossibleError, is_present, presence

_LONGEST = 200
_CHAIN = 20

Schemas = Sequence[Mapping[str, Any]]


def names_of(spot: Spot) -> tuple[list[str], set[str]]:
    """Return an object's names, in the order the schema gives them, and those among them that must be there."""
    schemas = spot.schemas
    chance = presence(spot.walk, spot.place, tight=spot.tight)
    required = {name for s in schemas for name in (s["required"] if isinstance(s.get("required"), list) else ())}
    declared = list(dict.fromkeys(name for s in schemas for name in s.get("properties", ())))
    chosen = {name for name in declared if name not in required and is_present(spot.place, name, chance)}
    chosen = {name for name in chosen if may_have(spot, name)}
    _follow_dependencies(schemas, required, chosen)
    order = [*declared, *sorted(required - set(declared)), *sorted(chosen - set(declared))]
    names = [name for name in dict.fromkeys(order) if name in required or name in chosen]
    return _as_many(spot, names, required, declared), required


def _as_many(spot: Spot, names: list[str], required: set[str], declared: list[str]) -> list[str]:
    """Leave names out, or take more in, where their number is bounded."""
    schemas = spot.schemas
    most = min((int(s["maxProperties"]) for s in schemas if "maxProperties" in s), default=len(names))
    least = max((int(s.get("minProperties", 0)) for s in schemas), default=0)
    spare = [name for name in names if name not in required][: max(0, most - len(required))]
    names = [name for name in names if name in required or name in spare]
    more = [name for name in declared if name not in names and may_have(spot, name)] if len(names) < least else []
    return names + more[: max(0, least - len(names))]


def _follow_dependencies(schemas: Schemas, required: set[str], chosen: set[str]) -> None:
    """Add what the names that are there ask for: also required where a required name asks for it."""
    dependencies = [s.get(keyword, {}) for s in schemas for keyword in ("dependencies", "dependentRequired")]
    for _ in range(len(schemas) + _CHAIN):
        before = len(required) + len(chosen)
        for names in (required, chosen):
            asked = (d[name] for d in dependencies for name in d if name in names and isinstance(d[name], list))
            names.update([name for more in asked for name in more])
        if len(required) + len(chosen) == before:
            return


def brought_along(spot: Spot, names: Sequence[str]) -> Iterator[Part]:
    """Yield the schemas that hold because some member is there."""
    for part in spot.held:
        for keyword in ("dependencies", "dependentSchemas"):
            for name, more in part.schema.get(keyword, {}).items():
                if name in names and not isinstance(more, list):
                    yield inside(spot.schema.documents, part, more)


def held_for_member(spot: Spot, name: str) -> list[Part]:
    """Return every schema that holds for a member of this name."""
    found: list[Part] = []
    evaluated = False
    for part in spot.held:
        own: list[Any] = []
        properties: Mapping[str, Any] = part.schema.get("properties", {})
        if name in properties:
            own.append(properties[name])
        for pattern, inner in part.schema.get("patternProperties", {}).items():
            matches = patterns.matcher(pattern)
            if matches is not None and matches(name):
                own.append(inner)
        if not own and "additionalProperties" in part.schema:
            own.append(part.schema["additionalProperties"])
        evaluated = evaluated or bool(own)
        found += [inside(spot.schema.documents, part, inner) for inner in own]
    if not evaluated:
        found += [
            inside(spot.schema.documents, part, part.schema["unevaluatedProperties"])
            for part in spot.held
            if "unevaluatedProperties" in part.schema
        ]
    return found


def may_have(spot: Spot, name: str) -> bool:
    """Return whether a member of this name can be there at all."""
    rules = [part.schema["propertyNames"] for part in spot.held if "propertyNames" in part.schema]
    return all(_allows(rule, name) for rule in rules) and all(
        part.schema is not False for part in held_for_member(spot, name)
    )


def _allows(rule: Any, name: str) -> bool:
    """Whether a rule for names allows one, as far as that is plain to see."""
    if not isinstance(rule, dict):
        return rule is not False
    matches = patterns.matcher(rule["pattern"]) if "pattern" in rule else None
    return (
        name in rule.get("enum", [name])
        and rule.get("const", name) == name
        and rule.get("minLength", 0) <= len(name) <= rule.get("maxLength", len(name))
        and (matches is None or matches(name))
    )


def listed(schema: Mapping[str, Any]) -> Sequence[Any]:
    """Return the schemas of items that are listed one by one."""
    fixed = schema.get("prefixItems", schema.get("items", ()))
    return fixed if isinstance(fixed, list) else ()


def lengths(spot: Spot) -> tuple[int, int]:
    """Return how many items a list must and may have."""
    schemas = spot.schemas
    least = max((int(s.get("minItems", 0)) for s in schemas), default=0)
    least = max([least, *(int(s.get("minContains", 1)) for s in schemas if "contains" in s)])
    most = min((int(s["maxItems"]) for s in schemas if "maxItems" in s), default=_LONGEST + least)
    most = min([most, *(len(listed(s)) for s in schemas if listed(s) and _rest(s) is False)])
    if least > most:
        raise ImpossibleError(spot.place.path, f"a list cannot have at least {least} and at most {most} items")
    return least, most


def _rest(schema: Mapping[str, Any]) -> Any:
    """The schema of items beyond those that are listed one by one."""
    if "prefixItems" in schema:
        return schema.get("items", True)
    return schema.get("additionalItems", True) if isinstance(schema.get("items"), list) else schema.get("items", True)


def held_for_item(spot: Spot, index: int) -> list[Part]:
    """Return every schema that holds for the item at a position."""
    documents = spot.schema.documents
    found: list[Part] = []
    evaluated = False
    for part in spot.held:
        fixed = listed(part.schema)
        inner = fixed[index] if index < len(fixed) else _rest(part.schema)
        evaluated = evaluated or index < len(fixed) or "items" in part.schema
        found.append(inside(documents, part, inner))
    if not evaluated:
        last = [part for part in spot.held if "unevaluatedItems" in part.schema and "contains" not in part.schema]
        found += [inside(documents, part, part.schema["unevaluatedItems"]) for part in last]
    return found
