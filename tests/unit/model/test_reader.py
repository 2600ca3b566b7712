"""Text to documents: what is read as what, and what is refused with which place."""

import pytest

from inflect.errors import RefusedError
from inflect.model.reader import MAX_DEPTH, read_documents


def read(text: str) -> object:
    [document] = read_documents(f"x: {text}", "f.yaml")
    return document["x"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("12:30", "12:30"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31", "2026-01-31"),
        ("1_000", "1_000"),
        (".inf", ".inf"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("-17", -17),
        ("007", 7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5e3", 1500.0),
        ("1e3", 1000.0),
        ("12345678901234567890123", 12345678901234567890123),
        ("'5'", "5"),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("|\n  a\n  b\n", "a\nb\n"),
    ],
)
def test_words_follow_yaml_1_2(text: str, value: object) -> None:
    found = read(text)
    assert found == value
    assert type(found) is type(value)


def test_several_documents_come_in_order_and_empty_ones_are_passed_over() -> None:
    assert read_documents("---\nname: a\n---\n---\nname: b\n", "f") == [{"name": "a"}, {"name": "b"}]


def test_json_is_read_as_json() -> None:
    text = '{"a": "\\ud83d\\ude00", "b":\t[1.0, 12345678901234567890]}'
    assert read_documents(text, "f") == [{"a": "\U0001f600", "b": [1.0, 12345678901234567890]}]


def test_a_json_list_is_several_documents() -> None:
    assert read_documents('[{"name": "a"}, {"name": "b"}]', "f") == [{"name": "a"}, {"name": "b"}]


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert read_documents("\ufeffname: a", "f") == [{"name": "a"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f: line 3, column 1: 'a' is given twice; keep one of them"),
        ('{"a": 1,\n "a": 2}', "f: line 2, column 2: 'a' is given twice; keep one of them"),
        ("a: &x [1]\nb: *x", "f: line 2, column 4: an alias (*) cannot be used here; write the value out"),
        ("a: !!python/object:os.system x", "f: line 1, column 4: the tag tag:yaml.org,2002:python/object:os.system"),
        ("a: !!binary aGk=", "f: line 1, column 4: the tag tag:yaml.org,2002:binary cannot be used here"),
        ("a: !mine x", "f: line 1, column 4: the tag !mine cannot be used here"),
        ("a: 1e999", "f: line 1, column 4: '1e999' cannot be used as a number"),
        ("a: " + "9" * 5000, "cannot be used as a number"),
        ("a: !!int x", "f: line 1, column 4: 'x' cannot be used as a number"),
        ("1: a", "f: line 1, column 1: a key must be text; put it in quotes"),
        ("true: a", "a key must be text"),
        ("? [a]\n: b", "a key must be text"),
        ("a: [1", "f: line 1, column 6: while parsing a flow sequence"),
        ("a:\n\t- b", "f: line 2, column 1: while scanning for the next token"),
        ("a: \x01", "f: line 1: holds a character that is no text"),
        ('a: "\\0"', "f: a: holds a character that cannot be stored"),
        ('{"a": [{"b": "\\ud800"}]}', "f: a[0].b: holds a character that cannot be stored"),
        ('{"a": 1e999}', "f: a: the number is too large"),
        ("", "f: holds no pipeline"),
        ("---\n", "f: holds no pipeline"),
        ("just words", "f: document 1: is no pipeline"),
        ("a: 1\n---\n5", "f: document 2: is no pipeline"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, message: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read_documents(text, "f")
    assert message in str(caught.value)


@pytest.mark.parametrize("opened", ["[", "{a: "])
@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, 100_000])
def test_bottomless_nesting_is_refused_before_it_is_built(opened: str, levels: int) -> None:
    with pytest.raises(RefusedError, match=f"nested deeper than {MAX_DEPTH} levels"):
        read_documents("x: " + opened * levels, "f")


def test_json_nested_too_deep_is_refused() -> None:
    text = '{"x": ' + "[" * 100 + "]" * 100 + "}"
    with pytest.raises(RefusedError, match="nested deeper than"):
        read_documents(text, "f")


def test_a_huge_text_is_refused_unread() -> None:
    with pytest.raises(RefusedError, match="larger than 4 MB"):
        read_documents("#" * (4 * 1024 * 1024 + 1), "f")
