"""A worker's books: the figures of every partition, moved forward with each transaction.

Pure arithmetic over columns. Figures are absolute and ride in the offset commit (`kafka.metadata`), so a transaction
that is
not committed leaves them as they were.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from inflect.errors import InflectError
from inflect.model.event import Batch, Counts, StepCounts
from inflect.model.status import PartitionProgress


class UnbalancedError(InflectError):
    """Events of a batch without an outcome: a defect of ours, never committed."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is known of a batch once it is settled: how many of its events, per partition and per step."""

    count: int
    counts: Mapping[int, Counts]
    steps: Mapping[str, StepCounts]


def advance(
    held: Mapping[int, PartitionProgress],
    batch: Batch,
    positions: Mapping[int, int],
    settlement: Settlement,
    revision: int,
) -> dict[int, PartitionProgress]:
    """Progress after this batch for the partitions that moved.

    Raises `UnbalancedError` when an event has no outcome, or when its outcome would not be covered by an offset.

    Step counts are kept with the partition of the first event: they are only ever shown as a sum over partitions, and
    one
    owner keeps that sum exact without a look at each event.
    """
    _check(settlement)
    unsettled = first_unsettled(batch, settlement.count)
    newest = dict(zip(batch.partitions[: settlement.count], batch.timestamps, strict=False))
    moved = {}
    for partition, position in positions.items():
        before, offset = held[partition], unsettled.get(partition, position)
        if offset <= before.offset:
            continue
        moved[partition] = replace(
            before,
            offset=offset,
            revision=revision,
            counts=before.counts + settlement.counts.get(partition, Counts()),
            last_timestamp=newest.get(partition, before.last_timestamp),
        )
    if uncovered := settlement.counts.keys() - moved.keys():
        raise UnbalancedError(f"events of partitions {sorted(uncovered)} are settled, but no offset covers them")
    if settlement.steps and settlement.count:
        first = batch.partitions[0]
        moved[first] = replace(moved[first], steps=_added(moved[first].steps, settlement.steps))
    return moved


def first_unsettled(batch: Batch, count: int) -> dict[int, int]:
    """Per partition, the offset of its first event that is not in the settled prefix."""
    rest = range(len(batch) - 1, count - 1, -1)
    return {batch.partitions[i]: batch.offsets[i] for i in rest}


def _check(settlement: Settlement) -> None:
    total = sum(settlement.counts.values(), Counts())
    if total.unaccounted or total.consumed != settlement.count:
        raise UnbalancedError(
            f"{settlement.count} events settled, but their outcomes are {total}: nothing is committed"
        )


def _added(before: Mapping[str, StepCounts], new: Mapping[str, StepCounts]) -> dict[str, StepCounts]:
    added = dict(before)
    for name, counts in new.items():
        added[name] = added.get(name, StepCounts()) + counts
    return added
