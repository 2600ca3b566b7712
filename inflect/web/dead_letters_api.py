"""The JSON API of dead letters: looked at here, redriven in a process of its own, a bounded number at once."""

import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from inflect.control import dead_letters, redriver
from inflect.control.selection import LEAST_RATE, MOST_RATE, Order, Selection, is_rate
from inflect.errors import ConflictError, Fault, RefusedError
from inflect.web import forms
from inflect.web.api import answer, limit_of
from inflect.web.frame import author, house

MOST_AT_ONCE = 2
MOST_IDS = 10_000

_running = threading.BoundedSemaphore(MOST_AT_ONCE)


def list_dead_letters(request: Request) -> Response:
    """Answer `GET pipelines/NAME/dead-letters?cause=…&redriven&limit=…&page=…`, newest first; the next page is in
    the header `Link`. With `?group`: what the open ones died of, counted.
    """
    here, name, asked = house(request), request.path_params["name"], request.query_params
    if "group" in asked:
        return answer(dead_letters.group_letters(here.db, here.settings.kafka, name))
    page = dead_letters.list_letters(
        here.db,
        here.settings.kafka,
        name,
        limit=limit_of(request),
        before=asked.get("page"),
        cause=asked.get("cause"),
        redriven="redriven" in asked,
    )
    if page.next is None:
        return answer(page.letters)
    following = urlencode({**asked, "page": page.next})
    return answer(page.letters, link=f'<{request.url.path}?{following}>; rel="next"')


def show_dead_letter(request: Request) -> Response:
    """Answer `GET pipelines/NAME/dead-letters/TOPIC:PARTITION:OFFSET`: one letter with its content."""
    here, name, letter = house(request), request.path_params["name"], request.path_params["id"]
    with here.registry() as registry:
        return answer(dead_letters.show_letter(here.db, here.settings.kafka, name, letter, registry))


def redrive(request: Request) -> Response:
    """Answer `POST pipelines/NAME/redrive` with what became of the letters, or with the forecast of a dry run.

    The body: one of `all: true`, `ids: [...]` and `cause`; and `from`, `dry_run`, `rate`. It may take as long as the
    letters do; whoever hangs up does not end it.
    """
    here, name = house(request), request.path_params["name"]
    order = read_order(forms.json_body(request))
    if not _running.acquire(blocking=False):
        raise ConflictError(f"{MOST_AT_ONCE} redrives are running already; ask again when one has ended")
    try:
        done = redriver.run(here.db, here.settings, name, order, author=author(request))
    finally:
        _running.release()
    return answer(done)


def read_order(body: Mapping[str, Any]) -> Order:
    """The order in a request's body; RefusedError names all faults."""
    faults = [Fault(key, f"unknown key; known here: {', '.join(_KEYS)}") for key in body if key not in _KEYS]
    faults += [
        Fault(key, f"must be {what}") for key, (what, fits) in _KEYS.items() if key in body and not fits(body[key])
    ]
    if sum(bool(body.get(key)) for key in ("all", "ids", "cause")) != 1:
        faults.append(Fault("", "say which letters to redrive: one of all, ids and cause"))
    if faults:
        raise RefusedError("redrive", faults)
    selection = Selection(tuple(body.get("ids", ())), body.get("cause"))
    return Order(selection, body.get("from", "source"), body.get("dry_run", False), body.get("rate"))


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST_IDS and all(isinstance(each, str) for each in value)


def _is_rate(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and is_rate(value)


_KEYS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "all": ("true or false", lambda value: isinstance(value, bool)),
    "ids": (f"a list of at most {MOST_IDS:,} TOPIC:PARTITION:OFFSET", _is_ids),
    "cause": ("the id of a cause", lambda value: isinstance(value, str)),
    "from": ("source or failed-step", lambda value: value in ("source", "failed-step")),
    "dry_run": ("true or false", lambda value: isinstance(value, bool)),
    "rate": (f"a number from {LEAST_RATE:g} to {MOST_RATE:,.0f}", _is_rate),
}
