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

Kind = Literal["worker_kill", "supervisor_kill", "broker_restart", "postgres_restart"]

WORKER_KILL_EVERY_S = 10


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
    """Do it and count it; what was done, in words. A worker that cannot be found is not counted."""
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
    try:
        pids = target.installation.workers(target.pipeline)
        pid = draw.choice(pids)
        os.kill(pid, signal.SIGKILL)
    except (httpx.HTTPError, IndexError, ProcessLookupError) as error:
        return f"no worker to kill ({error!r})"
    done["worker_kill"] += 1
    return f"worker_kill {pid}"
