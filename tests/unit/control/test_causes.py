"""Letters with one cause have one id, whatever belongs to the single event; other causes have others."""

from dataclasses import replace

import pytest

from inflect.control.causes import LONGEST, cause_of, shape
from inflect.processing.dialects import Story

STORY = Story("inflect", (), "orders", 3, "orders", 0, 17, 1, "step", "lower", "exception", "no 17")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("no order 17 of 2,097,152 (1.5)", "no order # of # (#)"),
        ("order-123 and order-9", "order-# and order-#"),
        ("Cannot read properties of null (reading 'trim')", "Cannot read properties of null (reading '…')"),
        ("can't read 'x' of customer's cart", "can't read '…' of customer's cart"),
        ('"x" is not of type number', '"…" is not of type number'),
        ('Bad token \'n\', ..."e": nonsense}" is not valid JSON', "Bad token '…', \"…\" is not valid JSON"),
        ("`a` is `b`", "`…` is `…`"),
        ("no 123e4567-e89b-12d3-a456-426614174000 here", "no # here"),
        ("key deadbeef0123456789 is gone", "key # is gone"),
        ("the facade is decorated", "the facade is decorated"),
        ("two\n  lines ", "two lines"),
        ("", ""),
    ],
)
def test_what_belongs_to_one_event_is_left_out(message: str, expected: str) -> None:
    assert shape(message) == expected


def test_a_long_message_has_a_short_shape_at_once() -> None:
    assert len(shape("word " * 100_000)) == LONGEST
    assert len(shape("'" * 100_000 + "a" * 100_000 + '"' * 100_000)) <= LONGEST


def test_one_cause_has_one_id() -> None:
    assert cause_of(STORY) == cause_of(replace(STORY, message="no 18", offset=18, revision=4, attempt=2))
    assert len(cause_of(STORY)) == 8


@pytest.mark.parametrize(
    "other", [{"stage": "decode"}, {"step": None}, {"step": "upper"}, {"kind": "timeout"}, {"message": "yes 17"}]
)
def test_another_cause_has_another_id(other: dict[str, str]) -> None:
    assert cause_of(replace(STORY, **other)) != cause_of(STORY)  # type: ignore[arg-type]  # a table of facts


def test_an_id_stays_what_it_was() -> None:
    """People keep ids in tickets and scripts."""
    assert cause_of(STORY) == "61f482a0"
