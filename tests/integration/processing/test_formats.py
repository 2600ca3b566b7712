"""The table in the docs is what happens."""

from collections import Counter

from tests.integration.processing.formats import DIALECTS, READING, WRITING, rows, table, written


def test_the_table_in_the_docs_is_what_happens() -> None:
    assert written() == table(), "run `python -m tests.integration.processing.formats`"


def test_every_format_is_in_the_table_in_both_directions_and_every_case() -> None:
    cells = Counter((name, direction) for name, direction, _, _ in rows())
    for name in DIALECTS:
        assert cells[name, "in"] >= len(READING)
        assert cells[name, "out"] >= len(WRITING)
    assert all(cells[name, direction] for name in ("string", "bytes") for direction in ("in", "out"))


def test_only_events_whose_schema_cannot_be_known_wait() -> None:
    waiting = {(direction, case) for _, direction, case, outcome in rows() if outcome.startswith("waits")}
    assert waiting == {
        ("in", "registry away at the start, an id never seen"),
        ("in", "registry away in flight, an id never seen"),
    }
