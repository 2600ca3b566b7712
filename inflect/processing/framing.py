"""Source records as lines of JSON for the engine, and what can be said of an event before any JavaScript runs.

Lines are joined by U+001E on the way to V8. It cannot occur in JSON, nor can bytes that are not UTF-8: events that hold
either fail here, so that no event's bytes can shift another's. Tombstones never reach a step.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from inflect.model.event import Batch, Failure, Headers
from inflect.model.pipeline import Format

TOMBSTONE: Final = "tombstone"

# The first byte of a wire prefix, and what is smaller than every value without one.
_PREFIX: Final = b"\x00"
_NO_PREFIX: Final = b"\x01"


@dataclass(slots=True)
class Frame:
    """`lines` for the engine; `settled` holds, by index, the events that do not go there (their line is empty).

    `prefixed`: some line of JSON begins with a wire prefix.
    """

    lines: Sequence[bytes]
    settled: dict[int, Failure | str] = field(default_factory=dict)
    prefixed: bool = False
    _own: list[bytes] | None = None

    def settle(self, index: int, failure: Failure) -> None:
        """Event `index` has failed and does not go to the engine."""
        self.replace(index, b"")
        self.settled[index] = failure

    def replace(self, index: int, line: bytes) -> None:
        """Event `index` goes to the engine as another line."""
        if self._own is None:  # the lines may be the values of the batch, which a dead letter still needs
            self.lines = self._own = list(self.lines)
        self._own[index] = line


def frame(batch: Batch, source_format: Format) -> Frame:
    """The batch as lines; events that have failed already get none."""
    framed = _lines(batch, source_format)
    if not batch.failures:
        return framed
    lines = [b"" if index in batch.failures else line for index, line in enumerate(framed.lines)]
    return Frame(lines, {**framed.settled, **batch.failures}, framed.prefixed)


def _lines(batch: Batch, source_format: Format) -> Frame:
    """Costs one look at each value as long as none is null or empty."""
    if source_format == "json" and all(batch.values):
        values: Sequence[bytes] = batch.values  # type: ignore[assignment]  # all() has just seen that none is None
        return Frame(values, prefixed=len(values) > 0 and min(values) < _NO_PREFIX)
    encode = _LINES[source_format]
    framed = Frame([])
    framed.lines = [_line(framed, index, value, encode) for index, value in enumerate(batch.values)]
    framed.prefixed = source_format == "json" and any(line.startswith(_PREFIX) for line in framed.lines)
    return framed


def single_out(framed: Frame) -> Frame:
    """The same frame without the events that hold U+001E or are not UTF-8: they fail to decode."""
    lines = list(framed.lines)
    settled = dict(framed.settled)
    for index, line in enumerate(lines):
        fault = _fault(line)
        if fault:
            lines[index] = b""
            settled[index] = decode_failure(fault)
    return Frame(lines, settled, framed.prefixed)


def decode_failure(message: str) -> Failure:
    """The value could not be read."""
    return Failure("decode", "exception", message)


def columns(batch: Batch, first: int, end: int) -> str:
    """What `context` reads of events `first` to `end`, as JSON. Keys and headers that are not UTF-8 go as base64."""
    document: dict[str, Any] = {
        "topic": batch.topic,
        "partitions": list(batch.partitions[first:end]),
        "offsets": list(batch.offsets[first:end]),
        "timestamps": list(batch.timestamps[first:end]),
        "keys": (keys := [_text(key) for key in batch.keys[first:end]]),
    }
    binary = {
        str(index): base64.b64encode(key).decode()
        for index, key in enumerate(batch.keys[first:end])
        if key is not None and keys[index] is None
    }
    if binary:
        document["binaryKeys"] = binary
    if any(batch.headers[first:end]):
        document["headers"] = [_headers(headers) for headers in batch.headers[first:end]]
    return orjson.dumps(document).decode()


def _line(framed: Frame, index: int, value: bytes | None, encode: Callable[[bytes], bytes]) -> bytes:
    if value is None:
        framed.settled[index] = TOMBSTONE
        return b""
    try:
        return encode(value)
    except ValueError as error:
        framed.settled[index] = decode_failure(str(error))
        return b""


def _json_line(value: bytes) -> bytes:
    if not value:
        raise ValueError("the value is empty, which is not JSON")
    return value


def _string_line(value: bytes) -> bytes:
    try:
        return orjson.dumps(value.decode())
    except UnicodeDecodeError as error:
        raise ValueError(_not_utf8(error)) from error


def _bytes_line(value: bytes) -> bytes:
    return b'"' + base64.b64encode(value) + b'"'


def _binary_line(value: bytes) -> bytes:
    """Blanks are none of base64: an empty value is a value too."""
    return binascii.b2a_base64(value, newline=False) or b" "


_LINES: dict[Format, Callable[[bytes], bytes]] = {
    "json": _json_line,
    "avro": _binary_line,
    "protobuf": _binary_line,
    "string": _string_line,
    "bytes": _bytes_line,
}


def _fault(line: bytes) -> str | None:
    if b"\x1e" in line:
        return "the value holds the control character U+001E, which JSON does not allow"
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return _not_utf8(error)
    return None


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"the value is not UTF-8: {error.reason} at byte {error.start}"


def _text(data: bytes | None) -> str | None:
    try:
        return None if data is None else data.decode()
    except UnicodeDecodeError:
        return None


def _headers(headers: Headers | None) -> list[tuple[str, str | None, bool]]:
    return [_header(name, value) for name, value in headers or ()]


def _header(name: str, value: bytes | None) -> tuple[str, str | None, bool]:
    text = _text(value)
    if text is None and value is not None:
        return name, base64.b64encode(value).decode(), True
    return name, text, False
