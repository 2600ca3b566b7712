"""Designing a pipeline: a form, the pipeline file beside it, what is wrong with both, and the way to a revision.

Every change is posted and drawn anew; what travels with the form is explained in `web.design_draft`. The check is the
one that saving makes, so what this page calls right is saved.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inflect.control.apply import Plan, apply, differences, plan
from inflect.errors import (
    ConflictError,
    DeniedError,
    Fault,
    InflectError,
    NotFoundError,
    RefusedError,
    UnreachableError,
)
from inflect.kafka.admin import Admin
from inflect.model.document import parse_pipeline
from inflect.model.writer import write_documents
from inflect.store import pipelines as store
from inflect.store import processors
from inflect.web import design_fields, forms
from inflect.web.brokers import ANSWER_S
from inflect.web.design_choices import choices
from inflect.web.design_draft import Draft, edited, read_draft
from inflect.web.design_fields import Document
from inflect.web.design_form import form_view
from inflect.web.frame import House, author, chrome, house
from inflect.web.render import page
from inflect.web.revisions import DifferenceView, difference_lines

_STAND_IN = "not-named-yet"


@dataclass(frozen=True, slots=True)
class Conflict:
    """What somebody else did to the pipeline meanwhile; `revision` None: it was deleted."""

    revision: int | None
    author: str = ""
    differences: tuple[DifferenceView, ...] = ()


@dataclass(frozen=True, slots=True)
class Findings:
    """What the check of a draft found: what saving it would do (None: it cannot be saved), problems, who is away,
    and what somebody else did meanwhile.
    """

    plan: Plan | None = None
    faults: tuple[Fault, ...] = ()
    away: str = ""
    conflict: Conflict | None = None


def new(request: Request) -> Response:
    """Answer `GET /pipelines/new`."""
    return _form(request, Draft(None, None, {}, "", ""))


def edit(request: Request) -> Response:
    """Answer `GET /pipelines/NAME/edit`."""
    row = store.get_pipeline(house(request).db, request.path_params["name"])
    text = write_documents([row.document])
    return _form(request, Draft(row.name, row.revision, row.document, text, text))


def change(request: Request) -> Response:
    """Answer `POST` at both addresses: the form as it is now, the question before saving, or the save itself."""
    form = {key: str(value) for key, value in forms.form(request).items()}
    try:
        return _change(request, form)
    except UnreachableError:
        if "hx-request" not in request.headers:
            raise
        return Response(status_code=204)  # the page stays as it is, with everything that was typed; its top says why


def _change(request: Request, form: Mapping[str, str]) -> Response:
    here, asked = house(request), form.get("do", "check")
    files = processors.list_processors(here.db)
    typing = "hx-request" in request.headers and asked == "check"  # what is typed for a new step may be half of a name
    draft = edited(read_draft(form, request.path_params.get("name"), files), form, adds=not typing)
    if asked == "edit":
        return _form(request, draft)
    found = check(here, draft)
    if form.get("edit") == "rebase" and found.conflict is not None:
        draft, found = replace(draft, expected=found.conflict.revision), replace(found, conflict=None)
    if asked in ("review", "save") and found.plan is not None and found.conflict is None:
        return _review(request, draft, found.plan) if asked == "review" else _save(request, draft, form)
    return _form(request, draft, found, moved=form.get("edit", ""), insist=asked != "check")


# What is wrong with it.


def check(here: House, draft: Draft) -> Findings:
    """Everything that keeps a draft from being saved, all at once."""
    conflict = _conflict(here, draft)
    if draft.unread:
        return Findings(faults=draft.unread, conflict=conflict)
    shape, away = shape_faults(draft.document), ""
    faults, planned = [*_name_faults(draft), *shape], None
    try:
        planned = _plan(here, with_stand_ins(draft.document, shape))
        if draft.name is None and not shape and planned.changes[0].action != "created":
            taken = draft.document["name"]
            faults.append(Fault("name", f"there is a pipeline {taken} already; choose another name"))
    except RefusedError as error:
        told = {path for fault in shape for path in (fault.path, f"{fault.path}.topic")}  # a stand-in's are none
        faults += [fault for fault in error.faults if fault.path not in told]
    except (UnreachableError, DeniedError) as error:
        away = str(error)
    return Findings(None if faults else planned, tuple(faults), away, conflict)


def shape_faults(document: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with a document by itself, without asking any server."""
    try:
        parse_pipeline(document)
    except RefusedError as error:
        return error.faults
    return []


