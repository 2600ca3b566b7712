"""The command line as a process of its own, with a project directory and real servers."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inflect.embedded.kafka import KafkaServer
from inflect.kafka.admin import Admin, NewTopicSpec

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Project:
    """A directory with processors, the settings that reach the servers, and a source topic of 2 partitions."""

    folder: Path
    environ: dict[str, str]
    topic: str

    def run(self, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "inflect", *arguments],
            cwd=self.folder,
            env=self.environ,
            input=given,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def ask(self, *arguments: str) -> Any:
        """Run a verb that must succeed and return the JSON it prints."""
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "inflect", *arguments],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path


@pytest.fixture
def project(tmp_path: Path, kafka: KafkaServer, database_url: str, topic_name: Callable[[str], str]) -> Project:
    topic = topic_name("orders")
    with Admin({"bootstrap.servers": kafka.bootstrap_servers}) as admin:
        admin.create_topics([NewTopicSpec(topic, 2)])
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("INFLECT_")},
        "PYTHONPATH": str(ROOT),
        "INFLECT_DATABASE_URL": database_url,
        "INFLECT_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "INFLECT_HTTP_ADDRESS": "127.0.0.1:0",
    }
    project = Project(tmp_path, environ, topic)
    project.write(
        "processors/transformations/lower.js", "module.exports = e => ({...e, email: e.email.toLowerCase()})\n"
    )
    project.write("processors/filters/paid.js", "module.exports = (e, c) => e.paid || c.filter('not paid')\n")
    project.write(
        "pipelines/p.yaml",
        f"""\
name: p
source: {{topic: {topic}}}
steps:
  - transformation: lower
  - filter: paid
target: {{topic: {topic}-clean, create: {{}}}}
dead_letter: {topic}-dlq
tests:
  - name: an unpaid order is filtered
    event: {{email: A@B.C, paid: false}}
    expect: {{outcome: filtered, step: paid, reason: not paid}}
  - name: a paid one arrives in lower case
    event_file: ../paid.json
    expect: {{outcome: delivered, event: {{email: a@b.c, paid: true}}}}
  - name: one without an address fails
    event: {{paid: true}}
    expect: {{outcome: failed, step: lower, error: toLowerCase}}
""",
    )
    project.write("paid.json", '{"email": "A@B.C", "paid": true}')
    return project


@pytest.fixture
def serving(project: Project) -> Iterator[subprocess.Popen[str]]:
    """`inflect serve` with its address printed; ended, with everything it started, whatever happens."""
    process = project.start("serve")
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
