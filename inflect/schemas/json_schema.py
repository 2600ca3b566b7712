"""Checks JSON texts against a JSON Schema, drafts 4 to 2020-12, formats asserted.

A schema without `$schema` is read as 2020-12. What it refers to is in it or among its references: nothing is ever
fetched. Time is bounded whoever wrote schema and value: patterns give up after so many steps, and alternatives inside
alternatives (`schemas.branches`) are refused where they multiply beyond all use.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urldefrag

import jsonschema_rs
import orjson

from inflect.errors import Fault, RefusedError
from inflect.model.schema import Schema
from inflect.schemas.branches import Branches

MAX_REFERENCES: Final = 100
MAX_TEXT_BYTES: Final = 4_000_000
MAX_REFS: Final = 10_000
"""How many `$ref` a schema may hold; the time to read them grows with their square."""
MAX_BRANCHES: Final = 10_000
"""How many ways through its alternatives a schema may have."""

# Of alternatives that fail every fault is collected, which takes long where they and the value are large.
_MAX_EXPLAINED: Final = 50_000
_BACKTRACKS: Final = 100_000
_PATTERN_BYTES: Final = 1 << 20
_MESSAGE_CHARACTERS: Final = 200
_BASE: Final = "inflect:///"
_DIALECTS: Final = {
    "http://json-schema.org/draft-04/schema": jsonschema_rs.Draft4Validator,
    "http://json-schema.org/draft-06/schema": jsonschema_rs.Draft6Validator,
    "http://json-schema.org/draft-07/schema": jsonschema_rs.Draft7Validator,
    "https://json-schema.org/draft/2019-09/schema": jsonschema_rs.Draft201909Validator,
    "https://json-schema.org/draft/2020-12/schema": jsonschema_rs.Draft202012Validator,
}
_KNOWN: Final = "drafts 4, 6, 7, 2019-09 and 2020-12 are known"
# orjson reads integers of more than 64 bits as doubles; the standard library reads every digit, five times slower.
_DIGITS_TO_ZEROS = bytes.maketrans(b"0123456789", b"0000000000")
_MORE_THAN_64_BITS = b"0" * 19


class NotJsonError(ValueError):
    """The text is no JSON that can be checked; says why."""


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """Where a value breaks its schema: `path` in the value (a JSON pointer), the `rule` by its way through
    the schema, and what is wrong in words.
    """

    path: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"at {self.path or 'the top'}: {self.message} (rule: {self.rule or 'the schema itself'})"


class JsonValidator:
    """A schema that can be checked against; RefusedError says why one cannot be used."""

    def __init__(self, schema: Schema) -> None:
        """Compile the schema with all it refers to."""
        document = _document(schema.text, "")
        references = {name: _document(text, name) for name, text in schema.references.items()}
        _check_sizes(schema)
        self._branches = Branches(document, references)
        if self._branches.many > MAX_BRANCHES:
            raise _refused("", f"has more than {MAX_BRANCHES:,} alternatives inside alternatives")
        self._validator = _compile(document, references)

    def check(self, text: bytes | str) -> SchemaFault | None:
        """Return where the JSON in `text` breaks the schema, None where it satisfies it.

        Raises NotJsonError when it is no JSON. Of a key given twice the last counts, as in JavaScript.
        """
        value = _parsed(text)
        try:
            return None if self._validator.is_valid(value) else self._fault(value)
        except UnicodeEncodeError as error:
            raise NotJsonError("a text in it holds half of a surrogate pair, which is no character") from error
        except RecursionError as error:
            raise NotJsonError("it is nested too deep to be checked") from error
        except ValueError as error:  # the validator compares values of at most 255 levels
            raise NotJsonError(f"it cannot be checked, as when it is nested too deep: {error}") from error

    def _fault(self, value: Any) -> SchemaFault:
        depth, size = _extent(value)
        if self._branches.many > 1 and self._branches.effort(depth, size) > _MAX_EXPLAINED:
            return SchemaFault("", "", "it does not satisfy the schema, and is too large and deep to say where")
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            closest = _closest(error)
            return SchemaFault(_pointer(closest.instance_path), _rule(closest.evaluation_path), _cut(closest.message))
        raise RuntimeError("a value is invalid and without a fault; this is a defect")


def _document(text: str, name: str) -> Any:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _refused(name, f"is not JSON: {error}") from error
    if not isinstance(document, dict | bool):
        raise _refused(name, "must be an object, true or false")
    return document


def _check_sizes(schema: Schema) -> None:
    if len(schema.references) > MAX_REFERENCES:
        raise _refused("", f"refers to {len(schema.references)} schemas; at most {MAX_REFERENCES}")
    texts = (schema.text, *schema.references.values())
    if sum(text.count('"$ref"') for text in texts) > MAX_REFS:
        raise _refused("", f"holds more than {MAX_REFS:,} `$ref` with all it refers to")
    if sum(map(len, texts)) > MAX_TEXT_BYTES:
        raise _refused("", f"is larger than {MAX_TEXT_BYTES:,} bytes with all it refers to")


def _compile(document: Any, references: Mapping[str, Any]) -> jsonschema_rs.Validator:
    refused: list[str] = []

    def given(uri: str) -> Any:
        found = _find(uri, references)
        if found is None:
            refused.append(uri.removeprefix(_BASE))
            raise LookupError(uri)
        return found

    try:
        validator: jsonschema_rs.Validator = _dialect(document, references)(
            document,
            validate_formats=True,
            retriever=given,
            base_uri=_BASE,
            pattern_options=jsonschema_rs.FancyRegexOptions(_BACKTRACKS, _PATTERN_BYTES, _PATTERN_BYTES),
        )
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        if refused:
            raise _refused(
                "", f"refers to {refused[0]!r}, which is not among its references; nothing is fetched to find it"
            ) from error
        raise _refused("", _complaint(error)) from error
    return validator


def _dialect(document: Any, references: Mapping[str, Any]) -> Any:
    """The validator of the draft that `$schema` names; one of the user's own must be among the references."""
    named = document.get("$schema", "") if isinstance(document, dict) else ""
    if not isinstance(named, str):
        raise _refused("$schema", f"must be text; {_KNOWN}")
    if not named:
        return jsonschema_rs.Draft202012Validator
    found = _DIALECTS.get(urldefrag(named).url)
    if found is not None:
        return found
    if _find(urldefrag(named).url, references) is None:
        raise _refused("$schema", f"names {named!r}; {_KNOWN}")
    return jsonschema_rs.validator_for


