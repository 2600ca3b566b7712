"""What the official suite does not ask: words, bounds, references that are not there, numbers of any size."""

import json
import socket
import time
from typing import Any

import pytest

from inflect.errors import RefusedError
from inflect.model.schema import Schema
from inflect.schemas.json_schema import JsonValidator, NotJsonError, SchemaFault

ORDER = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "items": {"type": "array", "items": {"properties": {"price": {"type": "number"}}}},
        "email": {"type": "string", "format": "email"},
    },
}


def validator(schema: Any, **references: Any) -> JsonValidator:
    return JsonValidator(
        Schema("json", json.dumps(schema), {name: json.dumps(text) for name, text in references.items()})
    )


def check(schema: Any, text: str | bytes) -> SchemaFault | None:
    return validator(schema).check(text)


def refusal(schema: Any, **references: Any) -> str:
    with pytest.raises(RefusedError) as refused:
        validator(schema, **references)
    return str(refused.value)


def test_a_valid_value_has_no_fault() -> None:
    assert check(ORDER, b'{"id":1,"items":[{"price":1.5}],"email":"a@b.example"}') is None


def test_a_fault_says_where_what_and_by_which_rule() -> None:
    fault = check(ORDER, '{"id":1,"items":[{"price":"x"}]}')
    assert fault == SchemaFault(
        "/items/0/price", "properties/items/items/properties/price/type", '"x" is not of type "number"'
    )
    assert str(fault) == (
        'at /items/0/price: "x" is not of type "number" (rule: properties/items/items/properties/price/type)'
    )
    assert str(check(ORDER, "{}")) == 'at the top: "id" is a required property (rule: required)'


def test_formats_are_asserted() -> None:
    fault = check(ORDER, '{"id":1,"email":"nobody"}')
    assert fault is not None
    assert fault.rule == "properties/email/format"


def test_a_path_is_a_json_pointer() -> None:
    fault = check({"properties": {"a/b~c": {"type": "null"}}}, '{"a/b~c":1}')
    assert fault is not None
    assert (fault.path, fault.rule) == ("/a~1b~0c", "properties/a~1b~0c/type")


def test_of_alternatives_the_one_that_was_meant_is_explained() -> None:
    schema = {"anyOf": [{"type": "null"}, {"properties": {"a": {"type": "integer"}}}]}
    fault = check(schema, '{"a":"x"}')
    assert fault is not None
    assert (fault.path, fault.rule) == ("/a", "anyOf/1/properties/a/type")


def test_a_large_value_is_not_repeated_in_the_message() -> None:
    fault = check({"enum": [1]}, json.dumps("x" * 100_000))
    assert fault is not None
    assert len(fault.message) <= 200
    assert fault.message.endswith('" is not one of 1')


def test_without_a_draft_a_schema_is_of_2020_12() -> None:
    assert check({"prefixItems": [{"type": "string"}]}, "[1]") is not None
    assert "at /items" in refusal({"items": [{"type": "string"}]})


def test_a_draft_that_is_not_known_is_refused() -> None:
    assert "drafts 4, 6, 7, 2019-09 and 2020-12" in refusal({"$schema": "http://json-schema.org/draft-03/schema#"})


@pytest.mark.parametrize("number", [2**63, 2**64 + 1, 10**40, -(10**40)])
def test_integers_are_exact_whatever_their_size(number: int) -> None:
    assert check({"type": "integer", "maximum": number}, str(number)) is None
    assert check({"type": "integer", "maximum": number}, str(number + 1)) is not None
    assert check({"const": number}, str(number + 1)) is not None


