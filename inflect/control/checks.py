"""What a pipeline needs from the world around it: topics, processors, and what this version can do.

Every check returns faults with paths instead of stopping at the first one, so that a user mends a whole set in one go.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches

import jsonschema_rs

from inflect.control.code import Files, entry_of, missing_processors
from inflect.errors import Fault
from inflect.model.pipeline import Pipeline


def pipeline_faults(pipeline: Pipeline, files: Files, topics: Mapping[str, int]) -> list[Fault]:
    """Return everything that keeps a pipeline from running; `topics` are those that exist or will, with partitions."""
    return [
        *unsupported(pipeline),
        *_topic_faults(pipeline, topics),
        *missing_processors(pipeline, files),
        *param_faults(pipeline, files),
    ]


def unsupported(pipeline: Pipeline) -> Iterator[Fault]:
    """Yield what the grammar knows and this version cannot do yet."""
    if pipeline.workers.min == 0:
        yield Fault("workers.min", "0 needs the autoscaler, which this version does not have yet; give at least 1")
    if pipeline.partitions.autoscale:
        yield Fault("partitions.autoscale", "needs the autoscaler, which this version does not have yet; leave it out")


def _topic_faults(pipeline: Pipeline, topics: Mapping[str, int]) -> Iterator[Fault]:
    source, target = pipeline.source.topic, pipeline.target
    if source not in topics:
        yield Fault("source.topic", f"there is no topic {source!r}{_hint(source, topics)}; create it first")
    if target.topic not in topics and target.create is None:
        yield Fault(
            "target.topic",
            f"there is no topic {target.topic!r}{_hint(target.topic, topics)}; create it, or let Inflect do it: "
            "`create: {}`",
        )


def _hint(name: str, topics: Mapping[str, int]) -> str:
    close = get_close_matches(name, topics, n=1, cutoff=0.75)
    return f" (did you mean {close[0]!r}?)" if close else ""


def param_faults(pipeline: Pipeline, files: Files) -> Iterator[Fault]:
    """Yield where a step's `params` break the JSON Schema its file exports."""
    for index, step in enumerate(pipeline.steps):
        entry = entry_of(step, files)
        schema = files[entry].params if entry else None
        if schema is None:
            continue
        try:
            errors = list(jsonschema_rs.validator_for(schema).iter_errors(step.params))
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            yield Fault(f"steps[{index}].params", f"{entry} exports params that are no JSON Schema: {error}")
            continue
        for broken in errors:
            place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in broken.instance_path)
            yield Fault(f"steps[{index}].params{place}", broken.message)
