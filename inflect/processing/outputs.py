"""Builds the records of events that are more than a plain value: changed keys and headers, split parts, tombstones.

The engine hands over text; here it becomes bytes again. What a step did not assign stays as it was, byte for byte.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from inflect.model.event import Batch, Headers, Record
from inflect.model.pipeline import Format


class EncodingError(Exception):
    """A step's result that cannot become bytes."""


def value_decoder(target_format: Format) -> Callable[[str], str | bytes] | None:
    """How an output of the engine becomes a value; None: it is the value already."""
    return {"string": orjson.loads, "bytes": _bytes_value}.get(target_format)


def _bytes_value(text: str) -> bytes:
    return _base64(orjson.loads(text), "the result")


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise EncodingError(f"{what} is not base64: {error}") from error


def part_records(
    batch: Batch, index: int, parts: Sequence[Any], topic: str, decode: Callable[[str], str | bytes] | None
) -> tuple[Record, ...]:
    """The records of an event that left as `parts`: [text or null for a tombstone, changes or null] each."""
    return tuple(_part_record(batch, index, text, changes, topic, decode) for text, changes in parts)


def _part_record(  # noqa: PLR0913, PLR0917  one record has this many sources
    batch: Batch, index: int, text: str | None, changes: Any, topic: str, decode: Callable[[str], str | bytes] | None
) -> Record:
    value = text if text is None or decode is None else decode(text)
    key, headers = batch.keys[index], batch.headers[index]
    if changes is not None:
        new_key, new_headers = changes
        key = key if new_key == 0 else _key(*new_key)
        headers = headers if new_headers == 0 else _merge_headers(headers or (), *new_headers)
    return Record(topic, value, key, headers, batch.timestamps[index])


def _key(text: str | None, binary: int) -> bytes | None:
    if text is None:
        return None
    return _base64(text, "context.keyBinary") if binary else text.encode()


def _merge_headers(before: Headers, text: Sequence[Any], binary: Sequence[Any]) -> Headers:
    """Headers as assigned; a name whose values are the old ones keeps its places, new names come last."""
    new: dict[str, list[bytes | None]] = {}
    for name, values in text:
        new.setdefault(name, []).extend(None if value is None else value.encode() for value in values)
    for name, values in binary:
        new.setdefault(name, []).extend(_base64(value or "", f"context.headersBinary.{name}") for value in values)
    old: dict[str, list[bytes | None]] = {}
    for name, value in before:
        old.setdefault(name, []).append(value)
    merged: list[tuple[str, bytes | None]] = []
    for name, value in before:
        if name in new and sorted(new[name], key=repr) == sorted(old[name], key=repr):
            merged.append((name, value))
        elif name in new:
            merged.extend((name, changed) for changed in new.pop(name))
    kept = set(old)
    merged.extend((name, value) for name, values in new.items() if name not in kept for value in values)
    return tuple(merged)
