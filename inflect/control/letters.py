"""A pipeline's dead letters as they lie in its topics: found, told apart from other pipelines', read in any direction.

Whoever looks at letters or redrives them reads them here. Memory is bounded however many there are.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush

from inflect.control.causes import cause_of
from inflect.control.ledger import Ledger, Mark, read_ledger
from inflect.errors import UsageError
from inflect.kafka.admin import Admin, TopicInfo
from inflect.kafka.browse import Browser, Place, Span, spans
from inflect.model.event import Batch
from inflect.model.pipeline import Pipeline
from inflect.processing.dialects import Story, read_story

_WINDOW = 200
_LARGEST_WINDOW = 5_000
_NEAR = 200


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter: its place, its bytes, and the story its headers tell. `timestamp` is the record's, in ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    story: Story

    @property
    def id(self) -> str:
        """`TOPIC:PARTITION:OFFSET`."""
        return f"{self.topic}:{self.partition}:{self.offset}"

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition

    @property
    def cause(self) -> str:
        """The id of what it died of."""
        return cause_of(self.story)

    @property
    def died_at_ms(self) -> int:
        """When it became a dead letter; where the writer does not say, the record's time."""
        try:
            return int(datetime.fromisoformat(self.story.time or "").timestamp() * 1000)
        except ValueError:
            return self.timestamp


@dataclass(frozen=True, slots=True)
class Box:
    """A pipeline's dead letter topics as they were when it was opened, and what has been redriven by then."""

    pipeline: str
    topics: Mapping[str, TopicInfo]
    spans: tuple[Span, ...]
    ledger: Ledger
    missing: tuple[str, ...] = field(default=())

    def mark(self, letter: Letter) -> Mark | None:
        """What became of a letter; None while it is open."""
        return self.ledger.mark(letter.place, letter.offset)

    def holds(self, story: Story | None) -> bool:
        """Whether a record is a letter of this pipeline: ours must name it, other tools' do not know it."""
        return story is not None and (story.dialect != "inflect" or story.writer == self.pipeline)


def open_box(admin: Admin, browser: Browser, pipeline: Pipeline) -> Box:
    """Look once: which topics there are, what they hold, what has been redriven. Letters that come later stay out."""
    names = pipeline.dead_letter_topics
    topics = admin.describe(names)
    topic_ids = {name: info.topic_id for name, info in topics.items()}
    ledger = read_ledger(admin, browser, pipeline.name, topic_ids)
    missing = tuple(name for name in names if name not in topics)
    return Box(pipeline.name, topics, spans(admin, topics), ledger, missing)


def place_of(text: str) -> tuple[str, int, int]:
    """Topic, partition and offset of `TOPIC:PARTITION:OFFSET`; UsageError says what is wrong with it."""
    topic, partition, offset = [*text.rsplit(":", 2), "", ""][:3]
    if not topic or not partition.isdecimal() or not offset.isdecimal() or len(offset) > 18 or len(partition) > 9:  # noqa: PLR2004  what Kafka can number
        raise UsageError(f"{text!r} is no dead letter; one is named TOPIC:PARTITION:OFFSET, as `list` shows them")
    return topic, int(partition), int(offset)


def read_letters(browser: Browser, box: Box, wanted: Iterable[Span] | None = None) -> Iterator[Letter]:
    """The letters of the spans (None: of the whole box), each partition in the order in which they were written."""
    for batch in browser.read(box.spans if wanted is None else wanted):
        yield from letters_of(batch, box)


def letters_of(batch: Batch, box: Box) -> Iterator[Letter]:
    """The letters of this pipeline among the records of a batch."""
    for index, headers in enumerate(batch.headers):
        story = read_story(headers)
        if story is not None and box.holds(story):
            yield Letter(
                batch.topic,
                batch.partitions[index],
                batch.offsets[index],
                batch.timestamps[index],
                batch.keys[index],
                batch.values[index],
                story,
            )


Positions = Mapping[Place, int]


