"""Counts that ride in the offset commit."""

from inflect.kafka.metadata import MAX_METADATA_BYTES, read_metadata, write_metadata
from inflect.model.event import Counts, StepCounts
from inflect.model.status import PartitionProgress

PROGRESS = PartitionProgress(
    offset=42,
    end=-1,
    revision=7,
    counts=Counts(10, 6, 2, 1, 1),
    steps={"only-paid": StepCounts(6, 2, 1)},
    last_timestamp=1_700_000_000_000,
)


def test_progress_comes_back_as_it_was_written() -> None:
    assert read_metadata(42, write_metadata(PROGRESS)) == PROGRESS


def test_foreign_metadata_starts_the_books_at_nothing() -> None:
    for text in (None, "", "hello", "[]", '{"v": 99}', '{"v": 1}', '{"v": 1, "r": 1, "c": 5, "t": 1, "s": {}}'):
        assert read_metadata(5, text) == PartitionProgress(offset=5, end=-1, revision=0, counts=Counts())


def test_too_many_steps_leave_out_the_steps_and_never_the_outcomes() -> None:
    steps = {f"step-with-a-long-name-{n}": StepCounts(n, n, n) for n in range(200)}
    text = write_metadata(PartitionProgress(1, -1, 1, Counts(5, 5), steps))
    assert len(text) <= MAX_METADATA_BYTES
    assert read_metadata(1, text).counts == Counts(5, 5)
