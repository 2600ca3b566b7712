"""Dead letters as pages show them: causes as bars, the way of the event, the line that failed."""

from typing import Any

from inflect.model.pipeline import Pipeline, Source, Step, Target
from inflect.web import letter_views

PIPELINE = Pipeline(
    "p", Source("in"), Target("out"), steps=(Step("a", "transformation", "a"), Step("b", "filter", "b"))
)


def letter(**changes: Any) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "id": "dlq:0:1",
        "cause": "c",
        "dialect": "inflect",
        "writer": "p",
        "revision": 3,
        "stage": "step",
        "step": "b",
        "kind": "exception",
        "message": "no",
        "location": "filters/b.js:4:9",
        "time": "2026-11-22T12:00:00Z",
        "attempt": 1,
        "origin": {"topic": "in", "partition": 0, "offset": 7, "timestamp": 0},
        "truncated": False,
        "redriven": None,
    }
    return {**facts, **changes}


def test_the_way_of_an_event_ends_where_it_died() -> None:
    ways = {
        "b": ["ok", "ok", "failed", "skipped"],
        "decode": ["failed", "skipped", "skipped", "skipped"],
        "encode": ["ok", "ok", "ok", "failed"],
    }
    for where, statuses in ways.items():
        changes = {} if where == "b" else {"stage": where, "step": None}
        assert [stop.status for stop in letter_views.stops(PIPELINE, letter(**changes))] == statuses


def test_a_step_that_is_gone_has_no_way_to_draw() -> None:
    assert letter_views.stops(PIPELINE, letter(step="gone")) == []
    assert letter_views.stops(PIPELINE, letter(stage=None, step=None)) == []


def test_the_lines_around_the_failing_one_are_shown() -> None:
    found = letter_views.code("filters/b.js:4:9", "\n".join(f"line {n}" for n in range(1, 30)))
    assert found is not None
    assert (found.file, found.first, found.failing) == ("filters/b.js", 1, 4)
    assert found.lines[3] == "line 4"
    assert letter_views.code("filters/b.js:99:1", "one line") is None
    assert letter_views.code(None, "one line") is None


def test_bars_are_shares_of_the_most_frequent_cause() -> None:
    groups = [
        {
            "cause": str(n),
            "shape": "s",
            "kind": None,
            "stage": "decode",
            "step": None,
            "count": n,
            "first": None,
            "last": "no time",
        }
        for n in (8, 2)
    ]
    first, second = letter_views.causes(groups)
    assert (first.share, second.share, second.where, second.last) == (100.0, 25.0, "reading", None)


def test_times_and_places_that_nobody_told_are_left_out() -> None:
    bare = letter(
        time=None, origin={"topic": None, "partition": None, "offset": None, "timestamp": 10**18}, revision=None
    )
    assert letter_views.row(bare).at is None
    assert [word for word, _ in letter_views.story(bare)] == ["attempt"]
