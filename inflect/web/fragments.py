"""Live parts of pages, by the name of the event that replaces each: the same templates the whole page is made of."""

import hashlib
from collections.abc import Iterable

from inflect.web import charts
from inflect.web.live import Fragments, Topic
from inflect.web.pulse import CHANGES_SHOWN, Frame
from inflect.web.render import fragment, macro


def draw(topic: Topic, frame: Frame) -> Fragments:
    """All live parts of one kind of page; a pipeline that is gone has only what every page has."""
    drawn = {
        "health": fragment("_health.html", health=frame.health),
        "outage": fragment("_outage.html", outage=frame.outage),
    }
    if topic.kind == "fleet":
        drawn |= _fleet(frame)
    elif topic.kind == "pipeline" and topic.name in frame.pipelines:
        drawn |= _pipeline(topic.name, frame)
    return drawn


def fleet_digest(names: Iterable[str]) -> str:
    """A word that changes when pipelines come or go: pages then fetch their rows anew."""
    return hashlib.sha256("\n".join(sorted(names)).encode()).hexdigest()[:12]


def _fleet(frame: Frame) -> dict[str, str]:
    drawn = {
        f"row-{name}": fragment("_row.html", pipeline=view, now=frame.at) for name, view in frame.pipelines.items()
    }
    drawn["changes"] = fragment("_changes.html", changes=frame.changes[:CHANGES_SHOWN], now=frame.at)
    drawn["fleet"] = fleet_digest(frame.pipelines)
    return drawn


def _pipeline(name: str, frame: Frame) -> dict[str, str]:
    view, figures = frame.pipelines[name], frame.figures[name]
    throughput, lag = charts.throughput(figures), charts.lag(figures)
    parts = {
        "head": "_pipeline_head.html",
        "figures": "_figures.html",
        "books": "_books.html",
        "workers": "_workers.html",
        "partitions": "_partitions.html",
    }
    drawn = {event: fragment(template, pipeline=view, now=frame.at) for event, template in parts.items()}
    return drawn | {
        "strip": macro("strip_large", view.strip),
        "throughput": macro("chart", throughput),
        "throughput-rows": macro("chart_rows", throughput),
        "lag": macro("chart", lag),
        "lag-rows": macro("chart_rows", lag),
        "renewed": frame.newest_change(name),
    }
