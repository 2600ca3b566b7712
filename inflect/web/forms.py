"""Bodies of requests: forms of pages and documents of the API, read from a handler's own thread."""

from functools import partial
from typing import Any

import orjson
from anyio import from_thread
from starlette.datastructures import FormData
from starlette.requests import Request

from inflect.errors import UsageError
from inflect.model.document import read_documents

MAX_FIELDS = 1000


def form(request: Request) -> FormData:
    """The fields of a form; no files."""
    reading: Any = partial(request.form, max_files=0, max_fields=MAX_FIELDS)
    found: FormData = from_thread.run(reading)
    return found


def json_body(request: Request) -> dict[str, Any]:
    """A JSON object, {} where there is no body; UsageError says what is wrong with it."""
    raw: bytes = from_thread.run(request.body)
    if not raw.strip():
        return {}
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise UsageError(f"the body is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError("the body must be a JSON object")
    return found


def documents(request: Request) -> list[dict[str, Any]]:
    """The pipelines of a YAML or JSON body; RefusedError where it cannot be read."""
    raw: bytes = from_thread.run(request.body)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        raise UsageError("the body must be UTF-8") from error
    return read_documents(text, "body")
