"""A registry that can be made to fail: the HTTP surface of a real one, and a fault in front of it.

    with FakeRegistry() as fake:
        schema_id = fake.register("orders-value", '{"type": "string"}')
        fake.fault = status(503, times=2)

A fault is called with the request's handler; True means that it has answered (or never will), False that the registry
answers as if nothing were wrong. Faults end with the server: nothing of them is left when it stops.
"""

import gzip
import itertools
import json
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

JSON = "application/vnd.schemaregistry.v1+json"


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]


class Handler(BaseHTTPRequestHandler):
    """Answers one request; `fake` is the registry it belongs to."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    fake: "FakeRegistry"

    def do_GET(self) -> None:
        self.fake.asked.append(Asked(self.command, self.path, dict(self.headers.items())))
        fault = self.fake.fault
        if fault is not None and fault(self):
            self.close_connection = True
            return
        status, body = self.fake.answer(unquote(self.path))
        self.reply(status, json.dumps(body).encode())

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815  the library's names

    def reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer."""
        given = {"Content-Type": JSON, "Content-Length": str(len(body)), **(headers or {})}
        self.send_response(status)
        for name, value in given.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data: bytes) -> bool:
        """Send bytes as they are; False when the client has gone."""
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:
            return False
        return True

    def handle(self) -> None:
        """Serve the connection; a client that leaves in the middle is what the tests are about."""
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
        """Stay quiet."""


Fault = Callable[[Handler], bool]


@dataclass
class FakeRegistry:
    """Schemas by id, subjects by version; a context manager that serves them."""

    tls: ssl.SSLContext | None = None
    port: int = 0
    fault: Fault | None = None
    schemas: dict[int, dict[str, Any]] = field(default_factory=dict)
    subjects: dict[str, dict[int, int]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _server: ThreadingHTTPServer | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://localhost:{self.port}"

    def start(self) -> None:
        """Serve, on the same port as before."""
        self.over.clear()
        handler = type("Bound", (Handler,), {"fake": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        self.port = self._server.server_port
        if self.tls is not None:
            self._server.socket = self.tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end every fault that holds a client. Idempotent."""
        self.over.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def register(
        self,
        subject: str,
        text: str,
        kind: str = "AVRO",
        references: Iterable[tuple[str, str, int]] = (),
        schema_id: int | None = None,
    ) -> int:
        """Add a version of a subject; its id. `references` are (name, subject, version)."""
        content: dict[str, Any] = {"schema": text}
        if kind != "AVRO":
            content["schemaType"] = kind
        named = [{"name": name, "subject": of, "version": number} for name, of, number in references]
        if named:
            content["references"] = named
        chosen = schema_id or max(self.schemas, default=0) + 1
        self.schemas[chosen] = content
        versions = self.subjects.setdefault(subject, {})
        versions[max(versions, default=0) + 1] = chosen
        return chosen

    def empty(self) -> None:
        """Forget every schema."""
        self.schemas.clear()
        self.subjects.clear()

    def paths(self) -> list[str]:
        """What was asked for, in order."""
        return [request.path for request in self.asked]

    def answer(self, path: str) -> tuple[int, Any]:
        """Return status and body as a registry would give them."""
        match path.strip("/").split("/"):
            case ["subjects"]:
                return 200, list(self.subjects)
            case ["schemas", "ids", number]:
                return self._found(self.schemas.get(int(number)), 40403, "Schema")
            case ["subjects", *subject, "versions"]:
                versions = self.subjects.get("/".join(subject))
                return self._found(versions and list(versions), 40401, "Subject")
            case ["subjects", *subject, "versions", number]:
                return self._version("/".join(subject), number)
        return 404, {"error_code": 404, "message": "HTTP 404 Not Found"}

    def _version(self, subject: str, number: str) -> tuple[int, Any]:
        versions = self.subjects.get(subject, {})
        version = max(versions, default=0) if number == "latest" else int(number)
        if version not in versions:
            return self._found(None, 40402, "Version")
        schema_id = versions[version]
        return 200, {"subject": subject, "version": version, "id": schema_id, **self.schemas[schema_id]}

    @staticmethod
    def _found(body: Any, code: int, what: str) -> tuple[int, Any]:
        return (404, {"error_code": code, "message": f"{what} not found"}) if body is None else (200, body)


def hang(handler: Handler) -> bool:
    """Take the request and never answer."""
    handler.fake.over.wait()
    return True


def slow_headers(handler: Handler) -> bool:
    """A byte of the head a second."""
    return _trickle(handler, itertools.chain(b"HTTP/1.1 200 OK\r\nX-Slow: ", itertools.repeat(ord("a"))))


def slow_body(handler: Handler) -> bool:
    """The head at once, then a byte of the body a second."""
    handler.raw(f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\n\r\n[".encode())
    return _trickle(handler, itertools.repeat(ord(" ")))


def _trickle(handler: Handler, data: Iterable[int]) -> bool:
    for byte in data:
        if not handler.raw(bytes([byte])) or handler.fake.over.wait(1.0):
            break
    return True


def huge_body(handler: Handler) -> bool:
    """Five gigabytes, as fast as the client takes them."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {JSON}\r\nContent-Length: 5000000000\r\n\r\n"
    sent, block = handler.raw(head.encode()), bytes(1_000_000)
    for _ in range(5_000):
        sent = sent and handler.raw(block)
        if not sent:
            break
    return True


def gzip_bomb(handler: Handler) -> bool:
    """A megabyte that unpacks to a gigabyte."""
    body = gzip.compress(bytes(10_000_000)) * 100
    handler.reply(200, body, {"Content-Encoding": "gzip"})
    return True


def packed(handler: Handler) -> bool:
    """The right answer, as gzip."""
    status, body = handler.fake.answer(unquote(handler.path))
    handler.reply(status, gzip.compress(json.dumps(body).encode()), {"Content-Encoding": "gzip"})
    return True


def status(code: int, *, times: int | None = None, **headers: str) -> Fault:
    """Answer `code` (the first `times` requests only); `retry_after="1"` becomes a header."""
    left = itertools.count() if times is None else iter(range(times))

    def answer(handler: Handler) -> bool:
        if next(left, None) is None:
            return False
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps({"error_code": code, "message": f"trouble number {code}"}).encode()
        handler.reply(code, body, named)
        return True

    return answer


def body(data: bytes, kind: str = JSON, code: int = 200) -> Fault:
    """Answer everything with this."""

    def answer(handler: Handler) -> bool:
        handler.reply(code, data, {"Content-Type": kind})
        return True

    return answer


def raw(data: bytes) -> Fault:
    """Answer with bytes that may be no HTTP."""

    def answer(handler: Handler) -> bool:
        handler.raw(data)
        return True

    return answer
