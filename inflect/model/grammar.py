"""The grammar of a pipeline file as JSON Schema (draft 2020-12): printed by `inflect schema`, for editors.

Shape only: types, bounds, defaults, words. Rules that join two keys (`min` and `max`, a cycle, exactly one of
`transformation` and `filter`) are in `model.document`. The order of the properties is the order of an export,
and a `default` here is left out of one.
"""

from typing import Any

from inflect.model.pipeline import NAME_PATTERN

TOPIC_PATTERN = r"^[a-zA-Z0-9._-]{1,249}$"
PROCESSOR_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$"
STEP_NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9._/-]{0,127}$"
LATEST_PATTERN = r"^latest$"

# What a broken pattern is told as.
PATTERN_RULES = {
    NAME_PATTERN: ("must be 1 to 63 lower-case letters, digits and hyphens, and begin with a letter or a digit"),
    TOPIC_PATTERN: "is no topic name: 1 to 249 letters, digits, '.', '_' and '-'",
    PROCESSOR_PATTERN: "must be the file's path inside its folder, without the ending",
    STEP_NAME_PATTERN: "must be 1 to 128 letters, digits, '.', '_', '/' and '-'",
    LATEST_PATTERN: "must be a number or 'latest'",
}

Schema = dict[str, Any]


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description, **more}


def _number(description: str, default: int | None, minimum: int, maximum: int) -> Schema:
    schema = {"type": "integer", "description": description, "minimum": minimum, "maximum": maximum}
    return schema if default is None else {**schema, "default": default}


def _choice(description: str, *words: str, default: str | None = None) -> Schema:
    schema = {"type": "string", "description": description, "enum": list(words)}
    return schema if default is None else {**schema, "default": default}


def _object(description: str, properties: Schema, *, required: tuple[str, ...] = (), **more: Any) -> Schema:
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
        **more,
    }


def _topic(description: str) -> Schema:
    return _text(description, pattern=TOPIC_PATTERN)


_FORMAT = _choice(
    "How the value is encoded. `bytes` is a base64 string in JavaScript.",
    *("json", "avro", "protobuf", "string", "bytes"),
    default="json",
)
_ON_ERROR = _choice(
    "What becomes of an event that fails: to the dead letter topic, dropped and counted, or the pipeline "
    "stops before it. Default: `dead_letter` where there is a dead letter topic, else `stop`.",
    *("dead_letter", "drop", "stop"),
)
_SCHEMA = _object(
    "What the value is checked against: a registry subject or a file. Absent: no check.",
    {
        "subject": _text("Subject in the schema registry.", minLength=1, maxLength=512),
        "version": {
            "type": ["integer", "string"],
            "description": "Version of the subject, or `latest`.",
            "minimum": 1,
            "pattern": LATEST_PATTERN,
            "default": "latest",
        },
        "file": _text("Path of a schema file, for teams without a registry.", minLength=1, maxLength=1024),
        "message": _text(
            "Full name of the Protobuf message; default: the first of the schema.", minLength=1, maxLength=512
        ),
    },
)
_HEADERS: Schema = {
    "type": "object",
    "description": "Headers of the event: name to text, or to a list of texts.",
    "additionalProperties": {"type": ["string", "array"], "items": {"type": "string"}},
}

