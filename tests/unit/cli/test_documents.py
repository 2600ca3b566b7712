"""docs/testing.md, followed word for word."""

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from inflect.cli.main import cli

DOCUMENT = Path(__file__).parents[3] / "docs/testing.md"
BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<language>\w+)\n(?P<text>.*?)```(?=\n)", re.DOTALL)


def test_testing_md_runs_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("INFLECT_DATABASE_URL", "INFLECT_KAFKA_BOOTSTRAP_SERVERS", "INFLECT_REGISTRY_URL"):
        monkeypatch.delenv(name, raising=False)
    commands: list[str] = []
    for block in BLOCK.finditer(DOCUMENT.read_text()):
        if block["language"] == "sh":
            commands += block["text"].splitlines()
            continue
        (path,) = re.findall(r"`([\w/.-]+\.(?:js|json|yaml))`", block["before"])
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(block["text"])
    assert len(commands) == 4
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "inflect"
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, f"{command}: {done.output}"
    suites = {name: ET.parse(tmp_path / name).getroot()[0].attrib for name in ("tests.xml", "generated.xml")}  # noqa: S314  our own files
    assert {name: (one["name"], one["tests"], one["failures"]) for name, one in suites.items()} == {
        "tests.xml": ("orders-total", "2", "0"),
        "generated.xml": ("orders-total", "200", "0"),
    }
