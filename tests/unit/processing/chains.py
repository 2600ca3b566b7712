"""Builds small pipelines and batches for the tests of the chain: a step is a line of JavaScript."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from inflect.model.event import Batch, Headers, Record
from inflect.model.pipeline import Format, Limits, Pipeline, Source, Step, Target, Tombstones
from inflect.model.revision import Revision
from inflect.processing.chain import Chain, Settled

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)


def revision(
    *codes: str,
    formats: tuple[Format, Format] = ("json", "json"),
    tombstones: Tombstones = "deliver",
    limits: Limits | None = None,
    modules: Mapping[str, str] | None = None,
    **changes: Any,
) -> Revision:
    """A pipeline of steps `t0`, `t1` …; code that starts with `filter:` is a filter. Failures are dead letters."""
    steps: list[Step] = []
    sources: dict[str, str] = dict(modules or {})
    entries: list[str] = []
    for index, code in enumerate(codes):
        kind, folder = ("filter", "filters") if code.startswith("filter:") else ("transformation", "transformations")
        name = f"t{index}"
        path = f"{folder}/{name}.js"
        sources[path] = code.removeprefix("filter:")
        steps.append(Step(name, kind, name, dead_letter="dlq", on_error="dead_letter"))  # type: ignore[arg-type]  # one of the two
        entries.append(path)
    pipeline = Pipeline(
        "orders",
        Source("in", formats[0], tombstones=tombstones),
        Target("out", formats[1]),
        steps=tuple(steps),
        dead_letter="dlq",
        on_error="dead_letter",
        limits=limits or Limits(timeout_ms=300, memory_mb=64),
    )
    return Revision(7, replace(pipeline, **changes), sources, tuple(entries))


def with_step(base: Revision, index: int, **changes: Any) -> Revision:
    """The revision with one step changed."""
    steps = list(base.pipeline.steps)
    steps[index] = replace(steps[index], **changes)
    return replace(base, pipeline=replace(base.pipeline, steps=tuple(steps)))


def batch(
    values: Sequence[bytes | None],
    keys: Sequence[bytes | None] | None = None,
    headers: Sequence[Headers | None] | None = None,
    partitions: Sequence[int] | None = None,
) -> Batch:
    """A batch of topic `in`; offsets count from 100."""
    count = len(values)
    return Batch(
        "in",
        values,
        keys or [None] * count,
        headers or [None] * count,
        [1_700_000_000_000] * count,
        partitions or [0] * count,
        list(range(100, 100 + count)),
    )


@contextmanager
def chain(base: Revision, **topics: int) -> Iterator[Chain]:
    """A chain; `topics` are their largest records in bytes."""
    with Chain(base, max_record_bytes=topics) as opened:
        yield opened


def settle(base: Revision, events: Batch | Sequence[bytes | None], **topics: int) -> Settled:
    """One batch through a fresh chain."""
    with chain(base, **topics) as opened:
        return opened.settle(events if isinstance(events, Batch) else batch(events), now=NOW)


def header(record: Record, name: str) -> str | None:
    """A header's text; the last one counts."""
    found = [value for key, value in record.headers or () if key == name]
    return found[-1].decode() if found and found[-1] is not None else None


def error(settled: Settled, index: int) -> dict[str, str | None]:
    """The `inflect.error.*` headers of event `index`'s dead letter, without the prefix."""
    (record,) = settled.records[index]
    assert record.topic == "dlq"
    names = [name for name, _ in record.headers or () if name.startswith("inflect.error.")]
    return {name.removeprefix("inflect.error."): header(record, name) for name in names}
