"""Events in a form: what was typed is what the topic would hold, and what cannot be is told by its place."""

from inflect.control.trial_inputs import Input
from inflect.web.event_forms import EventFields, from_input, pretty, problem_in, read_form, to_events


def test_what_is_typed_is_the_value_byte_for_byte() -> None:
    form = {
        "value-0": '{"a":\r\n 1.10}',
        "kind-0": "text",
        "key-0": "k",
        "headers-0": "a: 1\r\na: 2\r\nb:x: y",
        "test-0": "t",
    }
    (event,) = read_form(form)
    given, faults = to_events([event], "json")
    assert faults == []
    assert given == [{"value": b'{"a":\n 1.10}', "key": "k", "headers": {"a": ["1", "2"], "b": ["x: y"]}}]
    assert event.test == "t"


def test_absent_values_bytes_and_keys() -> None:
    events = [
        EventFields(kind="none", value="ignored"),
        EventFields(kind="base64", value="AAEC\n"),
        EventFields(value="AAE="),
    ]
    given, faults = to_events(events, "bytes")
    assert faults == []
    assert [one["value"] for one in given] == [None, b"\0\1\2", b"\0\1"]
    assert [one["key"] for one in given] == [None, None, None]


def test_what_cannot_be_an_event_is_told_with_its_number() -> None:
    events = [EventFields(), EventFields(kind="base64", value="%"), EventFields(headers="no colon\n: no name")]
    _, faults = to_events(events, "json")
    assert [fault.path for fault in faults] == ["event 2", "event 3", "event 3"]
    assert "`name: value`, not 'no colon'" in faults[1].message


def test_an_event_that_is_no_json_is_marked_where_it_should_be_some() -> None:
    broken = EventFields(value="{")
    assert problem_in(broken, "json") is not None
    assert problem_in(broken, "avro") is not None
    assert problem_in(broken, "string") is None
    assert problem_in(EventFields(value="{", kind="none"), "json") is None


def test_events_that_were_found_become_fields() -> None:
    assert from_input(Input()).kind == "none"
    assert from_input(Input(base64="AA==", lost=True)).note
    event = from_input(Input('{"a":1}', None, "k", {"h": ["1", "2"], "i": "x\ny"}), test="t")
    assert (event.key, event.headers, event.test) == ("k", "h: 1\nh: 2\ni: x y", "t")
    assert pretty(event, "json").value == '{\n  "a": 1\n}'
    assert pretty(event, "string").value == '{"a":1}'


def test_a_changed_event_has_another_mark() -> None:
    event = EventFields(value="1", key="k")
    marks = {
        event.mark,
        EventFields(value="2", key="k").mark,
        EventFields(value="1").mark,
        EventFields(value="1", key="k", kind="none").mark,
    }
    assert len(marks) == 4
    assert event.mark == EventFields(value="1", key="k", test="t").mark
