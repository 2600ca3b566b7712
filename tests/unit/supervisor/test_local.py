"""Whose word about a partition counts, when its former owner and its new one both speak."""

import pytest

from inflect.model.event import Counts
from inflect.model.status import PartitionProgress
from inflect.supervisor.local import _advance


def progress(offset: int, assigned_at_ms: int) -> PartitionProgress:
    return PartitionProgress(offset, -1, 1, Counts(), assigned_at_ms=assigned_at_ms)


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        (progress(11, 2000), True),
        (progress(5, 2000), True),  # an operator moved the group back
        (progress(5, 3000), True),
        (progress(9, 1000), False),  # the late word of a former owner
        (progress(10, 1000), False),
        (progress(11, 1000), True),  # the clock was set back, and the new owner is further on
    ],
)
def test_a_report_of_an_older_assignment_counts_only_where_it_is_further_on(
    said: PartitionProgress,
    counts: bool,  # noqa: FBT001  a table's column
) -> None:
    known = {("", 0): progress(10, 2000)}
    _advance(known, {0: said})
    assert (known["", 0] == said) is counts
