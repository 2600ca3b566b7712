"""The dashboard: every pipeline in one table. Filter and sorting live in the URL."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inflect.errors import UnreachableError
from inflect.store import processors
from inflect.web import forms
from inflect.web.fragments import fleet_digest
from inflect.web.frame import House, chrome, house
from inflect.web.pulse import CHANGES_SHOWN
from inflect.web.render import THEME_COOKIE, THEMES, page
from inflect.web.views import PipelineView

_YEAR_S = 365 * 86400
_ORDERS: dict[str, Callable[[PipelineView], Any]] = {
    "name": lambda view: view.name,
    "in": lambda view: -(view.rate_in or 0),
    "out": lambda view: -(view.rate_out or 0),
    "lag": lambda view: -(view.lag_events or 0),
    "dead": lambda view: -view.counts.dead_lettered,
    "changed": lambda view: -view.changed_at.timestamp(),
}
_COLUMNS = (
    ("Pipeline", "who", "name", False),
    ("Strip", "line", None, False),
    ("In", "moves", "in", True),
    ("", "trend", None, False),
    ("Out", "moves", "out", True),
    ("Lag", "lagging", "lag", True),
    ("Workers", "workers", None, True),
    ("Dead letters", "dead", "dead", True),
    ("Books", "books", None, False),
    ("Last change", "changed", "changed", False),
)


def dashboard(request: Request) -> Response:
    """Answer `GET /?q=…&sort=…`."""
    frame = house(request).pulse.frame
    query, sort = request.query_params.get("q", "").strip(), request.query_params.get("sort", "name")
    sort = sort if sort in _ORDERS else "name"
    found = [view for view in frame.pipelines.values() if _matches(view, query)]
    context = {
        "pipelines": sorted(found, key=lambda view: (_ORDERS[sort](view), view.name)),
        "total": len(frame.pipelines),
        "query": query,
        "sort": sort,
        "columns": _columns(query),
        "changes": frame.changes[:CHANGES_SHOWN],
        "first": [] if frame.pipelines or frame.outage else first_steps(house(request)),
    }
    stream = f"/live/fleet?known={quote(fleet_digest(frame.pipelines))}"
    return page(
        request,
        "dashboard.html",
        chrome(request, frame, active="Pipelines", title="Pipelines", stream=stream) | context,
    )


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One of the steps that lead a new installation to its first pipeline; `href` is where it goes on."""

    title: str
    words: str
    done: bool
    href: str = ""
    link: str = ""


def first_steps(here: House) -> list[FirstStep]:
    """Topics are seen, processors are synced, a pipeline is made: what is done of it, as far as it is known."""
    try:
        topics = [row for row in here.brokers.topics(here.db) if not row.internal]
        files = [row for row in processors.list_processors(here.db) if row.kind != "library"]
    except UnreachableError:  # the top of the page will say so; the way to the first pipeline is shown without ticks
        topics, files = [], []
    seen = (
        f"{len(topics)} seen."
        if topics
        else f"None seen at {here.settings.kafka.get('bootstrap.servers', 'Kafka')} yet."
    )
    synced = f"{len(files)} synced." if files else f"Put functions into {here.settings.processors} and they appear."
    return [
        FirstStep("A topic with events", seen, bool(topics), "/topics", "Topics"),
        FirstStep("Processors: your JavaScript functions", synced, bool(files), "/processors", "Processors"),
        FirstStep("The first pipeline", "Choose topics and processors; a form shows what is missing.", done=False),
    ]


def _matches(view: PipelineView, query: str) -> bool:
    """Every word is part of the name, state, a topic, a step or a label."""
    hay = " ".join((view.name, view.state, view.description, *view.labels, *(n.name for n in view.strip.nodes)))
    return all(word in hay.lower() for word in query.lower().split())


def _columns(query: str) -> Sequence[dict[str, Any]]:
    kept = {"q": query} if query else {}
    return [
        {
            "word": word,
            "place": place,
            "sort": sort,
            "numeric": numeric,
            "href": f"/?{urlencode({**kept, 'sort': sort})}" if sort else "",
        }
        for word, place, sort, numeric in _COLUMNS
    ]


def choose_theme(request: Request) -> Response:
    """Answer `POST /theme`: remember light, dark or neither (the system's choice), and go back to a page of ours."""
    form = forms.form(request)
    back = str(form.get("next", "/"))
    if not back.startswith("/") or back.startswith(("//", "/\\")):
        back = "/"
    response = RedirectResponse(back, 303)
    theme = str(form.get("theme", ""))
    if theme in THEMES:
        response.set_cookie(THEME_COOKIE, theme, max_age=_YEAR_S, samesite="lax", httponly=True)
    else:
        response.delete_cookie(THEME_COOKIE)
    return response
