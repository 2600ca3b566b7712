"""Events made from JSON Schemas are valid, repeatable and what people expect."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from inflect.errors import RefusedError
from inflect.schemas.samples import generate
from tests.unit.schemas.samples.shapes import names, of_text, shape
from tests.unit.schemas.test_json_schema_suite import DIALECTS, cases, remotes

# Its opposite asks for a member beside every one that is named, in a schema that names none by itself.
NOT_FOUND = "collect annotations inside a 'not', even if collection is disabled"
RANGE = {"type": "integer", "minimum": 5, "maximum": 3}


def drawn(schema: Any, count: int = 40, seed: int = 1) -> list[Any]:
    return generate(of_text(json.dumps(schema)), count, seed)


@pytest.mark.parametrize("name", names("json"))
def test_200_events_are_valid_and_different(name: str) -> None:
    pinned = shape(name)
    events = generate(pinned, 200, seed=11)
    validator = jsonschema_rs.validator_for(json.loads(pinned.schema.text), validate_formats=True)
    assert [error.message for event in events for error in validator.iter_errors(event)] == []
    assert len({json.dumps(event, sort_keys=True) for event in events}) == 200


@pytest.mark.parametrize("name", ["order.json", "patient.json", "conditional.json"])
def test_a_seed_makes_the_same_events_again(name: str) -> None:
    assert generate(shape(name), 20, seed=3) == generate(shape(name), 20, seed=3)
    assert generate(shape(name), 20, seed=3)[:5] == generate(shape(name), 5, seed=3)
    assert generate(shape(name), 20, seed=3) != generate(shape(name), 20, seed=4)


def test_the_first_event_has_everything_and_later_ones_leave_something_out() -> None:
    events = generate(shape("order.json"), 50, seed=5)
    declared = set(json.loads(shape("order.json").schema.text)["properties"])
    assert set(events[0]) == declared
    assert len(events[0]["customer"]) == 5
    assert {name for event in events for name in declared - set(event)} == {
        *("number", "created_at", "coupon", "tags", "metadata")
    }


def test_values_are_what_people_would_expect_of_their_names() -> None:
    strings = ("email", "customerName", "country", "created_at", "id", "website_url", "phone", "ip_address", "currency")
    numbers = ("price", "quantity", "latitude", "age", "year")
    schema = {
        "type": "object",
        "required": [*strings, *numbers],
        "properties": {name: {"type": "string"} for name in strings} | {name: {"type": "number"} for name in numbers},
    }
    for event in drawn(schema):
        assert re.fullmatch(r"[a-z]+\.[a-z]+@example\.com", event["email"])
        assert event["customerName"].lower().replace(" ", ".") == event["email"].split("@")[0]
        assert re.fullmatch(r"[A-Z]{2}", event["country"])
        assert re.fullmatch(r"2025-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["created_at"])
        assert event["website_url"].startswith("https://")
        assert event["ip_address"].startswith("192.0.2.")
        assert re.fullmatch(r"[A-Z]{3}", event["currency"])
        assert 1 <= event["price"] <= 500
        assert event["quantity"] == int(event["quantity"])
        assert -90 <= event["latitude"] <= 90
        assert 18 <= event["age"] <= 90
        assert 1990 <= event["year"] <= 2025


def test_examples_enums_and_defaults_are_used() -> None:
    schema = {
        "type": "object",
        "required": ["plan", "seats", "region"],
        "properties": {
            "plan": {"type": "string", "examples": ["gold-2024"]},
            "seats": {"type": "integer", "default": 7},
            "region": {"enum": ["eu", "us", None]},
        },
    }
    events = drawn(schema, 100)
    assert sum(event["plan"] == "gold-2024" for event in events) > 50
    assert sum(event["seats"] == 7 for event in events) > 10
    assert {event["region"] for event in events} == {"eu", "us", None}


def test_an_example_that_is_wrong_is_not_insisted_on() -> None:
    nested = {"type": "object", "required": ["b"], "properties": {"b": {"type": "integer"}}, "examples": [{"b": "x"}]}
    schema = {"type": "object", "required": ["a"], "properties": {"a": nested}}
    assert all(isinstance(event["a"]["b"], int) for event in drawn(schema))


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (False, "allows no value"),
        ({"type": "object", "required": ["a"], "properties": {"a": RANGE}}, "between 5 and 3"),
        ({"type": "array", "minItems": 3, "uniqueItems": True, "items": {"enum": [1, 2]}}, "uniqueItems"),
        ({"allOf": [{"type": "string"}, {"type": "object"}]}, "exclude each other"),
        ({"type": "object", "required": ["a"], "additionalProperties": False}, "allows no value"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "refers to itself"),
        ({"type": "string", "pattern": "^a$", "minLength": 5}, "no text was found that fits"),
    ],
)
def test_a_schema_no_event_satisfies_is_refused_with_the_reason(schema: Any, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        drawn(schema)


def test_an_event_that_requires_itself_without_end_is_refused() -> None:
    node = {"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#/$defs/node"}}}
    with pytest.raises(RefusedError, match="does it require itself"):
        drawn({"$ref": "#/$defs/node", "$defs": {"node": node}})


@pytest.mark.parametrize("schema", [True, {}, {"$schema": "http://json-schema.org/draft-07/schema#"}])
def test_a_schema_that_says_nothing_gives_an_event_all_the_same(schema: Any) -> None:
    assert set(drawn(schema)[0]) == {"id", "name"}


def test_references_lead_to_the_schemas_that_came_along() -> None:
    order = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "required": ["customer", "total"],
        "properties": {
            "customer": {"$ref": "customer.json"},
            "total": {"$ref": "https://example.com/money.json#/definitions/amount"},
        },
    }
    references = {
        "customer.json": '{"type": "object", "required": ["email"], "properties": {"email": {"format": "email"}}}',
        "https://example.com/money.json": '{"definitions": {"amount": {"enum": [5, 6, 7, 8, 9]}}}',
    }
    for event in generate(of_text(json.dumps(order), references=references), 30):
        assert "@" in event["customer"]["email"]
        assert 5 <= event["total"] <= 9


def test_events_stay_small_although_everything_refers_to_everything() -> None:
    members = {f"m{n}": {"$ref": "#"} for n in range(12)}
    lists = {f"l{n}": {"type": "array", "items": {"$ref": "#"}} for n in range(12)}
    events = drawn({"type": "object", "properties": members | lists}, 5)
    assert max(len(json.dumps(event)) for event in events) < 200_000


@pytest.mark.parametrize("text", ["{", "[1]", '{"type": "objekt"}', '{"$ref": "#/nowhere"}'])
def test_what_is_no_schema_is_refused(text: str) -> None:
    with pytest.raises(RefusedError):
        generate(of_text(text), 1)


@pytest.mark.parametrize("draft", DIALECTS)
def test_every_schema_of_the_official_suite_that_can_be_satisfied_gets_events(draft: str) -> None:
    missed = []
    for case in cases(draft):
        pinned = of_text(json.dumps(case["schema"]), references=remotes())
        try:
            generate(pinned, 2, seed=1)
        except RefusedError as error:
            if any(test["valid"] for test in case["tests"]) and case["description"] != NOT_FOUND:
                missed.append(f"{case['description']}: {error}")
    assert missed == []


def test_numbers_of_any_size_are_made() -> None:
    high = 10**40
    events = drawn({"type": "object", "required": ["n"], "properties": {"n": {"type": "integer", "minimum": high}}})
    assert all(event["n"] >= high for event in events)
    low = drawn({"type": "object", "required": ["n"], "properties": {"n": {"type": "number", "maximum": -1e300}}})
    assert all(event["n"] <= -1e300 for event in low)


@pytest.mark.parametrize("pattern", ["^(a|a)*b(?=c)", "^(a+)+$"])
def test_a_pattern_that_backtracks_or_never_ends_takes_no_time(pattern: str) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern, "minLength": 40}}}
    assert len(drawn(schema, 3)) == 3
