"""The worker's books: progress and counts after a batch."""

import pytest

from inflect.model.event import Batch, Counts, StepCounts
from inflect.model.status import PartitionProgress
from inflect.worker.books import Settlement, UnbalancedError, advance, first_unsettled

BATCH = Batch(
    topic="t",
    values=[b"1"] * 5,
    keys=[None] * 5,
    headers=[None] * 5,
    timestamps=[100, 200, 300, 400, 500],
    partitions=[0, 1, 0, 1, 0],
    offsets=[10, 20, 11, 21, 12],
)
HELD = {p: PartitionProgress(offset=o, end=-1, revision=1, counts=Counts(1, 1)) for p, o in ((0, 10), (1, 20), (2, 30))}


def test_a_settled_batch_moves_to_the_positions_that_pass_markers() -> None:
    counts = {0: Counts(3, 2, 1), 1: Counts(2, 2)}
    moved = advance(HELD, BATCH, {0: 14, 1: 22, 2: 30}, Settlement(5, counts, {"a": StepCounts(4, 1)}), 2)
    assert set(moved) == {0, 1}
    assert (moved[0].offset, moved[0].counts, moved[0].last_timestamp) == (14, Counts(4, 3, 1), 500)
    assert (moved[1].offset, moved[1].counts, moved[1].last_timestamp) == (22, Counts(3, 3), 400)
    assert moved[0].steps == {"a": StepCounts(4, 1)}
    assert moved[1].steps == {}
    assert {p.revision for p in moved.values()} == {2}


def test_a_prefix_moves_to_the_first_unsettled_event_of_each_partition() -> None:
    moved = advance(HELD, BATCH, {0: 13, 1: 22}, Settlement(3, {0: Counts(2, 2), 1: Counts(1, 1)}, {}), 1)
    assert {p: s.offset for p, s in moved.items()} == {0: 12, 1: 21}
    assert first_unsettled(BATCH, 3) == {0: 12, 1: 21}
    assert first_unsettled(BATCH, 5) == {}


def test_markers_alone_move_the_position_and_count_nothing() -> None:
    empty = Batch("t", [], [], [], [], [], [])
    moved = advance(HELD, empty, {2: 31}, Settlement(0, {}, {}), 1)
    assert (moved[2].offset, moved[2].counts) == (31, Counts(1, 1))


@pytest.mark.parametrize("counts", [{0: Counts(5, 4)}, {0: Counts(4, 4)}, {}])
def test_an_event_without_an_outcome_is_never_committed(counts: dict[int, Counts]) -> None:
    with pytest.raises(UnbalancedError):
        advance(HELD, BATCH, {0: 13, 1: 22}, Settlement(5, counts, {}), 1)
