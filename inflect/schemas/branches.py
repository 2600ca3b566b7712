"""How the alternatives of a JSON Schema multiply, found before any value is checked.

`anyOf` inside `anyOf` is tried in every combination, and a schema of ten lines can mean a billion of them. Counted is
an upper bound of the ways through the schema that one place of a value may take.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_LISTS: Final = ("anyOf", "oneOf", "allOf")
_SINGLE: Final = ("if", "then", "else", "not")
_NAMED: Final = ("dependentSchemas", "dependencies")
_CHILDREN: Final = ("items", "additionalItems", "prefixItems", "contains", "additionalProperties", "propertyNames",
                    "unevaluatedItems", "unevaluatedProperties", "properties", "patternProperties")  # fmt: skip
# Stands for a schema that is not followed: it may be the one it is part of.
_UNKNOWN: Final = ()
# So deep are schemas inside schemas followed, in Python's stack; behind it any number of ways is possible.
_FOLLOWED: Final = 200
_TOO_DEEP_TO_TELL: Final = 1_000
_CHOICES_AT_ONCE: Final = 20
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")


class Branches:
    """`many`: the ways through a schema, each reference from inside itself counted as one."""

    def __init__(self, document: Any, references: Mapping[str, Any]) -> None:
        """Count the ways through `document`."""
        self._references = references
        self._known: dict[int, tuple[int, bool]] = {}
        self._open: set[int] = set()
        self._widest = 1
        self._choices = 0
        self.many, _ = self._count(document, document)

    def ways(self, depth: int) -> int:
        """A bound for a value that is nested `depth` deep: a schema may be inside itself once for each level."""
        return self.many * int(self._widest ** min(depth, 64))

    def effort(self, depth: int, size: int) -> int:
        """A bound of what it takes to tell all faults of a value of so many parts; long lists of choices take more."""
        return self.ways(depth) * size * (1 + self._choices // _CHOICES_AT_ONCE)

    def _count(self, schema: Any, document: Any) -> tuple[int, bool]:
        """The ways through `schema`, and whether it reaches a schema that it is part of."""
        if not isinstance(schema, dict):
            return 1, schema is _UNKNOWN
        if id(schema) in self._open:
            return 1, True
        if len(self._open) == _FOLLOWED:
            self._widest = _TOO_DEEP_TO_TELL
            return 1, True
        if id(schema) not in self._known:
            self._open.add(id(schema))
            choices = schema.get("enum")
            self._choices = max(self._choices, len(choices) if isinstance(choices, list) else 0)
            here = [self._count(*inner) for inner in self._in_place(schema, document)]
            below = [self._count(inner, document) for inner in _children(schema)]
            self._open.discard(id(schema))
            self._widest = max(self._widest, sum(inside for _, inside in here))
            ways = max([1, sum(ways for ways, _ in here), *(ways for ways, _ in below)])
            self._known[id(schema)] = ways, any(inside for _, inside in (*here, *below))
        return self._known[id(schema)]

    def _in_place(self, schema: Mapping[str, Any], document: Any) -> Iterator[tuple[Any, Any]]:
        """What is checked against the same place of the value, each with the document it stands in."""
        for key in _LISTS:
            found = schema.get(key)
            yield from ((inner, document) for inner in found if isinstance(found, list)) if found else ()
        for key in _SINGLE:
            if key in schema:
                yield schema[key], document
        for key in _NAMED:
            found = schema.get(key)
            yield from ((inner, document) for inner in found.values()) if isinstance(found, dict) else ()
        for key in _REFERENCES:
            if isinstance(schema.get(key), str):
                yield self._resolved(schema[key], document)

    def _resolved(self, reference: str, document: Any) -> tuple[Any, Any]:
        """The schema referred to; what is found by another way than a pointer is not followed."""
        name, _, pointer = reference.partition("#")
        if name:
            document = self._references.get(name)
        found = document
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            found = found.get(key) if isinstance(found, dict) else None
        if not isinstance(found, dict | bool) or (pointer and not pointer.startswith("/")):
            return _UNKNOWN, document
        return found, document


def _children(schema: Mapping[str, Any]) -> Iterator[Any]:
    for key in _CHILDREN:
        found = schema.get(key)
        if key in {"properties", "patternProperties"} and isinstance(found, dict):
            yield from found.values()
        elif isinstance(found, list):
            yield from found
        else:
            yield found
