"""The processors directory is noticed, however it changes."""

import shutil
import threading
from pathlib import Path

from inflect.supervisor.watch import DirectoryWatch, fingerprint
from tests.waiting import eventually


def test_a_written_file_is_noticed_within_two_seconds(tmp_path: Path) -> None:
    changed = threading.Event()
    with DirectoryWatch(tmp_path, changed.set):
        file = tmp_path / "filters" / "a.js"
        file.parent.mkdir()

        def noticed() -> bool:
            file.write_text("module.exports = () => true")
            return changed.wait(0.5)

        eventually(noticed, within_s=2)


def test_a_directory_that_comes_later_is_watched_too(tmp_path: Path) -> None:
    directory, changed = tmp_path / "processors", threading.Event()
    with DirectoryWatch(directory, changed.set):
        directory.mkdir()

        def noticed() -> bool:
            (directory / "a.js").write_text("1")
            return changed.wait(0.2)

        eventually(noticed, within_s=6)


def test_a_directory_that_was_replaced_is_watched_again(tmp_path: Path) -> None:
    directory, changed = tmp_path / "processors", threading.Event()
    directory.mkdir()
    with DirectoryWatch(directory, changed.set):
        shutil.rmtree(directory)
        directory.mkdir()

        def noticed() -> bool:
            changed.clear()
            (directory / "a.js").write_text("1")
            return changed.wait(0.2)

        eventually(noticed, within_s=8)


def test_the_fingerprint_tells_changed_removed_and_new_files(tmp_path: Path) -> None:
    seen = {fingerprint(tmp_path)}
    (tmp_path / "a.js").write_text("1")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "a.js").write_text("22")
    seen.add(fingerprint(tmp_path))
    (tmp_path / "a.js").rename(tmp_path / "b.js")
    seen.add(fingerprint(tmp_path))
    assert len(seen) == 4
    assert fingerprint(tmp_path / "nowhere") == frozenset()
