"""Charts as plain SVG geometry, drawn on the server: the same picture with and without JavaScript.

A box is 300 wide (a second a unit, now at the right edge) and 100 high; the template stretches it. Sparklines are the
same line without axes. One quantity a chart, the same five minutes everywhere, a table behind each.
"""

import math
from collections.abc import Callable, Sequence

from inflect.web import numbers
from inflect.web.figures import KEPT_S, Figures, Point
from inflect.web.views import ChartView, LineView, MarkView

HEIGHT = 100
SPARK_S = 60
SPARK_HEIGHT = 24
_TABLE_EVERY_S = 15
Reading = Callable[[Point], float | None]


def throughput(figures: Figures) -> ChartView:
    """Events per second read from the source and delivered to the target."""
    readings: list[tuple[str, str, Reading]] = [
        ("read", "read", lambda point: point.rate_in),
        ("delivered", "delivered", lambda point: point.rate_out),
    ]
    return _chart("Events per second", "/s", readings, figures)


def lag(figures: Figures) -> ChartView:
    """Events waiting in the source topic."""
    return _chart("Lag in events", "", [("waiting", "waiting", lambda point: point.lag)], figures)


def spark(points: Sequence[Point], reading: Reading) -> str:
    """The last minute as points of a polyline in a box of 60 by 24; empty when there is nothing to draw."""
    recent = [point for point in points if point.age_s <= SPARK_S]
    top = nice_top(max((reading(point) or 0 for point in recent), default=0))
    return _polyline(recent, reading, span_s=SPARK_S, width=SPARK_S, height=SPARK_HEIGHT, top=top)


def nice_top(value: float) -> float:
    """The end of an axis: 1, 2 or 5 times a power of ten, at or above the value; at least 10."""
    if value <= 10:  # noqa: PLR2004  the smallest axis
        return 10
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)


def _chart(title: str, unit: str, readings: Sequence[tuple[str, str, Reading]], figures: Figures) -> ChartView:
    points = figures.points
    top = nice_top(max((reading(p) or 0 for _, _, reading in readings for p in points), default=0))
    lines = tuple(
        LineView(meaning, label, _polyline(points, reading, KEPT_S, KEPT_S, HEIGHT, top))
        for meaning, label, reading in readings
    )
    ticks = tuple(numbers.short(part) + unit for part in (top, top / 2, 0))
    marks = tuple(MarkView(round(100 * (1 - age_s / KEPT_S), 1), f"r{revision}") for age_s, revision in figures.deploys)
    return ChartView(title, unit, lines, ticks, marks, _table(points, unit, [r for _, _, r in readings]))


def _polyline(  # noqa: PLR0913, PLR0917  the box and what is drawn in it
    points: Sequence[Point], reading: Reading, span_s: float, width: float, height: float, top: float
) -> str:
    return " ".join(
        f"{(1 - point.age_s / span_s) * width:.1f},{height - 1 - (height - 2) * value / top:.1f}"
        for point in points
        if (value := reading(point)) is not None
    )


def _table(points: Sequence[Point], unit: str, readings: Sequence[Reading]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """A row about every fifteen seconds, newest first."""
    rows: dict[int, tuple[str, tuple[str, ...]]] = {}
    for point in reversed(points):
        slot = round(point.age_s / _TABLE_EVERY_S)
        if slot not in rows:
            figures = tuple(numbers.short(reading(point)) + unit for reading in readings)
            rows[slot] = (f"{slot * _TABLE_EVERY_S} s ago" if slot else "now", figures)
    return tuple(rows.values())
