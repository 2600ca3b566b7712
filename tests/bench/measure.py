"""Measuring a contestant from outside: by the offsets it commits and by what the kernel says of its process."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from inflect.kafka.admin import Admin

SAMPLE_S = 0.05
WITHIN_S = 300


@dataclass(frozen=True, slots=True)
class Figures:
    """Events per second between the first and the last commit, CPU of the process per event, its largest memory."""

    eps: float
    cpu_us_per_event: float
    rss_mb: float


def measure(servers: str, group: str, topic: str, events: int, pid: Callable[[], int]) -> Figures:
    """Watch `group` until it has committed `events`."""
    deadline = time.monotonic() + WITHIN_S
    first: tuple[float, int, float] | None = None
    rss = 0
    with Admin({"bootstrap.servers": servers}) as admin:
        while time.monotonic() < deadline:
            done = sum(p.offset for p in admin.committed(group, topic).values())
            now = time.monotonic()
            if done:
                process = psutil.Process(pid())
                rss = max(rss, process.memory_info().rss)
                first = first or (now, done, _cpu_s(process))
                if done >= events:
                    return _figures(first, (now, done, _cpu_s(process)), rss)
            threading.Event().wait(SAMPLE_S)
    raise TimeoutError(f"{group} did not reach {events} events within {WITHIN_S} s")


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _figures(first: tuple[float, int, float], last: tuple[float, int, float], rss: int) -> Figures:
    seconds, events, cpu_s = (b - a for a, b in zip(first, last, strict=True))
    return Figures(events / seconds, 1e6 * cpu_s / events, rss / 1e6)
