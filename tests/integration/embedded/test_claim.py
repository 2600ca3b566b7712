"""One owner of the embedded servers at a time, and the second learns who the first is."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inflect.embedded.claim import claim
from inflect.errors import UsageError

HOLDER = (
    "import sys; from pathlib import Path; from inflect.embedded.claim import claim\n"
    "with claim(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


def test_a_second_owner_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    file = tmp_path / "data" / "lock"
    command = [sys.executable, "-c", HOLDER, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=rf"{file.parent} is in use by process {holder.pid} \(python"), claim(file):
            pass
        holder.kill()
        holder.wait()
        with claim(file):
            assert file.read_text() == str(os.getpid())
    assert not file.exists()


def test_a_claim_is_over_with_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with claim(tmp_path / "lock"):
            pass
    assert list(tmp_path.iterdir()) == []
