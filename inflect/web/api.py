"""The JSON API under `/api/v1`: the same powers as the pages, through the same verbs as the command line.

Bodies are pipeline files as YAML or JSON. Errors are problem+json (`web.problems`); what is described here for
machines stands in `web.openapi`.
"""

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from inflect.control import catalogue, operate, show, trial
from inflect.control.apply import Plan, apply
from inflect.errors import ConflictError, Fault, RefusedError, UsageError
from inflect.store import audit, processors, workers
from inflect.store import pipelines as store
from inflect.web import forms
from inflect.web.frame import author, house
from inflect.web.openapi import DESCRIPTION

_MOST = 1000
_USUAL = 100


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    """JSON; dataclasses, times and paths as they are."""
    content = orjson.dumps(body, default=str, option=orjson.OPT_UTC_Z)
    return Response(content, status, headers, media_type="application/json")


def openapi(_request: Request) -> Response:
    """Answer `GET openapi.json`."""
    return answer(DESCRIPTION)


def list_pipelines(request: Request) -> Response:
    """Answer `GET pipelines`."""
    return answer(show.show_all(house(request).db))


def create_pipeline(request: Request) -> Response:
    """Answer `POST pipelines`: 201 with the new pipeline; one that exists is a conflict."""
    here, document = house(request), _one(forms.documents(request))
    name = str(document.get("name", ""))
    try:
        _apply(request, document, create=True)
    except ConflictError as error:
        raise ConflictError(f"{error}; PUT /api/v1/pipelines/{name} changes it") from error
    return answer(show.show(here.db, name), 201, location=f"/api/v1/pipelines/{name}")


def get_pipeline(request: Request) -> Response:
    """Answer `GET pipelines/NAME`."""
    here, name = house(request), request.path_params["name"]
    document = store.get_pipeline(here.db, name).document
    return answer(show.show(here.db, name) | {"document": document})


def put_pipeline(request: Request) -> Response:
    """Answer `PUT pipelines/NAME`: made or changed, 200 either way; the same document again changes nothing."""
    here, name = house(request), request.path_params["name"]
    document = _one(forms.documents(request))
    document.setdefault("name", name)
    if document["name"] != name:
        fault = Fault("name", f"is {document['name']!r}, the address says {name!r}; they must be the same")
        raise RefusedError(name, [fault])
    _apply(request, document)
    return answer(show.show(here.db, name))


def delete_pipeline(request: Request) -> Response:
    """Answer `DELETE pipelines/NAME`: 204; topics and offsets stay."""
    here = house(request)
    operate.delete(here.db, request.path_params["name"], author=author(request), origin="api")
    here.pulse.refresh()
    return Response(status_code=204)


def pause(request: Request) -> Response:
    """Answer `POST pipelines/NAME/pause`."""
    here, name = house(request), request.path_params["name"]
    operate.pause(here.db, name, author=author(request), origin="api")
    return answer(show.show(here.db, name))


def resume(request: Request) -> Response:
    """Answer `POST pipelines/NAME/resume`."""
    here, name = house(request), request.path_params["name"]
    operate.resume(here.db, name, author=author(request), origin="api")
    return answer(show.show(here.db, name))


def rollback(request: Request) -> Response:
    """Answer `POST pipelines/NAME/rollback` with `{"revision": N}`: an old content as a new revision."""
    here, name = house(request), request.path_params["name"]
    number = forms.json_body(request).get("revision")
    if not isinstance(number, int) or isinstance(number, bool):
        raise RefusedError(name, [Fault("revision", "must be the number of the revision to go back to")])
    operate.rollback(here.db, name, number, author=author(request), origin="api")
    return answer(show.show(here.db, name))


def revisions(request: Request) -> Response:
    """Answer `GET pipelines/NAME/revisions?limit=…&before=N`, newest first."""
    here, name = house(request), request.path_params["name"]
    return answer(store.history(here.db, name, limit=limit_of(request), before=_number(request, "before")))


def test_pipeline(request: Request) -> Response:
    """Answer `POST pipelines/NAME/test`: try events on the pipeline or on a draft of it; nothing is written."""
    here, name = house(request), request.path_params["name"]
    asked = trial.read_request(forms.json_body(request))
    with here.schema_sources() as schemas:
        if not asked.sample:
            return answer(trial.run_trial(here.db, None, name, asked, schemas))
        with here.admin() as admin:
            return answer(trial.run_trial(here.db, admin, name, asked, schemas))


def list_processors(request: Request) -> Response:
    """Answer `GET processors`."""
    return answer(processors.list_processors(house(request).db))


def list_schemas(request: Request) -> Response:
    """Answer `GET schemas`: the registry's subjects, and every schema that pipelines use."""
    here = house(request)
    with here.registry() as registry:
        return answer(catalogue.entries(here.db, registry))


def get_schema(request: Request) -> Response:
    """Answer `GET schemas/SUBJECT?version=N`: the newest version or the one that is asked for."""
    here = house(request)
    with here.registry() as registry:
        found = catalogue.subject(here.db, registry, request.path_params["subject"], _number(request, "version"))
    return answer(
        {
            "subject": found.name,
            "kind": found.schema.kind,
            "versions": found.versions,
            "version": found.version,
            "id": found.id,
            "text": found.schema.text,
            "references": found.schema.references,
            "used_by": found.used_by,
        }
    )


def list_topics(request: Request) -> Response:
    """Answer `GET topics`."""
    here = house(request)
    return answer(here.brokers.topics(here.db))


def list_workers(request: Request) -> Response:
    """Answer `GET workers`."""
    return answer(workers.workers(house(request).db))


def list_audit(request: Request) -> Response:
    """Answer `GET audit?subject=…&limit=…&before=ID`, newest first."""
    subject = request.query_params.get("subject")
    before = _number(request, "before")
    return answer(audit.recent(house(request).db, subject, limit_of(request), before=before))


def _apply(request: Request, document: dict[str, Any], *, create: bool = False) -> Plan:
    here, who = house(request), author(request)
    comment = request.query_params.get("comment", "")
    with here.admin() as admin, here.schema_sources() as schemas:
        plan = apply(
            here.db, admin, [document], author=who, origin="api", schemas=schemas, comment=comment, create=create
        )
    here.pulse.refresh()
    return plan


def _one(documents: list[dict[str, Any]]) -> dict[str, Any]:
    if len(documents) != 1:
        raise UsageError(f"the body must hold one pipeline, not {len(documents)}")
    return documents[0]


def limit_of(request: Request) -> int:
    """How many rows are asked for: `?limit=N`."""
    asked = _number(request, "limit")
    return _USUAL if asked is None else max(1, min(asked, _MOST))


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:  # noqa: PLR2004  what a bigint holds
        raise UsageError(f"{name} must be a whole number, not {text!r}")
    return int(text)