_SOURCE = _object(
    "Where events come from.",
    {
        "topic": _topic("The topic that is read; it must exist."),
        "format": _FORMAT,
        "schema": _SCHEMA,
        "start": _text(
            "Where to begin in partitions without a committed offset: `earliest`, `latest`, or a time as "
            "2026-01-31T12:00:00Z.",
            default="earliest",
        ),
        "tombstones": _choice("What becomes of events without a value.", "deliver", "filter", default="deliver"),
    },
    required=("topic",),
)
_CREATE = _object(
    "Make the topic when it does not exist; what is absent follows the source topic and the broker.",
    {
        "partitions": _number("Number of partitions.", None, 1, 10_000),
        "replication_factor": _number("Copies of each partition.", None, 1, 100),
        "config": {
            "type": "object",
            "description": "Topic configuration, such as `retention.ms`.",
            "additionalProperties": {"type": ["string", "integer", "boolean"]},
            "default": {},
        },
    },
)
_TARGET = _object(
    "Where delivered events go.",
    {
        "topic": _topic("The topic that is written."),
        "format": _FORMAT,
        "schema": _SCHEMA,
        "create": _CREATE,
        "wire_prefix": {
            "type": "boolean",
            "description": "Put the schema's id before each value (Confluent wire format). Default: true "
            "for avro and protobuf with a registry subject, else false.",
        },
    },
    required=("topic",),
)
_STEP = _object(
    "One processor of the chain: a transformation or a filter.",
    {
        "transformation": _text("File below transformations/, without its ending.", pattern=PROCESSOR_PATTERN),
        "filter": _text("File below filters/, without its ending.", pattern=PROCESSOR_PATTERN),
        "name": _text(
            "Name of the step; default: the processor's, NAME-2 when it is used a second time.",
            pattern=STEP_NAME_PATTERN,
        ),
        "params": {
            "type": "object",
            "description": "Handed to the function as context.params.",
            "default": {},
        },
        "filtered": _topic("Topic for events this step filters. Absent: counted, not kept."),
        "dead_letter": _topic("Topic for events that fail in this step; default: the pipeline's."),
        "on_error": _ON_ERROR,
    },
)
_EXPECT = _object(
    "What must become of the event.",
    {
        "outcome": _choice("How it ends.", "delivered", "filtered", "failed"),
        "stage": _choice(
            "The stage where it ends.",
            *("decode", "incoming_schema", "step", "outgoing_schema", "encode", "produce"),
        ),
        "step": _text("The step where it ends."),
        "event": {"description": "The delivered value."},
        "events": {"type": "array", "description": "The delivered values, where a step splits the event."},
        "key": {"type": ["string", "null"], "description": "The delivered key."},
        "headers": _HEADERS,
        "error": _text("A part of the error's message."),
        "reason": _text("The reason given to context.filter or context.reject."),
    },
    required=("outcome",),
)
_TEST = _object(
    "An event, and what must become of it; run by `inflect test`.",
    {
        "name": _text("What the test shows.", minLength=1, maxLength=200),
        "event": {"description": "The event's value; null is a tombstone."},
        "event_file": _text("A file that holds the value, relative to the pipeline file.", minLength=1),
        "key": {"type": ["string", "null"], "description": "The event's key."},
        "headers": _HEADERS,
        "expect": _EXPECT,
    },
    required=("name", "expect"),
)

JSON_SCHEMA: Schema = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Inflect pipeline",
    **_object(
        "A pipeline: source topic, steps, target topic.",
        {
            "name": _text("Name of the pipeline, its consumer group and transactional ids.", pattern=NAME_PATTERN),
            "description": _text("What the pipeline is for.", maxLength=10_000, default=""),
            "source": _SOURCE,
            "steps": {
                "type": "array",
                "description": "The chain, in order.",
                "items": _STEP,
                "maxItems": 100,
                "default": [],
            },
            "target": _TARGET,
            "dead_letter": _topic(
                "Topic for events that fail anywhere: decoding, schema, a step, encoding, too large."
            ),
            "on_error": _ON_ERROR,
            "guarantee": _choice(
                "How often an event may arrive.", "exactly_once", "at_least_once", default="exactly_once"
            ),
            "stamp": {
                "type": "boolean",
                "description": "Delivered events carry the header inflect.revision.",
                "default": False,
            },
            "workers": _object(
                "Bounds of the worker pool. Without an autoscaler a pool has `min` workers.",
                {
                    "min": _number("Fewest workers.", 1, 0, 1000),
                    "max": _number("Most workers.", 4, 1, 1000),
                    "lag_per_worker": _number("Lag in events one worker is expected to carry.", 10_000, 1, 10**12),
                },
                default={},
            ),
            "partitions": _object(
                "Whether the source topic may be given more partitions.",
                {
                    "autoscale": {
                        "type": "boolean",
                        "description": "Add partitions when workers are short of them.",
                        "default": False,
                    },
                    "max": _number("Most partitions.", 12, 1, 10_000),
                },
                default={},
            ),
            "batch": _object(
                "What one transaction takes at most.",
                {
                    "max_events": _number("Events in a batch.", 10_000, 1, 100_000),
                    "max_wait_ms": _number("How long a worker waits for a full batch.", 50, 0, 10_000),
                },
                default={},
            ),
            "limits": _object(
                "What the functions may use.",
                {
                    "timeout_ms": _number("Time for one event.", 1000, 1, 60_000),
                    "memory_mb": _number("JavaScript heap of one isolate.", 128, 16, 4096),
                },
                default={},
            ),
            "labels": {
                "type": "object",
                "description": "Your own words for finding pipelines: name to text.",
                "additionalProperties": {"type": "string", "maxLength": 256},
                "maxProperties": 64,
                "default": {},
            },
            "tests": {
                "type": "array",
                "description": "Events and what must become of them.",
                "items": _TEST,
                "maxItems": 1000,
                "default": [],
            },
        },
        required=("name", "source", "target"),
    ),
}
