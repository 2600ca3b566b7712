"""Exit codes, where things are printed, and what happens without a terminal. No server is needed."""

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from inflect.cli.main import cli
from inflect.cli.session import lines_of
from inflect.control.apply import Difference
from inflect.model.document import JSON_SCHEMA

VERBS = {
    *("demo", "serve", "worker", "apply", "diff", "export", "list", "show", "pause", "resume", "delete", "history"),
    *("rollback", "test", "sync", "migrate", "schema", "doctor", "completion", "dead-letters"),
}


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("INFLECT_DATABASE_URL", "INFLECT_KAFKA_BOOTSTRAP_SERVERS"):
        monkeypatch.delenv(name, raising=False)


def inflect(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=given)


def test_every_verb_is_there_and_explains_itself() -> None:
    assert set(cli.commands) == VERBS
    for verb in VERBS:
        result = inflect(verb, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith("Usage: ")


def test_everything_that_prints_prints_json_too() -> None:
    silent = {"demo", "serve", "worker", "completion"}
    for verb in VERBS - silent:
        command = cli.commands[verb]
        words = [(verb, each) for each in command.commands] if isinstance(command, click.Group) else [(verb,)]
        assert all("--json" in inflect(*each, "--help").stdout for each in words), verb


def test_schema_prints_the_grammar() -> None:
    assert json.loads(inflect("schema").stdout) == JSON_SCHEMA


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef inflect"), ("fish", "complete --")]
)
def test_completion_prints_the_script(shell: str, mark: str) -> None:
    result = inflect("completion", shell)
    assert result.exit_code == 0
    assert mark in result.stdout
    assert "_INFLECT_COMPLETE" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "verb"),
    [
        (("aply",), "inflect"),
        (("apply",), "inflect apply"),
        (("completion",), "inflect completion"),
        (("rollback", "x", "zero"), "inflect rollback"),
        (("rollback", "x", "2147483648"), "inflect rollback"),
        (("serve", "--what"), "inflect serve"),
        (("--log-format", "loud", "list"), "inflect"),
    ],
)
def test_wrong_usage_exits_2_with_one_line_on_stderr_and_its_mend(arguments: tuple[str, ...], verb: str) -> None:
    result = CliRunner().invoke(cli, arguments, prog_name="inflect")
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert line.endswith(f"; see `{verb} --help`")
    assert result.stdout == ""


def test_a_bare_inflect_shows_the_verbs() -> None:
    result = inflect()
    assert result.exit_code == 2
    assert "Commands:" in result.stderr


@pytest.mark.parametrize("arguments", [("list",), ("show", "p"), ("migrate",), ("sync",), ("serve",), ("pause", "p")])
def test_without_a_database_the_error_says_what_to_set(arguments: tuple[str, ...]) -> None:
    result = inflect(*arguments)
    assert result.exit_code == 2
    [line] = result.stderr.splitlines()
    assert line.startswith("error: no database is set: give INFLECT_DATABASE_URL")


def test_an_unreachable_database_exits_3_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLECT_DATABASE_URL", "postgresql://u:geheim@127.0.0.1:9/d")
    result = inflect("list")
    assert result.exit_code == 3
    [line] = result.stderr.splitlines()
    assert line.startswith("error: cannot reach Postgres at 127.0.0.1:9/d")
    assert "geheim" not in line


def test_the_faults_of_all_files_are_told_at_once_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: a\nname: b")
    (tmp_path / "b.json").write_text('{"a": ')
    result = inflect("apply", str(tmp_path), "no.yaml")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert [line.startswith("error: ") for line in lines] == [True] * len(lines)
    assert f"error: {tmp_path}/a.yaml: line 2, column 1: 'name' is given twice; keep one of them" in lines
    assert any(line.startswith(f"error: {tmp_path}/b.json: line 1") for line in lines)


def test_what_functions_and_files_say_cannot_paint_the_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "processors" / "filters"
    folder.mkdir(parents=True)
    (folder / "no.js").write_text("module.exports = (event, context) => context.filter('\\x1b[2J')")
    case = {"name": "\x1b[31m", "event": {}, "expect": {"outcome": "filtered"}}
    pipeline = {"name": "p", "source": {"topic": "in"}, "target": {"topic": "out"}, "steps": [{"filter": "no"}]}
    (tmp_path / "p.json").write_text(json.dumps(pipeline | {"tests": [case]}))
    result = inflect("test", "p.json")
    assert result.exit_code == 0
    assert "\\x1b[2J" in result.stdout
    assert "\x1b" not in result.stdout
    before = Difference("description", None, "\x1b[2J\n- forged")
    assert list(lines_of(before)) == [("+", "description: \\x1b[2J\\n- forged")]


def test_a_missing_file_and_an_empty_directory_are_named(tmp_path: Path) -> None:
    assert "no.yaml: cannot be read" in inflect("apply", "no.yaml").stderr
    assert "holds no pipeline file" in inflect("apply", str(tmp_path)).stderr


def test_faulty_settings_exit_2_with_all_faults(tmp_path: Path) -> None:
    (tmp_path / "inflect.toml").write_text('mode = "x"\nfoo = 1')
    result = inflect("list")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: inflect.toml: mode: 'x' must be one of local, kubernetes",
        "error: inflect.toml: foo: unknown setting",
    ]


@pytest.mark.parametrize("address", ["0.0.0.0:8080", "10.0.0.1:80", "example.org:80"])
def test_serve_refuses_an_address_that_others_reach(address: str) -> None:
    result = inflect("serve", "--http-address", address)
    assert result.exit_code == 2
    assert "INFLECT_NO_AUTH=behind-proxy" in result.stderr


def test_serve_says_that_kubernetes_is_for_later() -> None:
    assert "not in this version yet" in inflect("serve", "--kubernetes").stderr


def test_doctor_names_each_failed_check_with_its_mend() -> None:
    result = inflect("doctor", "--json")
    findings = {one["check"]: one for one in json.loads(result.stdout)}
    assert result.exit_code == 1
    assert findings["settings"]["ok"]
    assert "INFLECT_DATABASE_URL" in findings["Postgres"]["message"]
    assert "INFLECT_KAFKA_BOOTSTRAP_SERVERS" in findings["Kafka"]["message"]
    assert "does not exist" in findings["processors"]["message"]
    assert findings["V8"]["ok"]


def test_help_loads_no_room() -> None:
    code = "import sys, inflect.cli.main; print([m for m in sys.modules if m.startswith('inflect.')])"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "inflect.store" not in loaded
    assert "inflect.kafka" not in loaded
    assert "inflect.settings" not in loaded
