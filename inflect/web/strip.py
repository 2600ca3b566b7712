"""The strip: a pipeline and its figures made into stops, flows and branches.

The same picture serves the dashboard (small) and the pipeline page (large). Pure. An arrow's total is what entered
the stop behind it, so a step that joined later starts at 0 instead of borrowing events it never saw.
"""

from collections.abc import Iterable

from inflect.model.event import StepCounts
from inflect.model.pipeline import OnError, Pipeline, SchemaReference, Step
from inflect.web.figures import Figures, StepRates
from inflect.web.views import ArrowView, BranchView, NodeView, StripView

_HEAVIEST = 4
_NOTHING = StepCounts()
_FATES: dict[OnError, str] = {"dead_letter": "dead letter", "drop": "dropped", "stop": "stops here"}


def draw(pipeline: Pipeline, figures: Figures, *, moving: bool) -> StripView:
    """The strip of one pipeline with totals and rates on every arrow and branch."""
    source = NodeView(
        "source",
        pipeline.source.topic,
        pipeline.source.format,
        f"/topics#{pipeline.source.topic}",
        _outside_branches(pipeline, figures),
    )
    target = NodeView("target", pipeline.target.topic, pipeline.target.format, f"/topics#{pipeline.target.topic}")
    nodes = [source, *_check(pipeline.source.schema), *(_stop(step, figures) for step in pipeline.steps)]
    nodes += [*_check(pipeline.target.schema), target]
    return StripView(tuple(nodes), tuple(_arrows(pipeline, figures, nodes)), moving)


def _check(schema: SchemaReference | None) -> list[NodeView]:
    return [NodeView("check", schema.subject or schema.file or "schema", "schema check")] if schema else []


def _stop(step: Step, figures: Figures) -> NodeView:
    counts, rates = figures.steps.get(step.name, _NOTHING), figures.step_rates.get(step.name)
    filtered = BranchView("filtered", counts.filtered, rates.filtered if rates else None, step.filtered, "not kept")
    failed = BranchView(
        "failed", counts.failed, rates.failed if rates else None, _dead_letter(step), _FATES[step.on_error]
    )
    return NodeView(step.kind, step.name, step.kind, f"/processors/{step.path}.js", (filtered, failed))


def _dead_letter(step: Step) -> str | None:
    return step.dead_letter if step.on_error == "dead_letter" else None


def _outside_branches(pipeline: Pipeline, figures: Figures) -> tuple[BranchView, ...]:
    """What left the line by no step's doing: what could not be read or written or was too large; tombstones."""
    counts, in_steps = figures.counts, _sum(figures.steps.values())
    topic = pipeline.dead_letter if pipeline.on_error == "dead_letter" else None
    failed = max(0, counts.dead_lettered + counts.dropped - in_steps.failed)
    branches = [BranchView("failed", failed, None, topic, _FATES[pipeline.on_error])]
    if pipeline.source.tombstones == "filter":
        filtered = max(0, counts.filtered - in_steps.filtered)
        branches.insert(0, BranchView("filtered", filtered, None, None, "tombstones"))
    return tuple(branches)


def _arrows(pipeline: Pipeline, figures: Figures, nodes: list[NodeView]) -> list[ArrowView]:
    """One arrow into every stop but the first; a check passes on what enters the stop behind it."""
    steps = {step.name for step in pipeline.steps}
    delivered = ArrowView(
        figures.counts.delivered,
        figures.rate_out,
        _weight(figures.rate_out, figures.counts.delivered, figures),
    )
    arrows, behind = [delivered], delivered
    for node in reversed(nodes[1:-1]):
        if node.kind != "check" and node.name in steps:
            behind = _into(figures.steps.get(node.name, _NOTHING), figures.step_rates.get(node.name), figures)
        arrows.append(behind)
    return arrows[::-1]


def _into(counts: StepCounts, rates: StepRates | None, figures: Figures) -> ArrowView:
    total = counts.ok + counts.filtered + counts.failed
    rate = None if rates is None else rates.ok + rates.filtered + rates.failed
    return ArrowView(total, rate, _weight(rate, total, figures))


def _weight(rate: float | None, total: int, figures: Figures) -> int:
    """The line's weight: the share of what is read that flows here, by rate where there is one, else by total."""
    part, whole = (rate, figures.rate_in) if rate and figures.rate_in else (total, figures.counts.consumed)
    return min(_HEAVIEST, max(1, round(_HEAVIEST * part / whole))) if part and whole else 0


def _sum(steps: Iterable[StepCounts]) -> StepCounts:
    total = StepCounts()
    for counts in steps:
        total += counts
    return total
