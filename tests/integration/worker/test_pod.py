"""Workers without a supervisor, as pods run them, against real servers."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec
from inflect.kafka.producer import plain_producer
from tests.installation import Installation
from tests.soak.verdict import committed_records
from tests.waiting import eventually

Names = Callable[[str], str]
MARK = "module.exports = (event) => {{ event.by = {by}; return event }}\n"


class Pods:
    """A pipeline that only pods run."""

    def __init__(self, directory: Path, kafka: KafkaServer, database_url: str, name: Names) -> None:
        self.servers = kafka.bootstrap_servers
        self.source, self.target = name("in"), name("out")
        with Admin({"bootstrap.servers": self.servers}) as admin:
            admin.create_topics([NewTopicSpec(self.source, 2), NewTopicSpec(self.target, 2)])
        self.home = Installation(directory, self.servers, database_url)
        self.mark(1)
        self.home.apply(
            {
                "name": "pods",
                "source": {"topic": self.source},
                "steps": [{"transformation": "mark"}],
                "target": {"topic": self.target},
            }
        )

    def mark(self, by: int) -> None:
        self.home.write_processors({"transformations/mark.js": MARK.format(by=by)})
        self.home.must("sync")

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "inflect", "worker", "pods"]
        with subprocess.Popen(command, cwd=self.home.directory, env=self.home.environment) as process:
            try:
                yield process
            finally:
                process.kill()

    def write(self, count: int) -> None:
        producer = plain_producer({"bootstrap.servers": self.servers})
        for n in range(count):
            producer.produce(self.source, json.dumps({"n": n}), key=str(n))
        assert producer.flush(10) == 0

    def show(self) -> dict[str, Any]:
        shown: dict[str, Any] = json.loads(self.home.must("show", "pods", "--json"))
        return shown

    def delivered(self) -> list[dict[str, Any]]:
        return [json.loads(m.value() or b"") for m in committed_records(self.servers, self.target)]


def test_two_pods_share_the_partitions_and_hand_them_over(
    tmp_path: Path, kafka: KafkaServer, database_url: str, topic_name: Names
) -> None:
    pods = Pods(tmp_path, kafka, database_url, topic_name)
    with pods.worker() as first, pods.worker() as second:
        eventually(lambda: [len(w["partitions"]) for w in pods.show()["workers"]] == [1, 1], within_s=40)
        assert {w["pid"] for w in pods.show()["workers"]} == {first.pid, second.pid}
        pods.write(200)
        eventually(lambda: pods.show()["counts"]["delivered"] == 200, within_s=20)
        first.send_signal(signal.SIGTERM)
        assert first.wait(15) == 0
        pods.write(100)
        eventually(lambda: pods.show()["counts"]["delivered"] == 300, within_s=20)
    assert len(pods.delivered()) == 300


def test_a_pod_takes_a_new_revision_live_and_ends_when_paused(
    tmp_path: Path, kafka: KafkaServer, database_url: str, topic_name: Names
) -> None:
    pods = Pods(tmp_path, kafka, database_url, topic_name)
    with pods.worker() as worker:
        pods.write(10)
        eventually(lambda: pods.show()["counts"]["delivered"] == 10, within_s=30)
        pods.mark(2)
        eventually(lambda: [w["revision"] for w in pods.show()["workers"]] == [2], within_s=10)
        pods.write(10)
        eventually(lambda: len(pods.delivered()) == 20, within_s=20)
        assert sorted(event["by"] for event in pods.delivered()) == [1] * 10 + [2] * 10
        pods.home.must("pause", "pods")
        assert worker.wait(15) == 0
        assert pods.show()["workers"] == []


def test_a_pod_of_an_unknown_pipeline_says_so(tmp_path: Path, kafka: KafkaServer, database_url: str) -> None:
    home = Installation(tmp_path, kafka.bootstrap_servers, database_url)
    done = home.inflect("worker", "nobody")
    assert done.returncode == 2
    assert "nobody" in done.stderr
