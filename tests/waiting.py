"""Waiting in tests: for a fact, with a bound, never for time to pass."""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LONGEST_PAUSE_S = 0.1


def eventually(fact: Callable[[], T], within_s: float = 10, why: str = "") -> T:
    """Return the first truthy value of `fact`; fail when there is none in time. Its AssertionErrors count as no."""
    deadline = time.monotonic() + within_s
    pause_s, refused, value = 0.005, None, None
    while True:
        try:
            value = fact()
        except AssertionError as error:
            refused = error
        else:
            refused = None
            if value:
                return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"not within {within_s} s: {why or fact}; last seen: {refused or value!r}"
            ) from refused
        threading.Event().wait(pause_s)
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
