"""A look ahead while a pipeline is designed: one event through its steps, with its shape after each.

The newest event of the source topic, or one made from the schema while the topic is empty. It runs as a test does, in
the sandbox's child process with limits, and nothing is written.
"""

import threading
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inflect.control.trial import TrialRequest, run_trial
from inflect.errors import InflectError, RefusedError, UnreachableError
from inflect.kafka.admin import Admin
from inflect.model.document import parse_pipeline
from inflect.model.pipeline import Pipeline
from inflect.store import processors
from inflect.web import forms, walk
from inflect.web.brokers import ANSWER_S
from inflect.web.design import shape_faults, with_stand_ins
from inflect.web.design_draft import Draft, read_draft
from inflect.web.design_fields import Document
from inflect.web.frame import House, chrome, house
from inflect.web.render import page
from inflect.web.walk import ResultView

MOST_AT_ONCE = 2
_SEED = 1
_NOT_YET = "An event runs through the steps here as soon as nothing is wrong with the source and the steps."
_running = threading.BoundedSemaphore(MOST_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Preview:
    """What became of the event and where it came from; `words` where there is none; `busy`: ask again in a moment."""

    result: ResultView | None = None
    origin: str = ""
    words: str = ""
    busy: bool = False


def preview(request: Request) -> Response:
    """Answer `POST /pipelines/new/preview` and `POST /pipelines/NAME/edit/preview` with the design form."""
    here, form = house(request), {key: str(value) for key, value in forms.form(request).items()}
    try:
        draft = read_draft(form, request.path_params.get("name"), processors.list_processors(here.db))
        shown = tried(here, draft)
    except UnreachableError:  # PostgreSQL: the top of the page says so; nothing that was typed may go
        if "hx-request" not in request.headers:
            raise
        return Response(status_code=204)
    context = {
        "draft": draft,
        "preview": shown,
        "address": request.url.path.removesuffix("/preview"),
    }
    title = f"{draft.name or 'The new pipeline'} on one event"
    return page(
        request, "design_preview.html", chrome(request, here.pulse.frame, active="Pipelines", title=title) | context
    )


def tried(here: House, draft: Draft) -> Preview:
    """One event on a draft. What is wrong with the draft is said by its check, and not a second time here."""
    document = with_stand_ins(draft.document, faults := shape_faults(draft.document))
    if draft.unread or {"source", "source.topic"} & {fault.path for fault in faults}:
        return Preview(words=_NOT_YET)
    if not _running.acquire(blocking=False):
        return Preview(words="Waiting for other previews to end…", busy=True)
    try:
        return _run(here, draft.name, document, parse_pipeline(document))
    except RefusedError:
        return Preview(words=_NOT_YET)
    except InflectError as error:
        return Preview(words=str(error))
    finally:
        _running.release()


def _run(here: House, name: str | None, document: Document, pipeline: Pipeline) -> Preview:
    topic = pipeline.source.topic
    with Admin(here.settings.kafka, timeout_s=ANSWER_S) as admin, here.schema_sources() as schemas:

        def run(**asked: Any) -> list[dict[str, Any]]:
            request = TrialRequest(pipeline=document, **asked)
            results: list[dict[str, Any]] = run_trial(here.db, admin, name, request, schemas)["results"]
            return results

        origin, results = f"the newest event of {topic}", run(sample=1)
        if not results and pipeline.source.schema is not None:
            origin, results = "an event made from the schema", run(generate=1, seed=_SEED)
    if not results:
        return Preview(words=f"There is no event in {topic} yet. With a schema one could be made.")
    return Preview(walk.view(pipeline, results[0]), origin)
