from dataclasses import replace

from inflect.model.document import parse_pipeline
from inflect.model.event import Counts, StepCounts
from inflect.web.figures import Figures, StepRates
from inflect.web.strip import draw
from tests.unit.web.samples import COUNTS, DOCUMENT, STEPS

PIPELINE = parse_pipeline(DOCUMENT)
RATES = {"lowercase-email": StepRates(99, 0, 1), "only-paid": StepRates(60, 39, 0)}
FIGURES = Figures(COUNTS, STEPS, 100.0, 60.0, RATES)


def test_the_strip_goes_from_source_over_steps_to_target() -> None:
    view = draw(PIPELINE, FIGURES, moving=True)
    assert [(node.kind, node.name) for node in view.nodes] == [
        ("source", "orders"),
        ("transformation", "lowercase-email"),
        ("filter", "only-paid"),
        ("target", "orders-clean"),
    ]
    assert [(arrow.total, arrow.rate) for arrow in view.arrows] == [(1000, 100), (990, 99), (600, 60)]


def test_events_leave_where_the_step_says_and_to_the_topic_it_names() -> None:
    filtered, failed = draw(PIPELINE, FIGURES, moving=True).nodes[2].branches
    assert (filtered.kind, filtered.total, filtered.rate, filtered.topic) == ("filtered", 390, 39, "orders-unpaid")
    assert (failed.kind, failed.total, failed.topic) == ("failed", 0, "orders-dlq")


def test_what_no_step_failed_leaves_at_the_source() -> None:
    figures = replace(FIGURES, counts=Counts(1007, 600, 390, 17, 0))
    (branch,) = draw(PIPELINE, figures, moving=True).nodes[0].branches
    assert (branch.kind, branch.total, branch.topic) == ("failed", 7, "orders-dlq")


def test_a_step_without_a_dead_letter_topic_says_what_happens_instead() -> None:
    document = {**DOCUMENT, "on_error": "drop"}
    _, failed = draw(parse_pipeline(document), FIGURES, moving=True).nodes[1].branches
    assert (failed.topic, failed.fate) == (None, "dropped")


def test_the_weight_of_a_line_is_the_share_that_still_flows() -> None:
    assert [arrow.share for arrow in draw(PIPELINE, FIGURES, moving=True).arrows] == [4, 4, 2]


def test_a_pipeline_without_steps_is_one_line() -> None:
    view = draw(replace(PIPELINE, steps=()), Figures(Counts(5, 5), {}), moving=False)
    assert [arrow.total for arrow in view.arrows] == [5]


def test_a_schema_check_has_a_stop_of_its_own() -> None:
    source = {"topic": "orders", "schema": {"subject": "orders-value"}}
    view = draw(parse_pipeline({**DOCUMENT, "source": source}), FIGURES, moving=True)
    assert view.nodes[1].kind == "check"
    assert len(view.arrows) == len(view.nodes) - 1
    assert view.arrows[0] == view.arrows[1]


def test_a_step_that_joined_later_starts_at_nothing() -> None:
    figures = replace(FIGURES, steps={"lowercase-email": StepCounts(990, 0, 10)}, step_rates={})
    assert draw(PIPELINE, figures, moving=True).arrows[1].total == 0