def newest_first(
    browser: Browser, box: Box, before: Positions | None = None, *, keep: Callable[[Letter], bool]
) -> Iterator[tuple[Letter, dict[Place, int]]]:
    """Letters from the newest to the oldest, each with the positions to go on behind it (`before` of the next call).

    Only those that `keep`; partitions are read backwards in windows, so that a first page is quick in a large topic.
    """
    # A page that was named before the topic was made anew may begin behind its end, where nothing would ever come.
    tails = [_Tail(s, min(s.end, (before or {}).get(s.place, s.end)), browser, box, keep) for s in box.spans]
    upper = {tail.span.place: tail.upper for tail in tails}
    heap: list[tuple[int, int, int, Letter]] = []
    for index, tail in enumerate(tails):
        _push(heap, index, tail)
    while heap:
        _, _, index, letter = heappop(heap)
        upper[letter.place] = letter.offset
        yield letter, dict(upper)
        _push(heap, index, tails[index])


def _push(heap: list[tuple[int, int, int, Letter]], index: int, tail: "_Tail") -> None:
    letter = tail.next()
    if letter is not None:
        heappush(heap, (-letter.died_at_ms, -letter.offset, index, letter))


@dataclass(slots=True)
class _Tail:
    """One partition read backwards; `upper` is the offset before which nothing has been read."""

    span: Span
    upper: int
    browser: Browser
    box: Box
    keep: Callable[[Letter], bool]
    _window: int = _WINDOW
    _read: list[Letter] = field(default_factory=list)

    def next(self) -> Letter | None:
        while not self._read and self.upper > self.span.first:
            first = max(self.span.first, self.upper - self._window)
            window = Span(self.span.topic, self.span.partition, first, self.upper)
            self._read = [x for x in map(_light, read_letters(self.browser, self.box, [window])) if self.keep(x)]
            self.upper = first
            self._window = min(self._window * 2, _LARGEST_WINDOW)
        return self._read.pop() if self._read else None


def _light(letter: Letter) -> Letter:
    """Without its value: a list of letters must not hold megabytes of each."""
    return Letter(letter.topic, letter.partition, letter.offset, letter.timestamp, letter.key, None, letter.story)


def find_letters(browser: Browser, box: Box, ids: Sequence[str]) -> Iterator[tuple[str, Letter | None]]:
    """The letters of these ids, by place; None for one that is not there, or is not this pipeline's.

    UsageError names every id that is none, or lies in no dead letter topic of the pipeline.
    """
    places = {text: place_of(text) for text in dict.fromkeys(ids)}
    if strange := [text for text, (topic, _, _) in places.items() if topic not in box.topics]:
        known = ", ".join(box.topics) or "none"
        raise UsageError(f"{', '.join(strange)}: not in a dead letter topic of {box.pipeline} (those are: {known})")
    names = {place: text for text, place in places.items()}
    for wanted in _neighbours(sorted(names)):
        left = {offset: names[topic, partition, offset] for topic, partition, offset in wanted}
        for letter in read_letters(browser, box, _clipped(box, wanted)):
            if letter.offset in left:
                yield left.pop(letter.offset), letter
        yield from ((text, None) for text in left.values())


def _neighbours(places: Sequence[tuple[str, int, int]]) -> Iterator[list[tuple[str, int, int]]]:
    """Sorted places, those together that are worth reading in one go."""
    near: list[tuple[str, int, int]] = []
    for place in places:
        if near and (place[:2] != near[-1][:2] or place[2] - near[-1][2] > _NEAR):
            yield near
            near = []
        near.append(place)
    if near:
        yield near


def _clipped(box: Box, wanted: Sequence[tuple[str, int, int]]) -> list[Span]:
    """The span from the first to the last of these places, as far as the box has it."""
    topic, partition, first = wanted[0]
    end = wanted[-1][2] + 1
    return [
        Span(topic, partition, max(first, span.first), min(end, span.end))
        for span in box.spans
        if span.place == (topic, partition)
    ]
