import pytest

from inflect.embedded.progress import Display


def test_without_a_terminal_each_phase_is_one_plain_line_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        report = display.line("Kafka")
        report("Kafka: resolving", 0, 0)
        for done in range(1, 4):
            report(f"Kafka: {done} MB", done, 4)
        report("Kafka: downloaded 4 files", 4, 4)
    said = capsys.readouterr()
    assert said.err.splitlines() == ["Kafka: resolving", "Kafka: downloaded 4 files"]
    assert said.out == ""
