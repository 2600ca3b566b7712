"""What names the content of a schema."""

from inflect.model.schema import PinnedSchema, Schema


def test_equal_schemas_have_one_hash_whoever_made_them() -> None:
    assert Schema("json", "{}", {"a": "1"}).hash == Schema("json", "{}", {"a": "1"}).hash


def test_kind_text_and_references_are_content() -> None:
    schemas = [
        Schema("json", "{}"),
        Schema("avro", "{}"),
        Schema("json", "{ }"),
        Schema("json", "{}", {"a": "1"}),
        Schema("json", "{}", {"a": "2"}),
    ]
    assert len({schema.hash for schema in schemas}) == len(schemas)


def test_a_pin_says_where_it_came_from() -> None:
    schema = Schema("json", "{}")
    assert str(PinnedSchema(schema, subject="orders-value", version=3, id=7)) == "orders-value version 3"
    assert str(PinnedSchema(schema, file="schemas/order.json")) == "schemas/order.json"
