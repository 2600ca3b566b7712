"""The draft of a pipeline as it travels with a form: the file as it was typed, and the file the fields were drawn from.

Whatever differs from there was changed by a person: an edited file is read, changed fields are worked into it, and both
are drawn anew. Nothing is kept between two requests, so a restart, a second tab or a browser without scripts loses no
work. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from inflect.errors import Fault, RefusedError
from inflect.model.reader import read_documents
from inflect.model.writer import write_documents
from inflect.store.processors import ProcessorRow
from inflect.web import design_fields
from inflect.web.design_fields import Document
from inflect.web.design_form import params_from

_FILE = "file"


@dataclass(frozen=True, slots=True)
class Draft:
    """A pipeline that is being designed.

    `name` is the stored pipeline that is edited, None for a new one; `expected` the revision it was made from. `text`
    is the file as shown, `base` the file that `document` and with it the fields stand for: another one while the text
    cannot be read (`unread` says why).
    """

    name: str | None
    expected: int | None
    document: Document
    text: str
    base: str
    unread: tuple[Fault, ...] = ()


def read_draft(form: Mapping[str, str], name: str | None, files: Sequence[ProcessorRow]) -> Draft:
    """The draft that a form holds: the file, with the fields worked in that were changed since it was drawn."""
    params_of, expected = params_from(files), form.get("expected", "")
    text, base = _clean(form.get("file", "")), _clean(form.get("base", ""))
    revision = int(expected) if expected.isdecimal() else None
    drawn = _read(base) if base.strip() else {}
    shown = design_fields.fields_of(drawn, params_of)
    changed = {key: _clean(form[key]) for key, value in shown.items() if key in form and _clean(form[key]) != value}
    try:
        document = drawn if text == base else _read(text) if text.strip() else {}
    except RefusedError as error:
        return Draft(
            name, revision, design_fields.with_fields(drawn, changed, params_of), text, base, tuple(error.faults)
        )
    if not changed:
        return Draft(name, revision, document, text, text)
    return _written(Draft(name, revision, design_fields.with_fields(document, changed, params_of), text, base))


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _read(text: str) -> Document:
    found = read_documents(text, _FILE)
    if len(found) != 1:
        raise RefusedError(_FILE, [Fault("", f"holds {len(found)} pipelines; this page designs one at a time")])
    return found[0]


def _written(draft: Draft) -> Draft:
    """The draft with its file written anew; what cannot be written is said, and the fields keep it."""
    text = write_documents([draft.document]) if draft.document else ""
    try:
        document = _read(text) if text else {}
    except RefusedError as error:
        return replace(draft, unread=tuple(error.faults))
    return replace(draft, document=document, text=text, base=text)


def edited(draft: Draft, form: Mapping[str, str], *, adds: bool) -> Draft:
    """The draft after the button that was pressed: a step more, less, or elsewhere."""
    wanted, added = form.get("edit", ""), form.get("add", "").strip()
    if draft.unread or wanted == "rebase" or not (wanted or (added and adds)):
        return draft
    return _written(replace(draft, document=design_fields.with_edit(draft.document, wanted or "add", added)))
