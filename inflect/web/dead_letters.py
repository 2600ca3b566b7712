"""Dead letters: what events died of, one letter's story, and sending them through the pipeline again.

Kafka is asked in `control`; a redrive runs in a process of its own that a thread of `redrives` waits for.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from starlette.datastructures import FormData, QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inflect.control import dead_letters, inbox, redriver
from inflect.control.inbox import Inbox
from inflect.control.selection import MOST_RATE, Order, Selection, is_rate
from inflect.errors import Fault, NotFoundError, RefusedError
from inflect.model.pipeline import Pipeline
from inflect.store import pipelines as store
from inflect.store import processors
from inflect.web import forms, letter_views
from inflect.web.dead_letters_api import MOST_IDS
from inflect.web.frame import author, chrome, house
from inflect.web.redrives import Redrive, Redrives
from inflect.web.render import page

LETTERS_A_PAGE = 50
MOST_AT_ONCE = 2
_ACTIVE = "Dead letters"

_redrives = Redrives(threading.BoundedSemaphore(MOST_AT_ONCE))


@dataclass(frozen=True, slots=True)
class BoxView:
    """One pipeline's line on the page of all: `share` in percent of the most dead letters, for the bar."""

    name: str
    topics: tuple[str, ...]
    dead_lettered: int
    share: float
    policy: str


@dataclass(frozen=True, slots=True)
class PartView:
    """A share of what a redrive has done: `share` in percent of what is expected."""

    word: str
    meaning: str
    count: int
    share: float


def overview_page(request: Request) -> Response:
    """Answer `GET /dead-letters`: every pipeline with its dead letter topics and how many events it put there."""
    frame = house(request).pulse.frame
    most = max((view.counts.dead_lettered for view in frame.pipelines.values()), default=0) or 1
    boxes = [
        BoxView(
            name,
            model.dead_letter_topics,
            frame.pipelines[name].counts.dead_lettered,
            round(100 * frame.pipelines[name].counts.dead_lettered / most, 1),
            model.on_error,
        )
        for name, model in frame.models.items()
    ]
    boxes.sort(key=lambda box: (-box.dead_lettered, box.name))
    context = {"boxes": [box for box in boxes if box.topics], "others": [box for box in boxes if not box.topics]}
    return page(request, "dead_letters_all.html", chrome(request, frame, active=_ACTIVE, title=_ACTIVE) | context)


