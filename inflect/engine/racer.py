"""Opens a mini-racer isolate on an event loop of its own that outlives it.

mini-racer's own loop is closed before its isolate is freed, and what the isolate still has to say then (a cancelled
task's answer) goes to a closed loop and is printed as an error. Here the isolate goes first.
"""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from py_mini_racer import MiniRacer, mini_racer


@contextmanager
def open_racer() -> Iterator[MiniRacer]:
    """A fresh isolate; leaving frees it, which also ends a loop in a microtask."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="isolate-loop", daemon=True)
    thread.start()
    try:
        with mini_racer(loop) as racer:
            yield racer
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
