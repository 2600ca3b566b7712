"""The soak at a small number: every kind of fault under load, and every event exactly once, in order."""

from pathlib import Path

import pytest

from tests.soak.scene import broken, soak


@pytest.mark.row("A59")
@pytest.mark.timeout(300)
def test_every_event_arrives_exactly_once_through_all_kinds_of_faults(tmp_path: Path) -> None:
    line = soak(tmp_path, seconds=20, seed=3)

    assert not broken(line), line
    assert line["events"] >= 50_000
    assert all(line["faults"].values()), line
