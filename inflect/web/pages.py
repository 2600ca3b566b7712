"""The simple pages: topics, audit, settings. Read only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inflect.model.pipeline import Pipeline
from inflect.settings import Settings
from inflect.store import audit
from inflect.web import overview
from inflect.web.frame import chrome, house
from inflect.web.render import page

AUDIT_A_PAGE = 100
_SHOWN_PROPERTIES = ("bootstrap.servers", "security.protocol", "sasl.mechanism", "client.id")
_NOT_SET = "not set"


@dataclass(frozen=True, slots=True)
class TopicView:
    """One topic and the pipelines beside it; `written_by` with the role where it is not the target."""

    name: str
    partitions: int | None
    read_by: tuple[str, ...]
    written_by: tuple[tuple[str, str], ...]


def topics_page(request: Request) -> Response:
    """Answer `GET /topics`: what the cluster has, and what pipelines use without it being seen yet."""
    here = house(request)
    frame = here.pulse.frame
    seen = {row.name: row.partitions for row in here.brokers.topics(here.db) if not row.internal}
    views = topic_views(seen, frame.models)
    return page(request, "topics.html", chrome(request, frame, active="Topics", title="Topics") | {"topics": views})


def topic_views(seen: Mapping[str, int], models: Mapping[str, Pipeline]) -> list[TopicView]:
    """Join topics with the pipelines that read and write them, by name."""
    names = {*seen, *(topic for model in models.values() for topic, _ in _written(model))}
    names |= {model.source.topic for model in models.values()}
    return [
        TopicView(
            name,
            seen.get(name),
            tuple(key for key, model in models.items() if model.source.topic == name),
            tuple((key, role) for key, model in models.items() for topic, role in _written(model) if topic == name),
        )
        for name in sorted(names)
    ]


def _written(model: Pipeline) -> Iterator[tuple[str, str]]:
    yield model.target.topic, ""
    filtered = {step.filtered for step in model.steps}
    for topic in model.side_topics:
        yield topic, "filtered" if topic in filtered else "dead letters"


def audit_page(request: Request) -> Response:
    """Answer `GET /audit?before=ID`."""
    here = house(request)
    before = request.query_params.get("before", "")
    rows = audit.recent(here.db, None, AUDIT_A_PAGE, before=int(before) if before.isdecimal() else None)
    context: dict[str, Any] = {
        "changes": [overview.change(row) for row in rows],
        "more": f"/audit?before={rows[-1].id}" if len(rows) == AUDIT_A_PAGE else "",
    }
    frame = here.pulse.frame
    return page(request, "audit.html", chrome(request, frame, active="Audit", title="Audit") | context)


def settings_page(request: Request) -> Response:
    """Answer `GET /settings`: the connections, without a secret."""
    here = house(request)
    frame = here.pulse.frame
    context = {"groups": setting_groups(here.settings, here.db.server)}
    return page(request, "settings.html", chrome(request, frame, active="Settings", title="Settings") | context)


def setting_groups(settings: Settings, database: str) -> list[tuple[str, list[tuple[str, str]]]]:
    """Settings by topic, as words. Of librdkafka's properties only names that cannot hold a secret show their value."""
    kafka = [(key, settings.kafka.get(key, _NOT_SET)) for key in _SHOWN_PROPERTIES]
    others = sorted(set(settings.kafka) - set(_SHOWN_PROPERTIES))
    if others:
        kafka.append(("also set", ", ".join(others)))
    return [
        ("Kafka", kafka),
        ("PostgreSQL", [("server", database)]),
        ("Schema registry", [("url", settings.registry_url or "not set: schemas are off")]),
        (
            "This server",
            [
                ("pages and API", settings.http_address),
                ("processors", str(settings.processors.absolute())),
                ("workers run", "as processes of this machine" if settings.mode == "local" else "in Kubernetes"),
                ("logins", "decided by the proxy in front" if settings.no_auth else "none on a loopback address"),
            ],
        ),
    ]
