"""What is done to the installation, and when: a schedule drawn from the seed."""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import httpx

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.postgres import PostgresServer
from tests.installation import Installation
from tests.waiting import eventually

Kind = Literal["worker_kill", "supervisor_kill", "broker_restart", "postgres_restart"]

WORKER_KILL_EVERY_S = 10
WORKER_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, `at_s` seconds after the load began."""

    at_s: float
    kind: Kind


def schedule(seconds: int, seed: int) -> Iterator[Fault]:
    """Faults in order of time: a worker every ten seconds, the rest once or twice."""
    draw = random.Random(seed)  # noqa: S311  a schedule, not a secret
    kinds: list[Kind] = ["worker_kill"] * max(3, seconds // WORKER_KILL_EVERY_S)
    kinds += ["supervisor_kill"] * (2 if seconds >= 90 else 1)
    kinds += ["broker_restart", "postgres_restart"]
    moments = [draw.uniform(0.05 * seconds, 0.95 * seconds) for _ in kinds]
    yield from sorted((Fault(at, kind) for at, kind in zip(moments, kinds, strict=True)), key=lambda f: f.at_s)


@dataclass(frozen=True, slots=True)
class Target:
    """What faults are done to."""

    installation: Installation
    kafka: KafkaServer
    postgres: PostgresServer
    pipeline: str


def inflict(fault: Fault, target: Target, draw: random.Random, done: Counter[str]) -> str:
    """Do it and count it; what was done, in words."""
    if fault.kind == "worker_kill":
        return _kill_worker(target, draw, done)
    if fault.kind == "supervisor_kill":
        target.installation.kill()
        target.installation.start()
    elif fault.kind == "broker_restart":
        target.kafka.kill()
        target.kafka.start()
    else:
        target.postgres.kill()
        target.postgres.start()
    done[fault.kind] += 1
    return fault.kind


def _kill_worker(target: Target, draw: random.Random, done: Counter[str]) -> str:
    """Kill a worker that lives; after a supervisor's death it takes a moment until there is one again."""
    killed: list[int] = []

    def kill() -> bool:
        try:
            pid = draw.choice(target.installation.workers(target.pipeline))
            os.kill(pid, signal.SIGKILL)
        except (httpx.HTTPError, IndexError, ProcessLookupError):
            return False
        killed.append(pid)
        return True

    eventually(kill, within_s=WORKER_WITHIN_S, why="there is a worker to kill")
    done["worker_kill"] += 1
    return f"worker_kill {killed[0]}"
