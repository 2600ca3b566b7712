"""What may change in a text without its being another schema."""

import pytest

from inflect.model.schema import Schema
from inflect.schemas.sameness import mean_the_same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (Schema("json", '{"a": 1, "b": 2}'), Schema("json", '{"b":2,"a":1}'), True),
        (Schema("json", '{"a": [1, 2]}'), Schema("json", '{"a": [2, 1]}'), False),
        (Schema("json", "{}"), Schema("avro", "{}"), False),
        (Schema("avro", "no json"), Schema("avro", "no json"), True),
        (Schema("avro", "[" * 100_000), Schema("avro", "[" * 100_000), True),
        (Schema("json", "{}", {"a": "{}"}), Schema("json", "{}", {"a": "{ }"}), True),
        (Schema("json", "{}", {"a": "{}"}), Schema("json", "{}"), False),
        (Schema("protobuf", "message A {}"), Schema("protobuf", "message A{ }  // end"), True),
        (Schema("protobuf", "message A /* of\n all */ {}"), Schema("protobuf", "message A {}"), True),
        (Schema("protobuf", "message A {}"), Schema("protobuf", "message B {}"), False),
        (Schema("protobuf", 'x = "a // b"'), Schema("protobuf", 'x = "a // c"'), False),
        (Schema("protobuf", 'x = "a b"'), Schema("protobuf", 'x = "ab"'), False),
    ],
)
def test_layout_and_comments_change_nothing(one: Schema, other: Schema, *, same: bool) -> None:
    assert mean_the_same(one, other) is same
