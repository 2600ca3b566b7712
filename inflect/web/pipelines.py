"""One pipeline: its page, and the three things that can be done to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inflect.control import operate
from inflect.errors import InflectError, NotFoundError
from inflect.model.pipeline import Pipeline, SchemaReference
from inflect.model.writer import write_documents
from inflect.store import audit, schemas
from inflect.store import pipelines as store
from inflect.store.schemas import SchemaPin, SchemaRefusal, Side
from inflect.web import charts, forms, overview
from inflect.web.frame import author, chrome, house
from inflect.web.pulse import CHANGES_SHOWN, Frame
from inflect.web.render import fragment, page
from inflect.web.revisions import RevisionView, revision_views
from inflect.web.views import ChangeView

REVISIONS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the page of one pipeline reads from the database itself."""

    revisions: Sequence[RevisionView] = ()
    changes: Sequence[ChangeView] = ()
    schemas: Mapping[Side, SchemaPin] = field(default_factory=dict)
    refusals: Sequence[SchemaRefusal] = ()


def pipeline_page(request: Request) -> Response:
    """Answer `GET /pipelines/NAME`."""
    name, here = request.path_params["name"], house(request)
    frame = here.pulse.frame
    if name not in frame.pipelines and frame.outage is None:
        frame = here.pulse.refresh()  # it may have been made a moment ago
    if name not in frame.pipelines:
        raise (
            NotFoundError(f"there is no pipeline {name!r}")
            if frame.outage is None
            else InflectError("PostgreSQL does not answer")
        )
    stream = f"/live/pipelines/{name}?known={quote(frame.newest_change(name))}"
    context = chrome(request, frame, active="Pipelines", title=name, stream=stream)
    return page(request, "pipeline.html", context | _contents(request, frame, name))


def _contents(request: Request, frame: Frame, name: str) -> dict[str, Any]:
    model, figures, document = frame.models[name], frame.figures[name], frame.documents[name]
    stored = _stored(request, frame, name)
    return {
        "pipeline": frame.pipelines[name],
        "throughput": charts.throughput(figures),
        "lag": charts.lag(figures),
        "group": model.group,
        "source_topic": model.source.topic,
        "definition": definition(model, stored.schemas),
        "document_lines": write_documents([dict(document)]).splitlines(),
        "revisions": stored.revisions[:REVISIONS_SHOWN],
        "changes": stored.changes,
        "refusals": stored.refusals,
    }


def _stored(request: Request, frame: Frame, name: str) -> _Stored:
    """What is read for this page alone; nothing while the database is away, the rest of the page stands."""
    if frame.outage is not None:
        return _Stored()
    db = house(request).db
    newest = store.history(db, name, limit=REVISIONS_SHOWN + 1)
    return _Stored(
        revision_views(newest),
        [overview.change(row) for row in audit.recent(db, name, CHANGES_SHOWN)],
        newest[0].schemas,
        [one for one in schemas.refusals(db) if one.pipeline == name],
    )


def definition(model: Pipeline, pins: Mapping[Side, SchemaPin]) -> Iterator[tuple[str, str]]:
    """What the pipeline was told, in words, defaults applied; `pins` are the schemas of its revision."""
    if model.labels:
        yield "labels", ", ".join(f"{key}: {value}" for key, value in model.labels.items())
    yield "source", f"{model.source.topic} ({model.source.format}), from {model.source.start}"
    yield from _schema("source schema", model.source.schema, pins.get("source"))
    yield "target", f"{model.target.topic} ({model.target.format})"
    yield from _schema("target schema", model.target.schema, pins.get("target"))
    yield "guarantee", model.guarantee.replace("_", " ")
    yield "when an event fails", _on_error(model)
    yield "workers", f"{model.workers.min}"
    yield "batch", f"up to {model.batch.max_events:,} events or {model.batch.max_wait_ms} ms"
    yield "limits", f"{model.limits.timeout_ms} ms an event, {model.limits.memory_mb} MB of heap"
    yield "transactional ids", model.transactional_id(0) + " …" if model.guarantee == "exactly_once" else "none"


def _schema(word: str, reference: SchemaReference | None, pin: SchemaPin | None) -> Iterator[tuple[str, str]]:
    if reference is None:
        return
    words = str(pin) if pin is not None else reference.subject or reference.file or ""
    if reference.subject is not None and reference.version == "latest":
        words += ", follows the latest"
    yield word, f"{words}, message {reference.message}" if reference.message else words


def _on_error(model: Pipeline) -> str:
    words = {
        "dead_letter": f"goes to {model.dead_letter}",
        "drop": "is counted and dropped",
        "stop": "the pipeline stops before it",
    }
    return words[model.on_error]


def pause(request: Request) -> Response:
    """Answer `POST /pipelines/NAME/pause`."""
    name = request.path_params["name"]
    operate.pause(house(request).db, name, author=author(request), origin="web")
    return _changed(request, name)


def resume(request: Request) -> Response:
    """Answer `POST /pipelines/NAME/resume`."""
    name = request.path_params["name"]
    operate.resume(house(request).db, name, author=author(request), origin="web")
    return _changed(request, name)


def _changed(request: Request, name: str) -> Response:
    """The page again, or for htmx the head of it, as it is after the change."""
    frame = house(request).pulse.refresh()
    if "hx-request" in request.headers and name in frame.pipelines:
        return Response(
            fragment("_pipeline_head.html", pipeline=frame.pipelines[name], now=frame.at), media_type="text/html"
        )
    return RedirectResponse(f"/pipelines/{name}", 303)


def confirm_delete(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/delete`: what it would mean."""
    return _delete_page(request, wrong="")


def delete(request: Request) -> Response:
    """Answer `POST /pipelines/NAME/delete`; the name must have been typed."""
    name, here = request.path_params["name"], house(request)
    typed = str(forms.form(request).get("confirm", "")).strip()
    if typed != name:
        return _delete_page(request, wrong=typed or "nothing")
    operate.delete(here.db, name, author=author(request), origin="web")
    here.pulse.refresh()
    return RedirectResponse("/", 303)


def _delete_page(request: Request, *, wrong: str) -> Response:
    name, here = request.path_params["name"], house(request)
    model = overview.read_pipeline(store.get_pipeline(here.db, name).document)
    topics = [model.source.topic, model.target.topic, *model.side_topics]
    context = {"name": name, "topics": topics, "group": model.group, "wrong": wrong}
    frame = here.pulse.frame
    return page(
        request,
        "delete.html",
        chrome(request, frame, active="Pipelines", title=f"Delete {name}?") | context,
        422 if wrong else 200,
    )
