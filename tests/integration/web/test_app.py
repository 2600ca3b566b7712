"""The process itself: says where it listens, ends when asked."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import httpx
import pytest

from inflect.settings import Settings
from inflect.web.app import run
from tests.integration.web.house import settings_for

SPAWN = multiprocessing.get_context("spawn")


def start(settings: Settings) -> tuple[Connection, Any, str]:
    """A web process, its pipe and the address it says."""
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=run, args=(settings, theirs))
    process.start()
    theirs.close()
    assert ours.poll(20), "the web process said nothing"
    word, url = ours.recv()
    assert word == "ready"
    return ours, process, url


ENDS: dict[str, Callable[[Connection, Any], None]] = {
    "end of file": lambda pipe, _process: pipe.close(),
    "SIGTERM": lambda _pipe, process: process.terminate(),
}


@pytest.mark.parametrize("end", ENDS)
def test_it_ends_within_two_seconds_with_streams_open(database_url: str, end: str) -> None:
    pipe, process, url = start(settings_for(database_url))
    with httpx.Client(base_url=url) as client, client.stream("GET", "/live/fleet") as answer:
        assert next(answer.iter_lines())
        begun = time.monotonic()
        ENDS[end](pipe, process)
        process.join(5)
        took_s = time.monotonic() - begun
    assert process.exitcode == 0
    assert took_s < 2


def test_without_a_database_it_serves_and_says_so() -> None:
    pipe, process, url = start(settings_for("postgresql://127.0.0.1:1/none"))
    assert httpx.get(f"{url}/healthz").status_code == 200
    assert "PostgreSQL does not answer." in httpx.get(url, timeout=20).text
    pipe.close()
    process.join(5)
    assert process.exitcode == 0


def test_ctrl_c_is_left_to_the_supervisor(database_url: str) -> None:
    pipe, process, url = start(settings_for(database_url))
    os.kill(process.pid, signal.SIGINT)
    assert httpx.get(f"{url}/healthz").status_code == 200
    pipe.close()
    process.join(5)
    assert process.exitcode == 0
