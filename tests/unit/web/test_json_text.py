"""Event content as text: laid out without a digit changed, faults by line, differences without noise, bounded."""

import json

import pytest

from inflect.web.json_text import MOST_CHARACTERS, bounded, changed_lines, laid_out, problem_of, shown


def test_laying_out_changes_no_digit_and_no_text() -> None:
    text = '{"id":1152921504606846977,"price":1.10,"a":[],"o":{},"s":"a, {b}: [\\"c\\"]","list":[1e400,{"x":null}]}'
    told = laid_out(text)
    assert "".join(told.split()) == "".join(text.split())
    assert '"price": 1.10,' in told
    assert '"a": [],\n  "o": {},' in told
    assert told == laid_out(told)


@pytest.mark.parametrize("value", [{"a": [1, {"b": []}]}, [], {}, [[]], "x", 1, None, [1, [2, [3]]]])
def test_laying_out_is_what_python_lays_out(value: object) -> None:
    assert laid_out(json.dumps(value)) == json.dumps(value, indent=2)


def test_what_is_no_json_stays_as_it_is_and_the_place_is_told() -> None:
    text = '{"a": 1,\n "b": }'
    assert laid_out(text) == text
    problem = problem_of(text)
    assert problem is not None
    assert (problem.line, problem.column) == (2, 7)
    assert str(problem_of("[NaN]")) == "line 1, column 1: NaN is not valid JSON"
    assert problem_of("[" * 100_000) is not None


def test_a_field_that_is_added_is_the_only_line_that_differs() -> None:
    lines = changed_lines({"a": 1, "b": 2}, {"a": 1, "b": 2, "c": 3})
    assert [(line.sign, line.text) for line in lines if line.kind] == [("+", '  "c": 3')]
    assert [line.text for line in lines if not line.kind] == ["{", '  "a": 1,', '  "b": 2,', "}"]


def test_of_a_long_event_only_what_is_around_a_change_is_shown() -> None:
    before = {f"f{n}": n for n in range(200)}
    lines = changed_lines(before, {**before, "f3": "x", "f150": "y"})
    assert [line.kind for line in lines].count("place") == 1
    assert len(lines) < 20
    assert changed_lines({f"f{n}": n for n in range(5000)}, {}) == []


def test_nothing_turns_the_page_around_or_fills_it() -> None:
    assert bounded("a\u202eb") == "a\\u202eb"
    assert shown("\u2066") == '"\\u2066"'
    long = bounded("x" * (MOST_CHARACTERS + 1234))
    assert long.endswith("… 1,234 characters more")
