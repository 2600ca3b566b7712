"""What is done to the installation, and when: a schedule drawn from the seed."""

import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import httpx
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.postgres import PostgresServer
from inflect.embedded.registry import RegistryServer
from inflect.kafka.admin import Admin
from tests.installation import Installation
from tests.waiting import eventually

Kind = Literal[
    "worker_kill",
    "supervisor_kill",
    "broker_restart",
    "postgres_restart",
    "registry_restart",
    "partitions_added",
    "revision_change",
]

# One in so many seconds, and at least so many.
EVERY_S: dict[Kind, tuple[int, int]] = {
    "worker_kill": (10, 3),
    "supervisor_kill": (90, 1),
    "broker_restart": (60, 1),
    "postgres_restart": (90, 1),
    "registry_restart": (60, 1),
    "partitions_added": (300, 1),
    "revision_change": (30, 1),
}
WORKER_WITHIN_S = 30


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, `at_s` seconds after the load began."""

    at_s: float
    kind: Kind


def schedule(seconds: int, seed: int) -> Iterator[Fault]:
    """Faults in order of time."""
    draw = random.Random(seed)  # noqa: S311  a schedule, not a secret
    kinds = [kind for kind, (every_s, least) in EVERY_S.items() for _ in range(max(least, seconds // every_s))]
    moments = [draw.uniform(0.05 * seconds, 0.95 * seconds) for _ in kinds]
    yield from sorted((Fault(at, kind) for at, kind in zip(moments, kinds, strict=True)), key=lambda f: f.at_s)


@dataclass(frozen=True, slots=True)
class Target:
    """What faults are done to; `document` is the pipeline's."""

    installation: Installation
    kafka: KafkaServer
    postgres: PostgresServer
    registry: RegistryServer
    document: dict[str, Any]

    @property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return str(self.document["name"])


def inflict(fault: Fault, target: Target, draw: random.Random, done: Counter[str]) -> str:
    """Do it and count it; what was done, in words."""
    servers: dict[str, Any] = {
        "supervisor_kill": target.installation,
        "broker_restart": target.kafka,
        "postgres_restart": target.postgres,
        "registry_restart": target.registry,
    }
    what: str = fault.kind
    if server := servers.get(fault.kind):
        server.kill()
        server.start()
    elif fault.kind == "worker_kill":
        what = f"{what} {_kill_worker(target, draw)}"
    elif fault.kind == "partitions_added":
        what = f"{what}: {_add_partitions(target)}"
    else:
        batch = {"max_events": draw.randrange(500, 10_000)}
        target.installation.apply({**target.document, "description": f"changed at {fault.at_s:.1f} s", "batch": batch})
    done[fault.kind] += 1
    return what


def _add_partitions(target: Target) -> int:
    """Two more for the source, while it is written and read; how many it has then."""
    topic, kafka = target.document["source"]["topic"], {"bootstrap.servers": target.kafka.bootstrap_servers}
    with Admin(kafka) as admin:
        more = admin.describe([topic])[topic].partitions + 2
    client = AdminClient({**kafka})
    client.create_partitions([NewPartitions(topic, more)])[topic].result(20)
    return more


def _kill_worker(target: Target, draw: random.Random) -> int:
    """Kill a worker that lives; after a supervisor's death it takes a moment until there is one again."""

    def kill() -> int:
        try:
            pid = draw.choice(target.installation.workers(target.pipeline))
            os.kill(pid, signal.SIGKILL)
        except (httpx.HTTPError, IndexError, ProcessLookupError):
            return 0
        return pid

    return eventually(kill, within_s=WORKER_WITHIN_S, why="there is a worker to kill")
