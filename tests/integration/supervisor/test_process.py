"""One child: what it takes with it and what it leaves alone."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from inflect.supervisor.children import Children, Ears
from tests.integration.supervisor import fake_worker
from tests.waiting import eventually


def test_a_child_does_not_run_the_program_that_started_it_again(
    children: Children, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "program.py"
    program.write_text("from pathlib import Path; Path(__file__).with_name('imported').touch()")
    main = ModuleType("__main__")
    main.__file__ = str(program)
    monkeypatch.setitem(sys.modules, "__main__", main)
    ended: list[Any] = []
    children.start(Ears(lambda _message: None, ended.append, ended.append), "one", fake_worker.short_lived, "x")
    eventually(lambda: children.wait(0.02) is not None and ended == [1])
    assert not (tmp_path / "imported").exists()
    assert sys.modules["__main__"] is main


@pytest.mark.row("E07")
def test_a_child_that_cannot_be_started_leaves_no_descriptor_open(children: Children) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(TypeError):
        children.start(Ears(print, print, print), "one", fake_worker.web, sys._getframe())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(children) == 0
