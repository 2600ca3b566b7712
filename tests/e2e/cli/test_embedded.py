"""`inflect serve --embedded` from outside: one owner of a folder; servers that die; a terminal that closes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest

from tests.e2e.cli.conftest import Project
from tests.waiting import eventually


@pytest.fixture
def alone(project: Project) -> Project:
    """The project with a Postgres of its own to be started; no registry is asked."""
    environ = {**project.environ, "INFLECT_REGISTRY_URL": "http://127.0.0.1:1"}
    del environ["INFLECT_DATABASE_URL"]
    return replace(project, environ=environ)


@pytest.fixture
def owner(alone: Project) -> Iterator[subprocess.Popen[str]]:
    """`serve --embedded`, ready."""
    with alone.start("serve", "--embedded") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Inflect is ready: "), process.communicate()[1]
        yield process
        process.kill()


def postgres(project: Project) -> dict[str, str | int]:
    announced: dict[str, str | int] = json.loads((project.folder / ".inflect" / "servers.json").read_text())["postgres"]
    return announced


def test_a_second_one_is_refused_at_once_and_told_of_the_first(alone: Project, owner: subprocess.Popen[str]) -> None:
    begun = time.monotonic()
    refused = alone.run("serve", "--embedded")
    assert time.monotonic() - begun < 10
    assert refused.returncode == 2
    assert f".inflect is in use by process {owner.pid} (python" in refused.stderr
    assert "serve --embedded); stop it, or choose another folder with --data-dir" in refused.stderr
    assert owner.poll() is None


def test_a_server_that_dies_comes_back_and_a_closed_terminal_ends_all(
    alone: Project, owner: subprocess.Popen[str]
) -> None:
    before = postgres(alone)
    os.kill(int(before["pid"]), signal.SIGKILL)
    eventually(lambda: postgres(alone)["pid"] != before["pid"], within_s=40)
    assert postgres(alone)["url"] == before["url"]
    psycopg.connect(str(before["url"])).close()
    os.killpg(owner.pid, signal.SIGHUP)  # as a terminal does: to all of them
    assert owner.wait(timeout=40) == 0
    assert owner.stderr is not None
    told = owner.stderr.read()
    assert "an embedded server has ended; it is started again" in told
    assert "an embedded server is back" in told
    assert "Traceback" not in told
    assert not (alone.folder / ".inflect" / "servers.json").exists()
