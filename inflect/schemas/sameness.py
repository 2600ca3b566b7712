"""Whether two texts are one schema: registries lay texts out anew when they are upgraded, and that changes nothing."""

import re
from typing import Any

import msgspec

from inflect.model.schema import Schema

_COMMENT_OR_TEXT = re.compile(r"""//[^\n]*|/\*.*?\*/|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')""", re.DOTALL)


def mean_the_same(one: Schema, other: Schema) -> bool:
    """Whether both are the same but for layout."""
    return one.kind == other.kind and _content(one) == _content(other)


def _content(schema: Schema) -> list[Any]:
    plain = _protobuf if schema.kind == "protobuf" else _json
    return [plain(schema.text), {name: plain(text) for name, text in schema.references.items()}]


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text


def _protobuf(text: str) -> list[str]:
    """Return the words without comments."""
    bare = _COMMENT_OR_TEXT.sub(lambda found: found[1] or " ", text)
    return re.findall(r"\w+|[^\w\s]", bare)
