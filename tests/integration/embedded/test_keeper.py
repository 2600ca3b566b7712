"""Servers that die are started again; those that nobody waited for come by themselves."""

import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from structlog.testing import capture_logs

from inflect.embedded import keeper as module
from inflect.embedded.download import no_progress
from inflect.embedded.keeper import Keeper
from inflect.embedded.process import ServerProcess
from inflect.embedded.server import EmbeddedServer
from inflect.errors import UnreachableError
from tests.waiting import eventually


class Sleeper(EmbeddedServer):
    """A server that serves as soon as it is up."""

    TITLE = "Sleeper 1"
    PORT_TAKEN = "taken"

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._logs = (directory / "log",)
        self._port = None
        self._progress = no_progress
        self.script = "echo up; exec sleep 60"
        self.fetching = threading.Event()
        self.fetching.set()
        self.launched = 0

    def fetch(self) -> None:
        self.fetching.wait(30)

    def _begin(self) -> ServerProcess:
        self._port = self._choose_port()
        self.launched += 1
        return ServerProcess(["/bin/sh", "-c", self.script], directory=self._directory, log=self._logs[0])

    def _serves(self) -> bool:
        return "up" in self._tail()


Keep = Callable[[Sleeper], Keeper]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sleeper]:
    sleeper = Sleeper(tmp_path)
    yield sleeper
    sleeper.stop()


@pytest.fixture
def announced() -> list[str]:
    return []


@pytest.fixture
def keep(announced: list[str]) -> Iterator[Keep]:
    """Keep a server until the test is over."""
    keepers: list[Keeper] = []

    def begin(server: Sleeper) -> Keeper:
        keepers.append(Keeper(server, lambda: announced.append(server.address)))
        return keepers[-1]

    yield begin
    for keeper in keepers:
        keeper.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody rest for long."""
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "LONGEST_REST_S", 0.02)


def test_a_server_that_dies_comes_back_under_its_address(server: Sleeper, announced: list[str], keep: Keep) -> None:
    server.start()
    address = server.address
    with capture_logs() as lines:
        keep(server)
        for times in range(1, 4):
            psutil.Process(server.pid).send_signal(signal.SIGKILL)
            eventually(lambda times=times: announced == [address] * times)  # type: ignore[misc]  # a loop's value
    assert [line["event"] for line in lines[:2]] == [
        "an embedded server has ended; it is started again",
        "an embedded server is back",
    ]


def test_a_server_that_was_not_started_is_started(server: Sleeper, announced: list[str], keep: Keep) -> None:
    server.keep_port()
    address = server.address
    with capture_logs() as lines:
        keep(server)
        eventually(lambda: announced == [address])
    assert lines == []


def test_a_server_that_keeps_dying_is_tried_again_and_told_once(server: Sleeper, keep: Keep) -> None:
    server.script = "echo no room on the disk; exit 1"
    with capture_logs() as lines:
        keep(server)
        eventually(lambda: server.launched > 4)
    assert [line["event"] for line in lines] == ["an embedded server does not start; it is tried again"]
    assert "no room on the disk" in lines[0]["why"]


def test_the_rest_grows_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_REST_S", 5.0)
    rests = [0.0]
    for _ in range(6):
        rests.append(module.longer(rests[-1]))
    assert rests == [0.0, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


def test_after_the_end_nothing_is_started(server: Sleeper, keep: Keep) -> None:
    server.start()
    keeper = keep(server)
    keeper.end()
    server.stop()
    keeper._thread.join(5)
    assert not keeper._thread.is_alive()
    assert server.launched == 1


def test_the_end_does_not_wait_for_a_download_and_nothing_follows_it(server: Sleeper, keep: Keep) -> None:
    server.fetching.clear()
    keeper = keep(server)
    keeper.end()
    server.fetching.set()
    keeper._thread.join(5)
    assert server.launched == 0


def test_a_server_whose_port_was_taken_is_not_launched_again_after_the_end(server: Sleeper, keep: Keep) -> None:
    server.script = "echo taken; exit 1"
    keepers: list[Keeper] = []
    started = threading.Event()
    stop = server.stop

    def stop_and_end() -> None:
        stop()
        if server.launched:  # the keeper waits for it to serve, and is about to launch it again
            started.wait(5)
            keepers[0].end()

    server.stop = stop_and_end  # type: ignore[method-assign]  # the moment in question
    keepers.append(keep(server))
    started.set()
    keepers[0]._thread.join(10)
    assert not keepers[0]._thread.is_alive()
    assert server.launched == 1


def test_a_port_that_was_given_away_is_kept_or_nothing_is_started(server: Sleeper) -> None:
    import socket  # noqa: PLC0415  used here alone

    server.start()
    server.keep_port()
    host, port = server.address.split(":")
    server.stop()
    with socket.create_server((host, int(port))), pytest.raises(UnreachableError, match=f"{port}, is taken by another"):
        server.start()
    server.start()
    assert server.address == f"{host}:{port}"
