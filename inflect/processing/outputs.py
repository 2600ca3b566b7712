"""Builds the records of events that are more than a plain value: changed keys and headers, split parts, tombstones.

The engine hands over text; here it is held against the target's JSON Schema and becomes bytes again. What a step did
not assign stays as it was, byte for byte.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from inflect.engine.program import CODECS
from inflect.model.event import Batch, Failure, Headers, Record
from inflect.model.pipeline import Target
from inflect.model.revision import Revision
from inflect.model.schema import PinnedSchema
from inflect.schemas.json_schema import JsonValidator, NotJsonError


class EncodingError(Exception):
    """A step's result that cannot become bytes, or breaks the target's schema."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


Encoder = Callable[[str], str | bytes]


def value_encoder(revision: Revision, *, trace: bool) -> Encoder | None:
    """How an output of the engine becomes a value; None: it is the value already. With `trace` values are not encoded.

    Raises RefusedError when the target's schema cannot be used.
    """
    target, pinned = revision.pipeline.target, revision.target_schema
    if target.format == "json":
        return _json_encoder(target, pinned, trace=trace)
    if target.format in CODECS:  # in a trace the engine shows what it would write
        return None if trace else base64.b64decode
    return {"string": orjson.loads, "bytes": _bytes_value}.get(target.format)


def _json_encoder(target: Target, pinned: PinnedSchema | None, *, trace: bool) -> Encoder | None:
    if pinned is None:
        return None
    validator = JsonValidator(pinned.schema)
    prefix = b"\x00" + pinned.id.to_bytes(4, "big") if target.wire_prefix and pinned.id is not None else b""

    def encode(text: str) -> str | bytes:
        try:
            fault = validator.check(text)
        except NotJsonError as error:
            raise EncodingError(Failure("encode", "exception", str(error))) from error
        if fault is not None:
            raise EncodingError(Failure("outgoing_schema", "schema", str(fault), path=fault.path))
        return prefix + text.encode() if prefix and not trace else text

    return encode


def _bytes_value(text: str) -> bytes:
    return _base64(orjson.loads(text), "the result")


def _base64(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise EncodingError(Failure("encode", "exception", f"{what} is not base64: {error}")) from error


def part_records(
    batch: Batch, index: int, parts: Sequence[Any], topic: str, encode: Encoder | None
) -> tuple[Record, ...]:
    """The records of an event that left as `parts`: [text or null for a tombstone, changes or null] each."""
    return tuple(_part_record(batch, index, text, changes, topic, encode) for text, changes in parts)


def _part_record(  # noqa: PLR0913, PLR0917  one record has this many sources
    batch: Batch, index: int, text: str | None, changes: Any, topic: str, encode: Encoder | None
) -> Record:
    value = text if text is None or encode is None else encode(text)
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
