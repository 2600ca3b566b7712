"""`python -m tests.bench [--quick]`: contestants in turn on one broker, medians, one line of JSON."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.postgres import PostgresServer
from inflect.kafka.admin import Admin, NewTopicSpec
from tests.bench.measure import Figures, measure
from tests.bench.workload import PARTITIONS, PROCESSORS, fill, pipeline
from tests.installation import Installation
from tests.waiting import eventually

LEAST_RATIO = 0.5
SOURCE = "bench-in"


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def pass_through(servers: str, turn: int, events: int) -> Figures:
    """One turn of the loop that transforms nothing."""
    group, target = f"passthrough-{turn}", f"passthrough-out-{turn}"
    _create(servers, target)
    command = [sys.executable, "-m", "tests.bench.passthrough", servers, SOURCE, target, group]
    with subprocess.Popen(command) as process:
        try:
            return measure(servers, group, SOURCE, events, lambda: process.pid)
        finally:
            process.kill()


def inflect(installation: Installation, servers: str, turn: int, events: int) -> Figures:
    """One turn of the pipeline, from `inflect apply` to its last event, then deleted."""
    name, target = f"bench-{turn}", f"bench-out-{turn}"
    _create(servers, target)
    installation.apply(pipeline(name, SOURCE, target))
    try:
        eventually(lambda: installation.workers(name), within_s=30)
        (pid,) = installation.workers(name)
        return measure(servers, f"inflect-{name}", SOURCE, events, lambda: pid)
    finally:
        installation.must("delete", name, "--yes")


def _create(servers: str, topic: str) -> None:
    with Admin({"bootstrap.servers": servers}) as admin:
        admin.create_topics([NewTopicSpec(topic, PARTITIONS)])


def bench(directory: Path, *, events: int, turns: int) -> dict[str, object]:
    """All turns; the line of figures."""
    ours: list[Figures] = []
    theirs: list[Figures] = []
    with (
        KafkaServer(directory / "kafka", port=None) as kafka,
        PostgresServer(directory / "postgres", port=None) as postgres,
        Installation(directory, kafka.bootstrap_servers, postgres.url) as installation,
    ):
        servers = kafka.bootstrap_servers
        _create(servers, SOURCE)
        say(f"writing {events:,} events")
        fill(servers, SOURCE, events)
        installation.write_processors(PROCESSORS)
        installation.must("sync")
        for turn in range(turns):
            theirs.append(pass_through(servers, turn, events))
            say(f"pass-through {theirs[-1].eps:>10,.0f} events/s  {theirs[-1].cpu_us_per_event:.1f} us/event")
            ours.append(inflect(installation, servers, turn, events))
            say(f"inflect      {ours[-1].eps:>10,.0f} events/s  {ours[-1].cpu_us_per_event:.1f} us/event")
    return line(ours, theirs)


def line(ours: list[Figures], theirs: list[Figures]) -> dict[str, object]:
    """Medians, and the median of the ratios of neighbouring turns."""
    return {
        "workload": "json-4-steps",
        "inflect_eps": round(median(f.eps for f in ours)),
        "passthrough_eps": round(median(f.eps for f in theirs)),
        "ratio": round(median(o.eps / t.eps for o, t in zip(ours, theirs, strict=True)), 3),
        "cpu_us_per_event": round(median(f.cpu_us_per_event for f in ours), 2),
        "rss_mb": round(max(f.rss_mb for f in ours)),
    }


def main() -> int:
    """Measure and print the line; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one turn of 300,000 events, under a minute")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inflect-bench-") as directory:
        found = bench(Path(directory), events=300_000 if given.quick else 1_000_000, turns=1 if given.quick else 3)
    sys.stdout.write(json.dumps(found) + "\n")
    return int(float(str(found["ratio"])) < LEAST_RATIO)


if __name__ == "__main__":
    sys.exit(main())
