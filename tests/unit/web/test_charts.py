import pytest

from inflect.model.event import Counts
from inflect.web import charts
from inflect.web.figures import Figures, Point


def figures(points: list[Point], deploys: list[tuple[float, int]] | None = None) -> Figures:
    return Figures(Counts(), {}, points=points, deploys=deploys or [])


@pytest.mark.parametrize(("value", "top"), [(0, 10), (10, 10), (11, 20), (340, 500), (5000, 5000), (5001, 10_000)])
def test_the_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert charts.nice_top(value) == top


def test_now_is_at_the_right_edge_and_nothing_is_at_the_bottom() -> None:
    view = charts.throughput(figures([Point(300, 0, 0, 0), Point(0, 500, 0, 0)]))
    assert view.lines[0].points == "0.0,99.0 300.0,1.0"
    assert view.lines[1].points == "0.0,99.0 300.0,99.0"
    assert view.ticks == ("500/s", "250/s", "0/s")


def test_what_is_not_known_is_not_drawn() -> None:
    view = charts.lag(figures([Point(2, 1, 1, None), Point(1, 1, 1, 5)]))
    assert view.lines[0].points.count(",") == 1


def test_a_deploy_is_marked_where_it_happened() -> None:
    view = charts.lag(figures([Point(0, 0, 0, 0)], deploys=[(150, 8)]))
    assert [(mark.x, mark.text) for mark in view.marks] == [(50.0, "r8")]


def test_the_table_behind_a_chart_has_a_row_every_fifteen_seconds() -> None:
    view = charts.throughput(figures([Point(age, age, 0, 0) for age in range(60, -1, -1)]))
    assert [when for when, _ in view.rows] == ["now", "15 s ago", "30 s ago", "45 s ago", "60 s ago"]
    assert view.rows[0][1] == ("0/s", "0/s")
