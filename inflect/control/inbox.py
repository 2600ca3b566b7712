"""A pipeline's dead letters at one look: a page of them, and what all died of unless they are too many to count.

For the pages, which would else open everything twice. Nothing here changes anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inflect.control.dead_letters import causes_in, opened, page_of, pipeline_of, positions_of
from inflect.store.database import Database

COUNTED_AT_ONCE = 50_000


@dataclass(frozen=True, slots=True)
class Inbox:
    """Letters, newest first, where the next page begins, and what the open ones died of, the most frequent first.

    `causes` None: they were not counted, since the topics hold about `records` records. `missing`: topics that are not
    there.
    """

    letters: list[dict[str, Any]]
    next: str | None
    causes: list[dict[str, Any]] | None
    records: int
    missing: tuple[str, ...]


def look(  # noqa: PLR0913  where to look, and what for
    db: Database,
    kafka: Mapping[str, str],
    name: str,
    *,
    limit: int,
    before: str | None = None,
    cause: str | None = None,
    redriven: bool = False,
    count_all: bool = False,
) -> Inbox:
    """Letters as `dead_letters.list_letters` has them and causes as `dead_letters.group_letters` has them.

    With `count_all` causes are counted however many letters there are.
    """
    pipeline, positions = pipeline_of(db, name), positions_of(before)
    with opened(kafka, pipeline) as (browser, box):
        records = sum(max(0, span.end - span.first) for span in box.spans)
        causes = causes_in(browser, box) if count_all or records <= COUNTED_AT_ONCE else None
        page = page_of(browser, box, positions, limit=limit, cause=cause, redriven=redriven)
    return Inbox(page.letters, page.next, causes, records, box.missing)
