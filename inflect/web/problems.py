"""Errors as answers: problem+json for the API, a page with the next step for people. Never a stack, never a secret."""

import uuid
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from inflect import logs
from inflect.errors import (
    ConflictError,
    DeniedError,
    InflectError,
    NotFoundError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from inflect.web.frame import chrome, house
from inflect.web.render import page

_STATUS: tuple[tuple[type[InflectError], int], ...] = (
    (RefusedError, 422),
    (NotFoundError, 404),
    (ConflictError, 409),
    (DeniedError, 502),
    (UnreachableError, 503),
    (UsageError, 400),
)
_TITLES = {
    400: "This request cannot be understood",
    404: "Nothing is here",
    405: "This page cannot do that",
    409: "Somebody was faster",
    413: "That is too large",
    422: "Refused",
    502: "A server refuses Inflect",
    503: "A server does not answer",
}
_LOG = logs.get(__name__)


def known_error(request: Request, error: Exception) -> Response:
    """An InflectError: its sentence, its faults, the status that fits its class."""
    status = next((code for kind, code in _STATUS if isinstance(error, kind)), 500)
    faults = error.faults if isinstance(error, RefusedError) else []
    errors = [{"path": fault.path, "message": fault.message} for fault in faults]
    lines = [str(fault) for fault in faults] or str(error).splitlines() or ["No reason was given."]
    return _answer(request, status, lines, errors)


def http_error(request: Request, error: Exception) -> Response:
    """Starlette's own: no such address, wrong method, body too large."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else ""
    lines = {404: [f"There is no page at {request.url.path}."], 413: ["A request may hold one megabyte."]}
    response = _answer(request, status, lines.get(status, [detail or HTTPStatus(status).phrase]), [])
    for name, value in (error.headers or {}).items() if isinstance(error, HTTPException) else ():
        response.headers[name] = value
    return response


def unknown_error(request: Request, error: Exception) -> Response:
    """A defect of ours: an id to look for in the log, and nothing else."""
    number = uuid.uuid4().hex[:12]
    _LOG.error("a request failed", id=number, path=request.url.path, exc_info=error)
    return _answer(request, 500, [f"Something in Inflect is broken. The log has more under {number}."], [])


def _answer(request: Request, status: int, lines: list[str], errors: list[dict[str, str]]) -> Response:
    if request.url.path.startswith("/api/"):
        faults = f"{len(errors)} fault{'s' * (len(errors) != 1)}"
        response = problem(status, faults if errors else " ".join(lines), errors)
    elif request.url.path.startswith(("/live", "/static", "/healthz", "/readyz", "/metrics")):
        response = PlainTextResponse("\n".join(lines), status)
    else:
        response = _page(request, status, lines)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = "5"
    return response


def problem(status: int, detail: str, errors: list[dict[str, str]] | None = None) -> Response:
    """RFC 9457: type, title, status, detail, and the faults where there are some."""
    body: dict[str, Any] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    body["detail"] = detail
    if errors:
        body["errors"] = errors
    return Response(orjson.dumps(body), status, media_type="application/problem+json")


def _page(request: Request, status: int, lines: list[str]) -> Response:
    title = _TITLES.get(status, "That did not work")
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        lines = [*lines, "Pipelines run on with the revision they have. Try again when the server is back."]
    context = chrome(request, house(request).pulse.frame, active="", title=title)
    context |= {"lines": lines, "tone": "wait" if status == HTTPStatus.SERVICE_UNAVAILABLE else "trouble"}
    context |= {"back": "/", "back_word": "To the pipelines"}
    return page(request, "error.html", context, status)
