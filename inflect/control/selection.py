"""Which dead letters a redrive takes, and how each begins: restored, at a step, or refused with the reason."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from inflect.control.letters import Box, Letter, find_letters, read_letters
from inflect.control.restore import Event, NotRestorableError, Restorer, failed_step
from inflect.kafka.browse import Browser
from inflect.model.event import Failure
from inflect.model.revision import Revision

MOST_REDRIVES = 5
LEAST_RATE, MOST_RATE = 0.001, 1_000_000.0

Start = Literal["source", "failed-step"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which open letters: all of them, those of one cause, or those with these ids."""

    ids: tuple[str, ...] = ()
    cause: str | None = None


def is_rate(rate: float) -> bool:
    """Whether a number of letters a second can be kept to; what is no number cannot."""
    return LEAST_RATE <= rate <= MOST_RATE


@dataclass(frozen=True, slots=True)
class Order:
    """What to redrive and how. `rate`: letters per second at most (`is_rate`); `dry_run`: only say what would become of
    them.
    """

    selection: Selection
    start: Start = "source"
    dry_run: bool = False
    rate: float | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """A selected letter: its event and the step it begins at (None: the source), or why it cannot be redriven."""

    id: str
    letter: Letter | None = None
    event: Event | None = None
    begin: int | None = None
    refusal: str | None = None
    failure: Failure | None = None

    @property
    def way(self) -> tuple[bool, str, int | None]:
        """Cases that go the same way are settled together."""
        return self.refusal is None, self.event.topic if self.event else "", self.begin


def cases(revision: Revision, order: Order, reader: Browser, box: Box, restorer: Restorer) -> Iterator[Case]:
    """The selected letters in the order of their topics, each ready to be tried or refused."""
    ids, cause = order.selection.ids, order.selection.cause
    for text, letter in find_letters(reader, box, ids) if ids else ((x.id, x) for x in read_letters(reader, box)):
        mark = None if letter is None else box.mark(letter)
        if letter is None:
            yield Case(text, refusal="there is no such dead letter of this pipeline; retention may have removed it")
        elif mark is not None:
            if ids:
                yield Case(text, letter, refusal=f"was redriven at {mark.time}: {mark.outcome}")
        elif cause in {None, letter.cause}:
            yield _case(revision, order, letter, restorer)


def _case(revision: Revision, order: Order, letter: Letter, restorer: Restorer) -> Case:
    attempt = letter.story.attempt
    if letter.story.dialect == "inflect" and attempt > MOST_REDRIVES and not order.selection.ids:
        reason = f"was redriven {attempt - 1} times and failed each time; --id {letter.id} tries once more"
        return Case(letter.id, letter, refusal=reason)
    try:
        begin = failed_step(revision, letter) if order.start == "failed-step" else None
        return Case(letter.id, letter, restorer.event(letter), begin)
    except NotRestorableError as error:
        return Case(letter.id, letter, refusal=str(error))
