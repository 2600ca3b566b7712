"""What keeps a pipeline from running here, told before it is tried."""

from typing import Any

import pytest

from inflect.control.checks import pipeline_faults
from inflect.model.document import parse_pipeline
from inflect.model.processor import ProcessorVersion

TOPICS = {"orders": 4, "clean": 4}
PARAMS = {"type": "object", "properties": {"minimum": {"type": "number"}}, "required": ["minimum"]}
FILES = {
    "filters/large.js": ProcessorVersion("filters/large.js", "filter", "large", "h", "", "", params=PARAMS),
    "filters/odd.js": ProcessorVersion("filters/odd.js", "filter", "odd", "h", "", "", params={"type": 5}),
}


def faults(**keys: Any) -> list[str]:
    document = {"name": "p", "source": {"topic": "orders"}, "target": {"topic": "clean"}, **keys}
    return [str(fault) for fault in pipeline_faults(parse_pipeline(document), FILES, TOPICS)]


def test_a_pipeline_with_all_it_needs_has_no_fault() -> None:
    assert faults(steps=[{"filter": "large", "params": {"minimum": 1}}]) == []


@pytest.mark.parametrize(
    ("keys", "fault"),
    [
        (
            {"source": {"topic": "ordres"}},
            "source.topic: there is no topic 'ordres' (did you mean 'orders'?); create it first",
        ),
        ({"source": {"topic": "x"}}, "source.topic: there is no topic 'x'; create it first"),
        ({"target": {"topic": "x"}}, "target.topic: there is no topic 'x'; create it, or let Inflect do it"),
        ({"workers": {"min": 0}}, "workers.min: 0 needs the autoscaler"),
        ({"partitions": {"autoscale": True}}, "partitions.autoscale: needs the autoscaler"),
        ({"steps": [{"filter": "large"}]}, 'steps[0].params: "minimum" is a required property'),
        ({"steps": [{"filter": "large", "params": {"minimum": "x"}}]}, "steps[0].params.minimum: "),
        ({"steps": [{"filter": "odd"}]}, "steps[0].params: filters/odd.js exports params that are no JSON Schema"),
    ],
)
def test_what_is_missing_is_told_with_its_path(keys: dict[str, Any], fault: str) -> None:
    assert any(line.startswith(fault) for line in faults(**keys)), faults(**keys)


def test_a_target_that_is_to_be_created_need_not_exist() -> None:
    assert faults(target={"topic": "new", "create": {}}) == []
