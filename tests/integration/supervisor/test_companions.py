"""Processes beside the pools."""

import os
import signal
import time
from collections.abc import Callable

from inflect.supervisor.children import Children
from inflect.supervisor.companions import Companion, Companions
from tests.integration.supervisor import fake_worker
from tests.waiting import eventually


def turning(children: Children, companions: Companions, fact: Callable[[], object]) -> Callable[[], object]:
    def turned() -> object:
        companions.keep(time.monotonic())
        children.wait(0.02)
        return fact()

    return turned


def test_the_address_is_told_once_however_often_a_companion_starts(children: Children) -> None:
    addresses: list[str] = []
    one = Companion("web", fake_worker.short_lived, ("http://127.0.0.1:1",))
    companions = Companions(children, [one], addresses.append)
    eventually(turning(children, companions, lambda: companions.starts("web") == 3), within_s=15)
    assert addresses == ["http://127.0.0.1:1"]


def test_a_killed_companion_comes_back(children: Children) -> None:
    companions = Companions(children, [Companion("web", fake_worker.web, ("x",))], None)
    eventually(turning(children, companions, lambda: companions.pid("web")))
    killed = companions.pid("web")
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    eventually(turning(children, companions, lambda: companions.pid("web") not in (None, killed)))


def test_companions_are_stopped_and_not_started_again(children: Children) -> None:
    companions = Companions(children, [Companion(name, fake_worker.web, ("x",)) for name in "ab"], None)
    eventually(turning(children, companions, lambda: len(children) == 2))
    companions.stop(time.monotonic())
    eventually(lambda: children.wait(0.02) is not None and not companions.alive)
    assert len(children) == 0
