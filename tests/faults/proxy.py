"""A TCP proxy in front of a broker that reads Kafka's frames: it delays, loses, holds and cuts them by API key.

A frame is four bytes of length and what they count; a request begins with API key, version and correlation id, its
answer with the correlation id alone. Clients that bootstrap through the proxy stay on it: the address of the broker in
answers to Metadata and FindCoordinator is written over with the proxy's.
"""

import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

PRODUCE, METADATA, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, END_TXN, TXN_OFFSET_COMMIT = 0, 3, 10, 11, 12, 26, 28

Way = Literal["request", "answer"]
Deed = Literal["pass", "lose", "cut", "lose and cut", "hold and cut"]


@dataclass(frozen=True, slots=True)
class Frame:
    """One request or answer; `nth` of its kind through this proxy, counted from 1."""

    way: Way
    api: int
    nth: int
    data: bytes


Rule = Callable[[Frame], Deed]


@dataclass(eq=False)
class Link:
    """One client's connection and the one to the broker that belongs to it."""

    client: socket.socket
    broker: socket.socket
    apis: dict[int, int] = field(default_factory=dict)
    haunted: bool = False

    def hang_up(self) -> None:
        """End the client's side; the broker's stays open for what is held."""
        self.haunted = True
        _end(self.client)

    def close(self) -> None:
        """End both sides."""
        _end(self.client)
        _end(self.broker)


def nothing(_frame: Frame) -> Deed:
    """Let everything pass."""
    return "pass"


def on(way: Way, api: int, deed: Deed, *nths: int) -> Rule:
    """Do it to the `nths` frames of one kind; without `nths`, to all."""
    return lambda frame: deed if (frame.way, frame.api) == (way, api) and (not nths or frame.nth in nths) else "pass"


class Proxy:
    """Stands before the broker at `servers`; `rule` may be changed at any time, `delay_s` slows every answer."""

    def __init__(self, servers: str, rule: Rule = nothing) -> None:
        host, port = servers.split(":")
        self._upstream = (host, int(port))
        self.rule = rule
        self.delay_s = 0.0
        self.seen = Counter[tuple[Way, int]]()
        self.held: list[tuple[Link, Frame]] = []
        self.ghosts: list[bytes] = []  # what the broker answered to released requests
        self._links: set[Link] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._door = socket.create_server((host, 0))
        self.kafka = {"bootstrap.servers": f"{host}:{self._door.getsockname()[1]}"}
        self._theirs = host.encode() + struct.pack(">i", int(port))
        self._ours = host.encode() + struct.pack(">i", self._door.getsockname()[1])

    def __enter__(self) -> Self:
        self._start(self._welcome)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _end(self._door)
        for link in self._all_links():
            link.close()
        for thread in self._threads:
            thread.join(10)

    def cut_all(self) -> None:
        """End every connection; clients come again."""
        for link in self._all_links():
            link.close()

    def release(self) -> int:
        """Send the held requests to the broker on the connections they came by; how many."""
        held, self.held = self.held, []
        for link, frame in held:
            link.broker.sendall(frame.data)
        return len(held)

    def _all_links(self) -> list[Link]:
        with self._lock:
            return list(self._links)

    def _start(self, work: Callable[..., None], *args: Link) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _welcome(self) -> None:
        with suppress(OSError):  # the door was closed
            while True:
                client, _address = self._door.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            link = Link(client, socket.create_connection(self._upstream, 5))
        except OSError:
            _end(client)
            return
        with self._lock:
            self._links.add(link)
        link.broker.settimeout(None)
        self._start(self._requests, link)
        self._start(self._answers, link)

    def _requests(self, link: Link) -> None:
        with suppress(OSError):
            for data in _frames(link.client):
                api, _version, correlation = struct.unpack_from(">hhi", data, 4)
                with self._lock:
                    link.apis[correlation] = api
                self._treat(link, self._count("request", api, data), link.broker)
        if not link.haunted:
            link.close()

    def _answers(self, link: Link) -> None:
        with suppress(OSError):
            for data in _frames(link.broker):
                (correlation,) = struct.unpack_from(">i", data, 4)
                with self._lock:
                    api = link.apis.pop(correlation, -1)
                if api in (METADATA, FIND_COORDINATOR):
                    data = data.replace(self._theirs, self._ours)  # noqa: PLW2901  the same frame, readdressed
                if self.delay_s:
                    threading.Event().wait(self.delay_s)  # the fault itself: a slow network
                self._treat(link, self._count("answer", api, data), link.client)
        link.close()

    def _count(self, way: Way, api: int, data: bytes) -> Frame:
        with self._lock:
            self.seen[way, api] += 1
            return Frame(way, api, self.seen[way, api], data)

    def _treat(self, link: Link, frame: Frame, to: socket.socket) -> None:
        if link.haunted and frame.way == "answer":
            self.ghosts.append(frame.data)
            return
        deed = self.rule(frame)
        if deed in ("pass", "cut"):
            to.sendall(frame.data)
        if deed == "hold and cut":
            self.held.append((link, frame))
            link.hang_up()
        elif deed in ("cut", "lose and cut"):
            link.close()


def _frames(source: socket.socket) -> Iterator[bytes]:
    """Whole frames with their length, until the connection ends."""
    with source.makefile("rb") as stream:
        while len(head := stream.read(4)) == 4:
            (length,) = struct.unpack(">i", head)
            yield head + stream.read(length)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
