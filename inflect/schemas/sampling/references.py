"""Where a JSON Schema's references lead: `$ref` by URI, pointer and anchor, `$recursiveRef` and `$dynamicRef`.

Built once for a schema with everything it refers to. Nothing is fetched; a reference that leads nowhere here is left to
the validator, which knows the meta-schemas and says what is missing.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# What stands under these is data, not schemas.
_DATA = ("enum", "const", "examples", "example", "default")
_OLD = ("draft-03", "draft-04", "draft-06", "draft-07")


@dataclass(frozen=True, slots=True)
class Part:
    """A schema that holds for a value: `base` is its URI, `scope` the URIs by which it was reached, outermost first."""

    schema: Any
    base: str = ""
    scope: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Documents:
    """A schema and what it refers to. `old`: drafts up to 7, in which nothing beside a `$ref` counts."""

    root: Part
    old: bool
    resources: Mapping[str, Any]
    anchors: Mapping[tuple[str, str], Any]
    dynamic: frozenset[tuple[str, str]]
    bases: Mapping[int, str]


def read_documents(text: str, references: Mapping[str, str]) -> Documents:
    """Index a schema and the texts it refers to by their names."""
    root = json.loads(text)
    dialect = root.get("$schema", "") if isinstance(root, dict) else ""
    old = any(draft in str(dialect) for draft in _OLD)
    start = root.get("$id", root.get("id", "")) if isinstance(root, dict) else ""
    documents = {start if isinstance(start, str) else "": root}
    documents |= {urljoin(str(start), name): json.loads(other) for name, other in references.items()}
    resources: dict[str, Any] = {}
    anchors: dict[tuple[str, str], Any] = {}
    dynamic: set[tuple[str, str]] = set()
    bases: dict[int, str] = {}
    for uri, document in documents.items():
        home = urldefrag(uri).url
        resources.setdefault(home, document)
        for schema, base in _schemas(document, home, old=old):
            bases[id(schema)] = base
            if base != home and (own := _own_id(schema, old=old)) is not None and not own.startswith("#"):
                resources.setdefault(base, schema)
            for keyword in ("$anchor", "$dynamicAnchor"):
                if isinstance(name := schema.get(keyword), str):
                    anchors[base, name] = schema
            if isinstance(name := schema.get("$dynamicAnchor"), str):
                dynamic.add((base, name))
            if (name := _own_id(schema, old=old)) is not None and name.startswith("#"):
                anchors[base, name[1:]] = schema  # what an anchor was before there were anchors
    base = urldefrag(str(start)).url
    return Documents(Part(root, base, (base,)), old, resources, anchors, frozenset(dynamic), bases)


def _own_id(schema: Mapping[str, Any], *, old: bool) -> str | None:
    """What a schema calls itself; in old drafts nothing beside a reference."""
    own = schema.get("$id", schema.get("id"))
    return own if isinstance(own, str) and not (old and "$ref" in schema) else None


def _schemas(value: Any, base: str, *, old: bool) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every object that may be a schema, with its base URI; without recursion, since depth is the author's choice."""
    waiting: list[tuple[Any, str]] = [(value, base)]
    while waiting:
        value, base = waiting.pop()
        if isinstance(value, list):
            waiting += [(one, base) for one in value]
        elif isinstance(value, dict):
            own = _own_id(value, old=old)
            if own is not None and not own.startswith("#"):
                base = urldefrag(urljoin(base, own)).url
            yield value, base
            waiting += [(one, base) for key, one in value.items() if key not in _DATA]


def inside(documents: Documents, part: Part, schema: Any) -> Part:
    """Return a schema that stands inside another's."""
    base = documents.bases.get(id(schema), part.base)
    return Part(schema, base, part.scope if base == part.base else (*part.scope, base))


def follow(documents: Documents, part: Part, keyword: str, reference: str) -> Part:
    """Return what a reference leads to; `{}` where that is not among the documents."""
    found = _find(documents, part, reference)
    name = reference.rpartition("#")[2]
    if keyword == "$dynamicRef" and isinstance(found.schema, dict) and found.schema.get("$dynamicAnchor") == name:
        outer = (base for base in part.scope if (base, name) in documents.dynamic)
        if (base := next(outer, None)) is not None:
            return _at(part, documents.anchors[base, name], base)
    if keyword == "$recursiveRef" and _is_recursive(found.schema):
        outer = (base for base in part.scope if _is_recursive(documents.resources.get(base)))
        if (base := next(outer, None)) is not None:
            return _at(part, documents.resources[base], base)
    return found


def _is_recursive(schema: Any) -> bool:
    return isinstance(schema, dict) and schema.get("$recursiveAnchor") is True


def _find(documents: Documents, part: Part, reference: str) -> Part:
    uri, fragment = urldefrag(reference)
    home = urljoin(part.base, uri) if uri else part.base
    home = home if home in documents.resources else uri
    fragment = unquote(fragment)
    if home not in documents.resources:
        return Part({}, part.base, part.scope)
    if fragment and not fragment.startswith("/"):
        return _at(part, documents.anchors.get((home, fragment), {}), home)
    schema = _walk(documents.resources[home], fragment.split("/")[1:])
    return _at(part, schema, documents.bases.get(id(schema), home))


def _at(part: Part, schema: Any, base: str) -> Part:
    return Part(schema, base, part.scope if part.scope[-1:] == (base,) else (*part.scope, base))


def _walk(value: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        key = key.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901  what the pointer means
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return {}
    return value
