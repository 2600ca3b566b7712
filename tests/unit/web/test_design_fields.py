"""Fields and the document: what is changed is changed, everything else stays as its owner wrote it."""

from typing import Any

import pytest

from inflect.web.design_fields import fields_of, read_text, with_edit, with_fields

PARAMS: dict[str, Any] = {
    "type": "object",
    "properties": {"minimum": {"type": "number"}, "mode": {"enum": ["a", 2]}, "odd.name": {"type": "string"}},
}


def params_of(path: str) -> dict[str, Any] | None:
    return PARAMS if path == "filters/only-paid" else None


def document(**more: Any) -> dict[str, Any]:
    return {
        "name": "orders-clean",
        "source": {"topic": "orders"},
        "steps": [{"transformation": "lower"}, {"filter": "only-paid", "params": {"minimum": 5}}],
        "target": {"topic": "orders-clean"},
        "labels": {"team": "billing"},
        "tests": [{"name": "a", "event": 1, "expect": {"outcome": "delivered"}}],
        **more,
    }


def changed(made: dict[str, Any], **fields: str) -> dict[str, Any]:
    return with_fields(made, {name.replace("__", "."): text for name, text in fields.items()}, params_of)


def test_fields_that_were_not_changed_leave_a_document_as_it_is() -> None:
    odd = document(workers={"min": "two"}, source="orders", steps=[3, {"filter": 7}, {"transformation": "x"}])
    for one in ({}, document(), odd):
        assert with_fields(one, {}, params_of) == one
        assert all(isinstance(text, str) for text in fields_of(one, params_of).values())


def test_every_field_shows_what_it_was_given() -> None:
    shown = fields_of(document(), params_of)
    given = {
        "source.topic": "other",
        "source.schema.subject": "orders-value",
        "source.schema.version": "3",
        "target.create": "yes",
        "target.create.partitions": "4",
        "dead_letter": "dlq",
        "on_error": "drop",
        "workers.min": "2",
        "stamp": "yes",
        "steps[1].params.minimum": "7.5",
        "steps[1].params.mode": "2",
        "steps[1].params.odd.name": "5",
        "steps[0].name": "first",
    }
    made = with_fields(document(), given, params_of)
    assert fields_of(made, params_of) == shown | given
    assert made["source"] == {"topic": "other", "schema": {"subject": "orders-value", "version": 3}}
    assert made["target"] == {"topic": "orders-clean", "create": {"partitions": 4}}
    assert made["steps"][1]["params"] == {"minimum": 7.5, "mode": 2, "odd.name": "5"}
    assert made["labels"] == {"team": "billing"}
    assert made["workers"] == {"min": 2}
    assert list(made) == ["name", "source", "steps", "target", "dead_letter", "on_error", "stamp", "workers", "labels",
                          "tests"]  # fmt: skip


def test_an_emptied_field_takes_its_key_and_what_it_leaves_empty_away() -> None:
    full = document(
        workers={"min": 2},
        source={"topic": "orders", "schema": {"subject": "s", "version": 3}},
        target={"topic": "t", "create": {"partitions": 4, "config": {"retention.ms": 1}}},
    )
    made = changed(full, workers__min="", source__schema__subject="", target__create="no", target__topic="")
    assert made["source"] == {"topic": "orders"}
    assert made["target"] == {}
    assert "workers" not in made
    assert changed(document(), **{"steps[1]__params__minimum": ""})["steps"][1] == {"filter": "only-paid"}


def test_a_topic_that_is_created_keeps_what_the_form_does_not_show() -> None:
    full = document(target={"topic": "t", "create": {"partitions": 4, "config": {"retention.ms": 1}}})
    assert changed(full, target__create__partitions="")["target"]["create"] == {"config": {"retention.ms": 1}}


def test_the_default_is_left_out_when_it_is_chosen_again() -> None:
    made = changed(document(guarantee="at_least_once"), guarantee="exactly_once")
    assert "guarantee" not in made


def test_text_that_is_no_number_is_kept_for_the_check_to_name() -> None:
    assert changed(document(), workers__min="two")["workers"] == {"min": "two"}
    assert changed(document(), **{"steps[0]__params": "{bad"})["steps"][0]["params"] == "{bad"
    assert changed(document(), **{"steps[0]__params": '{"a": 1}'})["steps"][0]["params"] == {"a": 1}


def test_another_processor_takes_its_own_params_and_keeps_the_rest() -> None:
    full = document(steps=[{"filter": "only-paid", "params": {"minimum": 5}, "dead_letter": "own"}])
    made = changed(full, **{"steps[0]__processor": "transformations/lower.js"})
    assert made["steps"] == [{"transformation": "lower", "dead_letter": "own"}]


@pytest.mark.parametrize(
    ("edit", "order"),
    [
        ("up-1", "bacd"), ("up-0", "abcd"), ("down-0", "bacd"), ("down-3", "abcd"), ("remove-2", "abd"),
        ("move-0-3", "bcda"), ("move-3-1", "adbc"), ("remove-9", "abcd"), ("nonsense", "abcd"), ("up-x", "abcd"),
        ("add", "abcdz"),
    ],
)  # fmt: skip
def test_steps_are_added_moved_and_taken_away(edit: str, order: str) -> None:
    made = with_edit(document(steps=[{"filter": one} for one in "abcd"]), edit, "filters/z")
    assert "".join(step["filter"] for step in made["steps"]) == order


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("", {"type": "string"}, None),
        ("5", {"type": "string"}, "5"),
        ("5", {"type": "integer"}, 5),
        ("5.5", {"type": "number"}, 5.5),
        ("true", {"type": "boolean"}, True),
        ("[1]", {"type": "array"}, [1]),
        ("latest", {"type": ["integer", "string"]}, "latest"),
        ("7", {"type": ["integer", "string"]}, 7),
        ("x", {}, "x"),
        ("null", {"enum": [None, "a"]}, "null"),
        ("a", {"type": 5}, "a"),
    ],
)
def test_texts_mean_what_their_schema_says(text: str, schema: dict[str, Any], value: object) -> None:
    assert read_text(text, schema) == value
