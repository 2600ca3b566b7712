"""Server-sent events: what the pulse drew last, handed to everyone who watches.

A fragment is drawn once a beat for all viewers (`web.pulse` does it) and sent to each only when it changed since that
viewer last got it. A slow viewer skips beats; it never makes another one wait. Closing ends every stream at once.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

MAX_STREAMS = 256
BEAT_S = 2.0
Fragments = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Topic:
    """What a stream is about: `health`, `fleet`, or one `pipeline` by name."""

    kind: str
    name: str = ""


class Hub:
    """Where the pulse's thread and the event loop meet. `publish` and `close` may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: Counter[Topic] = Counter()
        self._drawn: Mapping[Topic, Fragments] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._beat: asyncio.Event | None = None
        self.closed = False

    def watched(self) -> list[Topic]:
        """Topics that somebody watches now: those worth drawing."""
        with self._lock:
            return [topic for topic, viewers in self._watched.items() if viewers > 0]

    def publish(self, drawn: Mapping[Topic, Fragments]) -> None:
        """Replace what is drawn and wake every stream."""
        self._drawn = drawn
        self._wake()

    def close(self) -> None:
        """End all streams, now and those to come."""
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._ring)

    def _ring(self) -> None:
        if self._beat is not None:
            self._beat.set()
        self._beat = asyncio.Event()

    def full(self) -> bool:
        """Whether as many streams are open as this process serves."""
        with self._lock:
            return self._watched.total() >= MAX_STREAMS

    async def stream(self, topic: Topic, known: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Events of one viewer until it leaves or the server ends: changed fragments, then `beat`.

        `known` are fragments that the viewer has already, by event.
        """
        self._loop = asyncio.get_running_loop()
        sent = dict(known)
        self._count(topic, 1)
        try:
            while not self.closed:
                for name, html in self._drawn.get(topic, {}).items():
                    if sent.get(name) != html:
                        sent[name] = html
                        yield event(name, html)
                yield event("beat", "1")
                await self._next_beat()
        finally:
            self._count(topic, -1)

    async def _next_beat(self) -> None:
        if self._beat is None:
            self._beat = asyncio.Event()
        try:
            async with asyncio.timeout(BEAT_S):
                await self._beat.wait()
        except TimeoutError:
            return

    def _count(self, topic: Topic, change: int) -> None:
        with self._lock:
            self._watched[topic] += change
            if not self._watched[topic]:
                del self._watched[topic]


def event(name: str, data: str) -> bytes:
    r"""One event of the stream; a line of data per line of text, so no text can end the event early.

    The format ends a line at CR, LF or both, so all three are split.
    """
    lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    body = "".join(f"data: {line}\n" for line in lines)
    return f"event: {name}\n{body}\n".encode()
