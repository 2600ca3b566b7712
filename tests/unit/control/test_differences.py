"""Field by field: what differs between two documents, apart from how they are written."""

from typing import Any

from inflect.control.apply import Difference, differences

DOCUMENT: dict[str, Any] = {
    "name": "p",
    "source": {"topic": "in"},
    "target": {"topic": "out"},
    "steps": [{"filter": "a"}, {"filter": "b", "params": {"x": 1}}],
}


def test_defaults_and_the_order_of_keys_make_no_difference() -> None:
    wordy = {
        "target": {"format": "json", "topic": "out"},
        "on_error": "stop",
        "batch": {"max_events": 10_000},
        **DOCUMENT,
        "source": {"start": "earliest", "topic": "in"},
    }
    assert differences(DOCUMENT, wordy) == ()


def test_every_value_that_differs_has_its_path() -> None:
    after = {
        **DOCUMENT,
        "description": "new",
        "target": {"topic": "elsewhere"},
        "steps": [{"filter": "a"}, {"filter": "b", "params": {"x": 2}}, {"filter": "c"}],
    }
    assert set(map(repr, differences(DOCUMENT, after))) == {
        repr(Difference("description", None, "new")),
        repr(Difference("target.topic", "out", "elsewhere")),
        repr(Difference("steps[1].params.x", 1, 2)),
        repr(Difference("steps[2]", None, {"filter": "c"})),
    }


def test_true_and_one_are_different_values() -> None:
    before = {**DOCUMENT, "steps": [{"filter": "a", "params": {"x": 1}}]}
    after = {**DOCUMENT, "steps": [{"filter": "a", "params": {"x": True}}]}
    assert differences(before, after) == (Difference("steps[0].params.x", 1, True),)  # noqa: FBT003  a JSON value
