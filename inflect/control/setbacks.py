"""What is remembered of processor files that cannot run, so that the next sync does not try the same text again.

Trying a file means loading it, and one that loops when it is loaded takes seconds each time. A file is forgotten as
soon as its text changes, or that of a file it requires, and after a while in any case: on a machine that stood still
for a moment a sound file may look like one that loops.
"""

import hashlib
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

from inflect.engine.compile import ENDINGS
from inflect.errors import Fault

KEPT_S: Final = 300.0

_RELATIVE = re.compile(r"""['"](\.{1,2}/[^'"\n]*)['"]""")


@dataclass(frozen=True, slots=True)
class _Setback:
    content: str
    faults: tuple[Fault, ...]
    until: float


class Setbacks:
    """Files that failed, at the content they failed with. For one directory; not safe between threads.

    `clock` gives seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._known: dict[str, _Setback] = {}

    def known(self, texts: Mapping[str, str]) -> dict[str, tuple[Fault, ...]]:
        """Return the files that are as they were when they failed, with what was wrong with them."""
        now = self._clock()
        return {
            path: setback.faults
            for path, setback in self._known.items()
            if path in texts and now < setback.until and setback.content == content_of(path, texts)
        }

    def remember(self, texts: Mapping[str, str], sound: Mapping[str, object], faults: Sequence[Fault]) -> None:
        """Keep which of the files that were tried are not among the sound ones."""
        if any(not fault.path for fault in faults):  # the trial as a whole went wrong: nothing is known of a file
            return
        known, until = self.known(texts), self._clock() + KEPT_S
        self._known = {
            path: self._known[path]
            if path in known
            else _Setback(content_of(path, texts), tuple(f for f in faults if place_of(f, texts) == path), until)
            for path in texts
            if path not in sound
        }


def place_of(fault: Fault, texts: Mapping[str, str]) -> str:
    """Return the file a fault is in, without line and column."""
    path = fault.path
    while path not in texts and ":" in path:
        path = path.rpartition(":")[0]
    return path


def content_of(path: str, texts: Mapping[str, str]) -> str:
    """Return a hash of a file and of every file that it may require, as far as its text names them."""
    digest = hashlib.sha256()
    for reached in sorted(_reached(path, texts)):
        digest.update(f"{reached}\0{texts[reached]}\0".encode())
    return digest.hexdigest()


def _reached(path: str, texts: Mapping[str, str]) -> set[str]:
    seen, waiting = {path}, [path]
    while waiting:
        current = waiting.pop()
        for found in _named(current, texts[current], texts):
            if found not in seen:
                seen.add(found)
                waiting.append(found)
    return seen


def _named(path: str, text: str, texts: Mapping[str, str]) -> Iterator[str]:
    for match in _RELATIVE.finditer(text):
        target = posixpath.normpath(posixpath.join(posixpath.dirname(path), match[1]))
        for ending in ("", *ENDINGS, "/index.js"):
            if target + ending in texts:
                yield target + ending
