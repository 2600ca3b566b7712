"""The object of `inflect show`."""

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime

from inflect.control.show import is_alive
from inflect.store.workers import WorkerRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def worker(pid: int | None, host: str) -> WorkerRow:
    return WorkerRow("p", 0, "p-0", pid, host, "running", "", (0,), 1, 0, 1, NOW, NOW)


def test_a_worker_that_died_a_moment_ago_is_not_shown_on_its_own_host() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert not is_alive(worker(process.pid, socket.gethostname()))
    assert is_alive(worker(os.getpid(), socket.gethostname()))


def test_a_worker_elsewhere_is_taken_at_its_word() -> None:
    assert is_alive(worker(2**22 + 1, "another-host"))
    assert is_alive(worker(None, socket.gethostname()))
