import os
from pathlib import Path

from inflect.control.sync import compile_directory


def test_a_file_name_that_is_no_text_harms_no_other_file(tmp_path: Path) -> None:
    folder = tmp_path / "transformations"
    folder.mkdir()
    for name in (b"fine.js", b"line\nbreak.js", b"latin\xff.js"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text("module.exports = (event) => event")
    versions, faults = compile_directory(tmp_path)
    assert list(versions) == ["transformations/fine.js"]
    assert {fault.path for fault in faults} == {
        "'transformations/line\\nbreak.js'",
        "'transformations/latin\\udcff.js'",
    }
    assert {fault.message for fault in faults} == {"its name holds a control character or is not UTF-8; rename it"}
