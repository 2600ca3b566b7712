"""Templates and static files: the only module that knows where they lie.

From a checkout they are `templates/` and `static/` at the top; a wheel carries both under `inflect/_assets`. Autoescape
is always on and an unknown variable is an error. Static files are read once; their address holds the hash of their
content, so a browser may keep them for ever.
"""

import hashlib
import json
import mimetypes
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from inflect.web import numbers

THEMES = ("light", "dark")
THEME_COOKIE = "inflect-theme"
HTMX_CONFIG = json.dumps(
    {
        "allowEval": False,
        "allowScriptTags": False,
        "selfRequestsOnly": True,
        "includeIndicatorStyles": False,
        "historyCacheSize": 0,
        "historyEnabled": False,
    }
)
SECTIONS = (
    {"name": "Pipelines", "href": "/", "key": "p"},
    {"name": "Processors", "href": "/processors", "key": "f"},
    {"name": "Topics", "href": "/topics", "key": "t"},
    {"name": "Schemas", "href": "/schemas", "key": "c"},
    {"name": "Dead letters", "href": "/dead-letters", "key": "d"},
    {"name": "Audit", "href": "/audit", "key": "a"},
    {"name": "Settings", "href": "/settings", "key": "s"},
)
_SERVED = {".js", ".css", ".svg", ".txt"}
_FOR_EVER = "public, max-age=31536000, immutable"


def _directory(name: str) -> Path:
    package = Path(__file__).resolve().parent.parent
    packed = package / "_assets" / name
    return packed if packed.is_dir() else package.parent / name


@cache
def environment() -> Environment:
    """Jinja with this room's filters; made once a process.

    All templates are read at once: an upgrade beside a running server must not mix its files with ours.
    """
    made = Environment(
        loader=FileSystemLoader(_directory("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for function in (
        numbers.exact,
        numbers.short,
        numbers.rate,
        numbers.duration,
        numbers.ago,
        numbers.stamp,
        numbers.size,
        numbers.millis,
    ):
        made.filters[function.__name__] = function
    made.globals.update(asset=asset_url, htmx_config=HTMX_CONFIG, sections=SECTIONS)
    for name in made.list_templates():
        made.get_template(name)
    return made


def fragment(template: str, **context: Any) -> str:
    """A part of a page as HTML, without the frame."""
    return environment().get_template(template).render(**context)


def macro(name: str, *arguments: Any) -> str:
    """What one macro of `_macros.html` draws."""
    module: Any = environment().get_template("_macros.html").module
    return str(getattr(module, name)(*arguments))


def page(request: Request, template: str, context: Mapping[str, Any], status: int = 200) -> Response:
    """A whole page in its frame; `context` holds what `chrome` (see `web.frame`) and the page's handler give."""
    theme = request.cookies.get(THEME_COOKIE, "")
    html = fragment(template, theme=theme if theme in THEMES else "", **context)
    return HTMLResponse(html, status)


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """Every served file: content, media type, hash."""
    root = _directory("static")
    found = {}
    for path in sorted(root.rglob("*")):
        if path.suffix in _SERVED:
            content = path.read_bytes()
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found[path.relative_to(root).as_posix()] = (content, kind, hashlib.sha256(content).hexdigest()[:12])
    return found


def asset_url(name: str) -> str:
    """`/static/inflect.css?v=…`; KeyError when there is no such file, so that a template cannot name a missing one."""
    return f"/static/{name}?v={_files()[name][2]}"


def static_file(request: Request) -> Response:
    """Serve one static file; only names read at start exist, so no path can lead outside."""
    found = _files().get(request.path_params["name"])
    if found is None:
        return Response("no such file", 404, media_type="text/plain")
    content, kind, digest = found
    kept = _FOR_EVER if request.query_params.get("v") == digest else "no-cache"
    return Response(content, media_type=kind, headers={"Cache-Control": kept})
