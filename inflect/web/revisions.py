"""The revisions of a pipeline: what each of them changed, and the way back to one of them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inflect.control import operate
from inflect.control.apply import Difference, differences, schema_differences
from inflect.errors import InflectError, NotFoundError
from inflect.store import pipelines as store
from inflect.store.pipelines import RevisionRow
from inflect.web import forms
from inflect.web.frame import author, chrome, house
from inflect.web.render import page

REVISIONS_A_PAGE = 30
_SHORT_HASH = 8


@dataclass(frozen=True, slots=True)
class DifferenceView:
    """One line of a difference: `kind` is added or removed, `text` the path and its value."""

    kind: str
    word: str
    text: str


@dataclass(frozen=True, slots=True)
class RevisionView:
    """One revision and what it changed against the one before it."""

    number: int
    author: str
    origin: str
    comment: str
    created_at: datetime
    summary: str
    differences: tuple[DifferenceView, ...]


def revision_views(rows: Sequence[RevisionRow]) -> list[RevisionView]:
    """Newest first; each against the one below it. The last is compared with nothing: ask for one more than shown."""
    return [_revision(row, rows[place + 1] if place + 1 < len(rows) else None) for place, row in enumerate(rows)]


def _revision(row: RevisionRow, before: RevisionRow | None) -> RevisionView:
    found: tuple[Difference, ...] = ()
    if before is not None:
        found = (*_document_differences(before, row), *_pin_differences(before, row), *_schema_differences(before, row))
    return RevisionView(
        number=row.number,
        author=row.author,
        origin=row.origin,
        comment=row.comment,
        created_at=row.created_at,
        summary=_summary(row, before, found),
        differences=tuple(line for difference in found for line in difference_lines(difference)),
    )


def _document_differences(before: RevisionRow, after: RevisionRow) -> tuple[Difference, ...]:
    try:
        return differences(before.document, after.document)
    except (InflectError, KeyError, TypeError, AttributeError):  # written by hand past every check
        return (Difference("document", "cannot be compared", "cannot be compared"),)


def _pin_differences(before: RevisionRow, after: RevisionRow) -> Iterator[Difference]:
    for path in sorted({*before.pins, *after.pins}):
        old, new = before.pins.get(path), after.pins.get(path)
        if old != new:
            yield Difference(path, old and old[:_SHORT_HASH], new and new[:_SHORT_HASH])


def _schema_differences(before: RevisionRow, after: RevisionRow) -> Iterator[Difference]:
    return schema_differences((before.document, before.schemas), (after.document, after.schemas))


def _summary(row: RevisionRow, before: RevisionRow | None, found: Sequence[Difference]) -> str:
    if before is None:
        return "the first one" if row.number == 1 else ""
    paths = [difference.path for difference in found]
    if not paths:
        return "nothing differs"
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""  # noqa: PLR2004  three fit a line
    return "changed " + ", ".join(paths[:3]) + more


def difference_lines(difference: Difference) -> Iterator[DifferenceView]:
    """What was, and what is now."""
    if difference.before is not None:
        yield DifferenceView("removed", "− was", f"{difference.path}: {_value(difference.before)}")  # noqa: RUF001  a minus
    if difference.after is not None:
        yield DifferenceView("added", "+ is now", f"{difference.path}: {_value(difference.after)}")


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def history(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/history?before=N`."""
    name, here = request.path_params["name"], house(request)
    before = request.query_params.get("before", "")
    current = store.history(here.db, name, limit=1)[0].number
    rows = store.history(here.db, name, limit=REVISIONS_A_PAGE + 1, before=int(before) if before.isdecimal() else None)
    shown = revision_views(rows)[:REVISIONS_A_PAGE]
    more = f"/pipelines/{name}/history?before={shown[-1].number}" if len(rows) > REVISIONS_A_PAGE else ""
    context = {"name": name, "revisions": shown, "current": current, "more": more}
    frame = here.pulse.frame
    return page(
        request,
        "history.html",
        chrome(request, frame, active="Pipelines", title=f"Revisions of {name}") | context,
    )


def confirm_rollback(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/rollback?revision=N`: what would become of the pipeline."""
    name, here = request.path_params["name"], house(request)
    current = store.get_revision(here.db, name, store.get_pipeline(here.db, name).revision)
    wanted = store.get_revision(here.db, name, _number(request.query_params.get("revision", "")))
    context = {"name": name, "current": current, "wanted": _revision(wanted, current)}
    context["meanwhile"] = request.query_params.get("meanwhile", "")
    title = f"Back to revision {wanted.number} of {name}?"
    return page(request, "rollback.html", chrome(request, here.pulse.frame, active="Pipelines", title=title) | context)


def rollback(request: Request) -> Response:
    """Answer `POST /pipelines/NAME/rollback`; `expected` is the revision that was current when it was asked for."""
    name, here, form = request.path_params["name"], house(request), forms.form(request)
    number, expected = _number(str(form.get("revision", ""))), _number(str(form.get("expected", "")))
    if store.get_pipeline(here.db, name).revision != expected:  # what was confirmed is not what would happen
        return RedirectResponse(f"/pipelines/{name}/rollback?revision={number}&meanwhile={expected}", 303)
    operate.rollback(here.db, name, number, author=author(request), origin="web")
    here.pulse.refresh()
    return RedirectResponse(f"/pipelines/{name}", 303)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:  # noqa: PLR2004  revisions are 32-bit numbers
        raise NotFoundError(f"there is no revision {text!r}")
    return int(text)
