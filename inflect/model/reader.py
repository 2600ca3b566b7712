"""Text of pipeline files to plain documents: YAML (JSON is read as JSON), several documents in one text.

Text comes from strangers: no aliases (they blow up), no tags that build objects, bounded size and depth, and
a key given twice is a fault instead of the silent loss of the first. Words follow YAML 1.2: `no` and `12:30`
are text, only `true` and `false` are booleans, times stay as written. Every value is a JSON value.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from inflect.errors import Fault, RefusedError

MAX_TEXT_BYTES = 4 * 1024 * 1024
MAX_DEPTH = 32

Document = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, used up to its nodes: aliases and bottomless nesting never get that far."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node."""
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # untyped in the stubs
        if self.check_event(yaml.AliasEvent):
            _refuse("an alias (*) cannot be used here; write the value out", mark)
        if self.depth >= MAX_DEPTH:
            _refuse(f"nested deeper than {MAX_DEPTH} levels", mark)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


_TAG = "tag:yaml.org,2002:"
WORDS = tuple(
    (_TAG + name, re.compile(pattern), first)
    for name, pattern, first in (
        ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", [*"tTfF"]),
        ("null", r"^(?:~|null|Null|NULL|)$", [*"~nN", ""]),
        ("int", r"^(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)$", [*"-+0123456789"]),
        ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", [*"-+0123456789."]),
    )
)
"""Plain words that are no text: tag, pattern, possible first characters (YAML 1.2, core schema)."""

_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in WORDS:
    _Loader.add_implicit_resolver(_tag, _pattern, _first)


def _refuse(problem: str, mark: yaml.Mark | None) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _value(node: yaml.Node) -> Any:
    match node.tag.removeprefix(_TAG), node:
        case "map", yaml.MappingNode():
            return _mapping(node)
        case "seq", yaml.SequenceNode():
            return [_value(entry) for entry in node.value]
        case "str", yaml.ScalarNode():
            return node.value
        case "null", yaml.ScalarNode():
            return None
        case "bool", yaml.ScalarNode():
            return node.value.lower() == "true"
        case "int" | "float", yaml.ScalarNode():
            return _number(node)
    _refuse(f"the tag {node.tag} cannot be used here; write plain values, lists and mappings", node.start_mark)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if key_node.tag != f"{_TAG}str":
            _refuse("a key must be text; put it in quotes", key_node.start_mark)
        if key_node.value in mapping:
            _refuse(f"{key_node.value!r} is given twice; keep one of them", key_node.start_mark)
        mapping[key_node.value] = _value(value_node)
    return mapping


def _number(node: yaml.ScalarNode) -> int | float:
    text = node.value
    try:
        if text[:2] in ("0x", "0o"):
            return int(text, 0)
        number = int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:  # an explicit tag before a word, or more digits than Python converts
        number = math.inf
    if isinstance(number, float) and not math.isfinite(number):
        _refuse(f"{text[:40]!r} cannot be used as a number; put it in quotes if it is text", node.start_mark)
    return number


def read_documents(text: str, origin: str) -> list[Document]:
    """Return every document of a YAML or JSON text; `origin` (a path, `stdin`) names it in the RefusedError.

    Empty documents are passed over; a JSON list is a list of documents. A text without documents is refused.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise RefusedError(origin, [Fault("", f"is larger than {MAX_TEXT_BYTES // 1024 // 1024} MB")])
    values = _read_json(text) if text.lstrip()[:1] in ("{", "[") else None
    if values is None:
        values = _read_yaml(text, origin)
    values = [v for value in values for v in (value if isinstance(value, list) else [value]) if v is not None]
    faults = [] if values else [Fault("", "holds no pipeline")]
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            faults.append(Fault(f"document {number}", "is no pipeline; begin with `name:`"))
        faults += [Fault(path, message) for path, message in _unstorable(value, "")]
    if faults:
        raise RefusedError(origin, faults)
    return values


def _read_json(text: str) -> list[Any] | None:
    """Read strict JSON; None where it is none (the YAML reader then says why, with the line)."""
    try:
        return [json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)]
    except (ValueError, RecursionError):
        return None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("a key is given twice")
    return mapping


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _read_yaml(text: str, origin: str) -> list[Any]:
    try:
        return [_value(node) for node in yaml.compose_all(text.removeprefix("\ufeff"), _Loader)]
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(part for part in (error.context, error.problem) if part)
        raise RefusedError(origin, [Fault(_place(mark), words)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise RefusedError(origin, [Fault(f"line {line}", "holds a character that is no text")]) from error


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _unstorable(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield what Postgres' jsonb cannot hold, or what JSON let through deeper than YAML may be."""
    if depth > MAX_DEPTH:
        yield path, f"nested deeper than {MAX_DEPTH} levels"
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from _unstorable(key, path)
            yield from _unstorable(entry, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from _unstorable(entry, f"{path}[{index}]", depth + 1)
    elif isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        yield path, "holds a character that cannot be stored (U+0000 or half of a surrogate pair)"
    elif isinstance(value, float) and not math.isfinite(value):
        yield path, "the number is too large"
