"""The API described for machines (OpenAPI 3.1): built once from one table. A test holds it against the routes."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

from inflect.model.document import JSON_SCHEMA

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Verb:
    """One operation: what it does, what it takes, what it answers, which refusals it knows."""

    method: str
    path: str
    summary: str
    answer: Json | None
    body: Json | None = None
    status: int = 200
    refusals: tuple[int, ...] = ()
    query: tuple[str, ...] = field(default=())


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _many(name: str) -> Json:
    return {"type": "array", "items": _ref(name)}


_FREE: Json = {"type": "object"}
_TEST: Json = {
    "type": "object",
    "properties": {
        "events": {"type": "array", "items": _ref("TestEvent")},
        "generate": {"type": "integer", "minimum": 0},
        "sample": {"type": "integer", "minimum": 0},
        "seed": {"type": "integer"},
        "pipeline": _ref("PipelineDocument"),
    },
}
_ROLLBACK: Json = {"type": "object", "required": ["revision"], "properties": {"revision": {"type": "integer"}}}
_RESULTS: Json = {
    "type": "object",
    "required": ["results"],
    "properties": {"results": {"type": "array", "items": _FREE}, "seed": {"type": "integer"}},
}
_REDRIVE: Json = {
    "type": "object",
    "description": "one of all, ids and cause says which letters",
    "properties": {
        "all": {"type": "boolean"},
        "ids": {"type": "array", "items": {"type": "string"}, "maxItems": 10_000},
        "cause": {"type": "string"},
        "from": {"enum": ["source", "failed-step"], "default": "source"},
        "dry_run": {"type": "boolean", "default": False},
        "rate": {"type": "number", "minimum": 0.001, "maximum": 1_000_000},
    },
}
_ONE = "/pipelines/{name}"

_VERBS = (
    _Verb("get", "/pipelines", "All pipelines with state, counts and lag", _many("Pipeline")),
    _Verb(
        "post",
        "/pipelines",
        "Make a pipeline",
        _ref("Pipeline"),
        _ref("PipelineDocument"),
        status=201,
        refusals=(400, 409, 413, 422),
        query=("comment",),
    ),
    _Verb("get", _ONE, "One pipeline, with its document", _ref("Pipeline"), refusals=(404,)),
    _Verb(
        "put",
        _ONE,
        "Make or change a pipeline; the same document again changes nothing",
        _ref("Pipeline"),
        _ref("PipelineDocument"),
        refusals=(400, 409, 413, 422),
        query=("comment",),
    ),
    _Verb("delete", _ONE, "Delete a pipeline; topics and offsets stay", None, status=204, refusals=(404,)),
    _Verb("post", f"{_ONE}/pause", "Finish the batches in flight and wait", _ref("Pipeline"), refusals=(404,)),
    _Verb("post", f"{_ONE}/resume", "Go on where it stopped", _ref("Pipeline"), refusals=(404,)),
    _Verb(
        "post",
        f"{_ONE}/test",
        "Try events on a pipeline or a draft of it; nothing is written",
        _RESULTS,
        _TEST,
        refusals=(400, 404, 422),
    ),
    _Verb(
        "get",
        f"{_ONE}/revisions",
        "Revisions, newest first",
        _many("Revision"),
        refusals=(404,),
        query=("limit", "before"),
    ),
    _Verb(
        "post",
        f"{_ONE}/rollback",
        "Make an old content the newest revision",
        _ref("Pipeline"),
        _ROLLBACK,
        refusals=(404, 409, 422),
    ),
    _Verb(
        "get",
        f"{_ONE}/dead-letters",
        "Open dead letters, newest first (the next page is in `Link`); with `group` counted by cause",
        _many("DeadLetter"),
        refusals=(400, 404),
        query=("group", "cause", "redriven", "limit", "page"),
    ),
    _Verb(
        "get",
        f"{_ONE}/dead-letters/{{id}}",
        "One dead letter, TOPIC:PARTITION:OFFSET, with its content",
        _ref("DeadLetter"),
        refusals=(400, 404),
    ),
    _Verb(
        "post",
        f"{_ONE}/redrive",
        "Dead letters through the current revision, exactly once; what became of them, or with `dry_run` would",
        _ref("Redriven"),
        _REDRIVE,
        refusals=(400, 404, 409, 422),
    ),
    _Verb("get", "/processors", "Processor files and who uses them", _many("Row")),
    _Verb(
        "get",
        "/schemas",
        "Subjects of the registry and schema files, and who uses them",
        _many("SchemaEntry"),
        refusals=(502,),
    ),
    _Verb(
        "get",
        "/schemas/{subject}",
        "One subject at its newest or the given version: text, references, all versions, who uses it",
        _ref("Schema"),
        refusals=(404, 422, 502),
        query=("version",),
    ),
    _Verb("get", "/topics", "Topics as the cluster was last seen to have them", _many("Row")),
    _Verb("get", "/workers", "Live workers of all pipelines", _many("Row")),
    _Verb("get", "/audit", "Who changed what, newest first", _many("Row"), query=("subject", "limit", "before")),
)

_COUNTS = ("consumed", "delivered", "filtered", "dead_lettered", "dropped", "unaccounted")
_STATES = ["starting", "running", "idle", "pausing", "paused", "stopped", "failed"]
_PROBLEM: Json = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"path": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_PIPELINE: Json = {
    "type": "object",
    "required": ["name", "state", "reason", "revision", "workers", "counts", "lag"],
    "properties": {
        "name": {"type": "string"},
        "state": {"enum": _STATES},
        "reason": {"type": "string"},
        "revision": {"type": "integer"},
        "workers": {"type": "array", "items": _FREE},
        "counts": {"type": "object", "properties": {name: {"type": "integer"} for name in _COUNTS}},
        "lag": {
            "type": "object",
            "properties": {"events": {"type": ["integer", "null"]}, "seconds": {"type": ["number", "null"]}},
        },
        "document": _ref("PipelineDocument"),
    },
}
_TEST_EVENT: Json = {
    "type": "object",
    "required": ["value"],
    "properties": {"value": {}, "key": {"type": ["string", "null"]}, "headers": _FREE},
}
_REVISION: Json = {
    "type": "object",
    "properties": {
        "number": {"type": "integer"},
        "document": _ref("PipelineDocument"),
        "pins": _FREE,
        "schemas": _FREE,
        "author": {"type": "string"},
        "origin": {"type": "string"},
        "comment": {"type": "string"},
        "created_at": {"type": "string", "format": "date-time"},
    },
}
_USES: Json = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "pipeline": {"type": "string"},
            "side": {"enum": ["source", "target"]},
            "version": {"type": ["integer", "null"]},
            "hash": {"type": "string"},
        },
    },
}
_SCHEMA_ENTRY: Json = {
    "type": "object",
    "description": "A subject, or a schema file that a pipeline pins: one of the two is null.",
    "properties": {"subject": {"type": ["string", "null"]}, "file": {"type": ["string", "null"]}, "used_by": _USES},
}
_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "subject": {"type": "string"},
        "kind": {"enum": ["json", "avro", "protobuf"]},
        "versions": {"type": "array", "items": {"type": "integer"}},
        "version": {"type": "integer"},
        "id": {"type": ["integer", "null"]},
        "text": {"type": "string"},
        "references": {"type": "object", "additionalProperties": {"type": "string"}},
        "used_by": _USES,
    },
}

_TOLD: Json = {"type": ["string", "null"]}
_DEAD_LETTER: Json = {
    "type": "object",
    "required": ["id", "cause", "dialect", "origin", "attempt", "redriven"],
    "properties": {
        "id": {"type": "string"},
        "cause": {"type": "string"},
        "dialect": {"enum": ["inflect", "connect", "streams", "spring"]},
        **dict.fromkeys(("writer", "stage", "step", "kind", "message", "location", "time"), _TOLD),
        "revision": {"type": ["integer", "null"]},
        "origin": _FREE,
        "attempt": {"type": "integer"},
        "truncated": {"type": "boolean"},
        "redriven": {"type": ["object", "null"]},
        "key": _TOLD,
        "value": {},
        "headers": _FREE,
        "unreadable": {"type": "string"},
    },
}
_REDRIVEN: Json = {
    "type": "object",
    "required": ["selected", "delivered", "filtered", "failed"],
    "properties": {
        **{each: {"type": "integer"} for each in ("selected", "delivered", "filtered", "failed", "dropped", "refused")},
        "refusals": {"type": "array", "items": _FREE},
        "stopped": {"type": "string"},
    },
}


def _operation(verb: _Verb) -> Json:
    done: Json = {"description": verb.summary}
    if verb.answer is not None:
        done["content"] = {"application/json": {"schema": verb.answer}}
    refused = {"description": "Refused", "content": {"application/problem+json": {"schema": _ref("Problem")}}}
    operation: Json = {
        "summary": verb.summary,
        "responses": {str(verb.status): done, **{str(code): refused for code in (*verb.refusals, 503)}},
    }
    if parameters := list(_parameters(verb)):
        operation["parameters"] = parameters
    if verb.body is not None:
        kinds = ("application/json", "application/yaml") if "Document" in str(verb.body) else ("application/json",)
        operation["requestBody"] = {"content": {kind: {"schema": verb.body} for kind in kinds}}
    return operation


def _parameters(verb: _Verb) -> Iterator[Json]:
    for name in re.findall(r"{(\w+)}", verb.path):
        yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
    for name in verb.query:
        kind = "string" if name in {"comment", "subject", "group", "cause", "redriven", "page"} else "integer"
        yield {"name": name, "in": "query", "schema": {"type": kind}}


def _describe() -> Json:
    paths: dict[str, Json] = {}
    for verb in _VERBS:
        paths.setdefault(verb.path, {})[verb.method] = _operation(verb)
    document = {key: value for key, value in JSON_SCHEMA.items() if key not in {"$schema", "$id"}}
    schemas = {
        "Pipeline": _PIPELINE,
        "PipelineDocument": document,
        "Revision": _REVISION,
        "Schema": _SCHEMA,
        "SchemaEntry": _SCHEMA_ENTRY,
        "DeadLetter": _DEAD_LETTER,
        "Redriven": _REDRIVEN,
        "TestEvent": _TEST_EVENT,
        "Row": _FREE,
        "Problem": _PROBLEM,
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "Inflect", "version": version("inflect")},
        "servers": [{"url": "/api/v1"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


DESCRIPTION = _describe()