def _find(uri: str, references: Mapping[str, Any]) -> Any:
    """The reference that a full URI means: by its name, by its `$id`, or by a relative name at the URI's end."""
    uri = uri.removeprefix(_BASE)
    if uri in references:
        return references[uri]
    for document in references.values():
        if isinstance(document, dict) and uri in {document.get("$id"), document.get("id")}:
            return document
    named = [name for name in references if uri.endswith(f"/{name.removeprefix('./').lstrip('/')}")]
    return references[max(named, key=len)] if named else None


def _complaint(error: Exception) -> str:
    if isinstance(error, jsonschema_rs.ValidationError):
        place = _pointer(error.instance_path)
        return f"is no JSON Schema{f' at {place}' if place else ''}: {_cut(error.message)}"
    return f"cannot be used: {_cut(str(error))}"


def _refused(path: str, message: str) -> RefusedError:
    return RefusedError("JSON Schema", [Fault(path, message)])


def _parsed(text: bytes | str) -> Any:
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if _MORE_THAN_64_BITS not in data.translate(_DIGITS_TO_ZEROS):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            pass  # it refuses lone surrogates and deep nesting too: the standard library decides, and says why
    try:
        return json.loads(data.decode(), parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise NotJsonError(f"the value is not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise NotJsonError("it is nested too deep to be checked") from error
    except ValueError as error:
        raise NotJsonError(f"the value is not JSON: {error}") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no value")


def _finite(text: str) -> float:
    """What is larger than a double would be infinite, and be checked as if it were null."""
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{_cut(text)} is larger than a number can be")
    return number


def _extent(value: Any) -> tuple[int, int]:
    """How deep objects and arrays are nested, and how many values there are."""
    depth, size, level = 0, 1, [value]
    while level := [
        inner
        for outer in level
        if isinstance(outer, dict | list)
        for inner in (outer.values() if isinstance(outer, dict) else outer)
    ]:
        depth, size = depth + 1, size + len(level)
    return depth, size


def _closest(error: jsonschema_rs.ValidationError) -> jsonschema_rs.ValidationError:
    """Of alternatives that all failed, the fault that lies deepest in the value: that branch was meant."""
    kind = error.kind
    if not isinstance(kind, jsonschema_rs.ValidationErrorKind.AnyOf | jsonschema_rs.ValidationErrorKind.OneOfNotValid):
        return error
    inner = [_closest(branch[0]) for branch in kind.context if branch]
    deepest = max(inner, key=lambda one: len(one.instance_path), default=error)
    return deepest if len(deepest.instance_path) > len(error.instance_path) else error


def _pointer(path: list[str | int]) -> str:
    return "".join(f"/{_escaped(part)}" for part in path)


def _rule(path: list[str | int]) -> str:
    return "/".join(map(_escaped, path))


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")


def _cut(message: str) -> str:
    """A message begins with the value and ends with what is wrong with it: both ends stay."""
    if len(message) <= _MESSAGE_CHARACTERS:
        return message
    return f"{message[:60]}…{message[60 + 1 - _MESSAGE_CHARACTERS :]}"
