"""One owner at a time for a set of embedded servers: a second one is refused at once and told who the first is."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inflect.errors import UsageError


@contextmanager
def claim(file: Path) -> Iterator[None]:
    """Hold `file` as long as this process lives, or less; UsageError names the process that holds it already."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handle = _take(file)
    try:
        os.ftruncate(handle, 0)
        os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        file.unlink(missing_ok=True)
        os.close(handle)


def _take(file: Path) -> int:
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:
                return handle
            os.close(handle)  # the one before took it away in between: this name is another file now
        except BlockingIOError:
            holder = os.read(handle, 20).decode()
            os.close(handle)
            raise UsageError(
                f"{file.parent} is in use by {_words(holder)}; stop it, or choose another folder with --data-dir"
            ) from None


def _words(pid: str) -> str:
    """Return what a process is, as `process 12 (inflect serve --embedded)`."""
    try:
        words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except (OSError, ValueError):
        return "another process that is just starting"
    return f"process {pid} ({' '.join(Path(word).name for word in words if word)[:120]})"
