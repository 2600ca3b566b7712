"""Notices that the processors directory changed; what follows from it is the business of `control.sync`.

Two eyes: watchfiles in a thread that only calls a function, for speed, and a look at names, sizes and
times that the caller repeats, for certainty: directories that are replaced as a whole, made later, or on
a network file system send no events.
"""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from watchfiles import watch

from inflect import logs

_DEBOUNCE_MS: Final = 100
_LOOK_AGAIN_S: Final = 2.0

_log = logs.get("supervisor")

Fingerprint = frozenset[tuple[str, int, int]]


class DirectoryWatch:
    """Calls `on_change` from a thread of its own whenever something below the directory changes."""

    def __init__(self, directory: Path, on_change: Callable[[], None]) -> None:
        self._directory = directory
        self._on_change = on_change
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="processors-watch", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (OSError, RuntimeError) as error:  # gone, or out of inotify watches: the repeated look goes on
                if self._directory.is_dir():
                    _log.warning("cannot watch the processors directory; it is looked at instead", why=str(error))
            self._stop.wait(_LOOK_AGAIN_S)

    def _follow(self) -> None:
        changes = watch(
            self._directory,
            debounce=_DEBOUNCE_MS,
            step=_DEBOUNCE_MS // 2,
            stop_event=self._stop,
            rust_timeout=int(_LOOK_AGAIN_S * 1000),
            yield_on_timeout=True,
            raise_interrupt=False,
        )
        for changed in changes:
            if changed:
                self._on_change()
            if not self._directory.is_dir():
                return


def fingerprint(directory: Path) -> Fingerprint:
    """Return path, size and time of change (ns) of every file below the directory; empty when there is none."""
    return frozenset(_files(directory))


def _files(directory: Path) -> Iterator[tuple[str, int, int]]:
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "node_modules"]
        for name in names:
            path = os.path.join(folder, name)  # noqa: PTH118  many files, often: no Path objects
            try:
                stat = os.stat(path)  # noqa: PTH116  as above
            except OSError:
                continue  # gone meanwhile
            yield path, stat.st_size, stat.st_mtime_ns