def test_of_a_key_given_twice_the_last_counts() -> None:
    assert check({"properties": {"a": {"type": "integer"}}}, '{"a":"x","a":1}') is None
    assert check({"properties": {"a": {"type": "integer"}}}, '{"a":1,"a":"x"}') is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"{", "not JSON"),
        (b"", "not JSON"),
        (b"NaN", "not JSON"),
        (b"\xff", "not UTF-8: invalid start byte at byte 0"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_json_is_told_from_what_breaks_the_schema(text: bytes, why: str) -> None:
    with pytest.raises(NotJsonError, match=why):
        check({"type": ["string", "array", "object"]}, text)


@pytest.mark.parametrize("text", [b"1e400", b'{"a":-1e999}', b"[12345678901234567890.5e310]"])
def test_a_number_past_what_a_double_holds_is_named_and_not_taken_for_null(text: bytes) -> None:
    with pytest.raises(NotJsonError, match="is larger than a number can be"):
        check({}, text)
    assert check({}, b'[1e-400,1e308,12345678901234567890.5,"1e400"]') is None


@pytest.mark.parametrize("schema", [{"enum": [1]}, {"const": {"a": 1}}, {"properties": {"a": {"const": 1}}}])
@pytest.mark.parametrize("depth", [300, 900])
def test_c14_a_value_too_deep_to_be_compared_fails_alone(schema: dict[str, Any], depth: int) -> None:
    with pytest.raises(NotJsonError, match="nested too deep"):
        check(schema, '{"a":' * depth + "1" + "}" * depth)


def test_references_are_found_by_the_name_by_which_they_are_given() -> None:
    schema = {"$id": "https://example.com/schemas/order.json", "properties": {"to": {"$ref": "address.json"}}}
    references = {"address.json": {"properties": {"country": {"$ref": "country.json#/$defs/code"}}},
                  "country.json": {"$defs": {"code": {"type": "string"}}}}  # fmt: skip
    fault = validator(schema, **references).check('{"to":{"country":1}}')
    assert fault is not None
    assert fault.path == "/to/country"
    assert validator({"$ref": "urn:code"}, code={"$id": "urn:code", "type": "string"}).check("1") is not None


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every address that something tries to connect to or look up."""
    seen: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _self, address: seen.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *address, **_more: seen.append(address))
    return seen


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest", "https://example.com/b.json", "file:///etc/passwd", "other.json", "//x/y"],
)
def test_c12_what_is_not_among_the_references_is_refused_and_never_fetched(target: str, connections: list[Any]) -> None:
    assert "which is not among its references; nothing is fetched to find it" in refusal({"$ref": target})
    assert refusal({"$ref": "a.json"}, **{"a.json": {"$ref": target}})
    assert connections == []


def test_c12_no_server_is_asked_for_a_reference() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        port = server.getsockname()[1]
        assert "not among its references" in refusal({"$ref": f"http://127.0.0.1:{port}/a.json"})
        assert "drafts 4" in refusal({"$schema": f"http://127.0.0.1:{port}/meta"})
        with pytest.raises(BlockingIOError):
            server.accept()


def test_c13_a_schema_that_refers_to_itself_is_read_to_any_depth() -> None:
    tree = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}, "required": ["n"]}
    value: dict[str, Any] = {}
    for _ in range(200):
        value = {"n": 1, "left": value}
    fault = check(tree, json.dumps(value))
    assert fault is not None
    assert fault.path == "/left" * 200
    assert check({"$ref": "#"}, "1") is None


def chained(links: int, *, inside: bool) -> dict[str, Any]:
    """Definitions each of which refers to the next, at the same place of a value or one further inside."""
    refs = [{"$ref": f"#/$defs/d{n + 1}"} for n in range(links)]
    defs: dict[str, Any] = {f"d{n}": {"properties": {"a": ref}} if inside else ref for n, ref in enumerate(refs)}
    return {"$defs": defs | {f"d{links}": {"type": "string"}}, "$ref": "#/$defs/d0"}


def test_c13_a_chain_of_a_thousand_references_has_an_end() -> None:
    assert check(chained(1_000, inside=False), "1") is not None
    assert check(chained(1_000, inside=True), '{"a":{"a":1}}') is None


@pytest.mark.parametrize("inside", [True, False])
def test_c13_more_references_than_can_be_read_in_time_are_refused(inside: bool) -> None:  # noqa: FBT001  both kinds
    assert "more than 10,000 `$ref`" in refusal(chained(10_001, inside=inside))


def test_c13_more_references_than_anybody_needs_are_refused() -> None:
    assert "at most 100" in refusal({}, **{f"r{n}": True for n in range(101)})


def seconds(schema: Any, text: str) -> float:
    """How long it takes to find out whether `text` is valid, and why not."""
    compiled = validator(schema)
    began = time.perf_counter()
    compiled.check(text)
    return time.perf_counter() - began


@pytest.mark.parametrize("pattern", ["^(a+)+$", r"^(a|a)*\1$", "^(?=(a+)+$)(a|aa)+$", r"(a*)*b\1"])
def test_c14_patterns_do_not_go_back_for_ever(pattern: str) -> None:
    assert seconds({"pattern": pattern}, json.dumps("a" * 50_000 + "!")) < 1


def test_c14_a_pattern_that_gives_up_says_so() -> None:
    fault = check({"pattern": r"^(a|a)*\1$"}, json.dumps("a" * 5_000 + "!"))
    assert fault is not None
    assert "backtracking" in fault.message


def test_c14_large_lists_are_checked_quickly() -> None:
    numbers = json.dumps([{"n": n} for n in range(100_000)])
    assert seconds({"uniqueItems": True}, numbers) < 2
    assert seconds({"items": {"enum": [{"n": n} for n in range(1_000)]}}, numbers) < 2
    either = {"anyOf": [{"type": "null"}, {"items": {"enum": [{"n": n} for n in range(1_000)]}}]}
    assert seconds(either, numbers) < 2


def test_the_place_is_told_in_a_large_value_of_a_usual_schema() -> None:
    line = {"properties": {f"f{n}": {"anyOf": [{"type": "null"}, {"type": "string"}]} for n in range(30)}}
    lines = [{f"f{n}": "x" for n in range(30)} for _ in range(200)]
    lines[150]["f7"] = 1  # type: ignore[assignment]  # the fault
    fault = check({"properties": {"lines": {"items": line}}}, json.dumps({"lines": lines}))
    assert fault is not None
    assert fault.path == "/lines/150/f7"


def test_c14_whatever_is_explained_is_explained_in_time() -> None:
    choices = [{"n": n} for n in range(300)]
    either = {"anyOf": [{"type": "null"}, {"items": {"enum": choices}}]}
    assert seconds(either, json.dumps([0] * 1_500)) < 2


def test_c14_alternatives_inside_alternatives_are_refused_where_they_multiply() -> None:
    def doubled(levels: int) -> dict[str, Any]:
        links = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
        return {"$defs": links | {f"d{levels}": {"type": "string"}}, "$ref": "#/$defs/d0"}

    assert "alternatives inside alternatives" in refusal(doubled(40))
    assert seconds(doubled(10), "1") < 1


def test_c14_a_deep_value_in_alternatives_that_contain_themselves_fails_without_a_place() -> None:
    expression = {"oneOf": [{"type": "object", "properties": {"of": {"$ref": "#"}, "op": {"const": op}},
                             "required": ["op"]} for op in ("not", "minus")]}  # fmt: skip
    value: Any = {"op": "wrong"}
    for _ in range(60):
        value = {"op": "not", "of": value}
    assert seconds(expression, json.dumps(value)) < 1
    fault = check(expression, json.dumps(value))
    assert fault is not None
    assert "too large and deep to say where" in fault.message
    near = check(expression, '{"op":"not","of":{"op":"wrong"}}')
    assert near is not None
    assert near.path == "/of/op"


def test_a_schema_that_is_none_is_refused_with_its_place() -> None:
    assert "at /type" in refusal({"type": "order"})
    assert "must be an object" in refusal([])
    with pytest.raises(RefusedError, match="is not JSON"):
        JsonValidator(Schema("json", "{"))
    with pytest.raises(RefusedError, match=r"address\.json: is not JSON"):
        JsonValidator(Schema("json", "{}", {"address.json": "{"}))
