"""Makes values for Avro schemas twice over: as fastavro takes them and in the shapes that steps see."""

import base64
import struct
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

LONGS = [0, 1, -1, 63, 64, -64, -65, 2**31, -(2**31), 2**53 - 1, 2**53, -(2**53) - 1, 2**63 - 1, -(2**63)]
SCRIPT_TYPES = {
    "null": "null", "boolean": "boolean", "int": "number", "long": "number", "float": "number", "double": "number",
    "string": "string", "bytes": "string", "fixed": "string", "enum": "string", "array": "array", "map": "object",
    "record": "object",
}  # fmt: skip
LETTERS = "abcXYZ 019_ßéλ中🎈\x00\x1f\u2028"
DEEPEST = 4


def kind_of(schema: Any, named: Mapping[str, Any]) -> str:
    """The name of a schema's type, of what a name stands for too."""
    if isinstance(schema, str):
        return kind_of(named[schema], named) if schema in named else schema
    return str(schema["type"])


def branch_name(schema: Any, named: Mapping[str, Any]) -> str:
    """How a value of a union says of which branch it is."""
    whole = named.get(schema, schema) if isinstance(schema, str) else schema
    return str(whole["name"]) if isinstance(whole, dict) and "name" in whole else kind_of(schema, named)


def text(random: Random) -> str:
    """Some text, a long one at times."""
    length = random.choice([0, 1, 5, 8, 17, 60, 900])
    return "".join(random.choice(LETTERS if random.random() < 0.5 else "abc def") for _ in range(length))


def pair(schema: Any, random: Random, named: dict[str, Any], depth: int = 0) -> tuple[Any, Any]:
    """A value as fastavro takes it and as a step sees it. `named` collects the named types on the way."""
    if isinstance(schema, list):
        return _union(schema, random, named, depth)
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"]] = schema
    whole = named.get(schema, schema) if isinstance(schema, str) else schema
    if isinstance(whole, dict) and whole.get("logicalType") == "decimal":
        return _decimal(whole, random)
    kind = kind_of(whole, named)
    made = _scalar(kind, whole, random)
    return made if made is not None else _container(kind, whole, random, named, depth)


def _union(schema: list[Any], random: Random, named: dict[str, Any], depth: int) -> tuple[Any, Any]:
    branches = [b for b in schema if b == "null"] if depth > DEEPEST and "null" in schema else schema
    for branch in schema:
        if isinstance(branch, dict) and "name" in branch:
            named[branch["name"]] = branch
    branch = random.choice(branches)
    given, shape = pair(branch, random, named, depth + 1)
    types = [SCRIPT_TYPES[kind_of(b, named)] for b in schema]
    if branch == "null":
        return None, None
    name = branch_name(branch, named)
    return (name, given), shape if len(set(types)) == len(types) else {name: shape}


def _decimal(schema: Mapping[str, Any], random: Random) -> tuple[Any, Any]:
    scale = schema.get("scale", 0)
    unscaled = random.randint(-(10 ** schema["precision"]) + 1, 10 ** schema["precision"] - 1)
    value = Decimal(f"{unscaled}E-{scale}")
    return value, f"{value:f}"


def _scalar(kind: str, schema: Any, random: Random) -> tuple[Any, Any] | None:
    if kind == "null":
        return None, None
    if kind == "boolean":
        value: Any = random.random() < 0.5
    elif kind == "int":
        value = random.choice([0, -1, 2**31 - 1, -(2**31), random.randint(-1000, 1000)])
    elif kind == "long":
        value = random.choice([*LONGS, random.randint(-(2**63), 2**63 - 1)])
    elif kind == "float":
        value = struct.unpack("<f", struct.pack("<f", random.choice([0.0, 1.5, -2.25e10, random.random()])))[0]
    elif kind == "double":
        value = random.choice([0.0, 0.1, -1e300, 5e-324, random.random()])
    elif kind == "string":
        value = text(random)
    elif kind == "enum":
        value = random.choice(schema["symbols"])
    elif kind in {"bytes", "fixed"}:
        data = random.randbytes(schema["size"] if kind == "fixed" else random.choice([0, 1, 7, 300]))
        return data, base64.b64encode(data).decode()
    else:
        return None
    return value, value


def _container(kind: str, schema: Any, random: Random, named: dict[str, Any], depth: int) -> tuple[Any, Any]:
    count = 0 if depth > DEEPEST else random.choice([0, 1, 2, 5])
    if kind == "array":
        items = [pair(schema["items"], random, named, depth + 1) for _ in range(count)]
        return [given for given, _ in items], [shape for _, shape in items]
    if kind == "map":
        # a key that looks like a number would be sorted to the front of its object
        entries = {
            random.choice([f"k{text(random)}", "__proto__", ""]): pair(schema["values"], random, named, depth + 1)
            for _ in range(count)
        }
        return {k: given for k, (given, _) in entries.items()}, {k: shape for k, (_, shape) in entries.items()}
    fields = {field["name"]: pair(field["type"], random, named, depth + 1) for field in schema["fields"]}
    return {k: given for k, (given, _) in fields.items()}, {k: shape for k, (_, shape) in fields.items()}
