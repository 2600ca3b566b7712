"""Opens a mini-racer isolate on an event loop of its own that outlives it.

mini-racer's own loop is closed before its isolate is freed, and what the isolate still has to say then (a cancelled
task's answer) goes to a closed loop and is printed as an error. Here the isolate goes first.
"""

import asyncio
import threading
from types import TracebackType

from py_mini_racer import MiniRacer, mini_racer


class OpenRacer:
    """A fresh isolate as a context manager; leaving frees it, which also ends a loop in a microtask."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="isolate-loop", daemon=True)
        self._opened = mini_racer(self._loop)

    def __enter__(self) -> MiniRacer:
        self._thread.start()
        return self._opened.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.__exit__(None, None, None)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
