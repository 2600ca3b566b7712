"""Processors: the files of the directory, their versions and who uses them.

Read only: code is changed in the user's repository.
"""

from starlette.requests import Request
from starlette.responses import Response

from inflect.errors import NotFoundError
from inflect.store import processors as store
from inflect.web.frame import chrome, house
from inflect.web.render import page

_GROUPS = (
    ("transformation", "Transformations"),
    ("filter", "Filters"),
    ("library", "Shared code"),
)


def processors(request: Request) -> Response:
    """Answer `GET /processors`."""
    here = house(request)
    found = store.list_processors(here.db)
    groups = [(kind, word, files) for kind, word in _GROUPS if (files := [file for file in found if file.kind == kind])]
    context = {"processors": found, "groups": groups, "directory": here.settings.processors}
    frame = here.pulse.frame
    return page(request, "processors.html", chrome(request, frame, active="Processors", title="Processors") | context)


def processor(request: Request) -> Response:
    """Answer `GET /processors/PATH?version=HASH`."""
    path, here = request.path_params["path"], house(request)
    versions = store.versions(here.db, path)
    if not versions:
        raise NotFoundError(f"there is no processor file {path!r}")
    wanted = request.query_params.get("version")
    shown = next((v for v in versions if (v.hash == wanted if wanted else v.current)), versions[0])
    used_by = next((file.used_by for file in store.list_processors(here.db) if file.path == path), [])
    context = {
        "path": path,
        "version": shown,
        "versions": versions,
        "used_by": used_by,
        "lines": shown.source.split("\n"),
    }
    frame = here.pulse.frame
    return page(request, "processor.html", chrome(request, frame, active="Processors", title=path) | context)
