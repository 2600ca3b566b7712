"""A walk over a Protobuf schema that draws a message in the shapes a JavaScript function gets.

Fields bear the names of the .proto file; enums are names, bytes base64, maps objects; the well-known types are what
ProtoJSON makes of them. proto-schema-parser reads the text: protoc comes to Python only with the whole of gRPC.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from proto_schema_parser import ast
from proto_schema_parser.parser import Parser

from inflect.errors import Fault, RefusedError
from inflect.model.schema import PinnedSchema
from inflect.schemas.sampling import scalars, words
from inflect.schemas.sampling.walk import Place, Walk, below, is_present, is_tight, named_trail, presence, recast, top

_INTEGERS: dict[str, Mapping[str, int]] = {
    **{kind: {"minimum": -(2**31), "maximum": 2**31 - 1} for kind in ("int32", "sint32", "sfixed32")},
    **{kind: {"minimum": -(2**63), "maximum": 2**63 - 1} for kind in ("int64", "sint64", "sfixed64")},
    **{kind: {"minimum": 0, "maximum": 2**32 - 1} for kind in ("uint32", "fixed32")},
    **{kind: {"minimum": 0, "maximum": 2**64 - 1} for kind in ("uint64", "fixed64")},
}
_SCALARS = {*_INTEGERS, "double", "float", "bool", "string", "bytes"}
_WRAPPED = {
    "DoubleValue": "double", "FloatValue": "float", "Int64Value": "int64", "UInt64Value": "uint64",
    "Int32Value": "int32", "UInt32Value": "uint32", "BoolValue": "bool", "StringValue": "string", "BytesValue": "bytes",
}  # fmt: skip
_KNOWN = "google.protobuf."
_HALF = 0.5

Fields = ast.Message | ast.Group


@dataclass(frozen=True, slots=True)
class ProtoSchema:
    """Every message and enum of a schema and its imports by full name, and the message that events are."""

    root: str
    messages: dict[str, Fields] = field(default_factory=dict)
    enums: dict[str, list[str]] = field(default_factory=dict)


def read_proto(pinned: PinnedSchema) -> ProtoSchema:
    """Read a schema with its imports; RefusedError where that is no Protobuf, or the message is not in it."""
    schema = ProtoSchema(pinned.message or "")
    for name, text in pinned.schema.references.items():
        _read(schema, text, name)
    before = len(schema.messages)
    _read(schema, pinned.schema.text, "the schema")
    own = list(schema.messages)[before:]
    wanted = (pinned.message or "").removeprefix(".")
    root = next((name for name in own if wanted in ("", name, name.rpartition(".")[2])), wanted)
    if root not in schema.messages:
        there = f"; its messages are {', '.join(own)}" if own else ""
        raise RefusedError("schema", [Fault("message", f"{root or 'a message'} is not in the schema{there}")])
    return ProtoSchema(root, schema.messages, schema.enums)


def _read(schema: ProtoSchema, text: str, name: str) -> None:
    readers: list[Any] = []

    def quietly(reader: Any) -> None:
        reader.removeErrorListeners()  # which print to stderr
        readers.append(reader)

    file = Parser(setup_lexer=lambda lexer: lexer.removeErrorListeners(), setup_parser=quietly).parse(text)
    if any(reader.getNumberOfSyntaxErrors() for reader in readers):
        raise RefusedError("schema", [Fault("", f"{name} is not Protobuf")])
    package = next((one.name for one in file.file_elements if isinstance(one, ast.Package)), "")
    _collect_all(schema, file.file_elements, package)


def _collect(schema: ProtoSchema, element: Any, scope: str) -> None:
    if isinstance(element, ast.Enum):
        values = [value.name for value in element.elements if isinstance(value, ast.EnumValue)]
        schema.enums[_join(scope, element.name)] = values
    elif isinstance(element, ast.OneOf):  # a group may stand in one
        _collect_all(schema, element.elements, scope)
    elif isinstance(element, ast.Message | ast.Group):
        name = _join(scope, element.name)
        schema.messages[name] = element
        _collect_all(schema, element.elements, name)


def _collect_all(schema: ProtoSchema, elements: Iterable[Any], scope: str) -> None:
    for element in elements:
        _collect(schema, element, scope)


def _join(scope: str, name: str) -> str:
    return f"{scope}.{name}" if scope else name


def draw_message(schema: ProtoSchema, walk: Walk) -> Any:
    """Draw a message; ImpossibleError where every one would be without end."""
    return _message(schema, walk, top(walk), schema.root)


def _message(schema: ProtoSchema, walk: Walk, place: Place, name: str) -> dict[str, Any]:
    tight = is_tight(walk, place, name)
    place = named_trail(place, name)
    chance = presence(walk, place, tight=tight)
    value: dict[str, Any] = {}
    for element in schema.messages[name].elements:
        if isinstance(element, ast.OneOf):
            member = _chosen(walk, place, element) if is_present(place, element.name, chance) else None
            value |= _field(schema, walk, place, name, member) if member else {}
        elif isinstance(element, ast.Field | ast.MapField | ast.Group):
            if not _always(schema, name, element) and not is_present(place, element.name, chance):
                continue
            value |= _field(schema, walk, place, name, element)
    return value


Member = ast.Field | ast.MapField | ast.Group


def _always(schema: ProtoSchema, scope: str, member: Member) -> bool:
    """Whether a field is always set: one that must be, and one without presence, which readers always meet."""
    if isinstance(member, ast.MapField) or member.cardinality is ast.FieldCardinality.REQUIRED:
        return not isinstance(member, ast.MapField)
    if isinstance(member, ast.Group) or member.cardinality is not None:
        return False
    return member.type in _SCALARS or any(name in schema.enums for name in _candidates(scope, member.type))


def _chosen(walk: Walk, place: Place, group: ast.OneOf) -> Member | None:
    members = [one for one in group.elements if isinstance(one, ast.Field | ast.Group)]
    if not members:
        return None
    return members[0] if walk.first else Random(f"{place.key}|{group.name}").choice(members)  # noqa: S311  repeatable on purpose


def _field(schema: ProtoSchema, walk: Walk, place: Place, scope: str, member: Member) -> Mapping[str, Any]:
    name = member.name.lower() if isinstance(member, ast.Group) else member.name
    at = below(walk, place, name, name)
    if isinstance(member, ast.MapField):
        return {name: dict(_entries(schema, walk, at, scope, member))}
    kind = member.name if isinstance(member, ast.Group) else member.type
    if member.cardinality is not ast.FieldCardinality.REPEATED:
        return {name: _value(schema, walk, at, scope, kind)}
    count = 2 if walk.first else at.dice().randint(0, 3)
    items = (below(walk, at, n, words.singular(name)) for n in range(count))
    return {name: [_value(schema, walk, recast(item, item.key), scope, kind) for item in items]}


def _entries(
    schema: ProtoSchema, walk: Walk, place: Place, scope: str, member: ast.MapField
) -> Iterator[tuple[str, Any]]:
    rng = place.dice()
    for n in range(2 if walk.first else rng.randint(0, 3)):
        key = words.word(rng)
        if member.key_type in _INTEGERS:
            key = str(rng.randint(1, 999))
        elif member.key_type == "bool":
            key = str(n == 0).lower()
        yield key, _value(schema, walk, below(walk, place, key, place.name), scope, member.value_type)


def _value(schema: ProtoSchema, walk: Walk, place: Place, scope: str, kind: str) -> Any:
    if kind in _SCALARS:
        return _scalar(place, kind, place.dice())
    full = next((name for name in _candidates(scope, kind) if name in schema.messages or name in schema.enums), None)
    known = kind.removeprefix(".")
    if full is None or full.startswith(_KNOWN):
        known = full or (known if known.startswith(_KNOWN) else _KNOWN + known)
        if known == f"{_KNOWN}Any":
            return _any(schema, walk, place)
        return _well_known(place, scope, known.removeprefix(_KNOWN), place.dice())
    if full in schema.messages:
        return _message(schema, walk, place, full)
    values = schema.enums[full]
    real = [name for name in values if not name.endswith(("UNSPECIFIED", "UNKNOWN"))]
    return place.dice().choice(real or values)


def _candidates(scope: str, kind: str) -> Iterator[str]:
    """The full names that a name may stand for, innermost first."""
    if kind.startswith("."):
        yield kind[1:]
        return
    while scope:
        yield f"{scope}.{kind}"
        scope = scope.rpartition(".")[0]
    yield kind


def _scalar(place: Place, kind: str, rng: Random) -> Any:
    if kind == "string":
        return words.text(place.name, rng, place.cast)
    if kind == "bytes":
        return words.raw_bytes(rng, 12)
    if kind == "bool":
        return rng.random() < _HALF
    return scalars.number(place, [_INTEGERS.get(kind, {})], rng, integer=kind in _INTEGERS)


def _any(schema: ProtoSchema, walk: Walk, place: Place) -> dict[str, Any]:
    """A message of the schema in a wrapping; bytes of a type unknown where all of them lie above."""
    name = next((name for name in schema.messages if name not in place.trail), None)
    if name is None:
        return {"@type": "type.googleapis.com/example.Unknown", "value": words.raw_bytes(place.dice(), 12)}
    return {"@type": f"type.googleapis.com/{name}"} | _message(schema, walk, place, name)


def _well_known(place: Place, scope: str, kind: str, rng: Random) -> Any:
    """A well-known type as ProtoJSON writes it; RefusedError for a type that nothing declares."""
    if kind in _WRAPPED:
        return _scalar(place, _WRAPPED[kind], rng)
    values: dict[str, Any] = {
        "Timestamp": words.formatted("date-time", rng, place.cast),
        "Duration": f"{rng.randint(1, 3600)}.{rng.randint(1, 9)}00s",
        "Empty": {},
        "Struct": {words.word(rng): words.phrase(rng), "count": rng.randint(1, 99)},
        "Value": words.phrase(rng),
        "ListValue": [words.phrase(rng), rng.randint(1, 99)],
        "FieldMask": "name,email",
        "NullValue": None,
    }
    if kind not in values:
        message = f"{scope} refers to {kind!r}, which is neither in the schema nor among its imports"
        raise RefusedError("schema", [Fault("", message)])
    return values[kind]
