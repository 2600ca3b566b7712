"""One line an entry, no secrets, no control characters."""

import json
import logging
from collections.abc import Iterator

import pytest

from inflect import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_json_lines_hold_fields_and_a_time(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    logs.get("worker").info("started", pipeline="p", slot=3)
    out, err = capsys.readouterr()
    entry = json.loads(err)
    assert out == ""
    assert entry.pop("timestamp").endswith("Z")
    assert entry == {"event": "started", "level": "info", "logger": "worker", "pipeline": "p", "slot": 3}


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_nothing_that_is_logged_can_forge_a_line_or_paint_the_terminal(
    log_format: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(log_format)
    logs.get("x").info("a\nb\r\x1b[31m", value="c\nd\x9b\u2028")
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert not set(err[:-1]) & set("\r\x1b\x9b\u2028")


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_secrets_are_hidden(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(log_format)
    fields = {"password": "geheim", "words": "host=h password=geheim"}
    logs.get("x").info("to postgresql://u:geheim@h/d", **fields)
    err = capsys.readouterr().err
    assert "geheim" not in err
    assert "postgresql://u:***@h/d" in err


def test_libraries_log_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    logging.getLogger("uvicorn").warning("slow %s", "client")
    entry = json.loads(capsys.readouterr().err)
    assert (entry["event"], entry["logger"], entry["level"]) == ("slow client", "uvicorn", "warning")


def test_an_exception_is_one_entry(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("json")
    logs.get("x").error("failed", exc_info=RuntimeError("postgresql://u:geheim@h"))
    [line] = capsys.readouterr().err.splitlines()
    assert "RuntimeError" in json.loads(line)["exception"]
    assert "geheim" not in line


def test_without_a_terminal_auto_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("auto")
    logs.get("x").warning("w")
    assert json.loads(capsys.readouterr().err)["event"] == "w"