def inbox_page(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/dead-letters?cause=…&redriven&count&page=…`."""
    here, name, asked = house(request), request.path_params["name"], request.query_params
    here.brokers.require()
    found = inbox.look(
        here.db,
        here.settings.kafka,
        name,
        limit=LETTERS_A_PAGE,
        before=asked.get("page") or None,
        cause=asked.get("cause") or None,
        redriven="redriven" in asked,
        count_all="count" in asked,
    )
    frame, title = here.pulse.frame, f"Dead letters of {name}"
    context = chrome(request, frame, active=_ACTIVE, title=title) | _inbox(name, asked, found)
    return page(request, "dead_letters.html", context)


def _inbox(name: str, asked: QueryParams, found: Inbox) -> dict[str, Any]:
    causes = letter_views.causes(found.causes or [])
    kept = {key: value for key, value in asked.items() if key in {"cause", "redriven", "count"}}
    cause = asked.get("cause") or ""
    return {
        "name": name,
        "inbox": found,
        "causes": causes,
        "open": None if found.causes is None else sum(one.count for one in causes),
        "letters": [letter_views.row(letter) for letter in found.letters],
        "cause": next((one for one in causes if one.id == cause), None),
        "cause_id": cause,
        "redriven": "redriven" in asked,
        "first": not asked.get("page"),
        "older": f"?{urlencode(kept | {'page': found.next})}" if found.next else "",
        "with_redriven": f"?{urlencode(kept | {'redriven': ''})}",
        "command": f"inflect dead-letters list {name}" + (f" --cause {cause}" if cause else " --group"),
    }


def letter_page(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/dead-letters/TOPIC:PARTITION:OFFSET`."""
    here, name, letter_id = house(request), request.path_params["name"], request.path_params["id"]
    here.brokers.require()
    with here.registry() as registry:
        letter = dead_letters.show_letter(here.db, here.settings.kafka, name, letter_id, registry)
    frame, pipeline = here.pulse.frame, dead_letters.pipeline_of(here.db, name)
    key = letter["key"] if letter["key"] is not None else letter.get("keyBinary")
    context = {
        "name": name,
        "letter": letter,
        "id": letter_id,
        "where": letter_views.where(letter),
        "stops": letter_views.stops(pipeline, letter),
        "story": letter_views.story(letter),
        "code": letter_views.code(letter["location"], _source(request, name, letter)),
        "key": key,
        "headers": letter_views.headers(letter),
        "value": letter_views.value(letter),
        "unreadable": letter.get("unreadable", ""),
        "is_absent": letter["value"] is None and "valueBinary" not in letter,
        "command": f"inflect dead-letters show {name} {letter_id}",
    }
    title = f"Dead letter {letter_id}"
    return page(request, "dead_letter.html", chrome(request, frame, active=_ACTIVE, title=title) | context)


def _source(request: Request, name: str, letter: Mapping[str, Any]) -> str | None:
    """The file in which it failed as it was in the letter's revision; None where that is not known any more."""
    file, line = letter_views.place_of(letter["location"])
    if letter["dialect"] != "inflect" or letter["revision"] is None or not line:
        return None
    db = house(request).db
    try:
        pin = store.get_revision(db, name, letter["revision"]).pins.get(file)
    except NotFoundError:
        return None
    return next((version.source for version in processors.versions(db, file) if version.hash == pin), None)


# Redriving.


def confirm_redrive(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/dead-letters/redrive?all|cause=…|id=…`: what it would mean, and how to do it."""
    here, name = house(request), request.path_params["name"]
    pipeline = dead_letters.pipeline_of(here.db, name)
    order = read_order(request.query_params)
    count: int | None = len(order.selection.ids)
    cause = None
    if not order.selection.ids:
        here.brokers.require()
        found = inbox.look(here.db, here.settings.kafka, name, limit=1, cause=order.selection.cause)
        causes = letter_views.causes(found.causes or [])
        cause = next((one for one in causes if one.id == order.selection.cause), None)
        wanted = [one.count for one in causes if order.selection.cause in {None, one.id}]
        count = None if found.causes is None else sum(wanted)
    context = _order_context(name, pipeline, order, count) | {
        "revision": store.get_pipeline(here.db, name).revision,
        "cause": cause,
    }
    title = f"Redrive dead letters of {name}"
    return page(request, "dead_letters_redrive.html", chrome(request, here.pulse.frame, active=_ACTIVE, title=title)
                | context)  # fmt: skip


def _order_context(name: str, pipeline: Pipeline, order: Order, count: int | None) -> dict[str, Any]:
    chosen = order.selection
    how = f"--cause {chosen.cause}" if chosen.cause else " ".join(f"--id {one}" for one in chosen.ids[:3]) or "--all"
    words = "all" if count is None else f"{count:,}"
    return {
        "name": name,
        "order": order,
        "count": count,
        "words": f"{words} event{'' if count == 1 else 's'}",
        "target": pipeline.target.topic,
        "dead_letter": ", ".join(pipeline.dead_letter_topics),
        "back": f"/pipelines/{name}/dead-letters" + (f"?{urlencode({'cause': chosen.cause})}" if chosen.cause else ""),
        "command": f"inflect dead-letters redrive {name} {how}{' …' if len(chosen.ids) > 3 else ''}",  # noqa: PLR2004  a line's worth
    }


def begin_redrive(request: Request) -> Response:
    """Answer `POST /pipelines/NAME/dead-letters/redrive`: begin, and show how it goes."""
    here, name, form = house(request), request.path_params["name"], forms.form(request)
    store.get_pipeline(here.db, name)
    order, who = read_order(form), author(request)
    expected = _number(form.get("count"))

    def run(told: Any) -> dict[str, Any]:
        return redriver.run(here.db, here.settings, name, order, author=who, progress=told)

    one = _redrives.begin(name, order, who, expected, run)
    return RedirectResponse(f"/pipelines/{name}/redrives/{one.id}", 303)


def redrive_page(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/redrives/ID`: how far it is, and what became of the letters."""
    here, name = house(request), request.path_params["name"]
    one = _redrives.get(name, request.path_params["id"])
    pipeline = dead_letters.pipeline_of(here.db, name)
    selected = one.tally.get("selected", 0)
    expected = max(selected, one.expected or 0) if one.ended_at is None else selected
    context = _order_context(name, pipeline, one.order, one.expected) | {
        "redrive": one,
        "stopped": one.tally.get("stopped", ""),
        "refused": one.tally.get("refused", 0),
        "refusals": one.tally.get("refusals", []),
        "selected": selected,
        "expected": expected if one.expected is not None or one.ended_at else None,
        "parts": parts(one, expected),
        "now": here.pulse.frame.at,
    }
    title = f"{'Dry run' if one.order.dry_run else 'Redrive'} of {name}"
    return page(request, "dead_letters_run.html", chrome(request, here.pulse.frame, active=_ACTIVE, title=title)
                | context)  # fmt: skip


def stop_redrive(request: Request) -> Response:
    """Answer `POST /pipelines/NAME/redrives/ID/stop`."""
    name = request.path_params["name"]
    one = _redrives.stop(name, request.path_params["id"])
    return RedirectResponse(f"/pipelines/{name}/redrives/{one.id}", 303)


def parts(one: Redrive, expected: int) -> list[PartView]:
    """What became of the letters so far, as shares of all."""
    words: tuple[tuple[str, Literal["delivered", "filtered", "failed"]], ...] = (
        ("would be delivered" if one.order.dry_run else "delivered", "delivered"),
        ("would be filtered" if one.order.dry_run else "filtered", "filtered"),
        ("would fail again" if one.order.dry_run else "failed again", "failed"),
    )
    counts = [(word, meaning, one.tally.get(meaning, 0)) for word, meaning in words]
    return [PartView(word, meaning, n, round(100 * n / expected, 2) if expected else 0) for word, meaning, n in counts]


def read_order(asked: QueryParams | FormData) -> Order:
    """The order in a form or an address; RefusedError says what is missing."""
    ids = tuple(str(one) for one in asked.getlist("id"))[:MOST_IDS]
    cause, rate = str(asked.get("cause") or "") or None, str(asked.get("rate") or "").strip()
    faults = []
    if sum((bool(ids), cause is not None, "all" in asked)) != 1:
        faults.append(Fault("", "choose which events to redrive: some of the list, those of one cause, or all"))
    if rate and not is_rate(_number(rate) or 0):
        faults.append(Fault("rate", f"must be a whole number from 1 to {MOST_RATE:,.0f}, or be left empty"))
    if faults:
        raise RefusedError("redrive", faults)
    start: Literal["source", "failed-step"] = "failed-step" if asked.get("from") == "failed-step" else "source"
    return Order(Selection(ids, cause), start, "dry_run" in asked, _number(rate))


def _number(text: Any) -> int | None:
    told = str(text or "")
    return int(told) if told.isdecimal() and len(told) < 10 else None  # noqa: PLR2004  what a form would hold
