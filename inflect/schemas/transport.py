"""One bounded HTTP GET: never longer than its deadline, never larger than its cap, never to another address.

The usual clients bound each read, not the whole: a server that sends one byte a second holds them for ever, and a small
compressed answer may unfold to gigabytes. Here the streams below the HTTP client know the moment by which everything
must be over, and an answer is unpacked only up to the cap. (The look-up of a host's name has the resolver's own bound.)
"""

import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpcore

from inflect.errors import UnreachableError

_WAIT_S = 3.0
_KEPT_S = 2.0
_GZIP = zlib.MAX_WBITS | 16


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: status, headers by lower-case name, and the unpacked body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """GETs from the server at `url`; a context manager that holds its connections. Not to be shared between threads."""

    def __init__(self, url: str, headers: Mapping[str, str], *, ca: str, max_bytes: int) -> None:
        """`headers` go with each request; `ca` is a file of authorities to trust instead of the system's."""
        self._url = url
        self._headers = [(b"accept-encoding", b"gzip")]
        self._headers += [(name.encode(), value.encode()) for name, value in headers.items()]
        self._ca = ca
        self._max_bytes = max_bytes
        self._backend = _BoundedBackend()
        self._pool: httpcore.ConnectionPool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def get(self, path: str, ends_at: float) -> Answer:
        """GET `path` below the root; `ends_at` is a moment of the monotonic clock.

        Raises UnreachableError, which says why: refused, too slow, too large, no HTTP, a certificate.
        """
        self._backend.ends_at = ends_at
        try:
            try:
                return self._ask(path)
            except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                return self._ask(path)  # a kept connection that the server closed just now: a new one tells
        except httpcore.TimeoutException as error:
            raise self._away("does not answer in time") from error
        except httpcore.LocalProtocolError as error:  # its text would show the credentials
            raise self._away("cannot be asked: the credentials hold characters that HTTP cannot carry") from error
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
            raise self._away(_reason(error)) from error

    def _ask(self, path: str) -> Answer:
        pool = self._pool = self._pool or self._connections()
        waits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), _WAIT_S)}
        with pool.stream("GET", self._url + path, headers=self._headers, extensions=waits) as response:
            headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
            return Answer(response.status, headers, self._read(response, headers))

    def _connections(self) -> httpcore.ConnectionPool:
        trust = _trust(self._url, self._ca) if self._url.startswith("https:") else None
        return httpcore.ConnectionPool(
            ssl_context=trust, network_backend=self._backend, max_connections=1, keepalive_expiry=_KEPT_S
        )

    def _read(self, response: httpcore.Response, headers: Mapping[str, str]) -> bytes:
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip"}:
            raise self._away(f"answers in the encoding {encoding[:40]!r}, which was not asked for")
        body = bytearray()
        unpack = zlib.decompressobj(_GZIP) if encoding != "identity" else None
        for chunk in response.iter_stream():
            try:
                # One byte more than allowed is enough to know.
                body += unpack.decompress(chunk, self._max_bytes + 1 - len(body)) if unpack else chunk
            except zlib.error as error:
                raise self._away(f"sends broken gzip: {error}") from error
            if len(body) > self._max_bytes:
                raise self._away(f"sends more than {self._max_bytes / 1e6:.0f} MB")
        return bytes(body)

    def _away(self, why: str) -> UnreachableError:
        return UnreachableError(f"the schema registry at {self._url} {why}")


def _trust(url: str, ca: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as error:  # a broken file is an SSLError, which is one too
        raise UnreachableError(
            f"the schema registry at {url} cannot be trusted: the authority in {ca} cannot be read: {error}; "
            "INFLECT_REGISTRY_CA must name a file of PEM certificates"
        ) from error


def _reason(error: Exception) -> str:
    cause = error.args[0] if error.args else None
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"shows a certificate that is refused: {cause.verify_message}; "
            "INFLECT_REGISTRY_CA names a private authority, INFLECT_REGISTRY_URL the host as the certificate has it"
        )
    if isinstance(error, httpcore.ProtocolError):
        return f"does not speak HTTP: {str(error)[:200]}"
    return f"cannot be reached: {str(error)[:200]}"


class _BoundedBackend(httpcore.NetworkBackend):
    """The plain backend, every wait of which ends with the whole operation's time."""

    def __init__(self) -> None:
        self._plain = httpcore.SyncBackend()
        self.ends_at = 0.0

    def left(self, timeout: float | None) -> float:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the time for the whole operation is over")
        return left if timeout is None else min(left, timeout)

    def connect_tcp(  # the signature is the library's
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._plain.connect_tcp(host, port, self.left(timeout), local_address, socket_options)
        return _BoundedStream(stream, self.left)


class _BoundedStream(httpcore.NetworkStream):
    """A connection that asks before each wait how long it may last."""

    def __init__(self, stream: httpcore.NetworkStream, left: Callable[[float | None], float]) -> None:
        self._stream = stream
        self._left = left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _BoundedStream(self._stream.start_tls(ssl_context, server_hostname, self._left(timeout)), self._left)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
