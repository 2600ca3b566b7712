"""Opens a mini-racer isolate on an event loop of its own that outlives it.

mini-racer's own loop is closed before its isolate is freed, and what the isolate still has to say then (a cancelled
task's answer) goes to a closed loop and is printed as an error. Here the isolate goes first.
"""

import asyncio
import threading
from types import TracebackType

from py_mini_racer import DEFAULT_V8_FLAGS, MiniRacer, init_mini_racer, mini_racer

# A batch's garbage dies young; left to itself V8 lets the young generation grow until a worker holds 70 MB more, and is
# no quicker for it.
_FLAGS = (*DEFAULT_V8_FLAGS, "--max-semi-space-size=4")


class OpenRacer:
    """A fresh isolate as a context manager; leaving frees it, which also ends a loop in a microtask."""

    def __init__(self) -> None:
        init_mini_racer(flags=_FLAGS, ignore_duplicate_init=True)
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
