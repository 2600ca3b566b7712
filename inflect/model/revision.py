"""A revision: a pipeline with everything it needs pinned, so that it means the same for ever.

A worker needs nothing but this (and the way to Kafka) to run: it arrives by pipe on one box and is read from
Postgres in a pod. Numbers only grow; a rollback is a new number with an old content.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from inflect.model.pipeline import Pipeline
from inflect.model.schema import PinnedSchema


@dataclass(frozen=True, slots=True)
class Revision:
    """One immutable state of a pipeline.

    `modules` maps the path of every processor file the steps reach (with its ending, `filters/only-paid.js`) to its
    CommonJS code.
    `entries` holds, per step in order, the key into `modules` that the step runs. The schemas are those of the ends, as
    they were when the revision was made; None where the pipeline names none.
    """

    number: int
    pipeline: Pipeline
    modules: Mapping[str, str]
    entries: tuple[str, ...]
    source_schema: PinnedSchema | None = None
    target_schema: PinnedSchema | None = None

    @property
    def pinned(self) -> tuple[PinnedSchema, ...]:
        """The schemas of both ends, as far as there are any."""
        return tuple(pin for pin in (self.source_schema, self.target_schema) if pin is not None)


def needs_restart(old: Revision, new: Revision) -> bool:
    """Whether workers must be replaced rather than told: the group's topic or the kind of producer changes."""
    before, after = old.pipeline, new.pipeline
    return before.source.topic != after.source.topic or before.guarantee != after.guarantee
