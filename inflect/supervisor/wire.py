"""Messages over a child's pipe without ever waiting for the child.

A `multiprocess` connection blocks in the middle of a message when the other side is stopped half-way; one
stuck child would hang the supervisor and with it all pools. So the supervisor's end is non-blocking and
keeps the unfinished parts itself, in the framing the child's plain connection speaks: a big-endian
`int32` length, or -1 and a `uint64`, then a pickle (`Connection._send_bytes` of the standard library).

What comes in is untrusted: a worker runs code of users. Only the model's own classes are unpickled, and a
length beyond any sensible message is refused before it is believed.
"""

import io
import pickle
import struct
from collections.abc import Iterator
from typing import Any, Final

from inflect.errors import InflectError

LARGEST_BYTES: Final = 64 * 1024 * 1024
"""No report comes near; a revision may carry megabytes of JavaScript."""

_SHORT = struct.Struct("!i")
_LONG = struct.Struct("!Q")
_SHORT_LIMIT = 0x7FFFFFFF


class GarbageError(InflectError):
    """A child spoke something that is no message."""


def encode(message: object) -> bytes:
    """Return the message as the child's `connection.recv()` reads it."""
    payload = pickle.dumps(message, protocol=5)
    if len(payload) <= _SHORT_LIMIT:
        return _SHORT.pack(len(payload)) + payload
    return _SHORT.pack(-1) + _LONG.pack(len(payload)) + payload


class Inbox:
    """Bytes as they arrive, messages as they are whole."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """Take what was read and yield the messages it completes; raises `GarbageError`."""
        self._bytes += data
        while (bounds := self._next_message()) is not None:
            start, end = bounds
            payload = bytes(self._bytes[start:end])
            del self._bytes[:end]
            yield _decode(payload)

    def _next_message(self) -> tuple[int, int] | None:
        """Return where the first message's payload lies, None while it is not whole."""
        if len(self._bytes) < _SHORT.size:
            return None
        start, (length,) = _SHORT.size, _SHORT.unpack_from(self._bytes)
        if length == -1:
            if len(self._bytes) < start + _LONG.size:
                return None
            (length,) = _LONG.unpack_from(self._bytes, start)
            start += _LONG.size
        if not 0 <= length <= LARGEST_BYTES:
            raise GarbageError(f"a message of {length} bytes was announced, more than {LARGEST_BYTES}")
        end: int = start + length
        return (start, end) if len(self._bytes) >= end else None


class _ModelUnpickler(pickle.Unpickler):
    """The documented way to bound what a pickle may reach: plain values and classes of `inflect.model`."""

    def find_class(self, module_name: str, global_name: str) -> Any:
        if module_name.startswith("inflect.model.") and "." not in global_name:
            found = super().find_class(module_name, global_name)
            if isinstance(found, type) and found.__module__ == module_name:  # not what the module imports
                return found
        raise GarbageError(f"a message names {module_name}.{global_name}, which is no class of the model")


def _decode(payload: bytes) -> Any:
    try:
        return _ModelUnpickler(io.BytesIO(payload)).load()
    except GarbageError:
        raise
    except Exception as error:  # a broken pickle raises anything
        raise GarbageError(f"a message could not be read: {type(error).__name__}") from error
