"""What runs in the sandbox may loop, eat memory or die: the caller stays up and is told."""

import os

import pytest

from inflect.engine.sandbox import SandboxError, run_in_sandbox


def loop() -> None:
    while True:
        pass


def eat() -> int:
    return len(bytearray(8 << 30))


def environment() -> dict[str, str]:
    return dict(os.environ)


def shout(text: str) -> str:
    print("noise on stdout")  # noqa: T201  the answer must not be mixed with it
    return text.upper()


def die() -> None:
    os.abort()


def test_the_answer_comes_back() -> None:
    assert run_in_sandbox(shout, "ü", timeout_s=20, memory_mb=64) == "Ü"


def test_an_endless_loop_ends_at_its_time() -> None:
    with pytest.raises(SandboxError, match="no answer after 2 s"):
        run_in_sandbox(loop, timeout_s=2, memory_mb=64)


def test_too_much_memory_ends_the_child_only() -> None:
    with pytest.raises(SandboxError, match="MemoryError"):
        run_in_sandbox(eat, timeout_s=20, memory_mb=64)


@pytest.mark.row("B20")
def test_a_crash_ends_the_child_only() -> None:
    with pytest.raises(SandboxError, match="signal 6"):
        run_in_sandbox(die, timeout_s=20, memory_mb=64)


def test_the_child_sees_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INFLECT_SECRET_KEY", "canary")
    assert "INFLECT_SECRET_KEY" not in run_in_sandbox(environment, timeout_s=20, memory_mb=64)
