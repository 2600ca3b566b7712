"""Every address there is, and nothing else."""

from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route

from inflect.web import (
    api,
    dashboard,
    dead_letters,
    dead_letters_api,
    design,
    design_preview,
    health,
    pages,
    pipelines,
    processors,
    render,
    revisions,
    schemas,
    test_page,
)
from inflect.web.frame import house
from inflect.web.live import Topic

_GET, _POST = ["GET"], ["POST"]


async def live(request: Request) -> Response:
    """Answer `GET /live/…`: the stream of one kind of page. The only handler on the event loop: it only waits."""
    hub = house(request).hub
    if hub.full():
        return PlainTextResponse("too many live pages are open; close some", 429, {"Retry-After": "10"})
    kind = request.scope["route"].name
    known = request.query_params.get("known", "")
    had = {"fleet": {"fleet": known}, "pipeline": {"renewed": known}}.get(kind, {})
    topic = Topic(kind, request.path_params.get("name", ""))
    return StreamingResponse(
        hub.stream(topic, had), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


def _get(path: str, handler: Any) -> Route:
    return Route(path, handler, methods=_GET)


def _post(path: str, handler: Any) -> Route:
    return Route(path, handler, methods=_POST)


_API: list[BaseRoute] = [
    _get("/openapi.json", api.openapi),
    _get("/pipelines", api.list_pipelines),
    _post("/pipelines", api.create_pipeline),
    _get("/pipelines/{name}", api.get_pipeline),
    Route("/pipelines/{name}", api.put_pipeline, methods=["PUT"]),
    Route("/pipelines/{name}", api.delete_pipeline, methods=["DELETE"]),
    _post("/pipelines/{name}/pause", api.pause),
    _post("/pipelines/{name}/resume", api.resume),
    _post("/pipelines/{name}/test", api.test_pipeline),
    _get("/pipelines/{name}/revisions", api.revisions),
    _post("/pipelines/{name}/rollback", api.rollback),
    _get("/pipelines/{name}/dead-letters", dead_letters_api.list_dead_letters),
    _get("/pipelines/{name}/dead-letters/{id}", dead_letters_api.show_dead_letter),
    _post("/pipelines/{name}/redrive", dead_letters_api.redrive),
    _get("/processors", api.list_processors),
    _get("/schemas", api.list_schemas),
    _get("/schemas/{subject:path}", api.get_schema),
    _get("/topics", api.list_topics),
    _get("/workers", api.list_workers),
    _get("/audit", api.list_audit),
]

ROUTES: list[BaseRoute] = [
    _get("/", dashboard.dashboard),
    _post("/theme", dashboard.choose_theme),
    _get("/pipelines/new", design.new),
    _post("/pipelines/new", design.change),
    _post("/pipelines/new/preview", design_preview.preview),
    _get("/pipelines/{name}/edit", design.edit),
    _post("/pipelines/{name}/edit", design.change),
    _post("/pipelines/{name}/edit/preview", design_preview.preview),
    _get("/pipelines/{name}", pipelines.pipeline_page),
    _get("/pipelines/{name}/history", revisions.history),
    _get("/pipelines/{name}/rollback", revisions.confirm_rollback),
    _post("/pipelines/{name}/rollback", revisions.rollback),
    _get("/pipelines/{name}/test", test_page.test_page),
    _post("/pipelines/{name}/test", test_page.run),
    _get("/pipelines/{name}/dead-letters", dead_letters.inbox_page),
    _get("/pipelines/{name}/dead-letters/redrive", dead_letters.confirm_redrive),
    _post("/pipelines/{name}/dead-letters/redrive", dead_letters.begin_redrive),
    _get("/pipelines/{name}/dead-letters/{id}", dead_letters.letter_page),
    _get("/pipelines/{name}/redrives/{id}", dead_letters.redrive_page),
    _post("/pipelines/{name}/redrives/{id}/stop", dead_letters.stop_redrive),
    _get("/dead-letters", dead_letters.overview_page),
    _post("/pipelines/{name}/pause", pipelines.pause),
    _post("/pipelines/{name}/resume", pipelines.resume),
    _get("/pipelines/{name}/delete", pipelines.confirm_delete),
    _post("/pipelines/{name}/delete", pipelines.delete),
    _get("/processors", processors.processors),
    _get("/processors/{path:path}", processors.processor),
    _get("/schemas", schemas.schemas_page),
    _get("/schemas/{subject:path}", schemas.subject_page),
    _get("/topics", pages.topics_page),
    _get("/audit", pages.audit_page),
    _get("/settings", pages.settings_page),
    Route("/live/health", live, name="health"),
    Route("/live/fleet", live, name="fleet"),
    Route("/live/pipelines/{name}", live, name="pipeline"),
    _get("/static/{name:path}", render.static_file),
    _get("/healthz", health.healthz),
    _get("/readyz", health.readyz),
    _get("/metrics", health.metrics_page),
    Mount("/api/v1", routes=_API),
]
