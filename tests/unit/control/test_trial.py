"""What a test may ask for, and how an event given as JSON becomes one of the topic."""

from typing import Any

import pytest

from inflect.control.trial import TrialRequest, event_of, read_request
from inflect.errors import RefusedError
from inflect.model.pipeline import Format


def test_a_whole_request_is_read() -> None:
    body = {"events": [{"value": 1, "key": "k", "headers": {"h": ["a"]}}], "generate": 2, "sample": 3, "seed": -4}
    assert read_request({**body, "pipeline": {"name": "p"}}) == TrialRequest(
        tuple(body["events"]),  # type: ignore[arg-type]  # a list in the body
        2,
        3,
        -4,
        {"name": "p"},
    )
    assert read_request({}) == TrialRequest()


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"event": 1}, "event: unknown key"),
        ({"events": {}}, "events: must be a list"),
        ({"events": [1]}, "events: must be a list of objects"),
        ({"events": [{}]}, "events[0].value: is required"),
        ({"events": [{"value": 1, "vale": 2}]}, "events[0].vale: unknown key"),
        ({"events": [{"value": 1, "key": 5}]}, "events[0].key: must be text or null"),
        ({"events": [{"value": 1, "headers": []}]}, "events[0].headers: must be an object"),
        ({"events": [{"value": 1, "headers": {"a": 1}}]}, "events[0].headers: must be an object"),
        ({"sample": 1001}, "sample: must be a whole number from 0 to 1000"),
        ({"generate": True}, "generate: must be a whole number"),
        ({"seed": "x"}, "seed: must be a whole number"),
        ({"pipeline": "p"}, "pipeline: must be a pipeline as an object"),
    ],
)
def test_a_faulty_request_is_refused_with_its_path(body: dict[str, Any], fault: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_request(body)
    assert any(str(one).startswith(fault) for one in caught.value.faults), caught.value.faults


@pytest.mark.parametrize(
    ("value", "source_format", "encoded"),
    [
        ({"ä": [1, 12345678901234567890]}, "json", '{"ä":[1,12345678901234567890]}'.encode()),
        ("text", "json", b'"text"'),
        ("text", "string", b"text"),
        ("aGk=", "bytes", b"hi"),
        (None, "json", None),
        (b"\xff raw", "json", b"\xff raw"),
    ],
)
def test_a_value_is_encoded_as_the_topic_holds_it(value: Any, source_format: Format, encoded: bytes | None) -> None:
    assert event_of({"value": value}, source_format, "e").value == encoded


@pytest.mark.parametrize(
    ("value", "source_format", "fault"),
    [(5, "string", "must be text: the source's format is string"), ("?", "bytes", "must be base64")],
)
def test_a_value_that_the_format_cannot_hold_is_refused(value: Any, source_format: Format, fault: str) -> None:
    with pytest.raises(RefusedError, match=fault):
        event_of({"value": value}, source_format, "e")


def test_headers_given_as_lists_repeat() -> None:
    event = event_of({"value": 1, "key": "k", "headers": {"a": "1", "b": ["2", "3"]}}, "json", "e")
    assert event.key == b"k"
    assert list(event.headers or ()) == [("a", b"1"), ("b", b"2"), ("b", b"3")]
