"""What can be chosen while a pipeline is designed: topics of the brokers, subjects of the registry, processors.

Suggestions only: what is not among them can be typed, and the check says whether it is there. A server that is away
takes its suggestions with it and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inflect.control import catalogue
from inflect.control.schemas import SchemaRegistry
from inflect.errors import DeniedError, NotFoundError, RefusedError, UnreachableError
from inflect.store.processors import ProcessorRow
from inflect.web.design_fields import Document
from inflect.web.frame import House

_SIDES = ("source", "target")


@dataclass(frozen=True, slots=True)
class Choices:
    """`topics` by name with their partitions; `versions` of the subjects that both ends name, newest first.

    `registry` is none, away or there; `away` says why.
    """

    topics: Mapping[str, int]
    subjects: Sequence[str]
    processors: Sequence[tuple[str, str]]
    versions: Mapping[str, Sequence[int]]
    registry: str
    away: str = ""


def choices(here: House, document: Document, files: Sequence[ProcessorRow], *, whole: bool) -> Choices:
    """What a page offers; the subjects only with a `whole` page, since a part of one has them already."""
    topics = {row.name: row.partitions for row in here.brokers.topics(here.db) if not row.internal}
    shown = [(row.path.rpartition(".")[0], row.title or row.description) for row in files]
    subjects: list[str] = []
    versions: dict[str, Sequence[int]] = {}
    try:
        with here.registry() as registry:
            if registry is None:
                return Choices(topics, [], shown, {}, "none")
            if whole:
                subjects = [entry.subject for entry in catalogue.entries(here.db, registry) if entry.subject]
            for side, subject in _named(document).items():
                versions[side] = _versions(registry, subject)
    except (UnreachableError, DeniedError) as error:
        kept = [entry.subject for entry in catalogue.listed(here.db, ()) if entry.subject]
        return Choices(topics, kept, shown, {}, "away", str(error))
    return Choices(topics, subjects, shown, versions, "there")


def _named(document: Document) -> dict[str, str]:
    """The subject that each end names, where it names one."""
    found = {}
    for side in _SIDES:
        end = document.get(side)
        schema = end.get("schema") if isinstance(end, dict) else None
        subject = schema.get("subject") if isinstance(schema, dict) else None
        if isinstance(subject, str) and subject:
            found[side] = subject
    return found


def _versions(registry: SchemaRegistry, subject: str) -> list[int]:
    try:
        return sorted(registry.versions(subject), reverse=True)
    except (NotFoundError, RefusedError):
        return []  # there is no such subject: the check says so beside the field
