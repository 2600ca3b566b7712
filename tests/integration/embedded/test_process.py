"""A guarded process: how it ends, and that nothing of it stays."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from inflect.embedded.process import ServerProcess
from tests.waiting import eventually

Start = Callable[..., ServerProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a shell script as a server; it says `up` in its log when it is."""
    started: list[ServerProcess] = []

    def start_script(script: str, **how: object) -> ServerProcess:
        log = tmp_path / "log"
        started.append(ServerProcess(["/bin/sh", "-c", script], directory=tmp_path, log=log, **how))  # type: ignore[arg-type]  # passed through
        eventually(lambda: "up" in log.read_text())
        return started[-1]

    yield start_script
    for process in started:
        process.stop()


def test_stop_sends_the_signal_it_was_told(start: Start, tmp_path: Path) -> None:
    process = start("trap 'echo bye; exit 3' INT; echo up; while :; do sleep 0.05; done", stop_signal=signal.SIGINT)
    process.stop()
    assert process.exit_code == 3
    assert "bye" in (tmp_path / "log").read_text()


def test_a_server_that_ignores_its_signal_is_killed_after_the_grace(start: Start) -> None:
    process = start("trap '' TERM; echo up; while :; do sleep 0.05; done", grace_s=0.3)
    process.stop()
    assert process.exit_code == 128 + signal.SIGKILL


def test_kill_is_sigkill(start: Start, tmp_path: Path) -> None:
    process = start("trap 'echo bye' TERM; echo up; while :; do sleep 0.05; done")
    process.kill()
    assert process.exit_code == 128 + signal.SIGKILL
    assert "bye" not in (tmp_path / "log").read_text()


def test_what_a_killed_server_leaves_behind_is_ended_too(start: Start) -> None:
    process = start("sleep 60 & sleep 60 & echo up; wait")
    left = psutil.Process(process.pid).children()
    assert len(left) == 2
    process.kill()
    assert [child for child in left if child.is_running()] == []


def test_stop_and_kill_of_an_ended_server_are_harmless(start: Start) -> None:
    process = start("echo up; exit 5")
    assert process.wait(10) == 5
    process.kill()
    process.stop()
    assert process.exit_code == 5


def test_a_command_that_does_not_exist_is_told_in_the_log(tmp_path: Path) -> None:
    process = ServerProcess([str(tmp_path / "absent")], directory=tmp_path, log=tmp_path / "log")
    assert process.wait(10) == 127
    process.stop()
    assert "cannot start" in (tmp_path / "log").read_text()
