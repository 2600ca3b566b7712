"""One soak from the first event to the verdict."""

import json
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from confluent_kafka import Producer

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.postgres import PostgresServer
from inflect.embedded.registry import RegistryServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from tests.installation import Installation
from tests.plugins.registry import register_at
from tests.soak import reference
from tests.soak.faults import EVERY_S, Target, inflict, schedule
from tests.soak.verdict import Subject, Verdict, judge
from tests.waiting import eventually

NAME = "soak"
PARTITIONS = 4
TOPICS = {"source": "soak-in", "target": "soak-out", "dead_letter": "soak-dlq"}
EVENTS_A_SECOND = 6_000
MOST_EVENTS = 2_000_000
QUIET_WITHIN_S = 180


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@dataclass(slots=True)
class Load:
    """Numbered events written at a steady pace by a thread of its own."""

    producer: Producer
    events: int
    seconds: float
    ids: tuple[int, ...]
    written: int = 0
    refused: list[str] = field(default_factory=list)

    def run(self) -> None:
        """Write all events; the idempotent client keeps them through a broker's restart."""
        started, pause = time.monotonic(), threading.Event()
        for n in range(self.events):
            key, value = reference.event(n, self.ids)
            self._write(key, value)
            self.written = n + 1
            if n % 100 == 0:
                self.producer.poll(0)
                pause.wait(max(0.0, started + n * self.seconds / self.events - time.monotonic()))
        self.producer.flush(120)

    def _write(self, key: bytes, value: bytes) -> None:
        while True:
            try:
                return self.producer.produce(TOPICS["source"], value, key, on_delivery=self._delivered)
            except BufferError:
                self.producer.poll(0.1)

    def _delivered(self, error: object, _message: object) -> None:
        if error is not None:
            self.refused.append(str(error))


def soak(directory: Path, *, seconds: int, seed: int, workers: int = 2) -> dict[str, Any]:
    """Run one soak; the line of figures. Raises AssertionError when the pipeline does not come to rest."""
    with (
        KafkaServer(directory / "kafka", port=None) as kafka,
        PostgresServer(directory / "postgres", port=None) as postgres,
        RegistryServer(directory / "registry", port=None) as registry,
    ):
        topics = [NewTopicSpec(topic, PARTITIONS) for topic in TOPICS.values()]
        with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
            admin.create_topics(topics)
        _register(registry, "target")
        ids = _register(registry, "source")
        installation = Installation(directory, kafka.bootstrap_servers, postgres.url)
        installation.environment["INFLECT_REGISTRY_URL"] = registry.url
        with installation:
            installation.write_processors(reference.PROCESSORS)
            installation.must("sync")
            document = reference.pipeline(NAME, **TOPICS, workers=workers)
            installation.apply(document)
            return _suffer(Target(installation, kafka, postgres, registry, document), ids, seconds, seed)


def _register(registry: RegistryServer, end: str) -> tuple[int, ...]:
    """Register the schemas of one end; their ids."""
    subject = reference.subject(TOPICS[end])
    return tuple(register_at(registry.url, subject, json.dumps(text), "JSON") for text in reference.SCHEMAS[end])


def _suffer(target: Target, ids: tuple[int, ...], seconds: int, seed: int) -> dict[str, Any]:
    events = min(MOST_EVENTS, seconds * EVENTS_A_SECOND)
    servers = target.kafka.bootstrap_servers
    load = Load(plain_producer({"bootstrap.servers": servers, "message.timeout.ms": "0"}), events, seconds, ids)
    writer = threading.Thread(target=load.run, daemon=True)
    done: Counter[str] = Counter()
    draw = random.Random(seed)  # noqa: S311  a schedule, not a secret
    started = time.monotonic()
    writer.start()
    for fault in schedule(seconds, seed):
        writer.join(max(0.0, started + fault.at_s - time.monotonic()))
        what = inflict(fault, target, draw, done)
        say(f"{time.monotonic() - started:6.1f} s  {load.written:>9,} written  {what}")
    writer.join()
    assert not load.refused, load.refused[:3]
    say(f"{time.monotonic() - started:6.1f} s  all {events:,} written; waiting for the last to be settled")
    counts = rest(target.installation, events)
    say(f"{time.monotonic() - started:6.1f} s  settled; reading everything back")
    verdict = judge(servers, Subject(**TOPICS, group=f"inflect-{NAME}", events=events, ids=ids))
    for example in verdict.examples:
        say(example)
    run = {"seed": seed, "seconds": seconds, "events": events}
    faults = {kind: done[kind] for kind in EVERY_S}
    return {**run, **figures(events, verdict, counts), "faults": faults}


def rest(installation: Installation, events: int) -> dict[str, int]:
    """The counts, once every event has an outcome; AssertionError with what was shown last when that takes too long."""
    shown: dict[str, Any] = {}

    def settled() -> bool:
        try:
            shown.update(installation.show(NAME))
        except httpx.HTTPError as error:
            shown["error"] = repr(error)
        return int(shown.get("counts", {}).get("consumed", 0)) >= events

    try:
        eventually(settled, within_s=QUIET_WITHIN_S)
    except AssertionError as error:
        raise AssertionError(f"{events:,} events were written, and the last that was shown is {shown}") from error
    counts: dict[str, int] = shown["counts"]
    return counts


def figures(events: int, verdict: Verdict, counts: dict[str, int]) -> dict[str, int]:
    """What must be 0. `unaccounted` also holds what the books, shown and committed, say differently from the topics."""
    wanted = reference.Expectation(events)
    off = abs(counts["consumed"] - events) + abs(counts["delivered"] - wanted.delivered)
    off += abs(counts["dead_lettered"] - wanted.dead_lettered) + abs(counts["unaccounted"]) + verdict.books
    wrong = {"lost": verdict.lost, "duplicated": verdict.duplicated, "reordered": verdict.reordered}
    return {**wrong, "wrong": verdict.wrong, "unaccounted": off}


def broken(line: dict[str, Any]) -> bool:
    """Whether a figure that must be 0 is not."""
    return any(line[key] for key in ("lost", "duplicated", "reordered", "wrong", "unaccounted"))
