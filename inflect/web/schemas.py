"""Schemas: subjects of the registry, their versions and what changed between them, and who uses what.

Read only: schemas are registered by those who own them. Without the registry the pages show what revisions pin.
"""

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inflect.control import catalogue
from inflect.control.catalogue import Subject
from inflect.control.schemas import SchemaRegistry
from inflect.errors import DeniedError, InflectError, UnreachableError
from inflect.model.schema import SchemaKind
from inflect.store.database import Database
from inflect.web.frame import chrome, house
from inflect.web.render import page

MOST_LINES = 4000
_CONTEXT = 3
_KINDS: dict[SchemaKind, str] = {"json": "JSON Schema", "avro": "Avro", "protobuf": "Protobuf"}
_KINDS_OF_LINE = {"+": "added", "-": "removed", "@": "place"}
_SIGNS = {"added": "+", "removed": "−"}  # noqa: RUF001  a minus


@dataclass(frozen=True, slots=True)
class LineView:
    """One line of a difference: `kind` is added, removed, place (where the next lines stand), or empty: unchanged."""

    kind: str
    sign: str
    text: str


def schemas_page(request: Request) -> Response:
    """Answer `GET /schemas`."""
    here = house(request)
    subjects: list[str] = []
    away = ""
    try:
        with here.registry() as registry:
            subjects = registry.subjects() if registry is not None else []
    except (UnreachableError, DeniedError) as error:
        away = str(error)
    found = catalogue.listed(here.db, subjects)
    context = {
        "registry": here.settings.registry_url,
        "away": away,
        "subjects": [entry for entry in found if entry.subject is not None],
        "files": [entry for entry in found if entry.file is not None],
    }
    frame = here.pulse.frame
    return page(request, "schemas.html", chrome(request, frame, active="Schemas", title="Schemas") | context)


def subject_page(request: Request) -> Response:
    """Answer `GET /schemas/SUBJECT?version=N&against=M`."""
    here, name = house(request), request.path_params["subject"]
    with here.registry() as registry:
        shown = catalogue.subject(here.db, registry, name, _number(request, "version"))
        before = _compared(here.db, registry, shown, _number(request, "against"))
    context = {
        "subject": shown,
        "kind": _KINDS[shown.schema.kind],
        "lines": readable(shown).splitlines(),
        "references": list(shown.schema.references.items()),
        "versions": sorted(shown.versions, reverse=True),
        "before": before.version if before else None,
        "differences": list(line_differences(readable(before), readable(shown))) if before else [],
    }
    frame = here.pulse.frame
    return page(request, "subject.html", chrome(request, frame, active="Schemas", title=name) | context)


def _number(request: Request, key: str) -> int | None:
    text = request.query_params.get(key, "")
    return int(text) if text.isdecimal() and len(text) < 10 else None  # noqa: PLR2004  versions are 32-bit numbers


def _compared(db: Database, registry: SchemaRegistry | None, shown: Subject, against: int | None) -> Subject | None:
    """The version to compare with: the one asked for, else the one before; None where that cannot be read."""
    earlier = max((version for version in shown.versions if version < shown.version), default=None)
    wanted = against or earlier
    if wanted is None or wanted == shown.version:
        return None
    try:
        return catalogue.subject(db, registry, shown.name, wanted)
    except InflectError:  # deleted, or not to be used: the version that is asked for is shown without it
        return None


def readable(subject: Subject) -> str:
    """A schema's text with line breaks: registries keep JSON on one line."""
    text = subject.schema.text
    if subject.schema.kind == "protobuf" or "\n" in text.strip():
        return text
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def line_differences(before: str, after: str) -> Iterator[LineView]:
    """The lines that differ, each with a few around it; none where one of the texts is too long to be compared."""
    old, new = before.splitlines(), after.splitlines()
    if max(len(old), len(new)) > MOST_LINES:
        return
    for line in _unified(old, new):
        kind = _KINDS_OF_LINE.get(line[0], "")
        if kind == "place":  # `@@ -5,6 +5,11 @@`
            yield LineView(kind, "", f"line {line.partition('+')[2].partition(' ')[0].partition(',')[0]}")
        else:
            yield LineView(kind, _SIGNS.get(kind, ""), line[1:])


def _unified(old: Sequence[str], new: Sequence[str]) -> list[Any]:
    return list(difflib.unified_diff(old, new, lineterm="", n=_CONTEXT))[2:]
