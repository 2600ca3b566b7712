"""`python -m tests.bench [--quick]`: contestants in turn on one broker, medians, one line of JSON a workload."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from inflect.embedded.kafka import KafkaServer
from inflect.embedded.postgres import PostgresServer
from inflect.kafka.admin import Admin, NewTopicSpec
from tests.bench.measure import Figures, measure
from tests.bench.workload import PARTITIONS, PROCESSORS, WORKLOADS, Workload, fill, pipeline
from tests.installation import Installation
from tests.waiting import eventually

LEAST_RATIO = 0.5  # of the pass-through, for JSON
LEAST_OF_JSON = 0.4  # of the JSON pipeline, for formats that take a schema


def say(text: str) -> None:
    """Progress, on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def pass_through(servers: str, workload: Workload, turn: int, events: int) -> Figures:
    """One turn of the loop that transforms nothing."""
    group, target = f"passthrough-{workload.format}-{turn}", f"passthrough-{workload.format}-out-{turn}"
    _create(servers, target)
    command = [sys.executable, "-m", "tests.bench.passthrough", servers, workload.source, target, group]
    with subprocess.Popen(command) as process:
        try:
            return measure(servers, group, workload.source, events, lambda: process.pid)
        finally:
            process.kill()


def inflect(installation: Installation, servers: str, workload: Workload, turn: int, events: int) -> Figures:
    """One turn of the pipeline, from `inflect apply` to its last event, then deleted."""
    name, target = f"bench-{workload.format}-{turn}", f"bench-{workload.format}-out-{turn}"
    _create(servers, target)
    installation.apply(pipeline(workload, name, target))
    try:
        eventually(lambda: installation.workers(name), within_s=30)
        (pid,) = installation.workers(name)
        return measure(servers, f"inflect-{name}", workload.source, events, lambda: pid)
    finally:
        installation.must("delete", name, "--yes")


def _create(servers: str, topic: str) -> None:
    with Admin({"bootstrap.servers": servers}) as admin:
        admin.create_topics([NewTopicSpec(topic, PARTITIONS)])


def bench(directory: Path, workloads: Sequence[Workload], *, events: int, turns: int) -> Iterator[dict[str, object]]:
    """All turns of each workload; a line of figures for each."""
    with (
        KafkaServer(directory / "kafka", port=None) as kafka,
        PostgresServer(directory / "postgres", port=None) as postgres,
        Installation(directory, kafka.bootstrap_servers, postgres.url) as installation,
    ):
        installation.write_processors(PROCESSORS)
        installation.must("sync")
        json_eps = 0.0
        for workload in workloads:
            found = _measure(installation, kafka.bootstrap_servers, workload, events, turns)
            json_eps = json_eps or float(str(found["inflect_eps"]))
            if workload.file is not None:
                found["of_json"] = round(float(str(found["inflect_eps"])) / json_eps, 3)
            yield found


def _measure(
    installation: Installation, servers: str, workload: Workload, events: int, turns: int
) -> dict[str, object]:
    if workload.file is not None:
        (installation.directory / workload.file).write_text(workload.schema)
    _create(servers, workload.source)
    say(f"{workload.name}: writing {events:,} events")
    fill(servers, workload, events)
    ours: list[Figures] = []
    theirs: list[Figures] = []
    for turn in range(turns):
        theirs.append(pass_through(servers, workload, turn, events))
        say(f"pass-through {theirs[-1].eps:>10,.0f} events/s  {theirs[-1].cpu_us_per_event:.1f} us/event")
        ours.append(inflect(installation, servers, workload, turn, events))
        say(f"inflect      {ours[-1].eps:>10,.0f} events/s  {ours[-1].cpu_us_per_event:.1f} us/event")
    return line(workload.name, ours, theirs)


def line(workload: str, ours: list[Figures], theirs: list[Figures]) -> dict[str, object]:
    """Medians, and the median of the ratios of neighbouring turns."""
    return {
        "workload": workload,
        "inflect_eps": round(median(f.eps for f in ours)),
        "passthrough_eps": round(median(f.eps for f in theirs)),
        "ratio": round(median(o.eps / t.eps for o, t in zip(ours, theirs, strict=True)), 3),
        "cpu_us_per_event": round(median(f.cpu_us_per_event for f in ours), 2),
        "rss_mb": round(max(f.rss_mb for f in ours)),
    }


def holds(found: dict[str, object]) -> bool:
    """Whether a workload keeps its bound."""
    if "of_json" in found:
        return float(str(found["of_json"])) >= LEAST_OF_JSON
    return float(str(found["ratio"])) >= LEAST_RATIO


def main() -> int:
    """Measure and print the lines; 1 when a bound is broken."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the first workload, one turn of 300,000 events")
    parser.add_argument("--events", type=int, default=0, help="events a turn")
    parser.add_argument("--turns", type=int, default=0, help="turns of each contestant")
    given = parser.parse_args()
    workloads = WORKLOADS[:1] if given.quick else WORKLOADS
    events = given.events or (300_000 if given.quick else 1_000_000)
    kept = True
    with tempfile.TemporaryDirectory(prefix="inflect-bench-") as directory:
        for found in bench(Path(directory), workloads, events=events, turns=given.turns or (1 if given.quick else 3)):
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
            kept = holds(found) and kept
    return int(not kept)


if __name__ == "__main__":
    sys.exit(main())