def with_stand_ins(document: Document, faults: Sequence[Fault]) -> Document:
    """The document with a name and topics in place of those that are missing or wrong, so that the rest of it can be
    checked while they are; as it is when it has no faults.
    """
    paths, made = {fault.path for fault in faults}, dict(document)
    if "name" in paths:
        made["name"] = _STAND_IN
    for side in ("source", "target"):
        end = made.get(side)
        if paths & {side, f"{side}.topic"}:
            made[side] = {**(end if isinstance(end, dict) else {}), "topic": f"{_STAND_IN}-{side}"}
    return made


def _name_faults(draft: Draft) -> Iterator[Fault]:
    if draft.name is not None and draft.document.get("name") != draft.name:
        yield Fault("name", f"this is {draft.name}: a name cannot be changed; make a new pipeline instead")
    if draft.name is None and draft.document.get("name") == "new":
        yield Fault("name", "its page would be this one; choose another name")


def _plan(here: House, document: Document) -> Plan:
    with Admin(here.settings.kafka, timeout_s=ANSWER_S) as admin, here.schema_sources() as schemas:
        return plan(here.db, admin, [document], schemas=schemas)


def _conflict(here: House, draft: Draft) -> Conflict | None:
    if draft.name is None or draft.expected is None:
        return None
    try:
        row = store.get_pipeline(here.db, draft.name)
        if row.revision == draft.expected:
            return None
        before = store.get_revision(here.db, draft.name, draft.expected).document
        found = differences(before, row.document)
    except NotFoundError:
        return Conflict(None)
    except (InflectError, KeyError, TypeError, AttributeError):  # written by hand past every check
        return Conflict(row.revision, row.author)
    return Conflict(row.revision, row.author, tuple(line for one in found for line in difference_lines(one)))


# The pages.


def _form(
    request: Request, draft: Draft, found: Findings | None = None, *, moved: str = "", insist: bool = False
) -> Response:
    """The form; `insist`: more was asked for than a check, so what is missing keeps it from happening."""
    here, by_htmx = house(request), "hx-request" in request.headers
    steps = [row for row in processors.list_processors(here.db) if row.kind != "library"]
    found = found or Findings()
    context: dict[str, Any] = {
        "draft": draft,
        "form": form_view(draft.document, steps, () if draft.unread else found.faults),
        "file_faults": draft.unread,
        "found": found,
        "insist": insist,
        "moved": design_fields.edited_place(moved),
        "choices": choices(here, draft.document, steps, whole=not by_htmx),
        "address": request.url.path,
    }
    status = 200 if by_htmx or not insist else 409 if found.conflict else 422
    title = f"Edit {draft.name}" if draft.name else "New pipeline"
    return page(
        request, "design.html", chrome(request, here.pulse.frame, active="Pipelines", title=title) | context, status
    )


def _review(request: Request, draft: Draft, planned: Plan) -> Response:
    change = planned.changes[0]
    context = {
        "draft": draft,
        "action": change.action,
        "differences": [line for one in change.differences for line in difference_lines(one)],
        "topics": planned.topics,
        "notes": planned.notes,
        "lines": draft.text.splitlines(),
        "address": request.url.path,
    }
    title = f"Save {draft.name or change.name}?"
    frame = house(request).pulse.frame
    return page(request, "design_review.html", chrome(request, frame, active="Pipelines", title=title) | context)


def _save(request: Request, draft: Draft, form: Mapping[str, str]) -> Response:
    """Make the revision; whoever was faster in between is told, and nothing that was typed is lost."""
    here, comment = house(request), form.get("comment", "").strip()
    is_new = draft.name is None
    try:
        with here.admin() as admin, here.schema_sources() as schemas:
            apply(
                here.db,
                admin,
                [draft.document],
                author=author(request),
                origin="web",
                schemas=schemas,
                comment=comment,
                create=is_new,
                expected=draft.expected,
            )
    except (ConflictError, RefusedError):
        return _form(request, draft, check(here, draft), insist=True)
    here.pulse.refresh()
    return RedirectResponse(f"/pipelines/{draft.document['name']}", 303)
