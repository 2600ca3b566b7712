"""`inflect serve` from outside: ready, events flow, show tells it, SIGTERM ends it with 0."""

import json
import re
import signal
import subprocess
from typing import Any
from urllib.request import urlopen

from inflect.kafka.producer import plain_producer
from tests.e2e.cli.conftest import Project
from tests.waiting import eventually


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"Inflect is ready: (http://127\.0\.0\.1:\d+)\n", line)
    assert found, line or process.communicate()[1]
    return found[1]


def test_serve_runs_what_is_applied_and_ends_with_0(project: Project, serving: subprocess.Popen[str]) -> None:
    with urlopen(f"{address(serving)}/healthz", timeout=10) as answer:  # noqa: S310  our own address
        assert answer.status == 200
    eventually(lambda: project.ask("apply", "pipelines")["changes"], within_s=20, why="processors are synced")
    producer = plain_producer({"bootstrap.servers": project.environ["INFLECT_KAFKA_BOOTSTRAP_SERVERS"]})
    for number in range(100):
        producer.produce(project.topic, value=json.dumps({"email": "E", "paid": number % 2 == 0}).encode())
    producer.flush(10)

    def settled() -> dict[str, Any]:
        shown: dict[str, Any] = project.ask("show", "p")
        return shown if shown["counts"]["consumed"] == 100 else {}

    shown = eventually(settled, within_s=40, why="all events are settled")
    counts = shown["counts"]
    assert (counts["delivered"], counts["filtered"], counts["unaccounted"]) == (50, 50, 0)
    assert shown["state"] == "running"
    assert all(worker["pid"] for worker in shown["workers"])

    project.ask("pause", "p")
    eventually(lambda: project.ask("show", "p")["state"] == "paused", within_s=20, why="the pipeline pauses")
    assert project.ask("show", "p")["workers"] == []

    serving.send_signal(signal.SIGTERM)
    assert serving.wait(timeout=20) == 0
