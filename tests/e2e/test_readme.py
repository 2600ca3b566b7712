"""The README's first pipeline, followed word for word."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from inflect.embedded.kafka import KafkaServer
from tests.installation import Installation
from tests.waiting import eventually

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<language>\w+)\n(?P<text>.*?)```(?=\n)", re.DOTALL)


def files_and_commands() -> tuple[dict[str, str], list[str]]:
    """The README's files by path (named in the line before), and its commands in order."""
    files: dict[str, str] = {}
    commands: list[str] = []
    for block in BLOCK.finditer(README.read_text()):
        if block["language"] == "sh":
            commands += block["text"].splitlines()
        else:
            (path,) = re.findall(r"`([\w/.-]+\.(?:js|yaml|py))`", block["before"])
            files[path] = block["text"]
    return files, commands


def run(command: str, folder: Path, home: Installation) -> str:
    """One command as typed, with the environment's programs on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=home.environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def test_the_first_pipeline_of_the_readme_runs_as_written(
    tmp_path: Path, kafka: KafkaServer, database_url: str, topic_name: Callable[[str], str]
) -> None:
    files, commands = files_and_commands()
    assert (len(files), len(commands)) == (4, 4)
    home = Installation(tmp_path, kafka.bootstrap_servers, database_url)
    # The session's broker is shared: the topics get names of this test, and the servers' file says where it is.
    own = topic_name("readme")
    for path, text in files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(re.sub(r'(topic: |NewTopic\("|\)\["|produce\("|dead_letter: )orders', rf"\1{own}", text))
    (tmp_path / ".inflect").mkdir()
    (tmp_path / ".inflect/servers.json").write_text(
        f'{{"kafka": {{"bootstrap_servers": "{kafka.bootstrap_servers}"}}}}'
    )

    assert commands[0].startswith("inflect test")
    assert "3 passed" in run(commands[0], tmp_path, home)
    with home:
        for command in commands[1:]:
            run(command, tmp_path, home)
        counts = {
            "consumed": 1000,
            "delivered": 500,
            "filtered": 500,
            "dead_lettered": 0,
            "dropped": 0,
            "unaccounted": 0,
        }
        eventually(lambda: home.show("orders-clean")["counts"] == counts, within_s=30)
