"""What is exported reads back as it was, whatever its words look like."""

from typing import Any

import pytest

from inflect.model.reader import read_documents
from inflect.model.writer import write_documents


@pytest.mark.parametrize(
    "value",
    [
        *("no", "true", "null", "~", "", "12:30", "2026-01-31", "1e5", "0o17", "0x1F", "007", ".5", "1_000", ".inf"),
        *(
            "a: b",
            "# c",
            "- d",
            "*x",
            "&y",
            "!z",
            "a\nb\n",
            "\ttab",
            "quote ' \"",
            "\x85\u2028",
            "😀",
            "=",
            "<<",
            "yes",
        ),
        *(True, None, 5, -5, 10**30, 1.5, 1e300, 1e-7, 0.1, [], {}, [[]], {"1": 2, "no": [{"true": None}]}),
    ],
    ids=repr,
)
def test_every_value_survives_the_way_out_and_in(value: Any) -> None:
    [document] = read_documents(write_documents([{"x": value}]), "f")
    assert document == {"x": value}
    assert type(document["x"]) is type(value)


def test_equal_values_are_written_out_each_time() -> None:
    shared = {"a": [1]}
    text = write_documents([{"x": shared, "y": shared}])
    assert "&" not in text
    assert read_documents(text, "f") == [{"x": shared, "y": shared}]


def test_several_documents_keep_their_order_and_that_of_their_keys() -> None:
    text = write_documents([{"z": 1, "a": 2}, {"b": 3}])
    assert text == "---\nz: 1\na: 2\n---\nb: 3\n"
